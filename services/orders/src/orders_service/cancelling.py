"""Units that are not ordered any more while sources were asked for them already: the requests say so (MISSION C4)."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from orders_service.booking import units_of
from orders_service.fulfilling import OPEN, committed_units, ordered_units
from orders_service.models import FulfillmentRequest, Shipment
from orders_service.order_state import LineState, OrderState


def has_lost_units(before: OrderState, after: OrderState) -> bool:
    """Whether an item was cancelled or is ordered in smaller number than before."""
    still = {line.order_item_id: _wanted(line) for line in after.lines}
    return any(still[line.order_item_id] < _wanted(line) for line in before.lines)


def _wanted(line: LineState) -> int:
    return 0 if line.cancelled else line.quantity


def is_complete(request: FulfillmentRequest, shipped: Mapping[str, int]) -> bool:
    """Whether all that the source still has to ship of the request has left."""
    return all(
        shipped.get(line["order_item_id"], 0) >= line["quantity"] - line.get("cancelled", 0) for line in request.lines
    )


async def cancel_units(session: AsyncSession, order_ids: Sequence[UUID]) -> None:
    """The orders (locked by the caller) have lost units: sources that were asked for more see how many not to ship.

    They answer as to any cancellation: they ship the rest, or refuse to fill or kill. The newest request gives first,
    as compliance frees its promises. A request whose rest has left already is done.
    """
    ordered, committed = await ordered_units(session, order_ids), await committed_units(session, order_ids)
    query = (
        select(FulfillmentRequest)
        .where(col(FulfillmentRequest.order_id).in_(order_ids), col(FulfillmentRequest.status).in_(OPEN))
        .order_by(col(FulfillmentRequest.decision_version).desc(), col(FulfillmentRequest.source_id).desc())
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    requests = (await session.exec(query)).all()
    shipped = await shipped_units(session, [request.id for request in requests])
    over = {order_id: units - ordered.get(order_id, Counter()) for order_id, units in committed.items()}
    for request in requests:
        if _mark(request, over[request.order_id], shipped[request.id]):
            request.cancel_requested_at = request.cancel_requested_at or clock.now()
            if shipped[request.id] and is_complete(request, shipped[request.id]):
                request.status = "shipped"
            session.add(request)


def _mark(request: FulfillmentRequest, over: Counter[str], shipped: Counter[str]) -> bool:
    """Notes on the request's lines what is cancelled of them and takes it off `over`; whether there is any."""
    lines = []
    for line in request.lines:
        item = line["order_item_id"]
        units = min(over[item], line["quantity"] - shipped[item])
        asked = {name: value for name, value in line.items() if name != "cancelled"}
        if units > 0:
            over[item] -= units
            asked["cancelled"] = units
        lines.append(asked)
    changed, request.lines = lines != request.lines, lines
    return changed


async def shipped_units(session: AsyncSession, request_ids: Sequence[UUID]) -> dict[UUID, Counter[str]]:
    """Units per order item that parcels have taken, by request."""
    query = select(Shipment).where(col(Shipment.fulfillment_request_id).in_(request_ids))
    units: dict[UUID, Counter[str]] = defaultdict(Counter)
    for shipment in (await session.exec(query)).all():
        assert shipment.fulfillment_request_id is not None
        units[shipment.fulfillment_request_id].update(units_of(shipment.lines))
    return units
