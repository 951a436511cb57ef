"""Upserts and changes by the API: reads each row by itself, checks it, applies the good ones, explains the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.schemas import TEXT_INVALID
from listings_service import stating
from listings_service.checks import (
    LONGEST_TITLE,
    UNKNOWN_CHANNEL,
    UNKNOWN_SKU,
    Fault,
    as_of_fault,
    price_fault,
    quantity_fault,
    sku_fault,
    text_fault,
)
from listings_service.delta import Statement
from listings_service.models import Channel
from listings_service.schemas import FigureRow, ListingRow, RowErrorAnswer, RowResultsAnswer

_LISTING_ROW = TypeAdapter(ListingRow)
_FIGURE_ROW = TypeAdapter(FigureRow)


@dataclass(frozen=True, slots=True)
class _Good:
    position: int
    key: stating.Key
    row: FigureRow
    statement: Statement


async def upsert(session: AsyncSession, account_id: UUID, rows: Sequence[Any]) -> RowResultsAnswer:
    """Creates what is new and changes what differs."""
    results = RowResultsAnswer()
    good, channels = await _read(session, account_id, rows, _LISTING_ROW, results)
    known = await stating.lock(session, {one.key for one in good})
    new = {one.key: (_parent_sku(one.row), _title(one.row)) for one in good if one.key not in known}
    created = await stating.create(session, new, channels)
    known |= await stating.lock(session, set(new))
    titles = {known[one.key].id: title for one in good if (title := _title(one.row)) is not None}
    changed = await stating.retitle(session, titles) if titles else set()
    changed |= await stating.apply(session, [(known[one.key], one.statement) for one in good])
    results.created = len(created)
    results.updated = len(changed - created)
    results.unchanged = len({known[one.key].id for one in good}) - results.created - results.updated
    return results


async def change(session: AsyncSession, account_id: UUID, rows: Sequence[Any]) -> RowResultsAnswer:
    """Changes prices and quantities of listings that exist; a SKU that the channel does not have is an error."""
    results = RowResultsAnswer()
    good, _ = await _read(session, account_id, rows, _FIGURE_ROW, results)
    known = await stating.lock(session, {one.key for one in good})
    for one in good:
        if one.key not in known:
            results.errors.append(_error(one.position, one.row.sku, UNKNOWN_SKU))
    there = [one for one in good if one.key in known]
    changed = await stating.apply(session, [(known[one.key], one.statement) for one in there])
    results.updated = len(changed)
    results.unchanged = len({one.key for one in there}) - len(changed)
    results.errors.sort(key=lambda error: error.row)
    return results


async def _read(
    session: AsyncSession,
    account_id: UUID,
    rows: Sequence[Any],
    shape: TypeAdapter[Any],
    results: RowResultsAnswer,
) -> tuple[list[_Good], dict[tuple[UUID, UUID], Channel]]:
    """The rows that may be applied; what is wrong with the others goes into the results."""
    now = clock.now()
    shaped: list[tuple[int, FigureRow]] = []
    for position, given in enumerate(rows):
        try:
            shaped.append((position, shape.validate_python(given)))
        except ValidationError as error:
            results.errors.append(_shape_error(position, given, error))
    channels = await stating.channels(session, {row.channel_id for _, row in shaped})
    good = []
    for position, row in shaped:
        channel = channels.get((account_id, row.channel_id))
        fault = row_fault(row, channel, now)
        if fault is not None:
            results.errors.append(_error(position, row.sku, fault))
            continue
        statement = Statement(
            row.as_of or now,
            row.quantity,
            row.price.amount if row.price else None,
            row.price.currency if row.price else None,
        )
        good.append(_Good(position, (account_id, row.channel_id, row.sku), row, statement))
    results.errors.sort(key=lambda error: error.row)
    return good, channels


def row_fault(row: FigureRow, channel: Channel | None, now: datetime) -> Fault | None:
    """The first thing that is wrong with a row."""
    if channel is None:
        return UNKNOWN_CHANNEL
    fault = sku_fault(row.sku)
    if fault is None and isinstance(row, ListingRow):
        fault = (row.parent_sku is not None and sku_fault(row.parent_sku)) or _title_fault(row.title)
    if fault is None and row.quantity is not None:
        fault = quantity_fault(row.quantity)
    if fault is None and row.price is not None:
        fault = price_fault(row.price.amount, row.price.currency, channel.marketplace_id)
    if fault is None and row.as_of is not None:
        fault = as_of_fault(row.as_of, now)
    return fault or None


def _title_fault(title: str | None) -> Fault | None:
    if title is None:
        return None
    if len(title) > LONGEST_TITLE:
        return Fault("title-too-long", f"the title has {len(title)} characters", f"At most {LONGEST_TITLE}")
    return text_fault(title, "title")


def _parent_sku(row: FigureRow) -> str:
    return (row.parent_sku if isinstance(row, ListingRow) else None) or row.sku


def _title(row: FigureRow) -> str | None:
    return row.title if isinstance(row, ListingRow) else None


def _shape_error(position: int, given: Any, error: ValidationError) -> RowErrorAnswer:
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, problem["loc"])) or "row"
    sku = given.get("sku") if isinstance(given, dict) else None
    what = f"{where}: {problem['msg']}"
    return RowErrorAnswer(
        row=position,
        # What is wrong with it may be that it is no text, or endless.
        sku=sku[:200].encode("utf-8", "replace").decode() if isinstance(sku, str) else None,
        code="invalid-text" if problem["type"] == TEXT_INVALID else "invalid-row",
        detail=what,
        fix="See the schema of a row in the API's document",
    )


def _error(position: int, sku: str, fault: Fault) -> RowErrorAnswer:
    shown = sku.encode("utf-8", "replace").decode()  # what is wrong with it may be that it is no text
    return RowErrorAnswer(row=position, sku=shown, code=fault.code, detail=fault.what, fix=fault.fix)
