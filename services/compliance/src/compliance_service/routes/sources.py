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
from common.errors import NotFound
from common.front_door import Guarded
from common.idempotency import IdempotencyKey, once
from common.moments import Moment, MomentOrUtc
from common.openapi import problems
from common.pages import ByText, Page, PageQuery
from compliance_service import reporting, sourcing
from compliance_service.models import Source
from compliance_service.routes.inventory import CSV_ANSWER
from compliance_service.schemas import (
    EligibilityAnswer,
    NewSource,
    NonCompliantSourceAnswer,
    SourceAnswer,
    SourceChanges,
    SourceKind,
)

router = APIRouter(route_class=Guarded, tags=["sources"])

Reader = Annotated[Caller, requires("sources:read")]
Writer = Annotated[Caller, requires("sources:write")]


@router.post("/v1/sources", status_code=201, responses=problems(sourcing.SourceNameTaken))
async def create_source(
    body: NewSource, request: Request, session: Transaction, caller: Writer, key: IdempotencyKey = None
) -> SourceAnswer:
    """Adds a source; it ships no order of Amazon's before somebody attests for it."""
    return await once(
        session, request, caller.account_id, key, SourceAnswer, lambda: sourcing.add_source(session, caller, body)
    )


@router.get("/v1/sources")
async def list_sources(
    session: Transaction,
    caller: Reader,
    paging: PageQuery,
    kind: SourceKind | None = None,
    enabled: bool | None = None,
    compliant: Annotated[bool | None, Query(description="as it was last recorded")] = None,
    updated_since: MomentOrUtc | None = None,
) -> Page[SourceAnswer]:
    """The account's sources by name."""
    query = caller.scoped(Source)
    if kind is not None:
        query = query.where(Source.kind == kind)
    if enabled is not None:
        query = query.where(Source.enabled == enabled)
    if compliant is not None:
        query = query.where(Source.compliant == compliant)
    if updated_since is not None:
        query = query.where(col(Source.updated_at) >= updated_since)
    return await paging.of(session, query, (col(Source.name),), ByText, SourceAnswer.model_validate)


@router.get("/v1/sources/{source_id}")
async def get_source(source_id: UUID, session: Transaction, caller: Reader) -> SourceAnswer:
    """One source and whether it may ship."""
    return SourceAnswer.model_validate(await caller.one(session, Source, source_id))


@router.patch("/v1/sources/{source_id}", responses=problems(sourcing.SourceNameTaken))
async def change_source(source_id: UUID, body: SourceChanges, session: Transaction, caller: Writer) -> SourceAnswer:
    """Changes the fields that are given."""
    return await sourcing.edit_source(session, caller, source_id, body)


@router.delete("/v1/sources/{source_id}", status_code=204, responses=problems(sourcing.SourceInUse))
async def delete_source(source_id: UUID, session: Transaction, caller: Writer) -> None:
    """Deletes a source that no decision, attestation or routing group names, with its stock."""
    await sourcing.delete_source(session, caller, source_id)


@router.get("/v1/eligibility", responses=problems(NotFound))
async def list_eligibility(
    session: Transaction,
    caller: Reader,
    paging: PageQuery,
    channel_type: Annotated[str, Query(max_length=50)] = "amazon",
    purchased_at: Annotated[Moment | None, Query(description="when the order was bought; now when absent")] = None,
    source_id: UUID | None = None,
) -> Page[EligibilityAnswer]:
    """Which sources (or whether this one) may ship orders of a kind of channel, and why the others may not."""
    query = caller.scoped(Source)
    if source_id is not None:
        query = query.where(Source.id == (await caller.one(session, Source, source_id)).id)
    bought = purchased_at or clock.now()
    return await paging.of(
        session,
        query,
        (col(Source.name),),
        ByText,
        lambda source: reporting.eligibility(source, channel_type, bought),
    )


@router.get("/v1/reports/non-compliant-sources")
async def report_non_compliant_sources(
    session: Transaction, caller: Reader, paging: PageQuery
) -> Page[NonCompliantSourceAnswer]:
    """Sources without a valid attestation by name, and the orders that are held although these have the goods."""
    report = await reporting.non_compliant_sources(session, caller)
    after = paging.after(ByText)
    # By code point, as the cursor is compared; the database may sort names by a language.
    report.sort(key=lambda source: source.source_name)
    found = [source for source in report if after is None or source.source_name > after[0]]

    async def count() -> int:
        return len(report)

    return await paging.page(found[: paging.fetched], lambda source: source, lambda source: [source.source_name], count)


@router.get("/v1/reports/non-compliant-sources.csv", response_class=StreamingResponse, responses=CSV_ANSWER)
async def download_non_compliant_sources(caller: Reader, runtime: RuntimeDependency) -> StreamingResponse:
    """The same with every order, as a CSV file that is sent while it is read."""
    name = f"non-compliant-sources-{clock.now():%Y-%m-%d}.csv"
    return StreamingResponse(
        reporting.csv_report(runtime.db, caller),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/v1/reports/non-compliant-sources.html", response_class=HTMLResponse)
async def print_non_compliant_sources(session: Transaction, caller: Reader) -> HTMLResponse:
    """The same as a page to print; the oldest 100 orders of each source."""
    report = await reporting.non_compliant_sources(session, caller)
    # It holds what people typed: even if escaping failed, nothing could run.
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(reporting.html_report(report, clock.now()), headers=policy)
