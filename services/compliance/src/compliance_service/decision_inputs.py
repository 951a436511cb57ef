"""What decisions are based on, loaded for a whole batch: sources, the channels' rules, and stock less reservations."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import run
from compliance_service.order_rows import OrderRow
from compliance_service.routing import (
    DEFAULT_GROUP,
    Assignment,
    GroupRules,
    OpenOrder,
    Shelf,
    SourceFacts,
    Stock,
    StockLine,
)

_policies = msgspec.json.Decoder(tuple[str, ...])

# Free units: what was counted, less what is promised, less what left after the count (ARCHITECTURE "Stock").
AVAILABLE = """
greatest(0, s.quantity
    - coalesce((select sum(r.quantity) from stock_reservation r
        where r.account_id = s.account_id and r.source_id = s.source_id and r.sku = s.sku
            and r.state = 'held'), 0)
    - coalesce((select sum(r.quantity) from stock_reservation r
        where r.account_id = s.account_id and r.source_id = s.source_id and r.sku = s.sku
            and r.state = 'shipped' and r.closed_at > s.as_of), 0)
    )::bigint
"""


@dataclass(frozen=True, slots=True)
class SourcesThen:
    """An account's sources at the moment of the decision, the digest they are kept under, and where each stands."""

    sources: tuple[SourceFacts, ...]
    encoded: str
    digest: str
    position: Mapping[UUID, int]


# What a source would have of a SKU.
Supposed = tuple[UUID, str, StockLine]


class Ground:
    """What a batch's decisions stand on; units that one decision takes are gone for the next."""

    def __init__(
        self,
        sources: Mapping[UUID, SourcesThen],
        groups: Mapping[UUID, GroupRules],
        stock: Mapping[UUID, Mapping[str, Shelf]],
    ) -> None:
        self._sources = sources
        self._groups = groups
        self._stock = stock

    def sources_of(self, account_id: UUID) -> SourcesThen:
        return self._sources.get(account_id, _NO_SOURCES)

    def group_of(self, channel_id: UUID | None) -> GroupRules:
        return self._groups.get(channel_id, DEFAULT_GROUP) if channel_id else DEFAULT_GROUP

    def stock_of(self, account_id: UUID) -> Stock:
        return self._stock.get(account_id, {})

    def supposing(self, account_id: UUID, sources: Sequence[SourceFacts], changed: Iterable[Supposed]) -> "Ground":
        """Another ground of this account, with other facts and other stock; this one stays as it is.

        `sources` are the same ones in the same order. Stock of a SKU that nothing here wants is passed by.
        """
        then = sources_then(sources)
        stock = {sku: shelf.copy() for sku, shelf in self.stock_of(account_id).items()}
        for source_id, sku, line in changed:
            position, shelf = then.position[source_id], stock.setdefault(sku, Shelf(len(sources)))
            if line.cost is None and (known := shelf.line(position)) is not None:
                line = StockLine(line.available, known.cost, known.currency)
            shelf.put(position, line)
        return Ground({account_id: then}, self._groups, {account_id: stock})

    def give_back(self, account_id: UUID, source_id: UUID, sku: str, units: int) -> None:
        """Puts promised units back on the shelf in memory."""
        shelf = self.stock_of(account_id).get(sku)
        position = self.sources_of(account_id).position.get(source_id)
        if shelf is not None and position is not None and (free := shelf.available[position]) is not None:
            shelf.available[position] = free + units

    def take(self, account_id: UUID, plan: Iterable[Assignment]) -> None:
        """Takes the plan's units off the stock in memory."""
        for part in plan:
            available = self._stock[account_id][part.sku].available
            position = self._sources[account_id].position[part.source_id]
            free = available[position]
            assert free is not None
            available[position] = free - part.quantity


async def load_ground(session: AsyncSession, wanting: Sequence[tuple[OrderRow, OpenOrder]], now: datetime) -> Ground:
    """Three queries for the batch, whatever its size."""
    if not wanting:
        return Ground({}, {}, {})
    wanted = sorted({(order.account_id, line.sku) for order, open_order in wanting for line in open_order.lines})
    sources = await _sources(session, {order.account_id for order, _ in wanting}, now)
    groups = await _groups(session, {order.channel_id for order, _ in wanting if order.channel_id})
    return Ground(sources, groups, await _stock(session, wanted, sources))


async def _sources(session: AsyncSession, account_ids: Iterable[UUID], now: datetime) -> dict[UUID, SourcesThen]:
    rows = await run(
        session,
        "select account_id, id, name, priority, shipping_policies::text, enabled, "
        "compliant and (attested_until is null or attested_until > $2), attestation_version, attested_until "
        "from source where account_id = any($1) order by id",
        list(account_ids),
        now,
    )
    found: dict[UUID, list[SourceFacts]] = {}
    for account_id, source_id, name, priority, policies, enabled, compliant, version, until in rows:
        facts = SourceFacts(source_id, name, priority, _policies.decode(policies), enabled, compliant, version, until)
        found.setdefault(account_id, []).append(facts)
    return {account_id: sources_then(sources) for account_id, sources in found.items()}


def sources_then(sources: Sequence[SourceFacts]) -> SourcesThen:
    """The sources with the digest of their facts."""
    encoded = msgspec.json.encode(sources)
    position = {source.source_id: position for position, source in enumerate(sources)}
    return SourcesThen(tuple(sources), encoded.decode(), hashlib.sha256(encoded).hexdigest(), position)


_NO_SOURCES = sources_then(())


async def _groups(session: AsyncSession, channel_ids: Iterable[UUID]) -> dict[UUID, GroupRules]:
    rows = await run(
        session,
        "select channel_id, source_ids::text, priorities::text, allow_split from routing_group "
        "where channel_id = any($1)",
        list(channel_ids),
    )
    return {row[0]: group_rules(msgspec.json.decode(row[1]), msgspec.json.decode(row[2]), row[3]) for row in rows}


def group_rules(source_ids: Sequence[Any], priorities: Sequence[str], allow_split: bool) -> GroupRules:
    """The rules as stored: names were checked when they were set, but a release may have dropped one since."""
    return msgspec.convert(
        {"source_ids": source_ids, "priorities": priorities, "allow_split": allow_split}, GroupRules, strict=False
    )


# One row for each SKU, its sources as positions: half the time of a row for each source (measured).
_STOCK = f"""
select f.account_id, f.sku, array_agg(f.position), array_agg(f.available), array_agg(f.cost_amount),
    array_agg(f.cost_currency)
from (
    select s.account_id, s.sku, ($4::int[])[array_position($3::uuid[], s.source_id)] as position,
        {AVAILABLE} as available, s.cost_amount, s.cost_currency
    from unnest($1::uuid[], $2::text[]) as w(account_id, sku)
    join source_stock s on s.account_id = w.account_id and s.sku = w.sku and s.source_id = any($3)) f
group by f.account_id, f.sku
"""  # noqa: S608 - own text


async def _stock(
    session: AsyncSession, wanted: Sequence[tuple[UUID, str]], sources: Mapping[UUID, SourcesThen]
) -> dict[UUID, dict[str, Shelf]]:
    known = [(source.source_id, position) for then in sources.values() for position, source in enumerate(then.sources)]
    rows = await run(
        session,
        _STOCK,
        [account_id for account_id, _ in wanted],
        [sku for _, sku in wanted],
        [source_id for source_id, _ in known],
        [position for _, position in known],
    )
    stock: dict[UUID, dict[str, Shelf]] = {}
    for account_id, sku, positions, available, costs, currencies in rows:
        shelf = stock.setdefault(account_id, {})[sku] = Shelf(len(sources[account_id].sources))
        for position, free, cost, currency in zip(positions, available, costs, currencies, strict=True):
            shelf.available[position], shelf.costs[position], shelf.currencies[position] = free, cost, currency
    return stock
