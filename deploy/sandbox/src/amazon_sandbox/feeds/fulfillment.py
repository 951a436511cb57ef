"""POST_ORDER_FULFILLMENT_DATA: a shipment by feed, taken or refused by the rules of confirmShipment (FACTS 8.4)."""

from xml.etree.ElementTree import Element

import msgspec

from amazon_sandbox.feeds import envelope
from amazon_sandbox.feeds.result import Feeding, Result
from amazon_sandbox.orders.book import Order, shipped_quantity
from amazon_sandbox.orders.carriers import OTHER
from amazon_sandbox.orders.shipments import PackageDetail, package_to_take, take_package
from amazon_sandbox.wire import invalid_input

_MESSAGE_TYPE = "OrderFulfillment"


def process(feeding: Feeding, content: bytes) -> Result:
    return envelope.process(feeding, content, _MESSAGE_TYPE, _fulfill)


def _fulfill(feeding: Feeding, element: Element) -> None:
    """Amazon gives the package its reference: that of the same tracking number, else the next one."""
    order = _order(feeding, element)
    data = element.find("FulfillmentData")
    if data is None:
        raise invalid_input("OrderFulfillment needs FulfillmentData.")
    tracking_number = envelope.needed_text(data, "ShipperTrackingNumber")
    reference = _reference(order, tracking_number)
    carrier_name = envelope.text_of(data, "CarrierName")
    wish = {
        "packageReferenceId": reference,
        "carrierCode": envelope.text_of(data, "CarrierCode") or (OTHER if carrier_name else ""),
        "carrierName": carrier_name,
        "shippingMethod": envelope.text_of(data, "ShippingMethod"),
        "trackingNumber": tracking_number,
        "shipDate": envelope.needed_text(element, "FulfillmentDate"),
        "orderItems": _items(order, element, reference),
    }
    try:
        detail = msgspec.convert(wish, PackageDetail)
    except msgspec.ValidationError as error:
        raise invalid_input(f"The shipment is invalid: {error}") from error
    package = package_to_take(feeding.world, order, order.marketplace_id, detail, feeding.at_ms)
    take_package(feeding.world, feeding.seller, order, package)


def _order(feeding: Feeding, element: Element) -> Order:
    """By Amazon's id, or by the merchant's of the acknowledgement."""
    order_id = envelope.text_of(element, "AmazonOrderID")
    merchant_order_id = envelope.text_of(element, "MerchantOrderID")
    orders = feeding.seller.orders.orders
    order = orders.get(order_id) if order_id is not None else None
    if order_id is None and merchant_order_id is not None:
        order = next((one for one in orders.values() if one.merchant_order_id == merchant_order_id), None)
    if order is None or order.marketplace_id not in feeding.marketplace_ids:
        raise invalid_input(f"The order {order_id or merchant_order_id} was not found.")
    return order


def _reference(order: Order, tracking_number: str) -> str:
    same = (package.reference_id for package in order.accepted.values() if package.tracking_number == tracking_number)
    return next(same, str(1 + max((int(reference) for reference in order.accepted), default=0)))


def _items(order: Order, element: Element, reference: str) -> list[dict[str, object]]:
    """The named items; without any it is all that has not shipped, and without a quantity all of the item."""
    others = [package for package in order.accepted.values() if package.reference_id != reference]
    left = {line.order_item_id: line.quantity - shipped_quantity(others, line.order_item_id) for line in order.lines}
    named = [
        (envelope.needed_text(item, "AmazonOrderItemCode"), envelope.quantity_of(item))
        for item in element.iterfind("Item")
    ]
    if not named:
        rest: list[tuple[str, int | None]] = [(code, quantity) for code, quantity in left.items() if quantity > 0]
        # With nothing left the rules of confirmShipment have the last word.
        named = rest or [(code, 1) for code in left]
    return [{"orderItemId": code, "quantity": quantity or max(left.get(code, 1), 1)} for code, quantity in named]
