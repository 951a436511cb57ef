"""Messages a consumer could not handle. A key with one is parked: what follows it waits behind, other keys go on."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import BigInteger, Column, Identity, LargeBinary
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import insert_page, run
from common.contracts.catalogue import dead_letter_topic
from common.db import CommonTable, UtcField
from common.outbox import forward


class ParkedKey(CommonTable, table=True):
    """A key whose events wait for a replay."""

    __tablename__ = "parked_key"

    consumer: str = Field(primary_key=True)
    topic: str = Field(primary_key=True)
    key: str = Field(primary_key=True)


class DeadLetter(CommonTable, table=True):
    """One message with the reason why it was not handled; `parked` ones are replayed in the order of their ids."""

    __tablename__ = "dead_letter"

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    consumer: str = Field(index=True)
    topic: str
    key: str
    partition: int
    position: int = Field(sa_type=BigInteger)
    reason: str
    parked: bool
    message: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = UtcField()


class Rejected(msgspec.Struct, frozen=True):
    """A message and why it is set aside. `parks` says whether its key waits for it (a malformed one can never be
    handled, so nothing waits for it)."""

    topic: str
    key: str
    partition: int
    offset: int
    message: bytes
    reason: str
    parks: bool
    headers: dict[str, str] = {}


async def set_aside(session: AsyncSession, consumer: str, rejected: Sequence[Rejected], *, copy: bool = True) -> None:
    """Stores the messages, parks their keys, and sends a copy of each to the dead-letter topic."""
    now = clock.now()
    await insert_page(
        session,
        DeadLetter,
        ("consumer", "topic", "key", "partition", "position", "reason", "parked", "message", "created_at"),
        [(consumer, r.topic, r.key, r.partition, r.offset, r.reason, r.parks, r.message, now) for r in rejected],
    )
    await insert_page(
        session,
        ParkedKey,
        ("consumer", "topic", "key"),
        sorted({(consumer, r.topic, r.key) for r in rejected if r.parks}),
        "on conflict do nothing",
    )
    if copy and rejected:
        encoded = msgspec.json.encode
        await forward(
            session,
            [
                (
                    dead_letter_topic(r.topic),
                    r.key,
                    r.message,
                    encoded(r.headers | {"entrepot-reason": r.reason, "entrepot-consumer": consumer}).decode(),
                )
                for r in rejected
            ],
        )


async def parked_keys(session: AsyncSession, consumer: str, keys: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these (topic, key) are parked; locked for share, so that a replay cannot end meanwhile."""
    if not keys:
        return set()
    rows = await run(
        session,
        "select topic, key from parked_key where consumer = $1 "
        "and (topic, key) in (select * from unnest($2::text[], $3::text[])) for share",
        consumer,
        [topic for topic, _ in keys],
        [key for _, key in keys],
    )
    return {(row[0], row[1]) for row in rows}


async def replay_next(
    session: AsyncSession, consumer: str, handle: Callable[[AsyncSession, DeadLetter], Awaitable[None]]
) -> bool:
    """Handles the oldest message of one parked key and deletes it; frees the key when it was the last.

    Answers whether there was one. An exception of `handle` leaves everything as it was.
    """
    free = select(ParkedKey).where(col(ParkedKey.consumer) == consumer).limit(1).with_for_update(skip_locked=True)
    parked = (await session.exec(free)).one_or_none()
    if parked is None:
        return False
    waiting = (
        select(DeadLetter)
        .where(
            col(DeadLetter.consumer) == consumer,
            col(DeadLetter.topic) == parked.topic,
            col(DeadLetter.key) == parked.key,
            col(DeadLetter.parked),
        )
        .order_by(col(DeadLetter.id))
        .limit(2)
    )
    letters = (await session.exec(waiting)).all()
    if letters:
        await handle(session, letters[0])
        await session.delete(letters[0])
    if len(letters) < 2:
        await session.delete(parked)
    return True
