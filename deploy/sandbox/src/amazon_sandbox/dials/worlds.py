"""Dials for whole worlds: start afresh, fill one with a big seller, take a snapshot, put it back."""

from decimal import Decimal
from random import Random
from typing import Annotated, Any

import msgspec

from amazon_sandbox import memory, snapshots
from amazon_sandbox.clock import DAY_MS, HOUR_MS, SECOND_MS
from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.dials.listings import SeededListing, seeded_attributes
from amazon_sandbox.dials.orders import new_order_id
from amazon_sandbox.listings.catalogue import snapshot
from amazon_sandbox.marketplaces import MARKETPLACES, Marketplace
from amazon_sandbox.orders.book import PENDING, SHIPPED, UNSHIPPED, Line, Order, Package
from amazon_sandbox.world import Seller, World

_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Filling(msgspec.Struct, forbid_unknown_fields=True):
    selling_partner_id: str
    marketplace_id: str
    listings: _Count = 0
    orders: _Count = 0
    days: Annotated[int, msgspec.Meta(ge=1, le=700)] = 30
    seed: int = 0
    sku_prefix: Annotated[str, msgspec.Meta(min_length=1, max_length=20)] = "SKU-"


def reset(call: DialCall) -> dict[str, Any]:
    call.world.reset()
    memory.give_back()
    return {"sellers": 0}


def take(call: DialCall) -> bytes:
    return snapshots.take(call.world)


def restore(call: DialCall) -> dict[str, Any]:
    try:
        snapshots.restore(call.world, call.body)
    except ValueError as error:
        raise DialError(str(error)) from error
    memory.give_back()
    memory.keep()
    return {"sellers": len(call.world.sellers)}


def fill(call: DialCall) -> dict[str, Any]:
    """A seller as they look after a while: every listing in sight, the older orders shipped, the newest pending."""
    wish = call.read(Filling)
    seller = call.seller_in(wish.marketplace_id, wish.selling_partner_id)
    if wish.orders and not wish.listings:
        raise DialError("orders are of listings: say how many listings")
    if f"{wish.sku_prefix}000000" in seller.catalogue.listings:
        raise DialError(f"there are listings with the prefix {wish.sku_prefix} already: say another sku_prefix", 409)
    marketplace = MARKETPLACES[wish.marketplace_id]
    random = Random(wish.seed)  # noqa: S311 - invented goods, no secret
    lines = _fill_catalogue(call.world, seller, marketplace, wish, random)
    _fill_book(call.world, seller, marketplace, wish, lines, random)
    memory.keep()
    return {"listings": wish.listings, "orders": wish.orders}


def _fill_catalogue(
    world: World, seller: Seller, marketplace: Marketplace, wish: Filling, random: Random
) -> list[tuple[str, str, str, Decimal]]:
    """SKU, ASIN, title and price of each listing."""
    now_ms, known = world.clock.now_ms(), len(seller.catalogue.listings)
    goods = []
    for number in range(wish.listings):
        price = Decimal(random.randrange(199, 19999)).scaleb(-marketplace.currency_exponent)
        listing = SeededListing(f"{wish.sku_prefix}{number:06d}", price, quantity=random.randrange(0, 200))
        attributes = seeded_attributes(listing, marketplace, known + number)
        asin, title = attributes["merchant_suggested_asin"][0]["value"], attributes["item_name"][0]["value"]
        seller.catalogue.seed(listing.sku, snapshot(attributes, listing.product_type, now_ms - number))
        goods.append((listing.sku, asin, title, price))
    return goods


def _fill_book(
    world: World,
    seller: Seller,
    marketplace: Marketplace,
    wish: Filling,
    goods: list[tuple[str, str, str, Decimal]],
    random: Random,
) -> None:
    now_ms, orders = world.clock.now_ms(), []
    step_ms = wish.days * DAY_MS // max(wish.orders, 1)
    for position in range(wish.orders):
        created_ms = now_ms - (wish.orders - position) * step_ms
        age_ms = now_ms - created_ms
        number = world.next_order_number()
        bought = random.sample(goods, random.randint(1, min(2, len(goods))))
        lines = tuple(
            Line(f"7{number:09d}{at:04d}", sku, asin, title, random.choice((1, 1, 2, 3)), price)
            for at, (sku, asin, title, price) in enumerate(bought)
        )
        shipped = age_ms > 2 * DAY_MS
        status = SHIPPED if shipped else PENDING if age_ms < 1800 * SECOND_MS else UNSHIPPED
        packages: dict[str, Package] = {}
        if shipped:
            ship_ms = created_ms + 20 * HOUR_MS
            quantities = {line.order_item_id: line.quantity for line in lines}
            packages = {"1": Package("1", "UPS", "UPS Ground", f"1Z{number:016d}", ship_ms, ship_ms, quantities)}
        orders.append(
            Order(
                number=number,
                order_id=new_order_id(seller.region, number),
                marketplace_id=marketplace.marketplace_id,
                status=status,
                fulfilled_by="MERCHANT",
                service_level=random.choice(("STANDARD", "STANDARD", "EXPEDITED", "SECOND_DAY")),
                created_ms=created_ms,
                updated_ms=created_ms + 20 * HOUR_MS if shipped else created_ms,
                lines=lines,
                taken=tuple(line.quantity for line in lines) if status == PENDING else (),
                accepted=packages,
                packages=packages,
                confirmations=len(packages),
            )
        )
    seller.orders.add(orders)


DIALS = (
    Dial("DELETE", "/sandbox/world", "back to the state of the start, settings and clock included", reset),
    Dial("GET", "/sandbox/world", "a snapshot: the whole world as bytes, tokens and clock included", take),
    Dial("PUT", "/sandbox/world", "put a snapshot back: the body is what GET answered", restore),
    Dial(
        "POST",
        "/sandbox/world/fill",
        'a big seller at once: {"selling_partner_id", "marketplace_id", "listings"? (at most 1,000,000), "orders"?, '
        '"days"? (30: since when they ordered), "seed"?, "sku_prefix"? (SKU-)}',
        fill,
    ),
)
