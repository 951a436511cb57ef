"""`/v1/listings`: upsert, change, read, CSV and the bulk actions."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from common.app import RuntimeDependency
from common.bulk import run
from common.callers import Caller, requires
from common.csv_rows import CsvFault, CsvRow, UnreadableCsv
from common.db import Database, Transaction
from common.errors import InvalidRequest
from common.front_door import Guarded
from common.idempotency import IdempotencyKey, once
from common.moments import MomentOrUtc
from common.openapi import problems
from common.pages import Page, PageQuery
from common.reading import Reading
from listings_service import selecting, tabulating, upserting
from listings_service.lifecycle import Health, Link
from listings_service.models import Variant
from listings_service.schemas import (
    LARGEST_PAGE,
    FigureRows,
    ListingAnswer,
    ListingChanges,
    ListingRows,
    RowResultsAnswer,
    Selection,
    SelectionResultsAnswer,
    listing_view,
)
from listings_service.selecting import Filters

router = APIRouter(route_class=Guarded, prefix="/v1/listings", tags=["listings"])

Reader = Annotated[Caller, requires("listings:read")]
Writer = Annotated[Caller, requires("listings:write")]

_CSV_PAGE = 500
_BySku: Any = tuple[UUID, str]


async def _filters(
    channel_id: UUID | None = None,
    link: Link | None = None,
    health: Health | None = None,
    paused: bool | None = None,
    sku: Annotated[str | None, Query(max_length=40, description="exactly this SKU, byte for byte")] = None,
    sku_prefix: Annotated[str | None, Query(max_length=40)] = None,
    dirty: Annotated[bool | None, Query(description="whether Amazon is yet to show what is desired")] = None,
    connection_id: UUID | None = None,
    updated_since: Annotated[
        MomentOrUtc | None, Query(description="quantity, price or what Amazon shows is of this time or later")
    ] = None,
) -> Filters:
    return Filters(channel_id, link, health, paused, sku, sku_prefix, dirty, connection_id, updated_since)


FilterQuery = Annotated[Filters, Depends(_filters)]


_CSV_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "CSV", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


class RefusedChange(InvalidRequest):
    slug, title = "refused-change", "The listing was not changed"


@router.post("")
async def upsert_listings(
    body: ListingRows, caller: Writer, session: Transaction, request: Request, key: IdempotencyKey = None
) -> RowResultsAnswer:
    """Creates or updates up to 1000 listings. Rows in `errors` were not applied, all others were."""

    async def effect() -> RowResultsAnswer:
        return await upserting.upsert(session, caller.account_id, body.listings)

    return await once(session, request, caller.account_id, key, RowResultsAnswer, effect)


@router.post("/changes")
async def change_figures(
    body: FigureRows, caller: Writer, session: Transaction, request: Request, key: IdempotencyKey = None
) -> RowResultsAnswer:
    """Changes prices and quantities of up to 1000 listings that exist. Only what really differs is pushed."""

    async def effect() -> RowResultsAnswer:
        return await upserting.change(session, caller.account_id, body.changes)

    return await once(session, request, caller.account_id, key, RowResultsAnswer, effect)


@router.post(
    "/csv",
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}},
    responses=problems(UnreadableCsv),
)
async def upload_listings(request: Request, caller: Writer, runtime: RuntimeDependency) -> RowResultsAnswer:
    """Upserts a CSV of any length, page by page; each record is applied or stands in `errors` with its line.

    A repeat is harmless."""
    total = RowResultsAnswer()
    page: list[tuple[CsvRow, dict[str, Any]]] = []
    async for record in tabulating.records(request.stream()):
        if isinstance(record, CsvFault):
            total.errors.append(tabulating.row_error(record))
            continue
        page.append(record)
        if len(page) == LARGEST_PAGE:
            await _upsert_page(runtime.db, caller, page, total)
            page = []
    await _upsert_page(runtime.db, caller, page, total)
    total.errors.sort(key=lambda error: error.row)
    return total


async def _upsert_page(
    db: Database, caller: Caller, page: Sequence[tuple[CsvRow, dict[str, Any]]], total: RowResultsAnswer
) -> None:
    async with db.transaction() as session:
        results = await upserting.upsert(session, caller.account_id, [row for _, row in page])
    for error in results.errors:
        record = page[error.row][0]
        error.row, error.line = record.row, record.line
    total.created += results.created
    total.updated += results.updated
    total.unchanged += results.unchanged
    total.errors += results.errors


@router.get("/csv", response_class=StreamingResponse, responses=_CSV_ANSWER)
async def download_listings(caller: Reader, runtime: RuntimeDependency, filters: FilterQuery) -> StreamingResponse:
    """The listings as CSV; its columns can be uploaded again."""

    async def stream() -> AsyncIterator[str]:
        yield tabulating.header_line()
        after: tuple[UUID, str] | None = None
        while True:
            found = await selecting.page(runtime.reads, caller.account_id, filters, after=after, limit=_CSV_PAGE)
            yield "".join(tabulating.lines(found))
            if len(found) < _CSV_PAGE:
                return
            after = (found[-1]["channel_id"], found[-1]["sku"])

    headers = {"content-disposition": 'attachment; filename="listings.csv"'}
    return StreamingResponse(stream(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("")
async def list_listings(caller: Reader, reads: Reading, filters: FilterQuery, paging: PageQuery) -> Page[ListingAnswer]:
    """Listings by channel and SKU."""
    after = paging.after(_BySku)
    found = await selecting.page(reads, caller.account_id, filters, after=after, limit=paging.fetched)
    return await paging.page(
        found,
        listing_view,
        lambda row: [row["channel_id"], row["sku"]],
        lambda: selecting.count(reads, caller.account_id, filters),
    )


@router.post("/unlink")
async def unlink_listings(body: Selection, caller: Writer, session: Transaction) -> SelectionResultsAnswer:
    """Forgets the link to Amazon; nothing is sent and nothing at Amazon changes."""
    results, _ = await selecting.act(session, caller, body.listing_ids, selecting.unlink)
    return results


@router.post("/relink")
async def relink_listings(body: Selection, caller: Writer, session: Transaction) -> SelectionResultsAnswer:
    """Looks for the SKUs at Amazon again: starts a link run for their connections."""
    results, changed = await selecting.act(session, caller, body.listing_ids, selecting.relink)
    results.operation_run_ids = await selecting.link_soon(session, caller, changed)
    return results


@router.post("/pause")
async def pause_listings(body: Selection, caller: Writer, session: Transaction) -> SelectionResultsAnswer:
    """Freezes listings: nothing queued or scheduled touches them."""
    results, _ = await selecting.act(session, caller, body.listing_ids, selecting.pause)
    return results


@router.post("/unpause")
async def unpause_listings(body: Selection, caller: Writer, session: Transaction) -> SelectionResultsAnswer:
    """Lets operations touch the listings again; what changed meanwhile goes out with the next sync."""
    results, _ = await selecting.act(session, caller, body.listing_ids, selecting.unpause)
    return results


@router.get("/{listing_id}")
async def get_listing(listing_id: UUID, caller: Reader, reads: Reading) -> ListingAnswer:
    """One listing: what is desired, what Amazon shows, and what is on its way."""
    return listing_view(await selecting.one(reads, caller.account_id, listing_id))


@router.patch("/{listing_id}", responses=problems(RefusedChange))
async def change_listing(listing_id: UUID, body: ListingChanges, caller: Writer, session: Transaction) -> ListingAnswer:
    """Changes one listing; fields that are left out stay."""
    variant = await caller.one(session, Variant, listing_id)
    row = {"channel_id": variant.channel_id, "sku": variant.sku} | body.model_dump(exclude_unset=True)
    paused = row.pop("paused", None)
    results = await upserting.upsert(session, caller.account_id, [row])
    if results.errors:
        problem = results.errors[0]
        raise RefusedChange(problem.detail, fix=problem.fix, code=problem.code)
    if paused is not None:
        await selecting.act(session, caller, [listing_id], selecting.pause if paused else selecting.unpause)
    await session.flush()
    (row,) = await run(session, f"{selecting.LISTING} and variant.id = $2", caller.account_id, listing_id)
    return listing_view(row._mapping)
