"""Decisions as they are kept: inputs, plan and rejections, whole, so that each can be taken again years later."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import insert_page
from common.contracts.compliance import Decision as DecisionEvent
from compliance_service.models import RoutingDecision, SourcesSnapshot
from compliance_service.routing import Decision, GroupRules, OpenOrder, Shelf, SourceFacts, Stock, StockLine, decide

_encoder = msgspec.json.Encoder()


class Inputs(msgspec.Struct, frozen=True):
    """All that a decision saw except the sources, which many decisions share. `stock` names these by position."""

    order: OpenOrder
    group: GroupRules
    # SKU -> (position of the source, units free there, cost, its currency)
    stock: dict[str, tuple[tuple[int, int, Decimal | None, str | None], ...]]


def inputs_of(order: OpenOrder, group: GroupRules, stock: Stock) -> Inputs:
    """What a decision about this order saw: of the stock, the order's SKUs only."""
    return Inputs(order, group, {line.sku: _seen(stock.get(line.sku)) for line in order.lines})


def _seen(shelf: Shelf | None) -> tuple[tuple[int, int, Decimal | None, str | None], ...]:
    if shelf is None:
        return ()
    return tuple(
        (position, available, shelf.costs[position], shelf.currencies[position])
        for position, available in enumerate(shelf.available)
        if available is not None
    )


@dataclass(frozen=True, slots=True)
class Made:
    """A decision on its way into the database, with its announcement."""

    order_id: UUID
    account_id: UUID
    order_version: int
    decision_version: int
    cause: str
    inputs: Inputs
    sources_digest: str
    sources: str
    decision: Decision
    event: DecisionEvent
    decided_at: datetime


async def save_decisions(session: AsyncSession, made: Sequence[Made]) -> None:
    """Stores a batch of decisions and, once, the sources they saw."""
    snapshots = {(m.account_id, m.sources_digest): m.sources for m in made}
    await insert_page(
        session,
        SourcesSnapshot,
        ("account_id", "digest", "sources"),
        [(*key, sources) for key, sources in snapshots.items()],
        "on conflict do nothing",
    )
    await insert_page(session, RoutingDecision, _COLUMNS, [_row(m) for m in made])


_COLUMNS = (
    "order_id",
    "decision_version",
    "account_id",
    "order_version",
    "cause",
    "outcome",
    "code",
    "inputs",
    "sources_digest",
    "plan",
    "rejected",
    "skus",
    "decided_at",
)


def _row(made: Made) -> tuple[Any, ...]:
    decision = made.decision
    return (
        made.order_id,
        made.decision_version,
        made.account_id,
        made.order_version,
        made.cause,
        "held" if decision.hold else "routed",
        decision.hold,
        _encoder.encode(made.inputs).decode(),
        made.sources_digest,
        _encoder.encode(decision.plan).decode(),
        _encoder.encode(decision.rejected).decode(),
        _encoder.encode(decision.skus).decode(),
        made.decided_at,
    )


def read_inputs(stored: Mapping[str, Any]) -> Inputs:
    """A decision's inputs from its row."""
    return msgspec.convert(stored, Inputs, strict=False)


def read_sources(stored: Iterable[Mapping[str, Any]]) -> tuple[SourceFacts, ...]:
    """The sources from a snapshot's row."""
    return msgspec.convert(list(stored), tuple[SourceFacts, ...], strict=False)


def read_decision(row: RoutingDecision) -> Decision:
    """The decision as it was made."""
    held = {"plan": row.plan, "rejected": row.rejected, "hold": row.code, "skus": row.skus}
    return msgspec.convert(held, Decision, strict=False)


def stock_of(inputs: Inputs, sources: Sequence[SourceFacts]) -> dict[str, Shelf]:
    """The stock that the decision saw, for its sources."""
    stock: dict[str, Shelf] = {}
    for sku, lines in inputs.stock.items():
        shelf = stock[sku] = Shelf(len(sources))
        for position, available, cost, currency in lines:
            shelf.put(position, StockLine(available, cost, currency))
    return stock


def decide_again(inputs: Inputs, sources: Sequence[SourceFacts]) -> Decision:
    """Takes the decision again from what it saw: the same inputs give the same answer."""
    return decide(inputs.order, sources, stock_of(inputs, sources), inputs.group)
