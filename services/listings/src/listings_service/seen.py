"""What Amazon shows of one SKU in one marketplace, in our words; and reading it, 20 SKUs per call."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.amazon.client import AmazonClient, Seller
from common.amazon.errors import AmazonNotFound, InvalidInput
from common.amazon.listing import MERCHANT_FULFILLED, Item, offer_of, price_of, quantity_of, summary_of
from common.amazon.listings import SKUS_PER_SEARCH, get_listings_item, search_listings_items
from listings_service.lifecycle import Health, observed_health
from listings_service.models import Variant
from listings_service.planner import is_fulfilled_by_amazon

_DATA = ("summaries", "attributes", "fulfillmentAvailability")


@dataclass(frozen=True, slots=True)
class Seen:
    """One SKU as Amazon shows it. `offer` is the whole `purchasable_offer` instance, siblings included."""

    sku: str
    quantity: int | None
    price: Decimal | None
    currency: str | None
    health: Health
    asin: str | None
    product_type: str | None
    fulfillment_channel_code: str | None
    offer: dict[str, Any] | None

    @property
    def figures(self) -> tuple[int | None, Decimal | None, str | None]:
        """Quantity, price and its currency."""
        return self.quantity, self.price, self.currency

    def note_on(self, variant: Variant, at: datetime) -> None:
        """Writes down what the offer is; its figures are judged by whoever asked, since a write may be under way."""
        variant.asin = self.asin
        variant.product_type = self.product_type
        variant.fulfillment_channel_code = self.fulfillment_channel_code
        variant.health = self.health
        variant.amazon_read_at = at


def seen(item: Item, marketplace_id: str) -> Seen:
    """The parts of an item that listings cares for. An FBA entry wins over DEFAULT: never send a quantity then."""
    codes = [availability.fulfillment_channel_code for availability in item.fulfillment_availability]
    code = next(filter(is_fulfilled_by_amazon, codes), MERCHANT_FULFILLED if MERCHANT_FULFILLED in codes else None)
    quantity = None if is_fulfilled_by_amazon(code) else quantity_of(item)
    summary = summary_of(item, marketplace_id)
    offer = offer_of(item, marketplace_id)
    return Seen(
        sku=item.sku,
        quantity=quantity,
        price=price_of(offer) if offer else None,
        currency=offer.get("currency") if offer else None,
        health=observed_health(buyable=summary is not None and "BUYABLE" in summary.status, quantity=quantity),
        asin=summary.asin if summary else None,
        product_type=summary.product_type if summary else None,
        fulfillment_channel_code=code,
        offer=offer,
    )


async def search(amazon: AmazonClient, seller: Seller, marketplace_id: str, skus: Sequence[str]) -> dict[str, Seen]:
    """Those of the SKUs (at most 20) that Amazon shows, matched byte for byte."""
    searchable = [sku for sku in skus if "," not in sku]
    found: dict[str, Seen] = {}
    one_by_one = [sku for sku in skus if "," in sku]
    if searchable:
        try:
            page = await search_listings_items(
                amazon,
                seller,
                marketplace_id=marketplace_id,
                skus=searchable,
                included_data=_DATA,
                page_size=SKUS_PER_SEARCH,
            )
        except InvalidInput:
            # One SKU that Amazon will not search for must not hide the other nineteen.
            one_by_one = list(skus)
        else:
            wanted = set(searchable)
            found = {item.sku: seen(item, marketplace_id) for item in page.items if item.sku in wanted}
    for sku in one_by_one:
        with suppress(InvalidInput, AmazonNotFound):
            found[sku] = await get(amazon, seller, marketplace_id, sku)
    return found


async def get(amazon: AmazonClient, seller: Seller, marketplace_id: str, sku: str) -> Seen:
    """The SKU as Amazon shows it. Raises `AmazonNotFound` when Amazon does not have it."""
    item = await get_listings_item(amazon, seller, sku, marketplace_id=marketplace_id, included_data=_DATA)
    return seen(item, marketplace_id)
