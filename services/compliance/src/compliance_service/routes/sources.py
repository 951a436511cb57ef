"""`/v1/sources`: the places that can fulfil."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime
from sqlmodel import col

from common import clock
from common.callers import Caller, requires
from common.db import Transaction
from common.idempotency import IdempotencyKey, once
from common.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from compliance_service import explaining, sourcing
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
    purchased_at: Annotated[
        AwareDatetime | None, Query(description="when the order was bought; now when absent")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[EligibilityAnswer]:
    """Which sources may ship orders of a kind of channel, and why the others may not."""
    sources, next_cursor = await _page(session, caller, limit, cursor)
    bought = purchased_at or clock.now()
    items = [explaining.eligibility(source, channel_type, bought) for source in sources]
    return Page(items=items, next_cursor=next_cursor)


@router.get("/v1/reports/non-compliant-sources")
async def report_non_compliant_sources(session: Transaction, caller: Reader) -> list[NonCompliantSource]:
    """Sources without a valid attestation, and the orders that are held although these sources have the goods."""
    return await explaining.non_compliant_sources(session, caller)


async def _page(
    session: Transaction, caller: Caller, limit: int, cursor: str | None
) -> tuple[list[Source], str | None]:
    query = caller.scoped(Source).order_by(col(Source.name)).limit(limit + 1)
    if cursor:
        query = query.where(col(Source.name) > decode_cursor(cursor, tuple[str])[0])
    found = list((await session.exec(query)).all())
    return found[:limit], encode_cursor(found[limit - 1].name) if len(found) > limit else None
