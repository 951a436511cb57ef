"""What becomes of reservations (pure): held, then once released, refused, killed or shipped.

The functions change the given list of one order's reservations in memory; `new` and `changed` say what to write."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from common.contracts.orders import FulfillmentLine, FulfillmentShipped
from compliance_service.routing import Line

State = Literal["held", "released", "refused", "killed", "shipped"]

# The source of units of which nobody knows from where they left.
NOBODY = UUID(int=0)


class OrderedLine(Line, frozen=True, gc=False, omit_defaults=True):
    """A line as orders tells it; `fulfilled` of its `quantity` have left as Amazon counts them, our own among them."""

    fulfilled: int = 0


@dataclass(slots=True)
class Reservation:
    """Units of a source promised to an order line, or gone without. `new` and `changed` tell the writer what to do."""

    id: UUID
    decision_version: int
    source_id: UUID
    order_item_id: str
    sku: str
    quantity: int
    state: State
    reserved_at: datetime
    closed_at: datetime | None = None
    shipment_id: UUID | None = None
    new: bool = False
    changed: bool = False

    def close(self, state: State, at: datetime) -> None:
        self.state, self.closed_at, self.changed = state, at, True


def open_lines(lines: Iterable[OrderedLine], reservations: Sequence[Reservation]) -> tuple[Line, ...]:
    """What the order still needs a source for: neither gone, nor promised, nor given up for good."""
    shipped: dict[str, int] = {}
    kept: dict[str, int] = {}
    for reservation in reservations:
        if reservation.state == "shipped":
            shipped[reservation.order_item_id] = shipped.get(reservation.order_item_id, 0) + reservation.quantity
        elif reservation.state in ("held", "killed"):
            kept[reservation.order_item_id] = kept.get(reservation.order_item_id, 0) + reservation.quantity
    return tuple(
        Line(line.order_item_id, line.sku, left)
        for line in lines
        if (
            left := line.quantity
            - max(line.fulfilled, shipped.get(line.order_item_id, 0))
            - kept.get(line.order_item_id, 0)
        )
        > 0
    )


def release_excess(lines: Iterable[OrderedLine], reservations: list[Reservation], at: datetime) -> None:
    """Items were cancelled or ordered in smaller number: what is promised beyond goes back, the newest promise first.

    Units that were given up count for nothing: it is they that are usually cancelled next.
    """
    over: dict[str, int] = {}
    for reservation in reservations:
        if reservation.state in ("held", "shipped"):
            over[reservation.order_item_id] = over.get(reservation.order_item_id, 0) + reservation.quantity
    for line in lines:
        if line.order_item_id in over:
            over[line.order_item_id] -= line.quantity
    if not any(units > 0 for units in over.values()):
        return
    held = [reservation for reservation in reservations if reservation.state == "held"]
    # Orders asks the sources' requests to be cancelled in the same order (`orders_service.cancelling`).
    for reservation in sorted(held, key=lambda r: (r.decision_version, r.source_id), reverse=True):
        units = min(over[reservation.order_item_id], reservation.quantity)
        if units > 0:
            over[reservation.order_item_id] -= units
            _release_units(reservations, reservation, units, at)


def _release_units(reservations: list[Reservation], reservation: Reservation, units: int, at: datetime) -> None:
    if units == reservation.quantity:
        reservation.close("released", at)
        return
    reservations.append(
        replace(reservation, id=uuid4(), quantity=units, state="released", closed_at=at, new=True, changed=False)
    )
    reservation.quantity -= units
    reservation.changed = True


def note_elsewhere(lines: Iterable[OrderedLine], reservations: list[Reservation], at: datetime) -> None:
    """Notes the units that Amazon counts as fulfilled and that no parcel and no promise of ours explains.

    Noted when they are first told: once our own parcels leave, Amazon's lagging count looks as if it meant those.
    """
    for line in lines:
        if not line.fulfilled:
            continue
        item = line.order_item_id
        ours = sum(r.quantity for r in reservations if r.order_item_id == item and r.state in ("held", "shipped"))
        if line.fulfilled > ours:
            reservations.append(_left(item, line.sku, line.fulfilled - ours, at))


def close_all(reservations: Sequence[Reservation], at: datetime, *, shipped: bool) -> None:
    """The order is closed: whatever is still promised goes back, or has left with an order that is shipped."""
    for reservation in reservations:
        if reservation.state == "held":
            reservation.close("shipped" if shipped else "released", at)


def _open(reservation: Reservation) -> bool:
    """Promised, or taken to have left with its order: orders or the source may still tell what became of it."""
    left_untold = reservation.state == "shipped" and reservation.shipment_id is None
    return reservation.state == "held" or (left_untold and reservation.source_id != NOBODY)


def withdraw(reservations: Sequence[Reservation], decision_version: int, at: datetime) -> None:
    """The route of this decision is not followed: only what it promised goes back."""
    for reservation in reservations:
        if _open(reservation) and reservation.decision_version == decision_version:
            reservation.close("released", at)


def refuse(
    reservations: Sequence[Reservation], decision_version: int, source_id: UUID, *, kill: bool, at: datetime
) -> None:
    """The source will not ship: its goods go back, and with `kill` the units are not asked of anybody else."""
    for reservation in reservations:
        if (
            _open(reservation)
            and reservation.decision_version == decision_version
            and reservation.source_id == source_id
        ):
            reservation.close("killed" if kill else "refused", at)


def ship(reservations: list[Reservation], event: FulfillmentShipped, at: datetime) -> None:
    """The units left: their reservations become final. What left without one is noted too: nobody need ship it, and
    where the source is known its stock is lower now. A shipment that was noted before changes nothing."""
    # Told late: a count may know of it already. A clock that is ahead must not outlast a count that does.
    at = min(at, event.shipped_at or at)
    for line in event.lines:
        if not any(_is_of(reservation, event, line) for reservation in reservations):
            _ship_line(reservations, event, line, at)


def _is_of(reservation: Reservation, event: FulfillmentShipped, line: FulfillmentLine) -> bool:
    return (
        reservation.shipment_id == event.shipment_id
        and reservation.order_item_id == line.order_item_id
        and event.source_id in (None, reservation.source_id)
    )


def _ship_line(reservations: list[Reservation], event: FulfillmentShipped, line: FulfillmentLine, at: datetime) -> None:
    left = line.quantity
    promised = [r for r in reservations if _open(r) and r.order_item_id == line.order_item_id]
    # The very promise first; failing that, any promise for these units is fulfilled by this parcel.
    promised.sort(
        key=lambda r: (
            event.source_id not in (None, r.source_id),
            event.decision_version not in (None, r.decision_version),
            r.decision_version,
            r.id.int,
        )
    )
    for reservation in promised:
        if not left:
            return
        units = min(left, reservation.quantity)
        _ship_units(reservations, reservation, event.source_id or reservation.source_id, units, event.shipment_id, at)
        left -= units
    if left:
        gone = _left(line.order_item_id, line.sku, left, at)
        gone.decision_version = event.decision_version or 0
        gone.source_id, gone.shipment_id = event.source_id or NOBODY, event.shipment_id
        reservations.append(gone)


def _left(order_item_id: str, sku: str, quantity: int, at: datetime) -> Reservation:
    """Units that left without a promise."""
    return Reservation(
        id=uuid4(),
        decision_version=0,
        source_id=NOBODY,
        order_item_id=order_item_id,
        sku=sku,
        quantity=quantity,
        state="shipped",
        reserved_at=at,
        closed_at=at,
        new=True,
    )


def _ship_units(
    reservations: list[Reservation],
    reservation: Reservation,
    source_id: UUID,
    units: int,
    shipment_id: UUID,
    at: datetime,
) -> None:
    """Moves units from a promise to a shipped row; a promise that is shipped whole, as planned, becomes that row."""
    # What its order has closed already left then at the latest.
    at = min(at, reservation.closed_at or at)
    if units == reservation.quantity and source_id == reservation.source_id:
        reservation.shipment_id = shipment_id
        reservation.close("shipped", at)
        return
    shipped = replace(
        reservation,
        id=uuid4(),
        source_id=source_id,
        quantity=units,
        state="shipped",
        closed_at=at,
        shipment_id=shipment_id,
        new=True,
        changed=False,
    )
    reservations.append(shipped)
    if units == reservation.quantity:
        reservation.close("released", at)
    else:
        reservation.quantity -= units
        reservation.changed = True
