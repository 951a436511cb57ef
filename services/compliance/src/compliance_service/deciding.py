"""An order finds its sources: what orders tells is kept, what it still needs is decided, reserved, stored and announced
in one transaction (MISSION D4). Everything is loaded and written for a whole batch at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock, outbox
from common.contracts.compliance import Allocation, OrderHeld, OrderRouted
from common.contracts.compliance import Decision as DecisionEvent
from common.contracts.event import Event, Received
from common.contracts.orders import (
    FulfillmentLine,
    FulfillmentRefused,
    FulfillmentShipped,
    FulfillmentWithdrawn,
    OrderEvent,
)
from compliance_service import order_rows, reserving
from compliance_service.decision_inputs import Ground, load_ground
from compliance_service.decision_records import Made, inputs_of, save_decisions
from compliance_service.order_rows import OrderRow, key_of
from compliance_service.reserving import Reservation
from compliance_service.routing import Assignment, Decision, GroupRules, Line, OpenOrder, SourceFacts, decide
from compliance_service.wording import hold_detail, rejection_detail

Cause = Literal["order", "withdrawn", "refused", "reroute"]

_FOLLOWED = (OrderEvent, FulfillmentWithdrawn, FulfillmentRefused, FulfillmentShipped)


@dataclass(slots=True)
class Tally:
    """What became of a batch: decisions that route, orders that stay held."""

    routed: int = 0
    held: int = 0


async def follow_orders(session: AsyncSession, received: Sequence[Received]) -> None:
    """Handles a batch of `entrepot.orders`, in the order of each order's events. The accounts have their turn.

    The newest version of each order is kept, closures of fulfillment requests end reservations once, and what then
    still lacks a source is decided. What names an order we have never seen has reserved nothing and is passed by.
    """
    heard = [(r.event, r.time) for r in received if isinstance(r.event, _FOLLOWED)]
    if not heard:
        return
    await order_rows.store(session, (event for event, _ in heard if isinstance(event, OrderEvent)))
    orders = {order.key: order for order in await order_rows.load(session, (key_of(event) for event, _ in heard))}
    causes: dict[UUID, Cause] = {}
    for event, time in heard:
        if order := orders.get(key_of(event)):
            causes[order.id] = _close(order, event, time) or causes.get(order.id, "order")
    await settle(session, list(orders.values()), causes)


def _close(order: OrderRow, event: Event, at: datetime) -> Cause | None:
    """Ends the reservations that the event is about; answers the cause of the decision that this may make necessary."""
    match event:
        case FulfillmentShipped():
            reserving.ship(order.reservations, event, at)
        case FulfillmentWithdrawn():
            reserving.withdraw(order.reservations, event.decision_version, at)
            return "withdrawn"
        case FulfillmentRefused():
            kill = event.resolution == "kill"
            reserving.refuse(order.reservations, event.decision_version, event.source_id, kill=kill, at=at)
            return "refused"
    return None


async def settle(
    session: AsyncSession,
    orders: Sequence[OrderRow],
    causes: Mapping[UUID, Cause] | None = None,
    cause: Cause = "order",
) -> Tally:
    """Brings each order to where it belongs: closed, waiting, routed, or decided anew when lines lack a source.

    The orders are locked and their account has its turn. `causes` by order id; `cause` is for those it does not name.
    A decision that only repeats a hold is not written again.
    """
    now = clock.now()
    wanting: list[tuple[OrderRow, OpenOrder]] = []
    for order in orders:
        lines = reserving.open_lines(order.lines, order.reservations)
        if order.closed:
            reserving.release_all(order.reservations, now)
            order.state, order.hold = "closed", None
        elif lines and order.routable:
            wanting.append((order, _open_order(order, lines)))
        else:
            order.state, order.hold = "routed" if order.lines and not lines else "waiting", None
    # First the units that go back: this batch's decisions may need them.
    await order_rows.save_reservations(session, orders)
    ground = await load_ground(session, wanting, now)
    made = []
    # Who bought first chooses first.
    for order, open_order in sorted(wanting, key=lambda pair: (pair[0].purchased_at, pair[0].key)):
        new = _decide_one(order, open_order, ground, (causes or {}).get(order.id, cause), now)
        if new is not None:
            made.append(new)
    decided = [order for order, _ in wanting]
    await order_rows.save_reservations(session, decided)
    await order_rows.save_states(session, orders)
    await save_decisions(session, made)
    await outbox.publish(session, *sorted((m.event for m in made), key=DecisionEvent.key))
    return Tally(
        routed=sum(order.state == "routed" for order in decided), held=sum(order.state == "held" for order in decided)
    )


def _open_order(order: OrderRow, lines: tuple[Line, ...]) -> OpenOrder:
    refused_by = {r.source_id for r in order.reservations if r.state in ("refused", "killed")}
    return OpenOrder(
        order.channel_type,
        order.purchased_at,
        order.shipping_policy,
        order.currency,
        lines,
        tuple(sorted(refused_by, key=lambda source_id: source_id.int)),
    )


def _decide_one(order: OrderRow, open_order: OpenOrder, ground: Ground, cause: Cause, now: datetime) -> Made | None:
    """Decides one order in memory; answers what is to be written, or None when the hold it has only repeats itself."""
    then = ground.sources_of(order.account_id)
    group = ground.group_of(order.channel_id)
    stock = ground.stock_of(order.account_id)
    decision = decide(open_order, then.sources, stock, group)
    hold = _hold(decision, then.sources, group) if decision.hold else None
    if hold is not None and hold == order.hold and order.decided_order_version == order.order_version:
        return None
    inputs = inputs_of(open_order, group, stock)
    order.decision_version += 1
    order.decided_order_version = order.order_version
    order.hold = hold
    order.state = "held" if hold else "routed"
    ground.take(order.account_id, decision.plan)
    order.reservations += [_reservation(order, part, now) for part in decision.plan]
    return Made(
        order_id=order.id,
        account_id=order.account_id,
        order_version=order.order_version,
        decision_version=order.decision_version,
        cause=cause,
        inputs=inputs,
        sources_digest=then.digest,
        sources=then.encoded,
        decision=decision,
        event=_event(order, decision, then.sources),
        decided_at=now,
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


def _reservation(order: OrderRow, part: Assignment, now: datetime) -> Reservation:
    return Reservation(
        id=uuid4(),
        decision_version=order.decision_version,
        source_id=part.source_id,
        order_item_id=part.order_item_id,
        sku=part.sku,
        quantity=part.quantity,
        state="held",
        reserved_at=now,
        new=True,
    )


def _event(order: OrderRow, decision: Decision, sources: Sequence[SourceFacts]) -> DecisionEvent:
    account_id, selling_partner_id, amazon_order_id = order.key
    reference: dict[str, Any] = {
        "account_id": account_id,
        "selling_partner_id": selling_partner_id,
        "amazon_order_id": amazon_order_id,
        "decision_version": order.decision_version,
        "order_version": order.order_version,
    }
    if order.hold is not None:
        return OrderHeld(**reference, **order.hold)
    versions = {source.source_id: source.attestation_version for source in sources}
    by_source: dict[UUID, list[FulfillmentLine]] = {}
    for part in decision.plan:
        line = FulfillmentLine(order_item_id=part.order_item_id, sku=part.sku, quantity=part.quantity)
        by_source.setdefault(part.source_id, []).append(line)
    allocations = tuple(
        Allocation(source_id=source_id, attestation_version=versions[source_id], lines=tuple(lines))
        for source_id, lines in by_source.items()
    )
    return OrderRouted(**reference, allocations=allocations)
