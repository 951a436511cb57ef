"""GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL, and its sister by order date: one line for each item.

It names nobody: of the recipient there are city, state, postal code and country.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from amazon_sandbox.listings.attributes import amount
from amazon_sandbox.marketplaces import MARKETPLACES
from amazon_sandbox.orders.book import AMAZON, CANCELLED, Line, Order, OrderBook
from amazon_sandbox.orders.people import delivery_address
from amazon_sandbox.reports import text
from amazon_sandbox.reports.types import ORDERS_BY_UPDATE

COLUMNS = (
    "amazon-order-id",
    "merchant-order-id",
    "purchase-date",
    "last-updated-date",
    "order-status",
    "fulfillment-channel",
    "sales-channel",
    "order-channel",
    "ship-service-level",
    "product-name",
    "sku",
    "asin",
    "item-status",
    "quantity",
    "currency",
    "item-price",
    "item-tax",
    "shipping-price",
    "shipping-tax",
    "gift-wrap-price",
    "gift-wrap-tax",
    "item-promotion-discount",
    "ship-promotion-discount",
    "ship-city",
    "ship-state",
    "ship-postal-code",
    "ship-country",
    "promotion-ids",
)
_PLACE = {
    "city": "ship-city",
    "stateOrRegion": "ship-state",
    "postalCode": "ship-postal-code",
    "countryCode": "ship-country",
}
_CHARGES = {
    "item-tax": "tax",
    "shipping-price": "shipping",
    "gift-wrap-price": "gift_wrap",
    "item-promotion-discount": "discount",
}
_STATUSES = {
    "PENDING_AVAILABILITY": "Pending",
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "Shipping",
    "SHIPPED": "Shipped",
    "CANCELLED": "Cancelled",
    "UNFULFILLABLE": "Unfulfillable",
}


class OrderRows(NamedTuple):
    """Copies of the orders as they were when the report was made."""

    marketplace_ids: tuple[str, ...]
    orders: list[Order]

    def pieces(self) -> Iterator[bytes]:
        return text.pieces(self._lines(), text.charset_of(MARKETPLACES[self.marketplace_ids[0]]))

    def _lines(self) -> Iterator[list[str]]:
        yield list(COLUMNS)
        for order in self.orders:
            for line in order.lines:
                row = _row(order, line)
                yield [row.get(column, "") for column in COLUMNS]


def rows_of(book: OrderBook, kind: str, marketplace_ids: tuple[str, ...], start_ms: int, end_ms: int) -> OrderRows:
    """The orders updated, or placed, from `start_ms` to `end_ms`, oldest first."""
    index = book.by_updated if kind == ORDERS_BY_UPDATE else book.by_created
    wanted = set(marketplace_ids)
    orders, _next = index.page(
        (start_ms, 0), end_ms, len(book.orders) + 1, lambda order: order.marketplace_id in wanted
    )
    return OrderRows(marketplace_ids, [msgspec.structs.replace(order, rendered=None) for order in orders])


def _row(order: Order, line: Line) -> dict[str, str]:
    marketplace = MARKETPLACES[order.marketplace_id]
    status = _STATUSES.get(order.status, order.status)
    row = {
        "amazon-order-id": order.order_id,
        "merchant-order-id": text.field(order.merchant_order_id or ""),
        "purchase-date": text.utc_time(order.created_ms),
        "last-updated-date": text.utc_time(order.updated_ms),
        "order-status": status,
        "fulfillment-channel": "Amazon" if order.fulfilled_by == AMAZON else "Merchant",
        "sales-channel": marketplace.name,
        "ship-service-level": order.service_level.replace("_", " ").title().replace(" ", ""),
        "product-name": text.field(line.title),
        "sku": text.field(line.sku),
        "asin": line.asin,
        "item-status": "Cancelled" if order.status == CANCELLED or line.quantity == 0 else status,
        "quantity": "0" if order.status == CANCELLED else str(line.quantity),
    }
    if order.is_pending or order.status == CANCELLED:  # no price and no address, as in the API
        return row
    address = order.address or delivery_address(order.number, marketplace.country_code)
    row |= {column: text.field(address.get(name, "")) for name, column in _PLACE.items()}
    row["currency"] = marketplace.currency
    row["item-price"] = amount(line.unit_price * line.quantity, marketplace)
    if line.charges is not None:
        for column, value in _CHARGES.items():
            row[column] = amount(getattr(line.charges, value), marketplace)
    return row
