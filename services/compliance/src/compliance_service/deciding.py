"""An order finds its sources: what orders tells is kept, what it still needs is decided, reserved, stored and announced
in one transaction (MISSION D4). Everything is loaded and written for a whole batch at once."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock, outbox
from common.bulk import run
from common.contracts.compliance import Decision as DecisionEvent
from common.contracts.compliance import OrderHeld, OrderRouted
from common.contracts.event import Event, Received
from common.contracts.orders import FulfillmentRefused, FulfillmentShipped, FulfillmentWithdrawn, OrderEvent
from compliance_service import order_rows, reserving
from compliance_service.decision_inputs import Ground, SourcesThen, load_ground
from compliance_service.decision_records import Made, inputs_of, json_text, save_decisions
from compliance_service.order_rows import OrderRow, key_of
from compliance_service.reroute_queue import request_reroute
from compliance_service.routing import Decision, GroupRules, Line, OpenOrder, SourceFacts, decide
from compliance_service.wording import hold_detail, rejection_detail

Cause = Literal["order", "withdrawn", "refused", "reroute"]

_FOLLOWED = (OrderEvent, FulfillmentWithdrawn, FulfillmentRefused, FulfillmentShipped)


@dataclass(slots=True)
class Tally:
    """What became of a batch: decisions that route, orders that stay held."""

    routed: int = 0
    held: int = 0


async def follow_orders(
    session: AsyncSession, received: Sequence[Received], *, reroute_delay_seconds: float = 0.0
) -> None:
    """Handles a batch of `entrepot.orders`, in the order of each order's events. The accounts have their turn.

    The newest version of each order is kept, closures of fulfillment requests end reservations once, and what then
    still lacks a source is decided. What names an order we have never seen has reserved nothing and is passed by.
    """
    heard = [(r.event, r.time) for r in received if isinstance(r.event, _FOLLOWED)]
    if not heard:
        return
    parcels = [(event, time) for event, time in heard if isinstance(event, FulfillmentShipped)]
    own = await _own_sources(session, [parcel for parcel, _ in parcels])
    new = await order_rows.store(session, (event for event, _ in heard if isinstance(event, OrderEvent)))
    keys = {key_of(event) for event, _ in heard}
    orders = {order.key: order for order in await order_rows.load(session, keys, new=new)}
    causes: dict[UUID, Cause] = {}
    now = clock.now()
    for event, time in heard:
        if order := orders.get(key_of(event)):
            causes[order.id] = _close(order, event, time, own) or causes.get(order.id, "order")
            if isinstance(event, FulfillmentWithdrawn):
                # Orders has seen an attestation run out: our clock must not be behind and route there again.
                now = max(now, time)
    await settle(session, list(orders.values()), causes, now=now, reroute_delay_seconds=reroute_delay_seconds)
    for account_id, skus in sorted((await _counted_without(session, parcels)).items()):
        await request_reroute(
            session, account_id, requested_by="freed stock", skus=skus, delay_seconds=reroute_delay_seconds
        )


async def _counted_without(
    session: AsyncSession, parcels: Sequence[tuple[FulfillmentShipped, datetime]]
) -> dict[UUID, set[str]]:
    """By account: the SKUs of parcels that a count had missed before they were told; they lower it no longer."""
    late = [
        (parcel.account_id, line.sku, parcel.shipped_at, told)
        for parcel, told in parcels
        if parcel.shipped_at and parcel.shipped_at < told
        for line in parcel.lines
    ]
    if not late:
        return {}
    rows = await run(
        session,
        "select distinct s.account_id, s.sku from source_stock s "
        "join unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[]) "
        "as p(account_id, sku, shipped_at, told) "
        "on s.account_id = p.account_id and s.sku = p.sku and s.as_of >= p.shipped_at and s.as_of < p.told",
        *map(list, zip(*late, strict=True)),
    )
    found: dict[UUID, set[str]] = {}
    for account_id, sku in rows:
        found.setdefault(account_id, set()).add(sku)
    return found


async def _own_sources(session: AsyncSession, parcels: Sequence[FulfillmentShipped]) -> set[tuple[UUID, UUID]]:
    """Account and source of the sources that these parcels name and that are their account's own."""
    named = {(parcel.account_id, parcel.source_id) for parcel in parcels if parcel.source_id}
    if not named:
        return set()
    rows = await run(
        session,
        "select account_id, id from source where id = any($1)",
        sorted({source_id for _, source_id in named}),
    )
    return named & {(row[0], row[1]) for row in rows}


def _close(order: OrderRow, event: Event, at: datetime, own: Container[tuple[UUID, UUID]]) -> Cause | None:
    """Ends the reservations that the event is about; answers the cause of the decision that this may make necessary."""
    match event:
        case OrderEvent():
            if order.shipped and event.version == order.order_version:
                reserving.close_all(order.reservations, at, shipped=True)
        case FulfillmentShipped():
            if event.source_id and (order.account_id, event.source_id) not in own:
                # Nobody lowers the stock of others, and a mere typo gives no planned source its goods back.
                event = event.model_copy(update={"source_id": None})
            reserving.ship(order.reservations, event, at)
        case FulfillmentWithdrawn():
            reserving.withdraw(order.reservations, event.decision_version, at)
            if event.decision_version == order.decision_version and event.reason == "already_released":
                # Decided again as it is, it would be withdrawn again, and so on for ever.
                order.already_released = order.decided_order_version == order.order_version
            return "withdrawn"
        case FulfillmentRefused():
            kill = event.resolution == "kill"
            reserving.refuse(order.reservations, event.decision_version, event.source_id, kill=kill, at=at)
            order.already_released = False
            return "refused"
    return None


async def settle(
    session: AsyncSession,
    orders: Sequence[OrderRow],
    causes: Mapping[UUID, Cause] | None = None,
    cause: Cause = "order",
    *,
    now: datetime | None = None,
    reroute_delay_seconds: float = 0.0,
) -> Tally:
    """Brings each order to where it belongs: closed, waiting, routed, or decided anew when lines lack a source.

    The orders are locked and their account has its turn. `causes` by order id; `cause` is for those it does not name.
    A decision that only repeats a hold is not written again. Units that went back wake the held orders that want them.
    """
    now = now or clock.now()
    wanting: list[tuple[OrderRow, OpenOrder]] = []
    for order in orders:
        if order.fulfilled_by == "MERCHANT" and not order.closed:
            reserving.note_elsewhere(order.lines, order.reservations, now)
        reserving.release_excess(order.lines, order.reservations, now)
        lines = reserving.open_lines(order.lines, order.reservations)
        if order.closed:
            reserving.close_all(order.reservations, now, shipped=order.shipped)
            order.state, order.hold = "closed", None
        elif lines and order.routable:
            wanting.append((order, open_order_of(order, lines)))
        else:
            order.state, order.hold = "routed" if order.lines and not lines else "waiting", None
    # First the units that go back: this batch's decisions may need them.
    freed = _freed(orders)
    await order_rows.save_reservations(session, orders)
    ground = await load_ground(session, wanting, now)
    made: list[Made] = []
    repeated: set[UUID] = set()
    # Who bought first chooses first.
    for order, open_order in sorted(wanting, key=lambda pair: (pair[0].purchased_at, pair[0].key)):
        new = _decide_one(order, open_order, ground, (causes or {}).get(order.id, cause))
        if new is None:
            repeated.add(order.id)
        else:
            made.append(new)
    await order_rows.save_states(session, [order for order in orders if order.id not in repeated])
    await save_decisions(session, made, now)
    await outbox.publish(session, *sorted((m.event for m in made), key=DecisionEvent.key))
    for account_id, skus in sorted(freed.items()):
        await request_reroute(
            session, account_id, requested_by="freed stock", skus=skus, delay_seconds=reroute_delay_seconds
        )
    routed = sum(m.hold is None for m in made)
    return Tally(routed=routed, held=len(wanting) - routed)


def _freed(orders: Sequence[OrderRow]) -> dict[UUID, set[str]]:
    """By account: the SKUs of which units are no longer promised and have not left either."""
    freed: dict[UUID, set[str]] = {}
    for order in orders:
        for reservation in order.reservations:
            if reservation.changed and reservation.state != "shipped":
                freed.setdefault(order.account_id, set()).add(reservation.sku)
    return freed


def open_order_of(order: OrderRow, lines: tuple[Line, ...]) -> OpenOrder:
    """These lines of the order as `decide` sees them."""
    refused_by = {r.source_id for r in order.reservations if r.state in ("refused", "killed")}
    return OpenOrder(
        order.channel_type,
        order.purchased_at,
        order.shipping_policy,
        order.currency,
        lines,
        tuple(sorted(refused_by, key=lambda source_id: source_id.int)),
        order.already_released,
    )


def _decide_one(order: OrderRow, open_order: OpenOrder, ground: Ground, cause: Cause) -> Made | None:
    """Decides one order in memory; answers what is to be written, or None when the hold it has only repeats itself."""
    then = ground.sources_of(order.account_id)
    group = ground.group_of(order.channel_id)
    stock = ground.stock_of(order.account_id)
    decision = decide(open_order, then.sources, stock, group)
    hold = _hold(decision, then.sources, group) if decision.hold else None
    if hold is not None and order.decided_order_version == order.order_version and order.held_by(hold):
        return None
    inputs = json_text(inputs_of(open_order, group, stock))
    order.decision_version += 1
    order.decided_order_version = order.order_version
    order.hold = hold
    order.state = "held" if hold else "routed"
    ground.take(order.account_id, decision.plan)
    return Made(
        order_id=order.id,
        account_id=order.account_id,
        cause=cause,
        hold=decision.hold,
        inputs=inputs,
        sources=then,
        plan=json_text(decision.plan),
        rejected=json_text(decision.rejected),
        skus=json_text(decision.skus),
        event=_event(order, decision, then),
    )


def _hold(decision: Decision, sources: Sequence[SourceFacts], group: GroupRules) -> dict[str, Any]:
    """What people are told, in the shape in which it is stored and announced."""
    names = {source.source_id: source.name for source in sources}
    return {
        "code": decision.hold,
        "detail": hold_detail(decision, sources, group),
        "rejected": [
            {
                "source_id": str(rejection.source_id),
                "source_name": names[rejection.source_id],
                "code": rejection.code,
                "detail": rejection_detail(rejection, names[rejection.source_id]),
            }
            for rejection in decision.rejected
        ],
    }


def _event(order: OrderRow, decision: Decision, then: SourcesThen) -> DecisionEvent:
    account_id, selling_partner_id, amazon_order_id = order.key
    reference: dict[str, Any] = {
        "account_id": account_id,
        "selling_partner_id": selling_partner_id,
        "amazon_order_id": amazon_order_id,
        "decision_version": order.decision_version,
        "order_version": order.order_version,
    }
    if order.hold is not None:
        return OrderHeld.model_validate(reference | dict(order.hold))
    by_source: dict[UUID, list[dict[str, Any]]] = {}
    for part in decision.plan:
        line = {"order_item_id": part.order_item_id, "sku": part.sku, "quantity": part.quantity}
        by_source.setdefault(part.source_id, []).append(line)
    allocations = []
    for source_id, lines in by_source.items():
        source = then.sources[then.position[source_id]]
        allocations.append(
            {
                "source_id": source_id,
                "attestation_version": source.attestation_version,
                "attested_until": source.attested_until,
                "source_name": source.name,
                "lines": lines,
            }
        )
    # One validation of plain values: four times faster than a model for each part.
    return OrderRouted.model_validate(reference | {"allocations": allocations})
