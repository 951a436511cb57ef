"""The toggle: attestations to Amazon's agreement given, withdrawn, run out, each a line of history (MISSION D2, D5)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock, outbox
from common.bulk import insert_page, run
from common.callers import Caller
from common.contracts.agreements import RULES
from common.contracts.compliance import SourceAttestationExpiring, SourceComplianceChanged
from common.db import Database
from common.errors import Conflict, InvalidRequest
from compliance_service.account_turn import take_turn
from compliance_service.models import Attestation, AttestationWarning, Source
from compliance_service.reroute_queue import request_reroute
from compliance_service.schemas import AttestationGiven, BulkAttestation, BulkAttestationResultAnswer, RefusedAnswer

log = structlog.get_logger()

AGREEMENT = RULES[0].agreement


class AttestationAlreadyExpired(InvalidRequest):
    slug, title = "attestation-already-expired", "The attestation would already have run out"
    fix = "Give an `expires_at` in the future, or none"


class NotAttested(Conflict):
    slug, title = "not-attested", "The source has no attestation that could be withdrawn"


async def give(session: AsyncSession, source: Source, given: AttestationGiven, *, recorded_by: str) -> Attestation:
    """Switches the toggle on and has the account's held orders decided again.

    The caller has the account's turn and the source's row lock. Raises `AttestationAlreadyExpired`.
    """
    if given.expires_at is not None and given.expires_at <= clock.now():
        raise AttestationAlreadyExpired(
            errors=[{"where": "body.expires_at", "detail": "is in the past", "rule": "future"}],
        )
    source.compliant = True
    source.attested_until = given.expires_at
    entry = await _record(
        session,
        source,
        "given",
        by_whom=given.attested_by,
        recorded_by=recorded_by,
        agreement_version=given.agreement_version,
        document_hash=given.document_hash,
        expires_at=given.expires_at,
    )
    await request_reroute(session, source.account_id, requested_by=recorded_by)
    return entry


async def withdraw(session: AsyncSession, source: Source, *, withdrawn_by: str, recorded_by: str) -> Attestation:
    """Switches the toggle off; orders withdraws what it has not released to this source. Raises `NotAttested`."""
    if not source.compliant:
        raise NotAttested(f"{source.name} is not attested")
    source.compliant = False
    source.attested_until = None
    return await _record(session, source, "withdrawn", by_whom=withdrawn_by, recorded_by=recorded_by)


async def expire_due(db: Database) -> int:
    """Switches off every attestation that has run out; answers how many. Safe from several replicas at once."""
    async with db.transaction() as session:
        due = (
            await session.exec(
                select(Source.id, Source.account_id).where(
                    col(Source.compliant), col(Source.attested_until) <= clock.now()
                )
            )
        ).all()
    expired = 0
    for source_id, account_id in due:
        async with db.transaction() as session:
            await take_turn(session, [account_id])
            source = await session.get_one(Source, source_id, with_for_update=True)
            # A new attestation may have been given since the list was made.
            if source.compliant and source.attested_until and source.attested_until <= clock.now():
                source.compliant = False
                source.attested_until = None
                await _record(session, source, "expired", by_whom="expiry", recorded_by="expiry")
                expired += 1
    return expired


async def warn_due(db: Database, days_before: Sequence[int]) -> int:
    """Announces which attestations run out soon, once for each of these numbers of days; answers how many warnings.

    An attestation that is given for less than several of them gets one warning, not one for each.
    """
    if not days_before:
        return 0
    async with db.transaction() as session:
        due = await run(session, _WARN_ABOUT, clock.now(), list(days_before))
    warned = 0
    for source_id, account_id, version in due:
        async with db.transaction() as session:
            await take_turn(session, [account_id])
            source = await session.get_one(Source, source_id, with_for_update=True)
            now = clock.now()
            until = source.attested_until
            # A new attestation may have been given since the list was made.
            if not source.compliant or source.attestation_version != version or until is None or until <= now:
                continue
            reached = [days for days in days_before if until - now <= timedelta(days=days)]
            new = await insert_page(
                session,
                AttestationWarning,
                ("source_id", "version", "days_before", "account_id", "warned_at"),
                [(source_id, version, days, account_id, now) for days in sorted(reached)],
                "on conflict do nothing returning days_before",
            )
            if new:
                await outbox.publish(
                    session,
                    SourceAttestationExpiring(
                        account_id=account_id,
                        source_id=source_id,
                        source_name=source.name,
                        attestation_version=version,
                        attested_until=until,
                        days_before=min(row[0] for row in new),
                    ),
                )
                log.warning("attestation_runs_out_soon", source_id=str(source_id), days_before=min(reached))
                warned += 1
    return warned


_WARN_ABOUT = """
select id, account_id, attestation_version from source s
where compliant and attested_until > $1 and exists (
    select 1 from unnest($2::int[]) as days
    where s.attested_until <= $1 + days * interval '1 day' and not exists (
        select 1 from attestation_warning w
        where w.source_id = s.id and w.version = s.attestation_version and w.days_before = days))
order by id
"""


async def _record(
    session: AsyncSession,
    source: Source,
    action: Literal["given", "withdrawn", "expired"],
    *,
    by_whom: str,
    recorded_by: str,
    agreement_version: str | None = None,
    document_hash: str | None = None,
    expires_at: datetime | None = None,
) -> Attestation:
    """The history line, the source's new version and the announcement, in one transaction."""
    now = clock.now()
    source.attestation_version += 1
    source.updated_at = now
    entry = Attestation(
        source_id=source.id,
        version=source.attestation_version,
        account_id=source.account_id,
        action=action,
        by_whom=by_whom,
        recorded_by=recorded_by,
        agreement=AGREEMENT,
        agreement_version=agreement_version,
        document_hash=document_hash,
        expires_at=expires_at,
        recorded_at=now,
    )
    session.add(entry)
    await session.flush()
    await _announce(session, source, action, now)
    log.info("attestation_recorded", source_id=str(source.id), action=action, version=entry.version)
    return entry


async def announce_renamed(session: AsyncSession, source: Source) -> None:
    """Tells the source's new name, with its attestation as it stands. The caller has the source's row lock."""
    entry = await session.get(Attestation, (source.id, source.attestation_version))
    await _announce(session, source, entry.action if entry else None, source.updated_at)


async def _announce(session: AsyncSession, source: Source, reason: str | None, at: datetime) -> None:
    await outbox.publish(
        session,
        SourceComplianceChanged(
            account_id=source.account_id,
            source_id=source.id,
            source_name=source.name,
            compliant=source.compliant,
            attestation_version=source.attestation_version,
            changed_at=at,
            reason=reason,
            attested_until=source.attested_until,
        ),
    )


class NeitherOrBoth(InvalidRequest):
    slug, title = "attestation-or-withdrawal", "A bulk change either gives or withdraws"
    fix = "Send exactly one of `attestation` and `withdrawal`"


async def change_many(
    session: AsyncSession, caller: Caller, body: BulkAttestation
) -> list[BulkAttestationResultAnswer]:
    """The same change for each source, in the order asked; what is wrong with one does not stop the others.

    Raises `NeitherOrBoth`, and `AttestationAlreadyExpired` since that is wrong for all of them.
    """
    if (body.attestation is None) == (body.withdrawal is None):
        raise NeitherOrBoth
    await take_turn(session, [caller.account_id])
    query = caller.scoped(Source).where(col(Source.id).in_(body.source_ids)).order_by(col(Source.id)).with_for_update()
    sources = {source.id: source for source in (await session.exec(query)).all()}
    results = []
    for source_id in dict.fromkeys(body.source_ids):
        source = sources.get(source_id)
        if source is None:
            results.append(_refused(source_id, "not-found", "no such source in this account", "List GET /v1/sources"))
            continue
        if body.attestation is not None:
            await give(session, source, body.attestation, recorded_by=caller.subject)
        elif body.withdrawal is not None and source.compliant:
            await withdraw(session, source, withdrawn_by=body.withdrawal.withdrawn_by, recorded_by=caller.subject)
        else:
            results.append(_refused(source_id, "not-attested", NotAttested.title, "Nothing to do"))
            continue
        results.append(
            BulkAttestationResultAnswer(
                source_id=source_id, attestation_version=source.attestation_version, compliant=source.compliant
            )
        )
    return results


def _refused(source_id: UUID, code: str, what: str, fix: str) -> BulkAttestationResultAnswer:
    return BulkAttestationResultAnswer(source_id=source_id, error=RefusedAnswer(code=code, detail=what, fix=fix))
