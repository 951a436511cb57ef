"""ORDER_CHANGE: in v0's vocabulary, and without a person in it except the postal code (FACTS 9.6, 9.7)."""

from typing import TYPE_CHECKING, Any

from amazon_sandbox.clock import HOUR_MS, iso
from amazon_sandbox.notifications.emitting import emit, is_subscribed
from amazon_sandbox.notifications.types import ORDER_CHANGE
from amazon_sandbox.orders.book import CANCELLED, Order, shipped_quantity
from amazon_sandbox.orders.documents import SERVICE_LEVELS
from amazon_sandbox.orders.v0_documents import V0_CHANNEL, V0_STATUS, open_address

if TYPE_CHECKING:
    from amazon_sandbox.world import Seller, World


def tell_status(world: "World", seller: "Seller", *orders: Order) -> None:
    """Call it when orders were placed or their status has changed."""
    _tell(world, seller, orders, "OrderStatusChange", "Order status changed")


def tell_cancel_wish(world: "World", seller: "Seller", order: Order) -> None:
    """Call it when the buyer has asked to cancel."""
    _tell(world, seller, (order,), "BuyerRequestedChange", "Buyer Requested Cancel")


def _tell(world: "World", seller: "Seller", orders: tuple[Order, ...], change_type: str, reason: str) -> None:
    if not is_subscribed(world, seller, ORDER_CHANGE):
        return
    for order in orders:
        change = {
            "NotificationLevel": "OrderLevel",
            "SellerId": seller.selling_partner_id,
            "AmazonOrderId": order.order_id,
            "OrderChangeType": change_type,
            "OrderChangeTrigger": {"TimeOfOrderChange": iso(order.updated_ms), "ChangeReason": reason},
            "Summary": _summary(order),
        }
        emit(world, seller, ORDER_CHANGE, {"OrderChangeNotification": change})


def _summary(order: Order) -> dict[str, Any]:
    promise = SERVICE_LEVELS[order.service_level]
    items = [_item(order, line.order_item_id, line.sku, line.quantity) for line in order.lines]
    shipped = sum(item["QuantityShipped"] for item in items)
    return {
        "MarketplaceId": order.marketplace_id,
        "OrderStatus": V0_STATUS[order.status],
        "PurchaseDate": iso(order.created_ms),
        "DestinationPostalCode": open_address(order).get("PostalCode"),
        "FulfillmentType": V0_CHANNEL[order.fulfilled_by],
        "OrderType": "StandardOrder",
        "NumberOfItemsShipped": shipped,
        "NumberOfItemsUnshipped": sum(item["Quantity"] for item in items) - shipped,
        "EarliestShipDate": iso(order.created_ms),
        "LatestShipDate": iso(order.created_ms + promise.ship_by * HOUR_MS),
        "EarliestDeliveryDate": iso(order.created_ms + promise.deliver_from * HOUR_MS),
        "LatestDeliveryDate": iso(order.created_ms + promise.deliver_by * HOUR_MS),
        "ShippingPrograms": ["ISPU"] if order.in_store_pickup else [],
        "OrderItems": items,
    }


def _item(order: Order, order_item_id: str, sku: str, quantity: int) -> dict[str, Any]:
    shipped = shipped_quantity(order.packages.values(), order_item_id)
    cancellation = order.cancellation
    return {
        "OrderItemId": order_item_id,
        "SellerSKU": sku,
        "SupplySourceId": None,
        "OrderItemStatus": "Shipped" if shipped >= quantity else "Unshipped",
        "Quantity": 0 if order.status == CANCELLED else quantity,
        "QuantityShipped": shipped,
        "IsBuyerRequestedCancel": cancellation is not None and cancellation.by == "BUYER",
    }
