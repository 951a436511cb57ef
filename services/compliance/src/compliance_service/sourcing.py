"""Sources are made and edited; an edit that could free held orders has them decided again (MISSION D1), and a new name
is announced."""

from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import run
from common.callers import Caller
from common.errors import Conflict
from compliance_service.account_turn import take_turn
from compliance_service.attesting import announce_renamed
from compliance_service.models import Source
from compliance_service.reroute_queue import request_reroute
from compliance_service.schemas import NewSource, SourceAnswer, SourceChanges


class SourceNameTaken(Conflict):
    slug, title = "source-name-taken", "Another source of this account has this name"
    fix = "Choose another name: reasons and reports tell sources apart by it"


class SourceInUse(Conflict):
    slug, title = "source-in-use", "Something names this source, and proof must stay"
    fix = (
        "Take it out of every routing group; a source with attestations, reservations or decisions is disabled instead"
    )


async def add_source(session: AsyncSession, caller: Caller, body: NewSource) -> SourceAnswer:
    """A new source, without stock and without attestation. Raises `SourceNameTaken`."""
    now = clock.now()
    source = Source(account_id=caller.account_id, created_at=now, updated_at=now, **body.model_dump())
    session.add(source)
    await _flush(session, source.name)
    return SourceAnswer.model_validate(source)


async def edit_source(session: AsyncSession, caller: Caller, source_id: UUID, patch: SourceChanges) -> SourceAnswer:
    """Changes the given fields. Raises `NotFound`, `SourceNameTaken`."""
    await take_turn(session, [caller.account_id])
    source = await caller.one(session, Source, source_id, lock=True)
    changes = patch.model_dump(exclude_none=True)
    renamed = changes.get("name", source.name) != source.name
    for name, value in changes.items():
        setattr(source, name, value)
    source.updated_at = clock.now()
    await _flush(session, source.name)
    if renamed:
        # Others name it to people, and look for its name on packing slips.
        await announce_renamed(session, source)
    if changes.keys() & {"enabled", "shipping_policies"}:
        await request_reroute(session, caller.account_id, requested_by=caller.subject)
    return SourceAnswer.model_validate(source)


async def delete_source(session: AsyncSession, caller: Caller, source_id: UUID) -> None:
    """Deletes a source that no decision, attestation or routing group names, with its stock.

    Raises `NotFound`, `SourceInUse` with what names it: proof of who shipped what is kept for years.
    """
    await take_turn(session, [caller.account_id])
    source = await caller.one(session, Source, source_id, lock=True)
    uses = await run(session, _USES, caller.account_id, source.id, str(source.id))
    if uses:
        raise SourceInUse(f"it is named by {', '.join(row[0] for row in uses)}")
    for table in ("source_stock", "stock_upload", "stock_rejection"):
        await run(session, f"delete from {table} where source_id = $1", source.id)  # noqa: S608 - own names
    await session.delete(source)


_USES = """
select 'attestations' where exists (select from attestation where source_id = $2)
union all select 'reservations' where exists (select from stock_reservation where source_id = $2)
union all select 'routing groups' where exists (
    select from routing_group where account_id = $1 and source_ids ? $3::text)
union all select 'decisions' where exists (
    select from sources_snapshot where account_id = $1
        and sources @> jsonb_build_array(jsonb_build_object('source_id', $3::text)))
"""


async def _flush(session: AsyncSession, name: str) -> None:
    try:
        await session.flush()
    except IntegrityError:
        raise SourceNameTaken(f"there is a source named {name!r} already") from None
