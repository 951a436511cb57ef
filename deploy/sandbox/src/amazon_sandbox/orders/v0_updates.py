"""Orders v0 updateShipmentStatus and updateVerificationStatus: in-store pickup, regulated orders (FACTS 8.4)."""

from typing import Any

import msgspec

from amazon_sandbox.calls import Call
from amazon_sandbox.notifications.order_changes import tell_status
from amazon_sandbox.orders.book import CANCELLED, PICKED_UP, Order, OrderBook, Package, shipped_quantity
from amazon_sandbox.wire import Answer, SpApiError, invalid_input

_PICKUP_STATUSES = ("ReadyForPickup", "PickedUp", "RefusedPickup")
_PRESCRIPTION_FIELDS = (
    "prescriptionId",
    "expirationDate",
    "writtenQuantity",
    "totalRefillsAuthorized",
    "refillsRemaining",
    "clinicId",
    "usageInstructions",
)


def update_shipment_status(call: Call) -> Answer:
    """204. An order that is not picked up in a store answers 400 (PAINS 17)."""
    document = call.document()
    status = document.get("shipmentStatus")
    if status not in _PICKUP_STATUSES:
        raise invalid_input(f"shipmentStatus is one of {', '.join(_PICKUP_STATUSES)}.")
    order = _found(call)
    if document.get("marketplaceId") != order.marketplace_id:
        raise invalid_input("The order was not placed in this marketplace.")
    items = document.get("orderItems")
    _refuse_unknown_items(order, items)
    if not order.in_store_pickup:
        raise invalid_input("Unsupported ShipmentStatus passed")
    if order.is_pending or order.status == CANCELLED:
        raise invalid_input(f"The order is {order.status.lower()}.")
    world, seller = call.world, call.seller

    def effect() -> None:
        if status == "PickedUp":
            _pick_up(seller.orders, order, _picked_up(order, items), world.clock.now_ms())
            tell_status(world, seller, order)

    return Answer(204, effect=effect)


def _picked_up(order: Order, items: list[dict[str, Any]] | None) -> dict[str, int]:
    """Units by order item id: those that are named, without a quantity all of the item; no more than are left."""
    left = {
        line.order_item_id: line.quantity - shipped_quantity(order.accepted.values(), line.order_item_id)
        for line in order.lines
    }
    if items is None:
        return left
    named: dict[str, int] = {}
    for item in items:
        order_item_id, quantity = item["orderItemId"], item.get("quantity")
        named[order_item_id] = named.get(order_item_id, 0) + (left[order_item_id] if quantity is None else quantity)
    return {order_item_id: min(units, left[order_item_id]) for order_item_id, units in named.items()}


def _pick_up(book: OrderBook, order: Order, units: dict[str, int], now_ms: int) -> None:
    """What was picked up is fulfilled at once, and nothing can be shipped of it any more."""
    if not any(units.values()):
        return
    before = order.accepted[PICKED_UP].quantities if PICKED_UP in order.accepted else {}
    together = {key: before.get(key, 0) + units.get(key, 0) for key in before | units}
    picked = Package(PICKED_UP, "", None, "", now_ms, now_ms, {key: count for key, count in together.items() if count})
    order.accepted = {**order.accepted, PICKED_UP: picked}
    book.show_package(order, picked, now_ms)


def update_verification_status(call: Call) -> Answer:
    """204. The reviewer is always named; a rejection names one of the order's reasons."""
    document = call.document()
    wish = document.get("regulatedOrderVerificationStatus")
    if not isinstance(wish, dict):
        raise invalid_input("Missing request parameter: regulatedOrderVerificationStatus.")
    order = _found(call)
    regulation = order.regulation
    if regulation is None:
        raise invalid_input("The order has no regulated items.")
    status, reason, reviewer = (wish.get(name) for name in ("status", "rejectionReasonId", "externalReviewerId"))
    if not isinstance(reviewer, str) or not reviewer:
        raise invalid_input("Missing request parameter: externalReviewerId.")
    if status not in (None, "Approved", "Rejected"):
        raise invalid_input("Invalid request parameter `status`. Must be one of [Approved, Rejected].")
    reasons = [one["RejectionReasonId"] for one in regulation.rejection_reasons]
    if status == "Rejected" and reason not in reasons:
        raise invalid_input(f"Missing request parameter: rejectionReasonId. One of {', '.join(reasons)}.")
    _refuse_wrong_details(wish.get("verificationDetails"), status)
    if regulation.status != "Pending":
        raise invalid_input(f"The order is {regulation.status} already.")
    world, book = call.world, call.seller.orders

    def effect() -> None:
        now_ms = world.clock.now_ms()
        reviewed = msgspec.structs.replace(
            regulation,
            status=status or "Approved",
            rejection_reason_id=reason if status == "Rejected" else None,
            reviewer_id=reviewer,
            reviewed_ms=now_ms,
        )
        book.change(order, now_ms, regulation=reviewed)

    return Answer(204, effect=effect)


def _refuse_wrong_details(details: Any, status: object) -> None:
    if details is None:
        return
    if not isinstance(details, dict):
        raise invalid_input("verificationDetails is an object.")
    prescription = details.get("prescriptionDetail")
    if prescription is None:
        return
    if status == "Rejected":
        raise invalid_input(
            "Verification Detail `prescriptionDetail` is not supported when order is in Rejected status."
        )
    missing = [name for name in _PRESCRIPTION_FIELDS if not isinstance(prescription, dict) or name not in prescription]
    if missing:
        raise invalid_input(f"Missing required parameter(s) from prescriptionDetail value: {', '.join(missing)}")


def _refuse_unknown_items(order: Order, items: Any) -> None:
    if items is None:
        return
    known = tuple(line.order_item_id for line in order.lines)
    if not isinstance(items, list) or not all(
        isinstance(one, dict) and one.get("orderItemId") in known for one in items
    ):
        raise invalid_input("orderItems are items of this order.")
    if not all(one.get("quantity") is None or _is_units(one["quantity"]) for one in items):
        raise invalid_input("The quantity of an item is a whole number, 1 or more.")


def _is_units(quantity: object) -> bool:
    return isinstance(quantity, int) and not isinstance(quantity, bool) and quantity >= 1


def _found(call: Call) -> Order:
    order = call.seller.orders.orders.get(call.arguments[0])
    if order is None:
        raise SpApiError(404, "NotFound", "The order was not found.", call.arguments[0])
    return order
