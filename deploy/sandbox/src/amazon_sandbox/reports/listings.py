"""GET_MERCHANT_LISTINGS_ALL_DATA: every listing, in sight or not sellable alike (FACTS section 7)."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from amazon_sandbox.listings.attributes import (
    AMAZON_CHANNELS,
    MERCHANT_CHANNEL,
    Attributes,
    amount,
    in_marketplace,
    is_buyable,
    merchant_availability,
    offer_price,
    price_of,
    value_of,
)
from amazon_sandbox.listings.catalogue import Catalogue, Snapshot
from amazon_sandbox.listings.documents import asin_of
from amazon_sandbox.marketplaces import MARKETPLACES, Marketplace
from amazon_sandbox.reports import text

_BEFORE_CHANNEL = (
    "item-name",
    "item-description",
    "listing-id",
    "seller-sku",
    "price",
    "quantity",
    "open-date",
    "image-url",
    "item-is-marketplace",
    "product-id-type",
    "zshop-shipping-fee",
    "item-note",
    "item-condition",
    "zshop-category1",
    "zshop-browse-path",
    "zshop-storefront-feature",
    "asin1",
    "asin2",
    "asin3",
    "will-ship-internationally",
    "expedited-shipping",
    "zshop-boldface",
    "product-id",
    "bid-for-featured-placement",
    "add-delete",
    "pending-quantity",
)
BUSINESS_PRICE = "Business Price"  # a column of its own when anything has one
_AFTER_CHANNEL = ("merchant-shipping-group", "status")
COLUMNS = (*_BEFORE_CHANNEL, "fulfillment-channel", *_AFTER_CHANNEL)
UK_COLUMNS = (*_BEFORE_CHANNEL, "fulfilment-channel", *_AFTER_CHANNEL)

# Japan's report has fewer columns, under these names (FACTS 7.1).
_JAPANESE = {
    "item-name": "商品名",
    "listing-id": "出品ID",
    "seller-sku": "出品者SKU",
    "price": "価格",
    "quantity": "数量",
    "open-date": "出品日",
    "product-id-type": "商品IDタイプ",
    "item-note": "コンディション説明",
    "item-condition": "コンディション",
    "will-ship-internationally": "国外へ配送可",
    "expedited-shipping": "迅速な配送",
    "product-id": "商品ID",
    "pending-quantity": "在庫数",
    "fulfillment-channel": "フルフィルメント・チャンネル",
    "merchant-shipping-group": "merchant-shipping-group",
    "status": "ステータス",
}

_CONDITIONS = {  # FACTS 7.1
    "used_like_new": "1",
    "used_very_good": "2",
    "used_good": "3",
    "used_acceptable": "4",
    "collectible_like_new": "5",
    "collectible_very_good": "6",
    "collectible_good": "7",
    "collectible_acceptable": "8",
    "refurbished_refurbished": "10",
    "new_new": "11",
}


class ListedState(NamedTuple):
    """One listing as it was when the report was made; a state never changes."""

    sku: str
    number: int
    created_ms: int
    state: Snapshot


class ListingRows(NamedTuple):
    """The rows of a report that nobody has downloaded yet."""

    marketplace_ids: tuple[str, ...]
    english: bool
    listed: list[ListedState]

    def sharing(self, other: "ListingRows | None") -> "ListingRows":
        """The same, with the list of `other` when that is equal: a hundred reports of one state cost one list."""
        return self._replace(listed=other.listed) if other is not None and other.listed == self.listed else self

    def pieces(self) -> Iterator[bytes]:
        return text.pieces(self._lines(), text.charset_of(MARKETPLACES[self.marketplace_ids[0]]))

    def _lines(self) -> Iterator[list[str]]:
        columns, names = header_of(MARKETPLACES[self.marketplace_ids[0]], self.english)
        if any(b'"B2B"' in listed.state.encoded for listed in self.listed):
            columns, names = (*columns, BUSINESS_PRICE), (*names, BUSINESS_PRICE)
        yield list(names)
        for marketplace_id in self.marketplace_ids:
            marketplace = MARKETPLACES[marketplace_id]
            for listed in self.listed:
                if marketplace_id in listed.state.marketplace_ids:
                    row = _row(listed, marketplace)
                    yield [row.get(column, "") for column in columns]


def header_of(marketplace: Marketplace, english: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns there are, and how the header names them."""
    if marketplace.country_code == "JP" and not english:
        return tuple(_JAPANESE), tuple(_JAPANESE.values())
    return COLUMNS, UK_COLUMNS if marketplace.country_code == "GB" else COLUMNS


def rows_of(catalogue: Catalogue, marketplace_ids: tuple[str, ...], english: bool) -> ListingRows:
    listed = [
        ListedState(listing.sku, number, listing.created_ms, listing.visible)
        for number, listing in enumerate(catalogue.listings.values())
        if listing.visible is not None and not set(marketplace_ids).isdisjoint(listing.visible.marketplace_ids)
    ]
    return ListingRows(marketplace_ids, english, listed)


def _row(listed: ListedState, marketplace: Marketplace) -> dict[str, str]:
    attributes, marketplace_id = listed.state.attributes(), marketplace.marketplace_id
    asin = asin_of(attributes, marketplace)
    row = {
        "item-name": _text(attributes, "item_name", marketplace_id),
        "item-description": _text(attributes, "product_description", marketplace_id),
        "listing-id": f"1124X{listed.number:06d}",
        "seller-sku": text.field(listed.sku),
        "price": _price(offer_price(attributes, marketplace_id), marketplace),
        "open-date": text.local_time(listed.created_ms, marketplace),
        "item-is-marketplace": "y",
        "item-note": _text(attributes, "condition_note", marketplace_id),
        "item-condition": _CONDITIONS.get(_text(attributes, "condition_type", marketplace_id), "11"),
        "will-ship-internationally": "1",
        "pending-quantity": "0",
        "merchant-shipping-group": _text(attributes, "merchant_shipping_group", marketplace_id),
        "status": _status(attributes, marketplace_id),
        BUSINESS_PRICE: _price(_business_price(attributes, marketplace_id), marketplace),
        **_fulfillment(attributes),
    }
    if asin is not None:
        row |= {"asin1": asin, "product-id": asin, "product-id-type": "1"}
    return row


def _fulfillment(attributes: Attributes) -> dict[str, str]:
    """The quantity is empty when Amazon fulfils (FACTS 7.1)."""
    for instance in attributes.get("fulfillment_availability", ()):
        if instance.get("fulfillment_channel_code") in AMAZON_CHANNELS:
            return {"fulfillment-channel": str(instance["fulfillment_channel_code"]), "quantity": ""}
    quantity = (merchant_availability(attributes) or {}).get("quantity")
    return {"fulfillment-channel": MERCHANT_CHANNEL, "quantity": str(quantity) if quantity is not None else ""}


def _business_price(attributes: Attributes, marketplace_id: str) -> Decimal | int | None:
    for offer in in_marketplace(attributes.get("purchasable_offer", ()), marketplace_id):
        if offer.get("audience") == "B2B":
            return price_of(offer)
    return None


def _status(attributes: Attributes, marketplace_id: str) -> str:
    if offer_price(attributes, marketplace_id) is None:
        return "Incomplete"
    return "Active" if is_buyable(attributes, marketplace_id) else "Inactive"


def _price(price: Decimal | int | None, marketplace: Marketplace) -> str:
    return amount(price, marketplace) if price is not None else ""


def _text(attributes: Attributes, name: str, marketplace_id: str) -> str:
    value = value_of(attributes, name, marketplace_id)
    return text.field(value) if isinstance(value, str) else ""
