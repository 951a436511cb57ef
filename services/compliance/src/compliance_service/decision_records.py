"""Decisions as they are kept: inputs, plan and rejections, whole, so that each can be taken again years later."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import insert_page, run
from common.contracts.compliance import Decision as DecisionEvent
from compliance_service.decision_inputs import SourcesThen
from compliance_service.models import RoutingDecision, SourcesSnapshot
from compliance_service.routing import Decision, GroupRules, OpenOrder, Shelf, SourceFacts, Stock, StockLine, decide

_encoder = msgspec.json.Encoder()


class Inputs(msgspec.Struct, frozen=True, gc=False):
    """All that a decision saw except the sources, which many decisions share. `stock` names these by position."""

    order: OpenOrder
    group: GroupRules
    # SKU -> (position of the source, units free there, cost, its currency)
    stock: dict[str, list[tuple[int, int, Decimal | None, str | None]]]


def inputs_of(order: OpenOrder, group: GroupRules, stock: Stock) -> Inputs:
    """What a decision about this order saw: of the stock, the order's SKUs only."""
    return Inputs(order, group, {line.sku: _seen(stock.get(line.sku)) for line in order.lines})


def _seen(shelf: Shelf | None) -> list[tuple[int, int, Decimal | None, str | None]]:
    if shelf is None:
        return []
    columns = zip(shelf.available, shelf.costs, shelf.currencies, strict=True)
    return [
        (position, free, cost, currency) for position, (free, cost, currency) in enumerate(columns) if free is not None
    ]


@dataclass(slots=True)
class Made:
    """A decision on its way into the database, as JSON text where it is JSON there, with its announcement.

    Text at once: kept as objects, a page of decisions cost a third of its time in garbage collection (measured).
    """

    order_id: UUID
    account_id: UUID
    cause: str
    hold: str | None
    inputs: str
    sources: SourcesThen
    plan: str
    rejected: str
    skus: str
    event: DecisionEvent


def json_text(value: Any) -> str:
    """A part of a decision as it is stored."""
    return _encoder.encode(value).decode()


async def save_decisions(session: AsyncSession, made: Sequence[Made], at: datetime) -> None:
    """Stores a batch of decisions with what they reserve and, once, the sources they saw.

    The orders' rows already stand at these decisions' versions.
    """
    if not made:
        return
    snapshots = {(m.account_id, m.sources.digest): m.sources.encoded for m in made}
    await insert_page(
        session,
        SourcesSnapshot,
        ("account_id", "digest", "sources"),
        [(*key, sources) for key, sources in snapshots.items()],
        "on conflict do nothing",
    )
    await run(session, _SAVE, at, *map(list, zip(*map(_row, made), strict=True)))


# A plan is what is reserved, so the rows are made of it where it is stored: a fifth of the parameters, each of which
# costs a microsecond on the way.
_SAVE = """
with made as (
    insert into routing_decision (order_id, decision_version, account_id, order_version, cause, outcome, code, inputs,
        sources_digest, plan, rejected, skus, decided_at)
    select o.id, o.decision_version, o.account_id, o.decided_order_version, m.cause,
        case when m.code is null then 'routed' else 'held' end, m.code, m.inputs, m.sources_digest, m.plan, m.rejected,
        m.skus, $1
    from unnest($2::uuid[], $3::text[], $4::text[], $5::json[], $6::text[], $7::json[], $8::json[], $9::json[])
        as m(order_id, cause, code, inputs, sources_digest, plan, rejected, skus)
    join routed_order o on o.id = m.order_id
    returning order_id, decision_version, account_id, plan)
insert into stock_reservation (id, account_id, order_id, decision_version, source_id, order_item_id, sku, quantity,
    state, reserved_at)
select gen_random_uuid(), m.account_id, m.order_id, m.decision_version, p.source_id, p.order_item_id, p.sku, p.quantity,
    'held', $1
from made m, json_to_recordset(m.plan) as p(source_id uuid, order_item_id text, sku text, quantity int)
"""


def _row(made: Made) -> tuple[Any, ...]:
    return (
        made.order_id,
        made.cause,
        made.hold,
        made.inputs,
        made.sources.digest,
        made.plan,
        made.rejected,
        made.skus,
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
