"""Shipments: taken once, matched to order items, never more than was ordered, checked before they may go to Amazon."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import insert_page
from common.callers import Caller
from common.contracts.orders import FulfillmentLine, FulfillmentShipped, TrackingRejected
from common.contracts.shipments import ShipmentCreated
from common.errors import Conflict
from common.outbox import publish
from orders_service import carriers
from orders_service.booking import book, units_of
from orders_service.cancelling import is_complete, shipped_units
from orders_service.fulfilling import OPEN, key_of, lock_orders, reference_of
from orders_service.models import CarrierMethod, FulfillmentRequest, Order, OrderLine, Shipment
from orders_service.order_state import CANCELLED, HOLD_OF_PROGRAM, is_pending, not_ours_to_ship

log = structlog.get_logger()

# Statuses: waiting (for its order) -> queued -> sending -> unverified -> confirmed; rejected and conflict wait for an
# edit, which queues the shipment again.
WAITING, QUEUED, SENDING, UNVERIFIED = "waiting", "queued", "sending", "unverified"
CONFIRMED, REJECTED, CONFLICT = "confirmed", "rejected", "conflict"

_encode = msgspec.json.Encoder(enc_hook=str).encode
_COLUMNS = (
    *("account_id", "id", "selling_partner_id", "amazon_order_id", "source_id", "carrier", "method", "tracking_number"),
    *("shipped_at", "items", "lines", "status", "attempts", "looks", "created_at"),
)


class ShipmentNotPossible(Conflict):
    slug, title = "shipment-not-possible", "The order cannot take this shipment"
    fix = "Name items that the order still has to ship, as GET /v1/orders/{id} shows them, and no more of them"


class ShipmentInFlight(Conflict):
    slug, title = "shipment-in-flight", "This shipment is being sent to Amazon at this moment"
    fix = "Try again in a minute"


async def record(session: AsyncSession, events: Sequence[ShipmentCreated]) -> list[Shipment]:
    """Stores shipments that are new and applies them to their orders; answers the new ones.

    One whose order is not there yet waits (F8); it is applied by `apply_waiting` when the order has come.
    """
    orders = await lock_orders(session, events)
    now = clock.now()
    rows = {
        (event.account_id, event.shipment_id): (
            *(event.account_id, event.shipment_id, event.selling_partner_id, event.amazon_order_id, event.source_id),
            *(event.carrier, event.method, event.tracking_number, event.shipped_at),
            *(_encode([item.model_dump(mode="json") for item in event.items]).decode(), "[]", WAITING, 0, 0, now),
        )
        for event in events
    }
    inserted = await insert_page(
        session,
        Shipment,
        _COLUMNS,
        [rows[key] for key in sorted(rows)],
        "on conflict (account_id, id) do nothing returning account_id, id",
    )
    new = {(row[0], row[1]) for row in inserted}
    query = select(Shipment).where(
        col(Shipment.account_id).in_({account_id for account_id, _ in new}),
        col(Shipment.id).in_({shipment_id for _, shipment_id in new}),
    )
    found = {(row.account_id, row.id): row for row in (await session.exec(query)).all()}
    shipments = [found[key] for key in rows if key in new]
    for shipment in shipments:
        if order := orders.get(_order_key(shipment)):
            await apply(session, order, shipment)
        else:
            log.info("shipment_waits_for_order", amazon_order_id=shipment.amazon_order_id)
    return shipments


async def create(session: AsyncSession, caller: Caller, told: ShipmentCreated) -> Shipment:
    """A shipment told by API; told again, it is the one that is stored. Raises `ShipmentNotPossible`."""
    await record(session, [told])
    shipment = await caller.one(session, Shipment, told.shipment_id)
    if shipment.status == REJECTED and not shipment.lines:
        raise ShipmentNotPossible(shipment.error_detail or "", code=shipment.error_code)
    return shipment


def _order_key(shipment: Shipment) -> str:
    return f"{shipment.account_id}:{shipment.selling_partner_id}:{shipment.amazon_order_id}"


async def apply(session: AsyncSession, order: Order, shipment: Shipment) -> None:
    """Takes a waiting shipment into its (locked) order, then checks the carrier. A pending order is waited for."""
    session.add(shipment)
    shipment.order_id = order.id
    if is_pending(order.status):
        return
    if problem := _closed(order) or await _match_items(session, order, shipment):
        await reject(session, order, shipment, *problem)
        return
    await _announce_shipped(session, order, shipment)
    await check_carrier(session, order, shipment)


def _closed(order: Order) -> tuple[str, str] | None:
    if foreign := not_ours_to_ship(order.fulfilled_by):
        return foreign
    if order.status == CANCELLED:
        return "order_cancelled", "the order is cancelled"
    if order.special_program:
        return HOLD_OF_PROGRAM[order.special_program], f"{order.special_program} orders take no tracking of ours"
    return None


async def _match_items(session: AsyncSession, order: Order, shipment: Shipment) -> tuple[str, str] | None:
    """Fills the shipment's lines; code and detail when its items are not the order's, or too many."""
    ordered = await _ordered(session, order.id)
    left = await units_left(session, order.id, ordered)
    lines: Counter[str] = Counter()
    for item in shipment.items:
        line = _line_of(item, ordered)
        if isinstance(line, str):
            return "unknown_item", line
        lines[line.order_item_id] += item["quantity"]
    for order_item_id, quantity in lines.items():
        if quantity > left[order_item_id]:
            return (
                "quantity_exceeds_order",
                f"{quantity} of order item {order_item_id}, of which {left[order_item_id]} are left to ship",
            )
    skus = {line.order_item_id: line.sku for line in ordered}
    shipment.lines = [
        {"order_item_id": item, "sku": skus[item], "quantity": quantity} for item, quantity in sorted(lines.items())
    ]
    return None


async def _ordered(session: AsyncSession, order_id: UUID) -> Sequence[OrderLine]:
    query = select(OrderLine).where(OrderLine.order_id == order_id, ~col(OrderLine.cancelled))
    return (await session.exec(query.execution_options(populate_existing=True))).all()


async def units_left(session: AsyncSession, order_id: UUID, ordered: Sequence[OrderLine]) -> Counter[str]:
    """Units per order item that no accepted shipment has taken yet."""
    left = Counter({line.order_item_id: line.quantity for line in ordered})
    query = select(Shipment.lines).where(Shipment.order_id == order_id)
    for lines in (await session.exec(query)).all():
        for line in lines:
            left[line["order_item_id"]] -= line["quantity"]
    return left


def _line_of(item: dict[str, Any], ordered: Sequence[OrderLine]) -> OrderLine | str:
    """The order's line that an item means, or why there is none."""
    if item["order_item_id"] is not None:
        found = [line for line in ordered if line.order_item_id == item["order_item_id"]]
        return found[0] if found else f"the order has no item {item['order_item_id']}"
    found = [line for line in ordered if line.sku == item["sku"]]
    if len(found) > 1:
        return f"the order has the SKU {item['sku']} {len(found)} times: name the order_item_id"
    return found[0] if found else f"the order has no SKU {item['sku']}"


async def _announce_shipped(session: AsyncSession, order: Order, shipment: Shipment) -> None:
    query = (
        select(FulfillmentRequest)
        .where(FulfillmentRequest.order_id == order.id, col(FulfillmentRequest.status).in_(OPEN))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    asked = (await session.exec(query)).all()
    shipped = await shipped_units(session, [request.id for request in asked])
    parcel = units_of(shipment.lines)
    request, source_id = book(parcel, shipment.source_id, asked, shipped)
    if request:
        shipment.fulfillment_request_id = request.id
        if is_complete(request, shipped[request.id] + parcel):
            request.status = "shipped"
            session.add(request)
        await session.flush()
    announced = FulfillmentShipped(
        **reference_of(order),
        fulfillment_request_id=request.id if request else None,
        shipment_id=shipment.id,
        source_id=source_id,
        decision_version=request.decision_version if request else None,
        lines=tuple(FulfillmentLine(**line) for line in shipment.lines),
        shipped_at=shipment.shipped_at,
    )
    await publish(session, announced)


async def own_methods(session: AsyncSession, account_id: UUID) -> dict[str, list[str]]:
    """The methods that the account added, by carrier."""
    methods: dict[str, list[str]] = {}
    for row in (await session.exec(select(CarrierMethod).where(CarrierMethod.account_id == account_id))).all():
        methods.setdefault(row.carrier, []).append(row.method)
    return methods


async def check_carrier(session: AsyncSession, order: Order, shipment: Shipment) -> None:
    """Queues the shipment for Amazon, or rejects it with what was probably meant (MISSION C8)."""
    checked = carriers.check(shipment.carrier, shipment.method, await own_methods(session, order.account_id))
    if isinstance(checked, carriers.Invalid):
        await reject(session, order, shipment, checked.code, checked.detail, checked.suggestion)
        return
    shipment.status = QUEUED
    shipment.attempts, shipment.looks, shipment.failures, shipment.alarmed_at = 0, 0, 0, None
    shipment.error_code, shipment.error_detail, shipment.suggestion = None, None, None
    shipment.next_attempt_at = clock.now()
    session.add(shipment)


async def reject(
    session: AsyncSession,
    order: Order,
    shipment: Shipment,
    code: str,
    detail: str,
    suggestion: str | None = None,
    *,
    status: str = REJECTED,
) -> None:
    """The shipment waits for an edit, with the reason; `TrackingRejected` tells the others."""
    shipment.status = status
    shipment.error_code, shipment.error_detail, shipment.suggestion = code, detail, suggestion
    shipment.next_attempt_at = None
    session.add(shipment)
    rejected = TrackingRejected(
        **reference_of(order), shipment_id=shipment.id, code=code, detail=detail, suggestion=suggestion
    )
    await publish(session, rejected)


async def edit(session: AsyncSession, caller: Caller, shipment_id: UUID, changes: dict[str, str]) -> Shipment:
    """Changes carrier, method or tracking number and queues the shipment again, as the same package.

    Without changes it is simply tried again. Raises `NotFound`, `ShipmentInFlight`.
    """
    unlocked = await caller.one(session, Shipment, shipment_id)
    order = await _locked_order(session, unlocked)
    shipment = await caller.one(session, Shipment, shipment_id, lock=True)
    await session.refresh(shipment)
    if shipment.status == SENDING and shipment.next_attempt_at is not None:
        raise ShipmentInFlight
    for name, value in changes.items():
        setattr(shipment, name, value)
    session.add(shipment)
    if order is None or shipment.status == WAITING:
        return shipment
    if shipment.lines:
        await check_carrier(session, order, shipment)
    else:
        await apply(session, order, shipment)
    return shipment


async def _locked_order(session: AsyncSession, shipment: Shipment) -> Order | None:
    query = select(Order).where(
        Order.account_id == shipment.account_id,
        Order.selling_partner_id == shipment.selling_partner_id,
        Order.amazon_order_id == shipment.amazon_order_id,
    )
    return (await session.exec(query.with_for_update())).one_or_none()


async def apply_waiting(session: AsyncSession, account_id: UUID, selling_partner_id: str) -> int:
    """Applies the waiting shipments of a seller whose orders have come meanwhile; answers how many."""
    query = select(Shipment).where(
        Shipment.account_id == account_id,
        Shipment.selling_partner_id == selling_partner_id,
        Shipment.status == WAITING,
    )
    waiting = (await session.exec(query.order_by(col(Shipment.amazon_order_id)))).all()
    orders = (
        select(Order)
        .where(
            Order.account_id == account_id,
            Order.selling_partner_id == selling_partner_id,
            col(Order.amazon_order_id).in_({shipment.amazon_order_id for shipment in waiting}),
        )
        .order_by(col(Order.amazon_order_id))
        .with_for_update()
    )
    found = {key_of(order): order for order in (await session.exec(orders)).all()}
    applied = 0
    for shipment in waiting:
        order = found.get(_order_key(shipment))
        # Its order's lock is held now: look again, an edit or another worker may have been here.
        await session.refresh(shipment, with_for_update=True)
        if order and shipment.status == WAITING:
            await apply(session, order, shipment)
            applied += shipment.status != WAITING
    return applied
