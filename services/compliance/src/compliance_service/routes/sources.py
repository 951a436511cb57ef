"""`/v1/sources`: the places that can fulfil."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlmodel import col

from common import clock
from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.db import Transaction
from common.idempotency import IdempotencyKey, once
from common.moments import Moment
from common.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from compliance_service import reporting, sourcing
from compliance_service.models import Source
from compliance_service.schemas import EligibilityAnswer, NewSource, NonCompliantSource, SourceAnswer, SourcePatch

router = APIRouter(tags=["sources"])

Reader = Annotated[Caller, requires("sources:read")]
Writer = Annotated[Caller, requires("sources:write")]


@router.post("/v1/sources", status_code=201)
async def add_source(
    body: NewSource, request: Request, session: Transaction, caller: Writer, key: IdempotencyKey = None
) -> SourceAnswer:
    """Adds a source."""
    return await once(
        session, request, caller.account_id, key, SourceAnswer, lambda: sourcing.add_source(session, caller, body)
    )


@router.get("/v1/sources")
async def list_sources(
    session: Transaction, caller: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Page[SourceAnswer]:
    """The account's sources by name."""
    sources, next_cursor = await _page(session, caller, limit, cursor)
    return Page(items=[SourceAnswer.model_validate(source) for source in sources], next_cursor=next_cursor)


@router.get("/v1/sources/{source_id}")
async def read_source(source_id: UUID, session: Transaction, caller: Reader) -> SourceAnswer:
    """One source."""
    return SourceAnswer.model_validate(await caller.one(session, Source, source_id))


@router.patch("/v1/sources/{source_id}")
async def edit_source(source_id: UUID, body: SourcePatch, session: Transaction, caller: Writer) -> SourceAnswer:
    """Changes the fields that are given."""
    return await sourcing.edit_source(session, caller, source_id, body)


@router.get("/v1/eligibility")
async def list_eligibility(
    session: Transaction,
    caller: Reader,
    channel_type: Annotated[str, Query(max_length=50)] = "amazon",
    purchased_at: Annotated[Moment | None, Query(description="when the order was bought; now when absent")] = None,
    source_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[EligibilityAnswer]:
    """Which sources (or whether this one) may ship orders of a kind of channel, and why the others may not."""
    if source_id is not None:
        sources, next_cursor = [await caller.one(session, Source, source_id)], None
    else:
        sources, next_cursor = await _page(session, caller, limit, cursor)
    bought = purchased_at or clock.now()
    items = [reporting.eligibility(source, channel_type, bought) for source in sources]
    return Page(items=items, next_cursor=next_cursor)


@router.get("/v1/reports/non-compliant-sources")
async def report_non_compliant_sources(session: Transaction, caller: Reader) -> list[NonCompliantSource]:
    """Sources without a valid attestation, and the orders that are held although these sources have the goods."""
    return await reporting.non_compliant_sources(session, caller)


@router.get("/v1/reports/non-compliant-sources.csv", response_class=StreamingResponse)
async def report_as_csv(caller: Reader, runtime: RuntimeDependency) -> StreamingResponse:
    """The same with every order, as a CSV file that is sent while it is read."""
    name = f"non-compliant-sources-{clock.now():%Y-%m-%d}.csv"
    return StreamingResponse(
        reporting.csv_report(runtime.db, caller),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/v1/reports/non-compliant-sources.html", response_class=HTMLResponse)
async def report_as_page(session: Transaction, caller: Reader) -> HTMLResponse:
    """The same as a page to print; the oldest 100 orders of each source."""
    report = await reporting.non_compliant_sources(session, caller)
    # It holds what people typed: even if escaping failed, nothing could run.
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(reporting.html_report(report, clock.now()), headers=policy)


async def _page(
    session: Transaction, caller: Caller, limit: int, cursor: str | None
) -> tuple[list[Source], str | None]:
    query = caller.scoped(Source).order_by(col(Source.name)).limit(limit + 1)
    if cursor:
        query = query.where(col(Source.name) > decode_cursor(cursor, tuple[str])[0])
    found = list((await session.exec(query)).all())
    return found[:limit], encode_cursor(found[limit - 1].name) if len(found) > limit else None
