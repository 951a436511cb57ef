"""`/v1/refused-events`: events of the caller's account that this service could not handle, and why."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from sqlmodel import col, select

from common.callers import Caller, requires
from common.db import Transaction
from common.dead_letters import DeadLetter, ParkedKey
from common.front_door import Guarded
from common.pages import ByNumber, Page, PageQuery, count_of
from common.schemas import Answer, Values

router = APIRouter(route_class=Guarded, prefix="/v1/refused-events", tags=["events"])

_FIX = {
    "refused": "Correct the event and send it again under a new id; what was refused is not handled again",
    "waits": "Nothing: it is handled again by itself, and what follows it under its key waits for it",
}


class RefusedEventAnswer(Answer):
    """One message that was not handled. `refused` never will be; what `waits` is tried again at `next_attempt_at`.

    `event_type` and `event_id` are the sender's, as far as they could be read; topic, partition and offset say where
    the message stands in Kafka.
    """

    id: UUID
    received_at: datetime
    state: str = Values("refused", "waits", description="whether it is handled again")
    topic: str
    partition: int
    offset: int
    event_type: str | None
    event_id: str | None
    reason: str
    fix: str
    attempts: int
    next_attempt_at: datetime | None


@router.get("")
async def list_refused_events(
    caller: Annotated[Caller, requires("operations:read")], session: Transaction, paging: PageQuery
) -> Page[RefusedEventAnswer]:
    """The newest first."""
    key = (
        (col(ParkedKey.consumer) == col(DeadLetter.consumer))
        & (col(ParkedKey.topic) == col(DeadLetter.topic))
        & (col(ParkedKey.key) == col(DeadLetter.key))
        & col(DeadLetter.parked)
    )
    letters = caller.scoped(DeadLetter)
    query = (
        select(DeadLetter, ParkedKey)
        .join(ParkedKey, key, isouter=True)
        .where(col(DeadLetter.account_id) == caller.account_id)
        .order_by(col(DeadLetter.id).desc())
        .limit(paging.fetched)
    )
    if after := paging.after(ByNumber):
        query = query.where(col(DeadLetter.id) < after[0])
    found = (await session.exec(query)).all()
    return await paging.page(
        found, lambda pair: _view(*pair), lambda pair: [pair[0].id], lambda: count_of(session, letters)
    )


def _view(letter: DeadLetter, parked: ParkedKey | None) -> RefusedEventAnswer:
    state: Literal["refused", "waits"] = "waits" if letter.parked else "refused"
    return RefusedEventAnswer(
        id=letter.letter_id,
        received_at=letter.created_at,
        state=state,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.position,
        event_type=letter.event_type,
        event_id=letter.event_id,
        reason=letter.reason,
        fix=_FIX[state],
        attempts=parked.attempts if parked else 0,
        next_attempt_at=parked.next_attempt_at if parked else None,
    )
