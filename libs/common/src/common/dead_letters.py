"""Messages a consumer could not handle. A key with one is parked: what follows it waits behind, other keys go on.

What they say is sealed under the key ring, for nobody knows what a foreign message holds. Their copy on the dead-letter
topic tells where the message stands and why it was refused, and repeats nothing of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import structlog
from prometheus_client import Counter
from sqlalchemy import BigInteger, Column, Identity, Index, LargeBinary
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import insert_page, run
from common.contracts.catalogue import dead_letter_topic
from common.contracts.event import About
from common.crypto import KeyLost, KeyRing
from common.db import CommonTable, UtcField, is_transient, is_unstorable
from common.outbox import forward
from common.rewrapping import SealedColumn

log = structlog.get_logger()

SEALED = SealedColumn(
    "dead_letter", "message", "dead_letter", account=None, record="letter_id", key="id", key_type="bigint"
)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
UNSTORABLE = "the database cannot hold a value of it"

parked = Counter("entrepot_events_parked_total", "Events that failed and park their key", ["consumer"])


class ParkedKey(CommonTable, table=True):
    """A key whose events wait to be handled again; the one whose turn came longest ago is next."""

    __tablename__ = "parked_key"

    consumer: str = Field(primary_key=True)
    topic: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    attempts: int = 0
    next_attempt_at: datetime = UtcField()


class DeadLetter(CommonTable, table=True):
    """One message with the reason why it was not handled; `parked` ones are replayed in the order of their ids.

    `key` is the event's own. `event_type`, `event_id` and `account_id` are what its sender wrote, as far as readable.
    """

    __tablename__ = "dead_letter"
    __table_args__ = (Index("ix_dead_letter_account", "account_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    letter_id: UUID = Field(default_factory=uuid4)
    consumer: str = Field(index=True)
    topic: str
    key: str
    partition: int
    position: int = Field(sa_type=BigInteger)
    reason: str
    parked: bool
    message: bytes = Field(sa_type=LargeBinary)
    event_type: str | None = None
    event_id: str | None = None
    account_id: UUID | None = None
    created_at: datetime = UtcField()


class Letter(msgspec.Struct, frozen=True):
    """What is sealed of a message: all that handling it again needs."""

    value: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message and why it is set aside. `parks` says whether its key waits for it (a malformed one can never be
    handled, so nothing waits for it)."""

    topic: str
    key: str
    partition: int
    offset: int
    letter: Letter
    reason: str
    parks: bool
    about: About


async def set_aside(
    session: AsyncSession, consumer: str, key_ring: KeyRing, rejected: Sequence[Rejected], *, copy: bool = True
) -> None:
    """Stores the messages sealed, parks their keys, and tells the dead-letter topic of each."""
    if not rejected:
        return
    now = clock.now()
    rows = []
    for one in rejected:
        letter_id = uuid4()
        sealed = key_ring.seal(msgspec.json.encode(one.letter), SEALED.context(None, letter_id))
        place = (one.topic, one.key, one.partition, one.offset)
        about = (_storable(one.about.event_type), _storable(one.about.event_id), one.about.account_id)
        rows.append((letter_id, consumer, *place, one.reason, one.parks, sealed, *about, now))
    await insert_page(session, DeadLetter, _COLUMNS, rows)
    await insert_page(
        session,
        ParkedKey,
        ("consumer", "topic", "key", "attempts", "next_attempt_at"),
        [(*key, 0, now + FIRST_PAUSE) for key in sorted({(consumer, r.topic, r.key) for r in rejected if r.parks})],
        "on conflict do nothing",
    )
    if copy:
        parked.labels(consumer).inc(sum(one.parks for one in rejected))
        await forward(session, [_notice(one, consumer) for one in rejected])


_COLUMNS = (
    "letter_id",
    "consumer",
    "topic",
    "key",
    "partition",
    "position",
    "reason",
    "parked",
    "message",
    "event_type",
    "event_id",
    "account_id",
    "created_at",
)


def _storable(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:200]


def _notice(one: Rejected, consumer: str) -> tuple[str, str, bytes, str]:
    told = {
        "consumer": consumer,
        "topic": one.topic,
        "partition": one.partition,
        "offset": one.offset,
        "reason": one.reason,
        "waits": one.parks,
    }
    return dead_letter_topic(one.topic), one.key, msgspec.json.encode(told), '{"content-type":"application/json"}'


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


async def all_due(session: AsyncSession, consumer: str) -> None:
    """Every parked key has its turn now, however lately it failed."""
    await run(session, "update parked_key set next_attempt_at = $2 where consumer = $1", consumer, clock.now())


async def replay_next(
    session: AsyncSession,
    consumer: str,
    key_ring: KeyRing,
    handle: Callable[[AsyncSession, DeadLetter, Letter], Awaitable[None]],
) -> bool | None:
    """Gives the key whose turn it is its turn: its oldest message is handled and deleted, and the key is freed when it
    was the last. One that fails again waits longer, and the others have theirs first.

    Answers whether it was handled, or None when no key is due.
    """
    now = clock.now()
    due = (
        select(ParkedKey)
        .where(col(ParkedKey.consumer) == consumer, col(ParkedKey.next_attempt_at) <= now)
        .order_by(col(ParkedKey.next_attempt_at), col(ParkedKey.topic), col(ParkedKey.key))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    key = (await session.exec(due)).one_or_none()
    if key is None:
        return None
    waiting = (
        select(DeadLetter)
        .where(
            col(DeadLetter.consumer) == consumer,
            col(DeadLetter.topic) == key.topic,
            col(DeadLetter.key) == key.key,
            col(DeadLetter.parked),
        )
        .order_by(col(DeadLetter.id))
        .limit(2)
    )
    letters = (await session.exec(waiting)).all()
    if letters:
        try:
            opened = key_ring.open(letters[0].message, SEALED.context(None, letters[0].letter_id))
            async with session.begin_nested():
                await handle(session, letters[0], msgspec.json.decode(opened, type=Letter))
        except KeyLost:
            raise  # of every letter alike: it is loud, and the key ring is to be put right
        except Exception as error:
            if not is_unstorable(error):
                return _again(key, error, now)
            # It can never be handled: nothing waits for it any more.
            letters[0].parked, letters[0].reason = False, UNSTORABLE
        else:
            await session.delete(letters[0])
    key.attempts, key.next_attempt_at = 0, clock.now()
    if len(letters) < 2:
        await session.delete(key)
    return True


def _again(key: ParkedKey, error: Exception, now: datetime) -> bool:
    if is_transient(error):
        raise error
    key.attempts += 1
    key.next_attempt_at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(key.attempts, 10))
    log.warning("event_failed_again", consumer=key.consumer, attempts=key.attempts, reason=type(error).__name__)
    return False
