"""A merchant cancels items, which only an acknowledgement feed can do (FACTS 6.8, 8.4)."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from amazon_sandbox.orders.book import (
    AMAZON,
    CANCELLED,
    MERCHANT,
    SHIPPED,
    Cancellation,
    Order,
    OrderBook,
    is_complete,
    shipped_quantity,
)
from amazon_sandbox.wire import invalid_input

REASONS = (
    "NoInventory",
    "ShippingAddressUndeliverable",
    "CustomerExchange",
    "BuyerCanceled",
    "GeneralAdjustment",
    "CarrierCreditDecision",
    "RiskAssessmentInformationNotValid",
    "CarrierCoverageFailure",
    "CustomerReturn",
    "MerchandiseNotReceived",
    "CannotVerifyInformation",
    "PricingError",
    "RejectOrder",
    "WeatherDelay",
)


class ItemCancellation(NamedTuple):
    """`quantity` None is everything that has not been shipped."""

    reason: str
    quantity: int | None = None


def refuse_impossible_cancellation(order: Order, items: Mapping[str, ItemCancellation]) -> None:
    """Raises SpApiError 400: what is shipped, pending, Amazon's or unknown cannot be cancelled by the merchant."""
    if order.fulfilled_by == AMAZON:
        raise invalid_input("The order is fulfilled by Amazon; the merchant cannot cancel it.")
    if order.is_pending:
        raise invalid_input("The order is pending; it cannot be cancelled yet.")
    if order.status in (SHIPPED, CANCELLED):
        raise invalid_input(f"The order is {order.status.lower()} already.")
    if not items:
        raise invalid_input("A cancellation names its items, each with a CancelReason.")
    lines = {line.order_item_id: line for line in order.lines}
    for order_item_id, item in items.items():
        line = lines.get(order_item_id)
        if line is None:
            raise invalid_input(f"AmazonOrderItemCode {order_item_id} is not of this order.")
        if item.reason not in REASONS:
            raise invalid_input(f"CancelReason '{item.reason}' is not one of {', '.join(REASONS)}.")
        left = line.quantity - shipped_quantity(order.accepted.values(), order_item_id)
        if left < 1 or not 1 <= (left if item.quantity is None else item.quantity) <= left:
            raise invalid_input(f"Only {left} of order item {order_item_id} can still be cancelled.")


def cancel_items(book: OrderBook, order: Order, items: Mapping[str, ItemCancellation], now_ms: int) -> None:
    """Takes the units off. An order without any is CANCELLED, one whose rest has all shipped is SHIPPED."""
    lines = []
    for line in order.lines:
        item = items.get(line.order_item_id)
        if item is not None:
            left = line.quantity - shipped_quantity(order.accepted.values(), line.order_item_id)
            cancellation = Cancellation(MERCHANT, item.reason, executed=True)
            units = left if item.quantity is None else item.quantity
            line = msgspec.structs.replace(line, quantity=line.quantity - units, cancellation=cancellation)
        lines.append(line)
    status, cancelled = order.status, None
    if all(line.quantity == 0 for line in lines):
        status, cancelled = CANCELLED, next(line.cancellation for line in lines if line.cancellation is not None)
    elif order.packages and is_complete(lines, order.packages.values()):
        status = SHIPPED
    book.change(order, now_ms, lines=tuple(lines), status=status, cancellation=cancelled or order.cancellation)
