"""Dials for orders: place them, release pending ones, cancel, or let the buyer ask for it."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from amazon_sandbox.clock import SECOND_MS, parse_iso
from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.listings.attributes import offer_price, value_of
from amazon_sandbox.listings.documents import asin_of
from amazon_sandbox.marketplaces import MARKETPLACES, Marketplace, RegionCode
from amazon_sandbox.notifications.listing_changes import sell_and_tell
from amazon_sandbox.notifications.order_changes import tell_cancel_wish, tell_status
from amazon_sandbox.orders.book import (
    AMAZON,
    CANCELLED,
    IN_STORE_PICK_UP,
    PENDING,
    UNSHIPPED,
    Cancellation,
    Charges,
    Line,
    Order,
    Regulation,
)
from amazon_sandbox.orders.cancelling import ItemCancellation, cancel_items, refuse_impossible_cancellation
from amazon_sandbox.orders.documents import SERVICE_LEVELS
from amazon_sandbox.wire import SpApiError
from amazon_sandbox.world import Seller, World

_REGULATION = Regulation(
    fields=({"FieldId": "pet_name", "FieldLabel": "Name", "FieldType": "Text", "FieldValue": "Canary Rex"},),
    rejection_reasons=(
        {"RejectionReasonId": "unsuitable", "RejectionReasonDescription": "The medicine does not suit this animal."},
    ),
)
_PREFIXES = {"NA": "113", "EU": "026", "FE": "250"}


FOREVER_S = 100 * 366 * 24 * 3600


class PlacedLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    sku: str
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    unit_price: Decimal | None = None
    shipping: Decimal | None = None
    gift_wrap: Decimal | None = None
    tax: Decimal | None = None
    discount: Decimal | None = None
    programs: list[str] = []
    customized_url: str | None = None


class Address(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """A `CustomerAddress`, in Amazon's names."""

    name: str | None = None
    company_name: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    city: str | None = None
    district_or_county: str | None = None
    state_or_region: str | None = None
    municipality: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone: str | None = None
    address_type: str | None = None


class PlacedOrder(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    lines: Annotated[list[PlacedLine], msgspec.Meta(min_length=1)]
    amazon_order_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{3}-[0-9]{7}-[0-9]{7}$")] | None = None
    status: Literal["UNSHIPPED", "PENDING", "PENDING_AVAILABILITY", "UNFULFILLABLE"] = "UNSHIPPED"
    fulfilled_by: Literal["MERCHANT", "AMAZON"] = "MERCHANT"
    service_level: str = "STANDARD"
    created_time: str | None = None
    recipient: Address | None = None
    gift_message: str | None = None
    gift_wrap_level: str | None = None
    programs: list[str] = []
    replaces: str | None = None
    seller_order_id: str | None = None
    buyer_company_name: str | None = None
    purchase_order_number: str | None = None
    search_delay_s: Annotated[float, msgspec.Meta(ge=0, le=FOREVER_S)] | None = None
    in_store_pickup: bool = False
    regulated: bool = False


class Placement(msgspec.Struct, forbid_unknown_fields=True):
    selling_partner_id: str
    marketplace_id: str
    orders: list[PlacedOrder]


class CancelWish(msgspec.Struct, forbid_unknown_fields=True):
    by: Literal["BUYER", "MERCHANT", "AMAZON"] = "BUYER"
    reason: str = "Ordered by mistake"


class CancelledItems(msgspec.Struct, forbid_unknown_fields=True):
    items: dict[str, Annotated[int, msgspec.Meta(ge=1)] | None]


def place(call: DialCall) -> dict[str, Any]:
    """All or nothing; the ids come back in the order of the request, with the ids of their items."""
    wish = call.read(Placement)
    seller = call.seller_in(wish.marketplace_id, wish.selling_partner_id)
    marketplace = MARKETPLACES[wish.marketplace_id]
    now_ms = call.world.clock.now_ms()
    orders = [
        _order(call.world, seller, marketplace, placed, f"orders[{position}]", now_ms)
        for position, placed in enumerate(wish.orders)
    ]
    ids = [order.order_id for order in orders]
    taken = [order_id for order_id in ids if order_id in seller.orders.orders]
    if taken or len(set(ids)) < len(ids):
        raise DialError(f"an amazon_order_id is used once only: {', '.join(taken or ids)}", 409)
    seller.orders.add(orders)
    for order in orders:
        order.taken = tuple(_take_stock(call.world, seller, order, line.sku, line.quantity) for line in order.lines)
    tell_status(call.world, seller, *orders)
    return {
        "orders": [
            {"amazon_order_id": order.order_id, "order_item_ids": [line.order_item_id for line in order.lines]}
            for order in orders
        ]
    }


def _take_stock(world: World, seller: Seller, order: Order, sku: str, units: int) -> int:
    """From the merchant's DEFAULT or from Amazon's warehouse; negative `units` go back. Returns what was there."""
    if order.fulfilled_by == AMAZON:
        return seller.fba.sell(order.marketplace_id, sku, units, world.clock.now_ms())
    return sell_and_tell(world, seller, sku, units)


def new_order_id(region: RegionCode, number: int) -> str:
    """An odd factor coprime to 10**7 spreads consecutive numbers over all of them: they look random, none repeats."""
    return f"{_PREFIXES[region]}-{number * 7654321 % 10**7:07d}-{number * 1234567 % 10**7:07d}"


def release(call: DialCall) -> dict[str, Any]:
    seller, order = _find(call)
    if not order.is_pending:
        raise DialError(f"{order.order_id} is {order.status}, not {PENDING}", 409)
    seller.orders.change(order, call.world.clock.now_ms(), status=UNSHIPPED)
    tell_status(call.world, seller, order)
    return {"status": order.status}


def cancel(call: DialCall) -> dict[str, Any]:
    """A pending order gives back the units it took; later they are the seller's to give back."""
    seller, order = _find(call)
    wish = call.read(CancelWish)
    if order.status not in (PENDING, UNSHIPPED) or order.accepted:
        raise DialError(f"{order.order_id} is {order.status} with {len(order.accepted)} packages", 409)
    if order.is_pending:
        for line, units in zip(order.lines, order.taken, strict=True):
            _take_stock(call.world, seller, order, line.sku, -units)
        order.taken = ()
    cancellation = Cancellation(wish.by, wish.reason, executed=True)
    seller.orders.change(order, call.world.clock.now_ms(), status=CANCELLED, cancellation=cancellation)
    tell_status(call.world, seller, order)
    return {"status": order.status}


def cancel_some(call: DialCall) -> dict[str, Any]:
    """As the merchant does it with an acknowledgement feed."""
    seller, order = _find(call)
    items = {
        item: ItemCancellation("NoInventory", quantity) for item, quantity in call.read(CancelledItems).items.items()
    }
    try:
        refuse_impossible_cancellation(order, items)
    except SpApiError as error:
        raise DialError(error.message, 409) from None
    cancel_items(seller.orders, order, items, call.world.clock.now_ms())
    tell_status(call.world, seller, order)
    return {"status": order.status}


def request_cancel(call: DialCall) -> dict[str, Any]:
    seller, order = _find(call)
    wish = call.read(CancelWish)
    if order.status == CANCELLED:
        raise DialError(f"{order.order_id} is cancelled already", 409)
    cancellation = Cancellation(wish.by, wish.reason, executed=False)
    seller.orders.change(order, call.world.clock.now_ms(), cancellation=cancellation)
    if wish.by == "BUYER":
        tell_cancel_wish(call.world, seller, order)
    return {"status": order.status}


class Hiding(msgspec.Struct, forbid_unknown_fields=True):
    seconds: Annotated[float, msgspec.Meta(ge=0, le=FOREVER_S)] = FOREVER_S


class Tracking(msgspec.Struct, forbid_unknown_fields=True):
    package_reference_id: str
    status: Literal["PENDING", "IN_TRANSIT", "SHIPPED", "DELIVERED", "CANCELLED", "UNDELIVERABLE"]


def hide(call: DialCall) -> dict[str, Any]:
    """PAINS 8: an order that getOrder shows and searchOrders does not."""
    seller, order = _find(call)
    until_ms = call.world.clock.now_ms() + round(call.read(Hiding).seconds * SECOND_MS)
    seller.orders.hide(order, until_ms)
    return {"hidden_from_search": order.order_id}


def track(call: DialCall) -> dict[str, Any]:
    """What the carrier says of a package that is in sight."""
    seller, order = _find(call)
    wish = call.read(Tracking)
    package = order.packages.get(wish.package_reference_id)
    if package is None:
        raise DialError(f"{order.order_id} shows no package {wish.package_reference_id}", 404)
    tracked = msgspec.structs.replace(package, status=wish.status)
    if order.accepted.get(package.reference_id) is package:
        order.accepted = {**order.accepted, package.reference_id: tracked}
    packages = {**order.packages, package.reference_id: tracked}
    seller.orders.change(order, call.world.clock.now_ms(), packages=packages)
    return {"status": tracked.status}


def _find(call: DialCall) -> tuple[Seller, Order]:
    order_id = call.path["order_id"]
    for seller in call.world.sellers.values():
        order = seller.orders.orders.get(order_id)
        if order is not None:
            return seller, order
    raise DialError(f"there is no order {order_id}", 404)


def _order(
    world: World, seller: Seller, marketplace: Marketplace, placed: PlacedOrder, position: str, now_ms: int
) -> Order:
    if placed.service_level not in SERVICE_LEVELS:
        raise DialError(f"{position}.service_level is one of {', '.join(SERVICE_LEVELS)}")
    try:
        created_ms = parse_iso(placed.created_time) if placed.created_time is not None else now_ms
    except ValueError as error:
        raise DialError(f"{position}.created_time is an ISO 8601 time") from error
    if created_ms > now_ms:
        raise DialError(f"{position}.created_time is not in the future")
    number = world.next_order_number()
    return Order(
        number=number,
        order_id=placed.amazon_order_id or new_order_id(seller.region, number),
        marketplace_id=marketplace.marketplace_id,
        status=placed.status,
        fulfilled_by=placed.fulfilled_by,
        service_level=placed.service_level,
        created_ms=created_ms,
        updated_ms=created_ms,
        lines=tuple(
            _line(seller, marketplace, line, f"7{number:09d}{at:04d}", f"{position}.lines[{at}]")
            for at, line in enumerate(placed.lines)
        ),
        address=msgspec.to_builtins(placed.recipient) if placed.recipient is not None else None,
        gift_message=placed.gift_message,
        programs=(*placed.programs, *((IN_STORE_PICK_UP,) if placed.in_store_pickup else ())),
        replaces=placed.replaces,
        merchant_order_id=placed.seller_order_id,
        buyer_company_name=placed.buyer_company_name,
        purchase_order_number=placed.purchase_order_number,
        gift_wrap_level=placed.gift_wrap_level,
        searchable_ms=now_ms + round(placed.search_delay_s * SECOND_MS) if placed.search_delay_s is not None else 0,
        regulation=_REGULATION if placed.regulated else None,
    )


def _line(seller: Seller, marketplace: Marketplace, placed: PlacedLine, order_item_id: str, position: str) -> Line:
    listing = seller.catalogue.find(placed.sku)
    state = listing.accepted if listing is not None else None
    attributes = state.attributes() if state is not None else {}
    unit_price = placed.unit_price
    if unit_price is None:
        price = offer_price(attributes, marketplace.marketplace_id)
        if price is None:
            raise DialError(f"{position}: {placed.sku!r} has no offer in this marketplace, so say its unit_price")
        unit_price = Decimal(price)
    if not unit_price.is_finite() or not 0 <= unit_price < 10**10:
        raise DialError(f"{position}.unit_price is 0 or more")
    title = value_of(attributes, "item_name", marketplace.marketplace_id)
    return Line(
        order_item_id=order_item_id,
        sku=placed.sku,
        asin=asin_of(attributes, marketplace) or "B0UNLISTED",
        title=title if isinstance(title, str) else f"Product {placed.sku}",
        quantity=placed.quantity,
        unit_price=unit_price,
        charges=_charges(placed, position),
        programs=tuple(placed.programs),
        customized_url=placed.customized_url,
    )


def _charges(placed: PlacedLine, position: str) -> Charges | None:
    given = {name: getattr(placed, name) for name in Charges.__struct_fields__}
    charges = {name: value for name, value in given.items() if value is not None}
    if not all(value.is_finite() and 0 <= value < 10**10 for value in charges.values()):
        raise DialError(f"{position}: charges are 0 or more")
    return Charges(**charges) if charges else None


DIALS = (
    Dial(
        "POST",
        "/sandbox/orders",
        'place orders: {"selling_partner_id", "marketplace_id", "orders": [{"lines": [{"sku", "quantity", '
        '"unit_price"?, "shipping"?, "gift_wrap"?, "tax"?, "discount"?, "programs"?, "customized_url"?}], '
        '"amazon_order_id"?, "status"? (UNSHIPPED, PENDING, PENDING_AVAILABILITY or UNFULFILLABLE), '
        '"fulfilled_by"? (MERCHANT or AMAZON), "service_level"? (STANDARD), "created_time"?, '
        '"recipient"? (CustomerAddress), "gift_message"?, "gift_wrap_level"?, "programs"?, "replaces"? (an order id), '
        '"seller_order_id"?, "buyer_company_name"?, "purchase_order_number"?, "search_delay_s"?, '
        '"in_store_pickup"?, "regulated"?}]}',
        place,
    ),
    Dial(
        "POST",
        "/sandbox/orders/{order_id}/hide",
        'searchOrders leaves it out, getOrder does not: {"seconds"?} (for good)',
        hide,
    ),
    Dial(
        "POST",
        "/sandbox/orders/{order_id}/track",
        'what the carrier says of a package: {"package_reference_id", "status" (PENDING, IN_TRANSIT, SHIPPED, '
        "DELIVERED, CANCELLED or UNDELIVERABLE)}",
        track,
    ),
    Dial("POST", "/sandbox/orders/{order_id}/release", "a pending order becomes UNSHIPPED; no body", release),
    Dial(
        "POST",
        "/sandbox/orders/{order_id}/cancel",
        'the order is cancelled: {"by"? (BUYER, MERCHANT or AMAZON), "reason"?}',
        cancel,
    ),
    Dial(
        "POST",
        "/sandbox/orders/{order_id}/cancel-items",
        'items are cancelled one by one: {"items": {order item id: units, or null for all}}',
        cancel_some,
    ),
    Dial(
        "POST",
        "/sandbox/orders/{order_id}/request-cancel",
        'somebody asks to cancel, nothing more: {"by"? (BUYER), "reason"?}',
        request_cancel,
    ),
)
