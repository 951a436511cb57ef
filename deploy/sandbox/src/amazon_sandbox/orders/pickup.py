"""Orders v0 updateShipmentStatus: for in-store pickup and nothing else (FACTS 8.4, PAINS 17)."""

from functools import partial
from typing import Literal

import msgspec

from amazon_sandbox.calls import Call
from amazon_sandbox.orders.book import CANCELLED, IN_STORE_PICK_UP, SHIPPED
from amazon_sandbox.wire import Answer, SpApiError, invalid_input


class OrderItem(msgspec.Struct, rename="camel"):
    order_item_id: str | None = None
    quantity: int | None = None


class UpdateShipmentStatusRequest(msgspec.Struct, rename="camel"):
    marketplace_id: str
    shipment_status: Literal["ReadyForPickup", "PickedUp", "RefusedPickup"]
    order_items: list[OrderItem] | None = None


def update_shipment_status(call: Call) -> Answer:
    """204 without a body; an order that is picked up is shipped."""
    try:
        request = msgspec.convert(call.document(), UpdateShipmentStatusRequest)
    except msgspec.ValidationError as error:
        raise invalid_input("Unsupported ShipmentStatus passed", str(error)) from error
    book = call.seller.orders
    order = book.orders.get(call.arguments[0])
    if order is None:
        raise SpApiError(404, "NotFound", "The order was not found.", call.arguments[0])
    if request.marketplace_id != order.marketplace_id:
        raise invalid_input("The order was not placed in this marketplace.", request.marketplace_id)
    if IN_STORE_PICK_UP not in order.programs or order.is_pending or order.status == CANCELLED:
        raise invalid_input("Unsupported ShipmentStatus passed", "The order is not for in-store pickup.")
    status = SHIPPED if request.shipment_status == "PickedUp" else order.status
    now_ms = call.world.clock.now_ms()
    effect = partial(book.change, order, now_ms, pickup_status=request.shipment_status, status=status)
    return Answer(204, effect=effect)
