"""Sources are made and edited; an edit that could free held orders has them decided again (MISSION D1), and a new name
is announced."""

from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.callers import Caller
from common.errors import Conflict
from compliance_service.account_turn import take_turn
from compliance_service.attesting import announce_renamed
from compliance_service.models import Source
from compliance_service.reroute_queue import request_reroute
from compliance_service.schemas import NewSource, SourceAnswer, SourcePatch


class SourceNameTaken(Conflict):
    slug, title = "source-name-taken", "Another source of this account has this name"
    fix = "Choose another name: reasons and reports tell sources apart by it"


async def add_source(session: AsyncSession, caller: Caller, body: NewSource) -> SourceAnswer:
    """A new source, without stock and without attestation. Raises `SourceNameTaken`."""
    now = clock.now()
    source = Source(account_id=caller.account_id, created_at=now, updated_at=now, **body.model_dump())
    session.add(source)
    await _flush(session, source.name)
    return SourceAnswer.model_validate(source)


async def edit_source(session: AsyncSession, caller: Caller, source_id: UUID, patch: SourcePatch) -> SourceAnswer:
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


async def _flush(session: AsyncSession, name: str) -> None:
    try:
        await session.flush()
    except IntegrityError:
        raise SourceNameTaken(f"there is a source named {name!r} already") from None
