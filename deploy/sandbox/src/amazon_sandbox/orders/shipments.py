"""Orders v0 confirmShipment: what Amazon refuses, and what becomes of what it takes (FACTS 8.4)."""

from functools import partial
from typing import Annotated, Any, NamedTuple

import msgspec

from amazon_sandbox.calls import Call
from amazon_sandbox.clock import SECOND_MS, parse_iso
from amazon_sandbox.notifications.order_changes import tell_status
from amazon_sandbox.orders.book import (
    AMAZON,
    CANCELLED,
    SHIP_PLUS,
    UNFULFILLABLE,
    Order,
    Package,
    shipped_quantity,
)
from amazon_sandbox.orders.carriers import CARRIER_CODES, OTHER
from amazon_sandbox.wire import Answer, SpApiError, invalid_input
from amazon_sandbox.world import Seller, World

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
_MOST_REFERENCE_DIGITS = 20


class OrderItem(msgspec.Struct, rename="camel"):
    order_item_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    transparency_codes: list[str] = []


class PackageDetail(msgspec.Struct, rename="camel"):
    """The shipping method is free text: Amazon takes nearly anything there (FACTS 8.4.4)."""

    package_reference_id: str
    carrier_code: str
    tracking_number: Annotated[str, msgspec.Meta(min_length=1)]
    ship_date: str
    order_items: Annotated[list[OrderItem], msgspec.Meta(min_length=1)]
    carrier_name: _Name | None = None
    shipping_method: Annotated[str, msgspec.Meta(max_length=50)] | None = None
    ship_from_supply_source_id: str | None = None


class ConfirmShipmentRequest(msgspec.Struct, rename="camel"):
    marketplace_id: str
    package_detail: PackageDetail
    cod_collection_method: str | None = None


class PackageShows(NamedTuple):
    """A confirmed package on its way to be seen."""

    seller: Seller
    order: Order
    package: Package
    at_ms: int  # when it is due: the clock may be far ahead by then

    def take_place(self, world: World) -> None:
        at_ms = max(self.at_ms, self.order.updated_ms)  # a change by a request that came in just then
        self.seller.orders.show_package(self.order, self.package, at_ms)
        tell_status(world, self.seller, self.order)


def confirm_shipment(call: Call) -> Answer:
    """204 without a body; the package shows later (FACTS 8.4.7)."""
    document = call.document()
    _refuse_unquoted_reference(document)
    try:
        request = msgspec.convert(document, ConfirmShipmentRequest)
    except msgspec.ValidationError as error:
        raise invalid_input("Request has missing or has fields with invalid type", str(error)) from error
    world, seller = call.world, call.seller
    order = seller.orders.orders.get(call.arguments[0])
    if order is None:
        raise SpApiError(404, "NotFound", "The order was not found.", call.arguments[0])
    now_ms = world.clock.now_ms()
    package = package_to_take(world, order, request.marketplace_id, request.package_detail, now_ms)
    return Answer(204, effect=partial(take_package, world, seller, order, package))


def package_to_take(world: World, order: Order, marketplace_id: str, detail: PackageDetail, now_ms: int) -> Package:
    """The package Amazon would take, by whatever door it comes. Raises SpApiError 400."""
    _refuse_order_that_cannot_ship(order, marketplace_id)
    package = _package(detail, now_ms)
    if world.settings.check_ship_dates and not order.created_ms <= package.ship_ms <= now_ms:
        raise invalid_input("shipDate must not be in the future and not before the order.")  # FACTS 8.4.5
    _refuse_wrong_quantities(order, package)
    return package


def take_package(world: World, seller: Seller, order: Order, package: Package) -> None:
    """The package shows after the shipment delay, counted from the moment the package was taken."""
    order.accepted = {**order.accepted, package.reference_id: package}
    order.confirmations += 1
    shows_ms = package.created_ms + round(world.settings.shipment_delay_s * SECOND_MS)
    shows = PackageShows(seller, order, package, shows_ms)
    if shows_ms == package.created_ms:
        shows.take_place(world)
    else:
        world.at(shows_ms, shows)


def _refuse_unquoted_reference(document: dict[str, Any]) -> None:
    """FACTS 8.4.1: a number without quotes has been refused since January 2026."""
    detail = document.get("packageDetail")
    reference = detail.get("packageReferenceId") if isinstance(detail, dict) else None
    if reference is not None and not isinstance(reference, str):
        raise invalid_input("Request has missing or has fields with invalid type [packageDetail.packageReferenceId]")
    if reference is None or not _is_positive(reference):
        raise invalid_input("PackageReferenceId: is invalid, must be a positive numeric value.")


def _is_positive(reference: str) -> bool:
    return (
        reference.isascii() and reference.isdigit() and len(reference) <= _MOST_REFERENCE_DIGITS and int(reference) > 0
    )


def _refuse_order_that_cannot_ship(order: Order, marketplace_id: str) -> None:
    if marketplace_id != order.marketplace_id:
        raise invalid_input("The order was not placed in this marketplace.", marketplace_id)
    if order.fulfilled_by == AMAZON:
        raise invalid_input("The order is fulfilled by Amazon; its shipment cannot be confirmed.")
    if SHIP_PLUS in order.programs:
        raise invalid_input("The shipment of a Ship+ order cannot be confirmed.")  # FACTS 8.4.4
    if order.is_pending:
        raise invalid_input("The order is pending; it must not be shipped.")
    if order.status in (CANCELLED, UNFULFILLABLE):
        raise invalid_input(f"The order is {order.status.lower()}.")


def _package(detail: PackageDetail, now_ms: int) -> Package:
    if detail.carrier_code not in CARRIER_CODES:
        raise invalid_input(f"carrierCode '{detail.carrier_code}' is not a known carrier.")
    if detail.carrier_code == OTHER and detail.carrier_name is None:
        raise invalid_input("carrierName is required when carrierCode is Other.")  # FACTS 8.4.3
    try:
        ship_ms = parse_iso(detail.ship_date)
    except ValueError as error:
        raise SpApiError(400, "Invalid Input", "Invalid Input", "shipDate is not an ISO 8601 time.") from error
    quantities: dict[str, int] = {}
    for item in detail.order_items:
        quantities[item.order_item_id] = quantities.get(item.order_item_id, 0) + item.quantity
    return Package(
        reference_id=detail.package_reference_id,
        carrier=detail.carrier_name or OTHER if detail.carrier_code == OTHER else detail.carrier_code,
        shipping_method=detail.shipping_method,
        tracking_number=detail.tracking_number,
        ship_ms=ship_ms,
        created_ms=now_ms,
        quantities=quantities,
    )


def _refuse_wrong_quantities(order: Order, package: Package) -> None:
    """The same reference edits its package; all packages together ship no more than was ordered."""
    ordered = {line.order_item_id: line.quantity for line in order.lines}
    unknown = package.quantities.keys() - ordered.keys()
    if unknown:
        raise invalid_input(f"orderItemId is not of this order: {', '.join(sorted(unknown))}")
    others = [other for reference, other in order.accepted.items() if reference != package.reference_id]
    if all(shipped_quantity(others, item_id) >= quantity for item_id, quantity in ordered.items()):
        # FACTS 8.4.6: everything has left under other references.
        raise SpApiError(400, "PackageToUpdateNotFound", "Unable to find package to update for order", order.order_id)
    for order_item_id, quantity in package.quantities.items():
        left = ordered[order_item_id] - shipped_quantity(others, order_item_id)
        if quantity > left:
            raise invalid_input(f"Only {left} of order item {order_item_id} can still be shipped.")
