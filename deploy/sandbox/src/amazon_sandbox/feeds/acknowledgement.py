"""POST_ORDER_ACKNOWLEDGEMENT_DATA: the seller's own order id, and the only way to cancel items (FACTS 6.8, 8.4)."""

from xml.etree.ElementTree import Element

from amazon_sandbox.feeds import envelope
from amazon_sandbox.feeds.result import Feeding, Result
from amazon_sandbox.notifications.order_changes import tell_status
from amazon_sandbox.orders.cancelling import ItemCancellation, cancel_items, refuse_impossible_cancellation
from amazon_sandbox.wire import invalid_input

_MESSAGE_TYPE = "OrderAcknowledgement"


def process(feeding: Feeding, content: bytes) -> Result:
    return envelope.process(feeding, content, _MESSAGE_TYPE, _acknowledge)


def _acknowledge(feeding: Feeding, element: Element) -> None:
    """StatusCode Success names the order; Failure cancels the items it lists, each with its reason."""
    book = feeding.seller.orders
    order_id = envelope.needed_text(element, "AmazonOrderID")
    order = book.orders.get(order_id)
    if order is None or order.marketplace_id not in feeding.marketplace_ids:
        raise invalid_input(f"The order {order_id} was not found.")
    status = envelope.needed_text(element, "StatusCode")
    if status not in ("Success", "Failure"):
        raise invalid_input("StatusCode is Success or Failure.")
    known = {line.order_item_id for line in order.lines}
    items: dict[str, ItemCancellation] = {}
    for item in element.iterfind("Item"):
        code = envelope.needed_text(item, "AmazonOrderItemCode")
        if code not in known:
            raise invalid_input(f"AmazonOrderItemCode {code} is not of this order.")
        reason = envelope.text_of(item, "CancelReason")
        if status == "Failure":
            items[code] = ItemCancellation(reason or "", envelope.quantity_of(item))
        elif reason is not None:
            raise invalid_input("CancelReason goes with StatusCode Failure.")
    if status == "Failure":
        refuse_impossible_cancellation(order, items)
    merchant_order_id = envelope.text_of(element, "MerchantOrderID")
    if merchant_order_id is not None:
        book.change(order, feeding.at_ms, merchant_order_id=merchant_order_id)
    if items:
        before = order.status
        cancel_items(book, order, items, feeding.at_ms)
        if order.status != before:
            tell_status(feeding.world, feeding.seller, order)
