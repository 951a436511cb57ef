"""Stored decisions are taken again from what they saw: the same inputs give the same answer (MISSION D4)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import run
from common.db import Database
from compliance_service.decision_records import decide_again, read_decision, read_inputs, read_sources
from compliance_service.decision_schemas import ReplayAnswer, ReplayedDecisionAnswer
from compliance_service.explaining import decisions_of, outcome_of
from compliance_service.models import RoutedOrder, RoutingDecision, SourcesSnapshot

PAGE = 500
NAMED = 100


@dataclass
class Tally:
    """How many decisions came out the same, and (order id, decision version) of the first that did not."""

    same: int = 0
    different: int = 0
    named: list[tuple[UUID, int]] = field(default_factory=list)


async def replay_order(session: AsyncSession, order: RoutedOrder) -> ReplayAnswer:
    """Takes every decision of the order again; writes nothing."""
    decisions = [_replayed(row, snapshot) for row, snapshot in await decisions_of(session, order.id)]
    return ReplayAnswer(
        selling_partner_id=order.selling_partner_id,
        amazon_order_id=order.amazon_order_id,
        same=all(decision.same for decision in decisions),
        decisions=decisions,
    )


def _replayed(row: RoutingDecision, snapshot: SourcesSnapshot) -> ReplayedDecisionAnswer:
    inputs, sources = read_inputs(row.inputs), read_sources(snapshot.sources)
    again = decide_again(inputs, sources)
    if again == read_decision(row):
        return ReplayedDecisionAnswer(decision_version=row.decision_version, same=True)
    outcome = outcome_of(again, sources, inputs.group)
    return ReplayedDecisionAnswer(decision_version=row.decision_version, same=False, again=outcome)


async def replay_all(db: Database, account_id: UUID | None = None) -> Tally:
    """Takes every stored decision again (of one account, when given), page by page; the database refuses any write."""
    tally = Tally()
    after: tuple[UUID, int] | None = None
    while True:
        async with db.transaction() as session:
            await run(session, "set transaction read only")
            rows = await _page(session, account_id, after)
        for key, same in _compare(rows):
            after = key
            if same:
                tally.same += 1
                continue
            tally.different += 1
            if len(tally.named) < NAMED:
                tally.named.append(key)
        if len(rows) < PAGE:
            return tally


async def _page(
    session: AsyncSession, account_id: UUID | None, after: tuple[UUID, int] | None
) -> list[tuple[RoutingDecision, SourcesSnapshot]]:
    query = (
        select(RoutingDecision, SourcesSnapshot)
        .join(
            SourcesSnapshot,
            (col(SourcesSnapshot.account_id) == RoutingDecision.account_id)
            & (col(SourcesSnapshot.digest) == RoutingDecision.sources_digest),
        )
        .order_by(col(RoutingDecision.order_id), col(RoutingDecision.decision_version))
        .limit(PAGE)
    )
    if account_id is not None:
        query = query.where(RoutingDecision.account_id == account_id)
    if after is not None:
        order_id, version = after
        query = query.where(
            (col(RoutingDecision.order_id) > order_id)
            | ((col(RoutingDecision.order_id) == order_id) & (col(RoutingDecision.decision_version) > version))
        )
    return list((await session.exec(query)).all())


def _compare(rows: list[tuple[RoutingDecision, SourcesSnapshot]]) -> Iterator[tuple[tuple[UUID, int], bool]]:
    for row, snapshot in rows:
        again = decide_again(read_inputs(row.inputs), read_sources(snapshot.sources))
        yield (row.order_id, row.decision_version), again == read_decision(row)
