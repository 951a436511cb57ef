"""The toggle *Compliance with Amazon Services Business Solutions Agreement*, single and in bulk, and its history."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from sqlmodel import col

from common import clock
from common.callers import Caller, requires
from common.db import Transaction
from common.front_door import Guarded
from common.idempotency import IdempotencyKey, once
from common.openapi import problems
from common.pages import ByMoment, ByVersion, Page, PageQuery
from compliance_service import attesting
from compliance_service.account_turn import take_turn
from compliance_service.models import Attestation, Source
from compliance_service.schemas import (
    AttestationAnswer,
    AttestationGiven,
    AttestationWithdrawn,
    BulkAttestation,
    BulkAttestationAnswer,
    ExpiringAttestationAnswer,
)

router = APIRouter(route_class=Guarded, tags=["attestations"])

Reader = Annotated[Caller, requires("sources:read")]
Writer = Annotated[Caller, requires("sources:write")]


@router.put("/v1/sources/{source_id}/attestation", responses=problems(attesting.AttestationAlreadyExpired))
async def give_attestation(
    source_id: UUID, body: AttestationGiven, session: Transaction, caller: Writer
) -> AttestationAnswer:
    """Switches the toggle on: somebody attests to a version of the agreement. Held orders are decided again."""
    await take_turn(session, [caller.account_id])
    source = await caller.one(session, Source, source_id, lock=True)
    entry = await attesting.give(session, source, body, recorded_by=caller.subject)
    return AttestationAnswer.model_validate(entry)


@router.post("/v1/sources/{source_id}/attestation/withdraw", responses=problems(attesting.NotAttested))
async def withdraw_attestation(
    source_id: UUID, body: AttestationWithdrawn, session: Transaction, caller: Writer
) -> AttestationAnswer:
    """Switches the toggle off: what is not yet released to this source is withdrawn."""
    await take_turn(session, [caller.account_id])
    source = await caller.one(session, Source, source_id, lock=True)
    entry = await attesting.withdraw(session, source, withdrawn_by=body.withdrawn_by, recorded_by=caller.subject)
    return AttestationAnswer.model_validate(entry)


@router.post("/v1/attestations/bulk", responses=problems(attesting.NeitherOrBoth, attesting.AttestationAlreadyExpired))
async def change_attestations(
    body: BulkAttestation, request: Request, session: Transaction, caller: Writer, key: IdempotencyKey = None
) -> BulkAttestationAnswer:
    """The same attestation or withdrawal for many sources; each has its own result."""

    async def change() -> BulkAttestationAnswer:
        return BulkAttestationAnswer(results=await attesting.change_many(session, caller, body))

    return await once(session, request, caller.account_id, key, BulkAttestationAnswer, change)


@router.get("/v1/sources/{source_id}/attestations")
async def list_attestations(
    source_id: UUID, session: Transaction, caller: Reader, paging: PageQuery
) -> Page[AttestationAnswer]:
    """The source's whole history, newest first; the database lets nobody change it."""
    source = await caller.one(session, Source, source_id)
    query = caller.scoped(Attestation).where(Attestation.source_id == source.id)
    order = (col(Attestation.version),)
    return await paging.of(session, query, order, ByVersion, AttestationAnswer.model_validate, newest_first=True)


@router.get("/v1/attestations/expiring")
async def list_expiring_attestations(
    session: Transaction, caller: Reader, paging: PageQuery, within_days: Annotated[int, Query(ge=1, le=3650)] = 30
) -> Page[ExpiringAttestationAnswer]:
    """Attestations that run out within so many days, soonest first; `SourceAttestationExpiring` warns of them."""
    now = clock.now()
    query = caller.scoped(Source).where(
        col(Source.compliant), col(Source.attested_until) <= now + timedelta(days=within_days)
    )

    def view(source: Source) -> ExpiringAttestationAnswer:
        assert source.attested_until is not None
        return ExpiringAttestationAnswer(
            source_id=source.id,
            source_name=source.name,
            attestation_version=source.attestation_version,
            attested_until=source.attested_until,
            days_left=max(0, (source.attested_until - now).days),
        )

    return await paging.of(session, query, (col(Source.attested_until), col(Source.id)), ByMoment, view)
