"""What a listings item of the Listings Items API 2021-08-01 looks like, and what can be read out of one (FACTS 5)."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from common.amazon.values import Instant, Money, Quantity, Shape

# The columns that prices go into hold fourteen digits before the point.
_BEYOND_ANY_PRICE = Decimal(10) ** 14

MERCHANT_FULFILLED = "DEFAULT"  # the fulfillment_channel_code of offers that the merchant ships


class ItemImage(Shape, frozen=True):
    """The main image's address."""

    link: str


class ItemSummary(Shape, frozen=True):
    """The item in one marketplace. An empty `status` is neither buyable nor discoverable, no error (FACTS 5.6.4)."""

    marketplace_id: str
    product_type: str
    status: tuple[str, ...] = ()
    asin: str | None = None
    condition_type: str | None = None
    fn_sku: str | None = None
    item_name: str | None = None
    created_date: Instant | None = None
    last_updated_date: Instant | None = None
    main_image: ItemImage | None = None


class EnforcementAction(Shape, frozen=True):
    """LISTING_SUPPRESSED, ATTRIBUTE_SUPPRESSED, CATALOG_ITEM_REMOVED, SEARCH_SUPPRESSED."""

    action: str


class IssueEnforcements(Shape, frozen=True):
    """What Amazon does about an issue."""

    actions: tuple[EnforcementAction, ...] = ()


class Issue(Shape, frozen=True):
    """Something Amazon minds. Go by severity, categories and enforcements, not by a list of codes (FACTS 5.5)."""

    code: str
    message: str
    severity: str
    attribute_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    enforcements: IssueEnforcements | None = None
    marketplace_ids: tuple[str, ...] = ()


class Audience(Shape, frozen=True):
    """Who sees an offer; `ALL` is everybody."""

    value: str | None = None


class ItemOffer(Shape, frozen=True):
    """What buyers see now: the current price in one marketplace, B2C or B2B."""

    marketplace_id: str
    offer_type: str
    price: Money
    audience: Audience | None = None


class FulfillmentAvailability(Shape, frozen=True):
    """Quantity per fulfilment channel; FBA channels (`AMAZON_*`) carry none of ours (FACTS 5.3.5)."""

    fulfillment_channel_code: str
    quantity: Quantity | None = None


class ProductTypeOf(Shape, frozen=True):
    """The product type in one marketplace."""

    marketplace_id: str
    product_type: str


class Item(Shape, frozen=True):
    """A listings item; datasets that were not asked for are empty. Numbers in `attributes` are int or Decimal."""

    sku: str
    summaries: tuple[ItemSummary, ...] = ()
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    issues: tuple[Issue, ...] = ()
    offers: tuple[ItemOffer, ...] = ()
    fulfillment_availability: tuple[FulfillmentAvailability, ...] = ()
    product_types: tuple[ProductTypeOf, ...] = ()


class ItemIdentifiers(Shape, frozen=True):
    """The ASIN that a submission would land on (with VALIDATION_PREVIEW only)."""

    marketplace_id: str | None = None
    asin: str | None = None


class Submission(Shape, frozen=True):
    """The answer to a write: `ACCEPTED` (which is not done, FACTS 5.6.1), `INVALID`, or a preview's `VALID`."""

    sku: str
    status: str
    submission_id: str
    issues: tuple[Issue, ...] = ()
    identifiers: tuple[ItemIdentifiers, ...] = ()


def summary_of(item: Item, marketplace_id: str) -> ItemSummary | None:
    """The item's summary in one marketplace."""
    return next((summary for summary in item.summaries if summary.marketplace_id == marketplace_id), None)


def quantity_of(item: Item, fulfillment_channel_code: str = MERCHANT_FULFILLED) -> int | None:
    """The quantity Amazon shows for a channel; None when the item has no such channel or no quantity there."""
    for availability in item.fulfillment_availability:
        if availability.fulfillment_channel_code == fulfillment_channel_code:
            return availability.quantity
    return None


def offer_of(item: Item, marketplace_id: str, audience: str = "ALL") -> dict[str, Any] | None:
    """The `purchasable_offer` instance as it was submitted, with all its siblings: what `price_patch` starts from."""
    offers = item.attributes.get("purchasable_offer")
    for offer in offers if isinstance(offers, list) else ():
        if not isinstance(offer, dict):
            continue  # what is no offer must not hide the one that is
        if offer.get("marketplace_id") == marketplace_id and offer.get("audience", "ALL") == audience:
            return dict(offer)
    return None


def price_of(offer: Mapping[str, Any]) -> Decimal | None:
    """The `our_price` of an offer instance, tax included; None when it has none, or none that is money."""
    match offer.get("our_price"):
        case [{"schedule": [{"value_with_tax": int() | Decimal() | str() as amount}, *_]}, *_]:
            return _money(amount)
        case _:
            return None


def _money(amount: int | Decimal | str) -> Decimal | None:
    if isinstance(amount, bool):
        return None
    try:
        read = Decimal(amount)
    except InvalidOperation:
        return None
    return read if read.is_finite() and -_BEYOND_ANY_PRICE < read < _BEYOND_ANY_PRICE else None
