"""What sources have: pages, CSV files, the list, the lookup of SKUs, and the events that were not taken."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from sqlmodel import col

from common.app import RuntimeDependency
from common.bulk import run
from common.callers import Caller, requires
from common.csv_rows import UnreadableCsv
from common.db import Transaction
from common.errors import InvalidRequest
from common.front_door import Guarded, body_limit
from common.moments import MomentOrUtc
from common.openapi import problems
from common.pages import ByMoment, ByNumber, ByText, Page, PageQuery
from compliance_service import looking_up
from compliance_service.decision_inputs import AVAILABLE
from compliance_service.models import Source, StockRejection, StockUpload
from compliance_service.schemas import (
    InventoryPage,
    InventoryRejectionAnswer,
    InventoryResultAnswer,
    Lookup,
    LookupAnswer,
    MoneyAnswer,
    StockAnswer,
    UploadAnswer,
)
from compliance_service.stock_files import begin_upload, take_csv, upload_answer
from compliance_service.stocking import take_page

router = APIRouter(route_class=Guarded, tags=["inventory"])

Reader = Annotated[Caller, requires("sources:read")]
Writer = Annotated[Caller, requires("sources:write")]

_CSV_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


CSV_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "CSV", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


class NotCsv(InvalidRequest):
    slug, title = "not-csv", "The body is not declared as CSV"
    fix = "Send `Content-Type: text/csv`"


@router.put("/v1/sources/{source_id}/inventory")
async def set_inventory(
    source_id: UUID, body: InventoryPage, session: Transaction, caller: Writer, runtime: RuntimeDependency
) -> InventoryResultAnswer:
    """Stores up to 5,000 rows; the newest `as_of` of a SKU wins. A bad row is answered with its reason."""
    source = await caller.one(session, Source, source_id)
    delay = runtime.settings.restock_reroute_delay_seconds
    return await take_page(session, source.account_id, source.id, enumerate(body.rows), reroute_delay_seconds=delay)


@router.post(
    "/v1/sources/{source_id}/inventory/csv", openapi_extra=_CSV_BODY, responses=problems(NotCsv, UnreadableCsv)
)
@body_limit(None)
async def upload_inventory(
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
    source_id: UUID,
    session: Transaction,
    caller: Reader,
    paging: PageQuery,
    status: Annotated[str | None, Query(max_length=50)] = None,
    updated_since: MomentOrUtc | None = None,
) -> Page[UploadAnswer]:
    """The source's CSV files and how far each has come, newest first."""
    source = await caller.one(session, Source, source_id)
    query = caller.scoped(StockUpload).where(StockUpload.source_id == source.id)
    if status is not None:
        query = query.where(StockUpload.status == status)
    if updated_since is not None:
        query = query.where(col(StockUpload.updated_at) >= updated_since)
    order = (col(StockUpload.started_at), col(StockUpload.id))
    return await paging.of(session, query, order, ByMoment, upload_answer, newest_first=True)


@router.get("/v1/inventory/uploads/{upload_id}")
async def get_upload(upload_id: UUID, session: Transaction, caller: Reader) -> UploadAnswer:
    """How far one CSV file has come."""
    return upload_answer(await caller.one(session, StockUpload, upload_id))


@router.get("/v1/sources/{source_id}/inventory")
async def list_inventory(
    source_id: UUID,
    session: Transaction,
    caller: Reader,
    paging: PageQuery,
    updated_since: Annotated[MomentOrUtc | None, Query(description="stored at this time or later")] = None,
) -> Page[StockAnswer]:
    """What a source has, by SKU; `available` is what reservations leave of it."""
    source = await caller.one(session, Source, source_id)
    after = paging.after(ByText)
    rows = await run(
        session,
        f"select s.sku, s.quantity, {AVAILABLE}, s.cost_amount, s.cost_currency, s.as_of "  # noqa: S608 - own text
        "from source_stock s where s.source_id = $1 and ($2::text is null or s.sku > $2) "
        "and ($3::timestamptz is null or s.updated_at >= $3) order by s.sku limit $4",
        source.id,
        after[0] if after else None,
        updated_since,
        paging.fetched,
    )

    async def count() -> int:
        counted = await run(
            session,
            "select count(*) from source_stock where source_id = $1 and ($2::timestamptz is null or updated_at >= $2)",
            source.id,
            updated_since,
        )
        return int(counted[0][0])

    return await paging.page(rows, _stock_view, lambda row: [row[0]], count)


def _stock_view(row: Sequence[Any]) -> StockAnswer:
    sku, quantity, available, amount, currency, as_of = row
    cost = None if amount is None else MoneyAnswer(amount=amount, currency=currency)
    return StockAnswer(sku=sku, quantity=quantity, available=available, cost=cost, as_of=as_of)


@router.post("/v1/inventory/lookup")
async def look_up_inventory(body: Lookup, session: Transaction, caller: Reader) -> LookupAnswer:
    """Which SKUs of a list exist in source inventory, and at which sources."""
    return await looking_up.look_up(session, caller.account_id, body.skus)


@router.post(
    "/v1/inventory/lookup/csv",
    openapi_extra=_CSV_BODY,
    response_class=StreamingResponse,
    responses=CSV_ANSWER | problems(NotCsv, UnreadableCsv),
)
@body_limit(None)
async def look_up_inventory_csv(request: Request, caller: Reader, runtime: RuntimeDependency) -> StreamingResponse:
    """The same for a CSV file of any length with a column `sku` (an export of active listings, say): answers CSV while
    the file arrives, a line for each SKU and source, or one without a source for a SKU that exists nowhere."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
        raise NotCsv
    lines = await looking_up.look_up_csv(runtime.db, caller, request.stream())
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8")


@router.get("/v1/inventory-rejections")
async def list_inventory_rejections(
    session: Transaction,
    caller: Reader,
    paging: PageQuery,
    source_id: UUID | None = None,
    code: Annotated[str | None, Query(max_length=50)] = None,
    received_since: MomentOrUtc | None = None,
) -> Page[InventoryRejectionAnswer]:
    """`SourceInventoryChanged` events that were not taken, newest first."""
    query = caller.scoped(StockRejection)
    if source_id is not None:
        query = query.where(StockRejection.source_id == source_id)
    if code is not None:
        query = query.where(StockRejection.code == code)
    if received_since is not None:
        query = query.where(col(StockRejection.received_at) >= received_since)
    order = (col(StockRejection.id),)
    return await paging.of(session, query, order, ByNumber, InventoryRejectionAnswer.model_validate, newest_first=True)
