"""Fulfillment requests: planned by a routing decision, released after a last look at the source and the order."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, TypeVar
from uuid import UUID

import structlog
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import run
from common.callers import Caller
from common.contracts.agreements import required_agreement
from common.contracts.compliance import Allocation, Decision, OrderHeld, OrderRouted, SourceComplianceChanged
from common.contracts.orders import (
    FulfillmentLine,
    FulfillmentRefused,
    FulfillmentRequested,
    FulfillmentWithdrawn,
    OrderReference,
)
from common.errors import Conflict
from common.outbox import publish
from orders_service.booking import units_of
from orders_service.models import FulfillmentRequest, Order, OrderLine, Shipment, SourceCompliance
from orders_service.order_state import OPEN_STATUSES, not_ours_to_ship

log = structlog.get_logger()

D = TypeVar("D", bound=Decision)

# Statuses: planned -> released -> acknowledged -> shipped; refused after release, withdrawn instead of it. A request
# is planned only inside the transaction of its decision, which ends in a release or in a withdrawal.
OPEN = ("released", "acknowledged")
COMMITTED = (*OPEN, "shipped")


class RequestNotOpen(Conflict):
    slug, title = "fulfillment-request-not-open", "This fulfillment request cannot be answered any more"
    fix = "Only released requests can be acknowledged, and released or acknowledged ones refused"


async def lock_orders(session: AsyncSession, references: Sequence[OrderReference]) -> dict[str, Order]:
    """The orders that events name, by event key, locked in the order of their keys."""
    if not references:
        return {}
    wanted = {event.key(): event for event in references}
    query = (
        select(Order)
        .where(
            col(Order.account_id).in_({event.account_id for event in wanted.values()}),
            col(Order.selling_partner_id).in_({event.selling_partner_id for event in wanted.values()}),
            col(Order.amazon_order_id).in_({event.amazon_order_id for event in wanted.values()}),
        )
        .order_by(col(Order.account_id), col(Order.selling_partner_id), col(Order.amazon_order_id))
        .with_for_update()
    )
    found = (await session.exec(query.execution_options(populate_existing=True))).all()
    return {key: order for order in found if (key := key_of(order)) in wanted}


def key_of(order: Order) -> str:
    """The event key of an order."""
    return f"{order.account_id}:{order.selling_partner_id}:{order.amazon_order_id}"


def reference_of(order: Order) -> dict[str, Any]:
    """The fields by which every event names an order."""
    return {
        "account_id": order.account_id,
        "selling_partner_id": order.selling_partner_id,
        "amazon_order_id": order.amazon_order_id,
    }


async def route(session: AsyncSession, events: Sequence[OrderRouted]) -> None:
    """Releases what each decision plans, or refuses that decision's whole route with the reason.

    The source's attestation, the order's state and what was already asked of others are looked at in this
    transaction, under the locks of the order and of the sources' rows (MISSION C6, D5).
    """
    orders = await lock_orders(session, events)
    unseen = _unseen(events, orders)
    order_ids = list({order.id for order, _ in unseen})
    sources = await _lock_sources(session, unseen)
    committed = await committed_units(session, order_ids)
    ordered = await ordered_units(session, order_ids)
    for order_id, units in (await _left_unasked(session, order_ids)).items():
        committed.setdefault(order_id, Counter()).update(units)
    for order, event in unseen:
        order.decision_version = event.decision_version
        order.held_code, order.held_detail, order.held_sources = None, None, None
        session.add(order)
        asked, planned = committed.setdefault(order.id, Counter()), _units(event)
        refusal = _refusal(order, event, sources) or _too_much(planned, asked, ordered.get(order.id, Counter()))
        if refusal:
            await _withdraw(session, order, event, *refusal)
        else:
            await _release(session, order, event)
            asked.update(planned)


def _unseen(events: Sequence[D], orders: dict[str, Order]) -> list[tuple[Order, D]]:
    """The decisions that are newer than what their order has seen, by order and ascending; others' orders are left.

    Each is followed, not the newest alone: a decision covers only what those before it left open.
    """
    unseen = {
        (key, event.decision_version): event
        for event in events
        if (order := orders.get(key := event.key())) and event.decision_version > order.decision_version
    }
    return [(orders[key], unseen[key, version]) for key, version in sorted(unseen)]


async def _lock_sources(
    session: AsyncSession, routed: Sequence[tuple[Order, OrderRouted]]
) -> dict[tuple[UUID, UUID], SourceCompliance]:
    """What we know of the sources, held for share until the release is committed: a withdrawal waits, then sees it."""
    told: dict[tuple[UUID, UUID], Allocation] = {}
    for order, event in routed:
        for allocation in event.allocations:
            key = (event.account_id, allocation.source_id)
            if not _agreement_binds(order):
                # Decided without looking at the attestation: it tells nothing of it.
                allocation = allocation.model_copy(update={"attestation_version": 0})
            if key not in told or told[key].attestation_version < allocation.attestation_version:
                told[key] = allocation
    if not told:
        return {}
    keys = sorted(told)
    await run(
        session,
        "insert into source_compliance (account_id, source_id, source_name, compliant, attestation_version, "
        "attested_until, reason) select account_id, source_id, name, version > 0, version, until, 'given' "
        "from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::timestamptz[]) "
        "as told (account_id, source_id, name, version, until) "
        "on conflict (account_id, source_id) do update set compliant = true, source_name = excluded.source_name, "
        "attestation_version = excluded.attestation_version, attested_until = excluded.attested_until, "
        "reason = excluded.reason where source_compliance.attestation_version < excluded.attestation_version",
        [account_id for account_id, _ in keys],
        [source_id for _, source_id in keys],
        [told[key].source_name for key in keys],
        [told[key].attestation_version for key in keys],
        [told[key].attested_until for key in keys],
    )
    query = (
        select(SourceCompliance)
        .where(
            col(SourceCompliance.account_id).in_({account_id for account_id, _ in keys}),
            col(SourceCompliance.source_id).in_({source_id for _, source_id in keys}),
        )
        .order_by(col(SourceCompliance.account_id), col(SourceCompliance.source_id))
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    return {(row.account_id, row.source_id): row for row in (await session.exec(query)).all()}


def _refusal(
    order: Order, event: OrderRouted, sources: dict[tuple[UUID, UUID], SourceCompliance]
) -> tuple[str, str] | None:
    """Reason and detail when the route must not be followed."""
    if foreign := not_ours_to_ship(order.fulfilled_by):
        return foreign
    if order.status not in OPEN_STATUSES:
        return "order_closed", f"the order is {order.status}"
    if order.holds:
        return "order_on_hold", ", ".join(order.holds)
    if event.order_version < order.version:
        return "order_version_outdated", f"decided on version {event.order_version}, now {order.version}"
    if not _agreement_binds(order):
        return None
    for allocation in event.allocations:
        source = sources[(event.account_id, allocation.source_id)]
        name = source.source_name or allocation.source_name or str(allocation.source_id)
        if source.reason == "expired" or (source.attested_until and source.attested_until <= clock.now()):
            return "source_not_compliant", f"{name}: its attestation to the Amazon agreement has run out"
        if not source.compliant:
            return "source_not_compliant", f"{name} has no attestation to the Amazon agreement"
    return None


def _agreement_binds(order: Order) -> bool:
    return required_agreement("amazon", order.purchased_at) is not None


def _units(event: OrderRouted) -> Counter[str]:
    """Units per order item that a decision plans."""
    planned = Counter[str]()
    for allocation in event.allocations:
        for line in allocation.lines:
            planned[line.order_item_id] += line.quantity
    return planned


def _too_much(planned: Counter[str], committed: Counter[str], ordered: Counter[str]) -> tuple[str, str] | None:
    if any(quantity + committed[item] > ordered[item] for item, quantity in planned.items()):
        return "already_released", "these items have left, or sources were already asked to ship them"
    return None


async def committed_units(session: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, Counter[str]]:
    """Units per order item that sources were asked for and have not refused."""
    query = select(FulfillmentRequest).where(
        col(FulfillmentRequest.order_id).in_(order_ids), col(FulfillmentRequest.status).in_(COMMITTED)
    )
    units: dict[UUID, Counter[str]] = {}
    for request in (await session.exec(query)).all():
        for line in request.lines:
            # Until its source has answered, what is cancelled may still be shipped.
            gone = line.get("cancelled", 0) if request.status == "shipped" else 0
            units.setdefault(request.order_id, Counter())[line["order_item_id"]] += line["quantity"] - gone
    return units


async def ordered_units(session: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, Counter[str]]:
    """Units per order item that are ordered and not cancelled."""
    query = select(OrderLine).where(col(OrderLine.order_id).in_(order_ids), ~col(OrderLine.cancelled))
    units: dict[UUID, Counter[str]] = {}
    for line in (await session.exec(query)).all():
        units.setdefault(line.order_id, Counter())[line.order_item_id] += line.quantity
    return units


async def _left_unasked(session: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, Counter[str]]:
    """Units per order item that left beyond what sources were asked for: told by parcels, or counted by Amazon."""
    parcels = (
        select(Shipment.order_id, Shipment.lines, FulfillmentRequest)
        .outerjoin(
            FulfillmentRequest,
            (col(FulfillmentRequest.id) == Shipment.fulfillment_request_id)
            & col(FulfillmentRequest.status).in_(COMMITTED),
        )
        .where(col(Shipment.order_id).in_(order_ids))
    )
    shipped: dict[UUID, Counter[str]] = {order_id: Counter() for order_id in order_ids}
    answers: dict[UUID, tuple[FulfillmentRequest, Counter[str]]] = {}
    for order_id, lines, request in (await session.exec(parcels)).all():
        units = units_of(lines)
        if order_id:
            shipped[order_id].update(units)
        if request:
            answers.setdefault(request.id, (request, Counter()))[1].update(units)
    asked: dict[UUID, Counter[str]] = {order_id: Counter() for order_id in order_ids}
    for request, units in answers.values():
        asked[request.order_id].update(units & units_of(request.lines))
    left: dict[UUID, Counter[str]] = {order_id: Counter() for order_id in order_ids}
    query = select(OrderLine).where(col(OrderLine.order_id).in_(order_ids))
    for line in (await session.exec(query)).all():
        item = line.order_item_id
        # Amazon's count holds the parcels that it was told of: the higher one is what left.
        gone = max(line.quantity_fulfilled, shipped[line.order_id][item])
        left[line.order_id][item] = gone - asked[line.order_id][item]
    return left


def _planned(order: Order, event: OrderRouted) -> list[FulfillmentRequest]:
    return [
        FulfillmentRequest(
            account_id=order.account_id,
            order_id=order.id,
            source_id=allocation.source_id,
            decision_version=event.decision_version,
            status="planned",
            lines=[line.model_dump() for line in allocation.lines],
            created_at=clock.now(),
        )
        for allocation in event.allocations
    ]


async def _release(session: AsyncSession, order: Order, event: OrderRouted) -> None:
    requests = _planned(order, event)
    for request in requests:
        request.status, request.released_at = "released", request.created_at
    session.add_all(requests)
    await publish(session, *[_requested(order, request) for request in requests])


async def _withdraw(session: AsyncSession, order: Order, event: OrderRouted, reason: str, detail: str) -> None:
    requests = _planned(order, event)
    for request in requests:
        request.status, request.reason, request.detail = "withdrawn", reason, detail
    session.add_all(requests)
    withdrawn = FulfillmentWithdrawn(
        **reference_of(order), decision_version=event.decision_version, reason=reason, detail=detail
    )
    await publish(session, withdrawn)
    log.info("route_refused", amazon_order_id=order.amazon_order_id, reason=reason)


def _requested(order: Order, request: FulfillmentRequest) -> FulfillmentRequested:
    return FulfillmentRequested(
        **reference_of(order),
        fulfillment_request_id=request.id,
        source_id=request.source_id,
        decision_version=request.decision_version,
        lines=tuple(FulfillmentLine(**line) for line in request.lines),
    )


async def hold(session: AsyncSession, events: Sequence[OrderHeld]) -> None:
    """Keeps why compliance cannot route an order, for people to read; the next route clears it."""
    orders = await lock_orders(session, events)
    for order, event in _unseen(events, orders):
        order.decision_version = event.decision_version
        order.held_code, order.held_detail = event.code, event.detail
        order.held_sources = [rejected.model_dump(mode="json") for rejected in event.rejected]
        session.add(order)


async def source_changed(session: AsyncSession, events: Sequence[SourceComplianceChanged]) -> None:
    """Remembers each source's newest attestation. From the commit on nothing is released to one that is off."""
    for event in sorted(events, key=lambda event: (str(event.source_id), event.attestation_version)):
        await run(
            session,
            "insert into source_compliance (account_id, source_id, source_name, compliant, attestation_version, "
            "attested_until, reason) values ($1, $2, $3, $4, $5, $6, $7) "
            "on conflict (account_id, source_id) do update set source_name = $3, compliant = $4, "
            "attestation_version = $5, attested_until = $6, reason = $7 "
            "where source_compliance.attestation_version <= excluded.attestation_version",
            event.account_id,
            event.source_id,
            event.source_name,
            event.compliant,
            event.attestation_version,
            event.attested_until,
            event.reason,
        )


async def cancel_requests(session: AsyncSession, order_ids: Sequence[UUID]) -> None:
    """The orders (locked by the caller) are cancelled: sources that were asked see it and answer fill or kill."""
    await run(
        session,
        "update fulfillment_request set cancel_requested_at = $2 "
        "where order_id = any($1) and status in ('released', 'acknowledged') and cancel_requested_at is null",
        list(order_ids),
        clock.now(),
    )


async def acknowledge(session: AsyncSession, caller: Caller, request_id: UUID) -> FulfillmentRequest:
    """The source has taken the request on; said twice, it is the same. Raises `NotFound`, `RequestNotOpen`."""
    request = await caller.one(session, FulfillmentRequest, request_id, lock=True)
    if request.status not in ("released", "acknowledged"):
        raise RequestNotOpen(f"the request is {request.status}")
    request.status = "acknowledged"
    session.add(request)
    return request


async def refuse(
    session: AsyncSession, caller: Caller, request_id: UUID, resolution: Literal["fill", "kill"], reason: str
) -> FulfillmentRequest:
    """The source will not ship: `fill` has the lines routed elsewhere, `kill` gives them up.

    Refused again in the same way, nothing happens. Raises `NotFound`, `RequestNotOpen`.
    """
    unlocked = await caller.one(session, FulfillmentRequest, request_id)
    # The order first: its lock orders the events of its key, and everybody takes it before the request's.
    order = await caller.one(session, Order, unlocked.order_id, lock=True)
    request = await caller.one(session, FulfillmentRequest, request_id, lock=True)
    await session.refresh(request)
    if request.status == "refused" and request.resolution == resolution:
        return request
    if request.status not in ("released", "acknowledged"):
        raise RequestNotOpen(f"the request is {request.status}")
    request.status, request.resolution, request.reason = "refused", resolution, reason
    session.add(request)
    refused = FulfillmentRefused(
        **reference_of(order),
        fulfillment_request_id=request.id,
        source_id=request.source_id,
        decision_version=request.decision_version,
        resolution=resolution,
        reason=reason,
    )
    await publish(session, refused)
    return request
