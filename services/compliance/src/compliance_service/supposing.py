"""What a decision would be now, or if stock, toggles or rules were different (MISSION D6). Nothing is touched: the
database itself refuses a write."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import run
from common.callers import Caller
from common.contracts.agreements import required_agreement
from compliance_service import order_rows, reserving
from compliance_service.deciding import open_order_of
from compliance_service.decision_inputs import Ground, group_rules, load_ground
from compliance_service.decision_schemas import (
    DifferenceAnswer,
    OrderEligibilityAnswer,
    OutcomeAnswer,
    SourceForOrderAnswer,
    WhatIf,
    WhatIfAnswer,
    WhatIfHeld,
)
from compliance_service.explaining import outcome_of
from compliance_service.grouping import check_rules, check_sources
from compliance_service.models import RoutedOrder
from compliance_service.order_rows import OrderRow
from compliance_service.routing import Decision, GroupRules, Line, OpenOrder, SourceFacts, StockLine, decide
from compliance_service.wording import rejection_detail

LOOKED_AT = 1000
LISTED = 500
# A source that could ship the order but was not needed, or could only ship a part of it.
_ELIGIBLE = ("outranked", "not_enough_stock")


@dataclass(frozen=True, slots=True)
class _Standing:
    """Orders to decide, who bought first first, the outcome of those that are not routed by id, and the ground without
    the promises of the former."""

    rows: Sequence[OrderRow]
    open_orders: Mapping[UUID, OpenOrder]
    not_routed: Mapping[UUID, OutcomeAnswer]
    ground: Ground


@dataclass(frozen=True, slots=True)
class _Decided:
    """A decision that is not made, and what it stood on."""

    decision: Decision
    sources: Sequence[SourceFacts]
    group: GroupRules


async def begin_reading(session: AsyncSession) -> None:
    """One moment for all queries, and no write whatever happens; before anything else in the transaction."""
    await run(session, "set transaction isolation level repeatable read, read only")


async def eligible_sources(session: AsyncSession, order: RoutedOrder) -> OrderEligibilityAnswer:
    """Which sources may ship the order if it were decided anew now, whatever it is promised already."""
    standing = await _stand(session, await _load(session, [order]))
    (row,) = standing.rows
    rule = required_agreement(order.channel_type, order.purchased_at)
    told = {
        "selling_partner_id": order.selling_partner_id,
        "amazon_order_id": order.amazon_order_id,
        "agreement": rule.agreement if rule else None,
    }
    if outcome := standing.not_routed.get(row.id):
        return OrderEligibilityAnswer(
            **told, outcome=outcome.outcome, code=outcome.code, detail=outcome.detail, sources=[]
        )
    decided = _decide(row, standing.open_orders[row.id], standing.ground, None)
    rejected = {rejection.source_id: rejection for rejection in decided.decision.rejected}
    sources = []
    for source in decided.sources:
        rejection = rejected.get(source.source_id)
        code = rejection.code if rejection else "chosen"
        sources.append(
            SourceForOrderAnswer(
                source_id=source.source_id,
                source_name=source.name,
                eligible=code == "chosen" or code in _ELIGIBLE,
                code=code,
                detail=rejection_detail(rejection, source.name) if rejection else f"{source.name} would ship",
            )
        )
    outcome = outcome_of(decided.decision, decided.sources, decided.group)
    return OrderEligibilityAnswer(
        **told, outcome=outcome.outcome, code=outcome.code, detail=outcome.detail, sources=sources
    )


async def what_if(session: AsyncSession, caller: Caller, order: RoutedOrder, body: WhatIf) -> DifferenceAnswer:
    """One order decided anew as things are and as they would be. Raises `UnknownSource`, `UnknownRoutingRule`."""
    await _check(session, caller, body)
    return _differences(await _stand(session, await _load(session, [order])), caller.account_id, body)[0]


async def what_if_held(session: AsyncSession, caller: Caller, body: WhatIfHeld) -> WhatIfAnswer:
    """The same for many orders, who compete for the stock in the order of their purchase as they really would.

    Orders that are named and not known are left out. Raises `UnknownSource`, `UnknownRoutingRule`.
    """
    await _check(session, caller, body)
    more = False
    if body.amazon_order_ids is None:
        rows = await order_rows.load_held(session, caller.account_id, after=None, limit=LOOKED_AT + 1, lock=False)
        more, rows = len(rows) > LOOKED_AT, rows[:LOOKED_AT]
    else:
        query = caller.scoped(RoutedOrder).where(col(RoutedOrder.amazon_order_id).in_(body.amazon_order_ids))
        rows = await _load(session, (await session.exec(query)).all())
    found = _differences(await _stand(session, rows), caller.account_id, body)
    changed = [difference for difference in found if difference.changed]
    return WhatIfAnswer(
        orders=len(found),
        changed=len(changed),
        freed=sum(d.now.outcome == "held" and d.then.outcome == "routed" for d in changed),
        newly_held=sum(d.now.outcome == "routed" and d.then.outcome == "held" for d in changed),
        more=more,
        differences=changed[:LISTED],
    )


async def _check(session: AsyncSession, caller: Caller, body: WhatIf) -> None:
    named = {supposed.source_id for supposed in body.stock} | {supposed.source_id for supposed in body.sources}
    if group := body.routing_group:
        check_rules(group.priorities or [])
        named |= set(group.source_ids)
    await check_sources(session, caller, named)


async def _load(session: AsyncSession, orders: Iterable[RoutedOrder]) -> list[OrderRow]:
    keys = [(order.account_id, order.selling_partner_id, order.amazon_order_id) for order in orders]
    return await order_rows.load(session, keys, lock=False)


async def _stand(session: AsyncSession, rows: Sequence[OrderRow]) -> _Standing:
    """With all of each order that has not left yet to decide; what is not routed keeps what it is promised."""
    wanting: list[tuple[OrderRow, OpenOrder]] = []
    not_routed: dict[UUID, OutcomeAnswer] = {}
    rows = sorted(rows, key=lambda row: (row.purchased_at, row.key))
    for row in rows:
        gone = [reservation for reservation in row.reservations if reservation.state != "held"]
        lines = reserving.open_lines(row.lines, gone)
        if reason := _not_routed(row, lines):
            code, detail = reason
            not_routed[row.id] = OutcomeAnswer(outcome="not_routed", code=code, detail=detail, plan=[])
        else:
            wanting.append((row, open_order_of(row, lines)))
    ground = await load_ground(session, wanting, clock.now())
    for row, _ in wanting:
        for reservation in row.reservations:
            if reservation.state == "held":
                ground.give_back(row.account_id, reservation.source_id, reservation.sku, reservation.quantity)
    return _Standing(rows, {row.id: open_order for row, open_order in wanting}, not_routed, ground)


def _not_routed(row: OrderRow, lines: Sequence[Line]) -> tuple[str, str] | None:
    """Code and sentence of why nothing is decided of an order in its state (`deciding.settle`)."""
    if row.cancelled or row.status == "CANCELLED":
        return "order_closed", "The order is cancelled"
    if row.closed:
        return "order_closed", f"The order is {row.status}: nothing of it is left to ship"
    if row.fulfilled_by != "MERCHANT":
        return "fulfilled_by_amazon", "Amazon ships this order"
    if row.status not in order_rows.ROUTABLE:
        return "order_not_released", f"The order is {row.status}: Amazon has not released it for shipping"
    if row.holds:
        return "order_on_hold", f"Orders holds it: {', '.join(row.holds)}; see its explain call for what to change"
    if not lines:
        return "nothing_to_ship", "Every unit of the order has left or was given up"
    return None


def _differences(standing: _Standing, account_id: UUID, body: WhatIf) -> list[DifferenceAnswer]:
    ground = standing.ground
    supposed, group = ground, None
    if standing.open_orders:
        supposed = ground.supposing(account_id, *_supposed(ground.sources_of(account_id).sources, body))
    if given := body.routing_group:
        rules = GroupRules().priorities if given.priorities is None else given.priorities
        group = group_rules([str(source_id) for source_id in given.source_ids], rules, given.allow_split)
    return [_difference(row, standing, supposed, group) for row in standing.rows]


def _difference(row: OrderRow, standing: _Standing, supposed: Ground, group: GroupRules | None) -> DifferenceAnswer:
    told = {"selling_partner_id": row.key[1], "amazon_order_id": row.key[2]}
    if outcome := standing.not_routed.get(row.id):
        return DifferenceAnswer(**told, changed=False, now=outcome, then=outcome)
    open_order = standing.open_orders[row.id]
    now, then = _decide(row, open_order, standing.ground, None), _decide(row, open_order, supposed, group)
    return DifferenceAnswer(
        **told,
        changed=(now.decision.plan, now.decision.hold) != (then.decision.plan, then.decision.hold),
        now=outcome_of(now.decision, now.sources, now.group),
        then=outcome_of(then.decision, then.sources, then.group),
    )


def _supposed(
    sources: Sequence[SourceFacts], body: WhatIf
) -> tuple[list[SourceFacts], list[tuple[UUID, str, StockLine]]]:
    changes = {
        supposed.source_id: supposed.model_dump(exclude_none=True, exclude={"source_id"}) for supposed in body.sources
    }
    facts = []
    for source in sources:
        changed = changes.get(source.source_id, {})
        if "shipping_policies" in changed:
            changed["shipping_policies"] = tuple(changed["shipping_policies"])
        facts.append(msgspec.structs.replace(source, **changed))
    stock = [
        (
            supposed.source_id,
            supposed.sku,
            StockLine(
                supposed.available,
                supposed.cost.amount if supposed.cost else None,
                supposed.cost.currency if supposed.cost else None,
            ),
        )
        for supposed in body.stock
    ]
    return facts, stock


def _decide(row: OrderRow, open_order: OpenOrder, ground: Ground, group: GroupRules | None) -> _Decided:
    sources = ground.sources_of(row.account_id).sources
    rules = group or ground.group_of(row.channel_id)
    decision = decide(open_order, sources, ground.stock_of(row.account_id), rules)
    ground.take(row.account_id, decision.plan)
    return _Decided(decision, sources, rules)
