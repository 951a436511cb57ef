"""Dials for catalogues: seed listings, and delete one as a person in Seller Central does."""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.listings import patches
from amazon_sandbox.listings.attributes import MERCHANT_CHANNEL, Attributes, Instance
from amazon_sandbox.listings.catalogue import snapshot
from amazon_sandbox.listings.checks import attribute_issues
from amazon_sandbox.listings.fates import Fate
from amazon_sandbox.marketplaces import MARKETPLACES, Marketplace
from amazon_sandbox.notifications.listing_changes import tell_listing


class SeededListing(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    sku: str
    price: Decimal
    title: str | None = None
    asin: str | None = None
    currency: str | None = None
    quantity: int | None = None
    fulfillment_channel_code: str = MERCHANT_CHANNEL
    lead_time_to_ship_max_days: int | None = None
    minimum_seller_allowed_price: Decimal | None = None
    product_type: str = "PRODUCT"


class Seed(msgspec.Struct, forbid_unknown_fields=True):
    selling_partner_id: str
    marketplace_id: str
    listings: list[SeededListing]


def seed(call: DialCall) -> dict[str, Any]:
    """All or nothing; an SKU that is there already keeps its other marketplaces."""
    wish = call.read(Seed)
    seller = call.seller_in(wish.marketplace_id, wish.selling_partner_id)
    marketplace = MARKETPLACES[wish.marketplace_id]
    now_ms = call.world.clock.now_ms()
    known = len(seller.catalogue.listings)
    states = []
    for position, listing in enumerate(wish.listings):
        if not _is_finite(listing.price) or not _is_finite(listing.minimum_seller_allowed_price):
            raise DialError(f"listings[{position}]: a price is a number")
        attributes = seeded_attributes(listing, marketplace, known + position)
        issues = attribute_issues(attributes, marketplace)
        if issues or not listing.sku:
            raise DialError(f"listings[{position}]: {issues[0]['message'] if issues else 'sku is not empty'}")
        existing = seller.catalogue.find(listing.sku)
        if existing is not None and existing.accepted is not None:
            attributes = patches.put(existing.accepted.attributes(), attributes, marketplace.marketplace_id)
        states.append((listing.sku, snapshot(attributes, listing.product_type, now_ms)))
    for sku, state in states:
        seller.catalogue.seed(sku, state)
    return {"listings": len(states)}


def delete(call: DialCall) -> dict[str, Any]:
    """In Seller Central a deletion shows at once."""
    marketplace_id, sku = call.required("marketplace_id"), call.required("sku")
    seller = call.seller_in(marketplace_id, call.required("selling_partner_id"))
    listing = seller.catalogue.find(sku)
    if listing is None or listing.accepted is None or marketplace_id not in listing.accepted.marketplace_ids:
        raise DialError(f"there is no listing {sku!r} in {marketplace_id}", 404)
    accepted = listing.accepted
    attributes = patches.delist(accepted.attributes(), marketplace_id)
    left = snapshot(attributes, accepted.product_type, call.world.clock.now_ms()) if attributes is not None else None
    before = listing.visible
    seller.catalogue.remove(sku, left)
    tell_listing(call.world, seller, listing, before)
    return {"deleted": sku}


class Action(msgspec.Struct):
    action: str


class Exemption(msgspec.Struct, rename="camel"):
    status: Literal["EXEMPT", "EXEMPT_UNTIL_EXPIRY_DATE", "NOT_EXEMPT"]
    expiry_date: str | msgspec.UnsetType = msgspec.UNSET


class Enforcements(msgspec.Struct):
    actions: list[Action]
    exemption: Exemption


class Issue(msgspec.Struct, rename="camel"):
    """The model's `Issue`; what it does not know is passed on."""

    code: str
    message: str
    severity: Literal["ERROR", "WARNING", "INFO"]
    categories: list[str]
    attribute_names: list[str] | msgspec.UnsetType = msgspec.UNSET
    enforcements: Enforcements | msgspec.UnsetType = msgspec.UNSET


def decree(call: DialCall) -> dict[str, Any]:
    """What becomes of the next writes that are accepted."""
    fate = call.read(Fate)
    call.seller(fate.selling_partner_id)
    if (fate.kind == "issues") != bool(fate.issues):
        raise DialError("issues are for the kind issues, which needs one at least")
    try:
        msgspec.convert(fate.issues, list[Issue])
    except msgspec.ValidationError as error:
        raise DialError(f"issues: {error}") from error
    call.world.fates.waiting.append(fate)
    return show_fates(call)


def show_fates(call: DialCall) -> dict[str, Any]:
    return {"waiting": call.world.fates.waiting}


def forget_fates(call: DialCall) -> dict[str, Any]:
    call.world.fates.waiting.clear()
    return show_fates(call)


def _is_finite(price: Decimal | None) -> bool:
    return price is None or price.is_finite()


def seeded_attributes(listing: SeededListing, marketplace: Marketplace, number: int) -> Attributes:
    where = {"marketplace_id": marketplace.marketplace_id}
    offer: Instance = {
        **where,
        "audience": "ALL",
        "currency": listing.currency or marketplace.currency,
        "our_price": [{"schedule": [{"value_with_tax": listing.price}]}],
    }
    if listing.minimum_seller_allowed_price is not None:
        minimum = listing.minimum_seller_allowed_price
        offer["minimum_seller_allowed_price"] = [{"schedule": [{"value_with_tax": minimum}]}]
    availability: Instance = {"fulfillment_channel_code": listing.fulfillment_channel_code}
    if listing.quantity is not None:
        availability["quantity"] = listing.quantity
    if listing.lead_time_to_ship_max_days is not None:
        availability["lead_time_to_ship_max_days"] = listing.lead_time_to_ship_max_days
    title = listing.title if listing.title is not None else f"Product {listing.sku}"
    return {
        "item_name": [{"value": title, "language_tag": marketplace.language, **where}],
        "merchant_suggested_asin": [{"value": listing.asin or f"B0{number % 10**8:08d}", **where}],
        "condition_type": [{"value": "new_new", **where}],
        "purchasable_offer": [offer],
        "fulfillment_availability": [availability],
    }


DIALS = (
    Dial(
        "POST",
        "/sandbox/listings",
        'seed a catalogue: {"selling_partner_id", "marketplace_id", "listings": [{"sku", "price", "title"?, "asin"?, '
        '"currency"?, "quantity"?, "fulfillment_channel_code"? (DEFAULT), "lead_time_to_ship_max_days"?, '
        '"minimum_seller_allowed_price"?, "product_type"? (PRODUCT)}]}',
        seed,
    ),
    Dial(
        "DELETE",
        "/sandbox/listings",
        "delete one as in Seller Central: ?selling_partner_id=&marketplace_id=&sku=",
        delete,
    ),
    Dial(
        "POST",
        "/sandbox/listings/fates",
        'what becomes of the next accepted writes: {"selling_partner_id", "kind" (issues, incomplete, never, late), '
        '"sku"?, "marketplace_id"?, "issues"? ([{"code", "message", "severity", "categories", "attributeNames"?, '
        '"enforcements"?}]), "seconds"? (3600, of late), "count"? (1)}',
        decree,
    ),
    Dial("GET", "/sandbox/listings/fates", "what is decreed for writes to come", show_fates),
    Dial("DELETE", "/sandbox/listings/fates", "decree nothing", forget_fates),
)
