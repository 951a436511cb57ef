"""`/v1/listings`: upsert, change, read, CSV and the bulk actions."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from common.app import RuntimeDependency
from common.bulk import run
from common.callers import Caller, requires
from common.csv_rows import CsvFault, CsvRow
from common.db import Database, Transaction
from common.errors import InvalidRequest
from common.idempotency import IdempotencyKey, once
from common.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from common.reading import Reading
from listings_service import selecting, tabulating, upserting
from listings_service.lifecycle import Health, Link
from listings_service.models import Variant
from listings_service.schemas import (
    LARGEST_PAGE,
    ChangesRequest,
    ListingPatch,
    ListingView,
    RowResults,
    SelectionRequest,
    SelectionResults,
    UpsertRequest,
    listing_view,
)
from listings_service.selecting import Filters

router = APIRouter(prefix="/v1/listings", tags=["listings"])

Reader = Annotated[Caller, requires("listings:read")]
Writer = Annotated[Caller, requires("listings:write")]

_CSV_PAGE = 500


async def _filters(
    channel_id: UUID | None = None,
    link: Link | None = None,
    health: Health | None = None,
    paused: bool | None = None,
    sku: Annotated[str | None, Query(max_length=40, description="exactly this SKU, byte for byte")] = None,
    sku_prefix: Annotated[str | None, Query(max_length=40)] = None,
    dirty: Annotated[bool | None, Query(description="whether Amazon is yet to show what is desired")] = None,
) -> Filters:
    return Filters(channel_id, link, health, paused, sku, sku_prefix, dirty)


FilterQuery = Annotated[Filters, Depends(_filters)]


@router.post("")
async def upsert_listings(
    body: UpsertRequest, caller: Writer, session: Transaction, request: Request, key: IdempotencyKey = None
) -> RowResults:
    """Creates or updates up to 1000 listings. Rows in `errors` were not applied, all others were."""

    async def effect() -> RowResults:
        return await upserting.upsert(session, caller.account_id, body.listings)

    return await once(session, request, caller.account_id, key, RowResults, effect)


@router.post("/changes")
async def change_listings(
    body: ChangesRequest, caller: Writer, session: Transaction, request: Request, key: IdempotencyKey = None
) -> RowResults:
    """Changes prices and quantities of up to 1000 listings that exist. Only what really differs is pushed."""

    async def effect() -> RowResults:
        return await upserting.change(session, caller.account_id, body.changes)

    return await once(session, request, caller.account_id, key, RowResults, effect)


@router.post(
    "/csv",
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def upload_csv(request: Request, caller: Writer, runtime: RuntimeDependency) -> RowResults:
    """Upserts a CSV of any length, page by page; each record is applied or stands in `errors` with its line.

    A repeat is harmless."""
    total = RowResults()
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
    db: Database, caller: Caller, page: Sequence[tuple[CsvRow, dict[str, Any]]], total: RowResults
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


@router.get("/csv", response_class=StreamingResponse)
async def download_csv(caller: Reader, runtime: RuntimeDependency, filters: FilterQuery) -> StreamingResponse:
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
async def list_listings(
    caller: Reader, reads: Reading, filters: FilterQuery, limit: Limit = 100, cursor: Cursor = None
) -> Page[ListingView]:
    """Listings by channel and SKU."""
    after = decode_cursor(cursor, tuple[UUID, str]) if cursor else None
    found = await selecting.page(reads, caller.account_id, filters, after=after, limit=limit + 1)
    items = [listing_view(row) for row in found[:limit]]
    more = len(found) > limit
    return Page(items=items, next_cursor=encode_cursor(items[-1].channel_id, items[-1].sku) if more else None)


@router.post("/unlink")
async def unlink_listings(body: SelectionRequest, caller: Writer, session: Transaction) -> SelectionResults:
    """Forgets the link to Amazon; nothing is sent and nothing at Amazon changes."""
    results, _ = await selecting.act(session, caller, body.listing_ids, selecting.unlink)
    return results


@router.post("/relink")
async def relink_listings(body: SelectionRequest, caller: Writer, session: Transaction) -> SelectionResults:
    """Looks for the SKUs at Amazon again: starts a link run for their connections."""
    results, changed = await selecting.act(session, caller, body.listing_ids, selecting.relink)
    results.operation_run_ids = await selecting.link_soon(session, caller, changed)
    return results


@router.post("/pause")
async def pause_listings(body: SelectionRequest, caller: Writer, session: Transaction) -> SelectionResults:
    """Freezes listings: nothing queued or scheduled touches them."""
    results, _ = await selecting.act(session, caller, body.listing_ids, selecting.pause)
    return results


@router.post("/unpause")
async def unpause_listings(body: SelectionRequest, caller: Writer, session: Transaction) -> SelectionResults:
    """Lets operations touch the listings again; what changed meanwhile goes out with the next sync."""
    results, _ = await selecting.act(session, caller, body.listing_ids, selecting.unpause)
    return results


@router.get("/{listing_id}")
async def get_listing(listing_id: UUID, caller: Reader, reads: Reading) -> ListingView:
    """One listing."""
    return listing_view(await selecting.one(reads, caller.account_id, listing_id))


class RefusedChange(InvalidRequest):
    slug, title = "refused-change", "The listing was not changed"


@router.patch("/{listing_id}")
async def patch_listing(listing_id: UUID, body: ListingPatch, caller: Writer, session: Transaction) -> ListingView:
    """Changes one listing; fields that are left out stay."""
    variant = await caller.one(session, Variant, listing_id)
    row = {"channel_id": variant.channel_id, "sku": variant.sku} | body.model_dump(exclude_unset=True)
    paused = row.pop("paused", None)
    results = await upserting.upsert(session, caller.account_id, [row])
    if results.errors:
        problem = results.errors[0]
        raise RefusedChange(problem.what, fix=problem.fix, code=problem.code)
    if paused is not None:
        await selecting.act(session, caller, [listing_id], selecting.pause if paused else selecting.unpause)
    await session.flush()
    (row,) = await run(session, f"{selecting.LISTING} and variant.id = $2", caller.account_id, listing_id)
    return listing_view(row._mapping)
