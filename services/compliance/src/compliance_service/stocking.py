"""What sources have: counts by page and event, the newest per (source, SKU) wins (MISSION D1, ARCHITECTURE "Stock")."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import insert_page, run
from common.contracts.event import Received
from common.contracts.inventory import SourceInventoryChanged
from common.moments import moment_problem
from compliance_service.account_turn import take_turn
from compliance_service.models import SourceStock, StockRejection
from compliance_service.reroute_queue import request_reroute
from compliance_service.schemas import InventoryResultAnswer, RowErrorAnswer
from compliance_service.stock_rows import StockRow, cost_problem, in_future, read_row, sku_problem

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Count:
    """A checked count of one SKU at one source."""

    account_id: UUID
    source_id: UUID
    sku: str
    quantity: int
    cost_amount: Decimal | None
    cost_currency: str | None
    as_of: datetime


_COLUMNS = (
    "account_id",
    "source_id",
    "sku",
    "quantity",
    "cost_amount",
    "cost_currency",
    "as_of",
    "updated_at",
)
# A count without a cost says nothing about the cost.
_NEWEST_WINS = """
on conflict (source_id, sku) do update set quantity = excluded.quantity, as_of = excluded.as_of,
    updated_at = excluded.updated_at, cost_amount = coalesce(excluded.cost_amount, source_stock.cost_amount),
    cost_currency = coalesce(excluded.cost_currency, source_stock.cost_currency)
where source_stock.as_of <= excluded.as_of
returning account_id, sku, xmax = 0
"""


async def take_page(
    session: AsyncSession,
    account_id: UUID,
    source_id: UUID,
    rows: Iterable[tuple[int, Any]],
    *,
    reroute_delay_seconds: float,
) -> InventoryResultAnswer:
    """Stores a page of rows (with their positions) of one source of the account; bad ones are answered, not stored."""
    now = clock.now()
    errors: list[RowErrorAnswer] = []
    counts: list[Count] = []
    for position, given in rows:
        row = read_row(position, given, now)
        if isinstance(row, StockRow):
            counts.append(
                Count(
                    account_id,
                    source_id,
                    row.sku,
                    row.quantity,
                    row.cost.amount if row.cost else None,
                    row.cost.currency if row.cost else None,
                    row.as_of or now,
                )
            )
        else:
            errors.append(row)
    await take_turn(session, [account_id])
    created, updated = await _store(session, counts, now, reroute_delay_seconds)
    return InventoryResultAnswer(
        created=created,
        updated=updated,
        outdated=len(counts) - created - updated,
        failed=len(errors),
        errors=errors,
    )


async def _store(
    session: AsyncSession, counts: Sequence[Count], now: datetime, reroute_delay_seconds: float
) -> tuple[int, int]:
    """Keeps the newest count of each SKU; wakes the held orders that want one. Answers how many (created, updated)."""
    newest: dict[tuple[UUID, str], Count] = {}
    for count in counts:
        known = newest.get((count.source_id, count.sku))
        if known is None or known.as_of <= count.as_of:
            newest[(count.source_id, count.sku)] = count
    stored = await insert_page(
        session,
        SourceStock,
        _COLUMNS,
        [
            (c.account_id, c.source_id, c.sku, c.quantity, c.cost_amount, c.cost_currency, c.as_of, now)
            for _, c in sorted(newest.items())
        ],
        _NEWEST_WINS,
    )
    skus: dict[UUID, set[str]] = {}
    for account_id, sku, _ in stored:
        skus.setdefault(account_id, set()).add(sku)
    for account_id in sorted(skus):
        await request_reroute(
            session,
            account_id,
            requested_by="restock",
            skus=skus[account_id],
            delay_seconds=reroute_delay_seconds,
        )
    created = sum(is_new for _, _, is_new in stored)
    return created, len(stored) - created


async def follow_inventory(
    session: AsyncSession, received: Sequence[Received], *, reroute_delay_seconds: float
) -> None:
    """Handles a batch of `entrepot.inventory`: counts are stored, what cannot be taken is kept with the reason.

    The accounts have their turn.
    """
    told = [(r, r.event) for r in received if isinstance(r.event, SourceInventoryChanged)]
    if not told:
        return
    now = clock.now()
    rows = await run(
        session, "select id, account_id from source where id = any($1)", [event.source_id for _, event in told]
    )
    owners: dict[UUID, UUID] = {row[0]: row[1] for row in rows}
    counts: list[Count] = []
    rejections: list[tuple[Any, ...]] = []
    for r, event in told:
        if reason := _reason(event, owners, now):
            rejections.append((event.account_id, r.id, event.source_id, event.sku, *reason, now))
        else:
            cost = event.cost
            counts.append(
                Count(
                    event.account_id,
                    event.source_id,
                    event.sku,
                    event.quantity,
                    cost.amount if cost else None,
                    cost.currency if cost else None,
                    event.as_of,
                )
            )
    if rejections:
        log.warning("stock_events_rejected", count=len(rejections), codes=sorted({row[4] for row in rejections}))
        columns = ("account_id", "event_id", "source_id", "sku", "code", "detail", "received_at")
        await insert_page(session, StockRejection, columns, rejections)
    await _store(session, counts, now, reroute_delay_seconds)


def _reason(event: SourceInventoryChanged, owners: Mapping[UUID, UUID], now: datetime) -> tuple[str, str] | None:
    """Code and sentence of what is wrong with the event; another account's source is as unknown as none."""
    if owners.get(event.source_id) != event.account_id:
        return "unknown-source", "this account has no source with that id"
    if problem := sku_problem(event.sku):
        return "sku-invalid", problem
    if problem := moment_problem(event.as_of):
        return "as-of-invalid", f"as_of: {problem}"
    if in_future(event.as_of, now):
        return "as-of-in-future", "as_of is in the future"
    if event.cost and (problem := cost_problem(event.cost.amount, event.cost.currency)):
        return "cost-invalid", problem
    return None
