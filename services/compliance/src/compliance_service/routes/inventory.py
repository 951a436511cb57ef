"""What sources have: pages, CSV files, the list, the lookup of SKUs, and the events that were not taken."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import tuple_
from sqlmodel import col

from common.app import RuntimeDependency
from common.bulk import run
from common.callers import Caller, requires
from common.db import Transaction
from common.errors import InvalidRequest
from common.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from compliance_service import looking_up
from compliance_service.decision_inputs import AVAILABLE
from compliance_service.models import Source, StockRejection, StockUpload
from compliance_service.schemas import (
    InventoryPage,
    InventoryResult,
    Lookup,
    LookupAnswer,
    MoneyAnswer,
    StockAnswer,
    StockRejectionAnswer,
    UploadAnswer,
)
from compliance_service.stock_files import begin_upload, take_csv, upload_answer
from compliance_service.stocking import take_page

router = APIRouter(tags=["inventory"])

Reader = Annotated[Caller, requires("sources:read")]
Writer = Annotated[Caller, requires("sources:write")]

_CSV_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


class NotCsv(InvalidRequest):
    slug, title = "not-csv", "The body is not declared as CSV"
    fix = "Send `Content-Type: text/csv`"


@router.put("/v1/sources/{source_id}/inventory")
async def put_inventory(
    source_id: UUID, body: InventoryPage, session: Transaction, caller: Writer, runtime: RuntimeDependency
) -> InventoryResult:
    """Stores up to 5,000 rows; the newest `as_of` of a SKU wins. A bad row is answered with its reason."""
    source = await caller.one(session, Source, source_id)
    delay = runtime.settings.restock_reroute_delay_seconds
    return await take_page(session, source.account_id, source.id, enumerate(body.rows), reroute_delay_seconds=delay)


@router.post("/v1/sources/{source_id}/inventory/csv", openapi_extra=_CSV_BODY)
async def post_inventory_csv(
    source_id: UUID, request: Request, caller: Writer, runtime: RuntimeDependency
) -> UploadAnswer:
    """Stores a CSV file of any length while it arrives: columns sku, quantity and optionally cost, currency, as_of.

    Its progress is shown by GET /v1/sources/{source_id}/inventory/uploads meanwhile.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
        raise NotCsv
    length = request.headers.get("content-length", "")
    async with runtime.db.transaction() as session:
        source = await caller.one(session, Source, source_id)
        upload = await begin_upload(session, source, int(length) if length.isdecimal() else None)
    delay = runtime.settings.restock_reroute_delay_seconds
    return upload_answer(await take_csv(runtime.db, upload, request.stream(), reroute_delay_seconds=delay))


@router.get("/v1/sources/{source_id}/inventory/uploads")
async def list_uploads(
    source_id: UUID, session: Transaction, caller: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Page[UploadAnswer]:
    """The source's CSV files and how far each has come, newest first."""
    source = await caller.one(session, Source, source_id)
    query = (
        caller.scoped(StockUpload)
        .where(StockUpload.source_id == source.id)
        .order_by(col(StockUpload.started_at).desc(), col(StockUpload.id).desc())
        .limit(limit + 1)
    )
    if cursor:
        query = query.where(
            tuple_(StockUpload.started_at, StockUpload.id) < decode_cursor(cursor, tuple[datetime, UUID])
        )
    found = (await session.exec(query)).all()
    last = found[limit - 1] if len(found) > limit else None
    return Page(
        items=[upload_answer(upload) for upload in found[:limit]],
        next_cursor=encode_cursor(last.started_at, last.id) if last else None,
    )


@router.get("/v1/inventory/uploads/{upload_id}")
async def read_upload(upload_id: UUID, session: Transaction, caller: Reader) -> UploadAnswer:
    """How far one CSV file has come."""
    return upload_answer(await caller.one(session, StockUpload, upload_id))


@router.get("/v1/sources/{source_id}/inventory")
async def list_inventory(
    source_id: UUID, session: Transaction, caller: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Page[StockAnswer]:
    """What a source has, by SKU; `available` is what reservations leave of it."""
    source = await caller.one(session, Source, source_id)
    rows = await run(
        session,
        f"select s.sku, s.quantity, {AVAILABLE}, s.cost_amount, s.cost_currency, s.as_of "  # noqa: S608 - own text
        "from source_stock s where s.source_id = $1 and ($2::text is null or s.sku > $2) order by s.sku limit $3",
        source.id,
        decode_cursor(cursor, tuple[str])[0] if cursor else None,
        limit + 1,
    )
    items = [
        StockAnswer(
            sku=sku,
            quantity=quantity,
            available=available,
            cost=None if amount is None else MoneyAnswer(amount=amount, currency=currency),
            as_of=as_of,
        )
        for sku, quantity, available, amount, currency, as_of in rows[:limit]
    ]
    return Page(items=items, next_cursor=encode_cursor(items[-1].sku) if len(rows) > limit else None)


@router.post("/v1/inventory/lookup")
async def look_up(body: Lookup, session: Transaction, caller: Reader) -> LookupAnswer:
    """Which SKUs of a list exist in source inventory, and at which sources."""
    return await looking_up.look_up(session, caller.account_id, body.skus)


@router.post("/v1/inventory/lookup/csv", openapi_extra=_CSV_BODY, response_class=StreamingResponse)
async def look_up_csv(request: Request, caller: Reader, runtime: RuntimeDependency) -> StreamingResponse:
    """The same for a CSV file of any length with a column `sku` (an export of active listings, say): answers CSV while
    the file arrives, a line for each SKU and source, or one without a source for a SKU that exists nowhere."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
        raise NotCsv
    lines = await looking_up.look_up_csv(runtime.db, caller, request.stream())
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8")


@router.get("/v1/inventory/rejections")
async def list_rejections(
    session: Transaction, caller: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Page[StockRejectionAnswer]:
    """`SourceInventoryChanged` events that were not taken, newest first."""
    query = caller.scoped(StockRejection).order_by(col(StockRejection.id).desc()).limit(limit + 1)
    if cursor:
        query = query.where(col(StockRejection.id) < decode_cursor(cursor, tuple[int])[0])
    found = (await session.exec(query)).all()
    return Page(
        items=[StockRejectionAnswer.model_validate(row) for row in found[:limit]],
        next_cursor=encode_cursor(found[limit - 1].id) if len(found) > limit else None,
    )
