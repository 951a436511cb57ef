"""The batch loop: decode, inbox and handler in one transaction, then the offset. A bad event never stops the others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError
from prometheus_client import Counter
from sqlmodel.ext.asyncio.session import AsyncSession

from common import dead_letters, inbox
from common.contracts.catalogue import EVENTS
from common.contracts.event import About, Event, MalformedEvent, Received, UnknownEvent, decode
from common.crypto import KeyRing
from common.db import Database, is_transient, is_unstorable
from common.dead_letters import DeadLetter, Letter, Rejected
from common.pulse import Pulse
from common.telemetry import correlate, stack_of

log = structlog.get_logger()

BATCH = 500
REPLAY_EVERY_SECONDS = 10.0

# Handles events in their order, inside the given transaction; `events` may be of several types and keys.
Handler = Callable[[AsyncSession, Sequence[Received]], Awaitable[None]]

consumed = Counter("entrepot_events_consumed_total", "Events handled, set aside or passed by", ["topic", "outcome"])


# Locks what the events need without waiting for it, and answers those whose needs are met; the others come next.
Free = Callable[[AsyncSession, Sequence[Received]], Awaitable[Sequence[Received]]]


class Handles:
    """A handler that says which types it is for: whatever else stands on its topics is another service's to judge.

    `free`: in a batch, events that would have to wait for something that others do not need let those go first.
    """

    def __init__(self, types: Iterable[type[Event]], handle: Handler, *, free: Free | None = None) -> None:
        self.known = {(event.__name__, event.VERSION): event for event in types}
        self.free = free
        self._handle = handle

    async def __call__(self, session: AsyncSession, events: Sequence[Received]) -> None:
        await self._handle(session, events)


def by_type(handlers: Mapping[type[Event], Handler]) -> Handles:
    """One handler out of one per event type: runs of the same type go to theirs together, in the order they came."""

    async def handle(session: AsyncSession, events: Sequence[Received]) -> None:
        start = 0
        for end in range(1, len(events) + 1):
            if end == len(events) or type(events[end].event) is not type(events[start].event):
                if handler := handlers.get(type(events[start].event)):
                    await handler(session, events[start:end])
                start = end

    return Handles(handlers, handle)


class Consumer:
    """One consumer of one process. `name` is the Kafka group and the inbox's consumer."""

    def __init__(
        self,
        database: Database,
        bootstrap_servers: str,
        *,
        name: str,
        topics: Sequence[str],
        handler: Handler,
        key_ring: KeyRing,
        replica: int = 0,
        rest_seconds: float = 0,
    ) -> None:
        self._database = database
        self._bootstrap_servers = bootstrap_servers
        self.name = name
        self._topics = topics
        self._handler = handler
        self._known: Mapping[tuple[str, int], type[Event]] = handler.known if isinstance(handler, Handles) else EVENTS
        self._free = handler.free if isinstance(handler, Handles) else None
        self._key_ring = key_ring
        self._replica = replica
        self._rest_seconds = rest_seconds
        self.pulse = Pulse("consumer")

    async def run(self) -> None:
        """Consumes until cancelled; the broker being away is waited out."""
        while True:
            try:
                await self._consume()
            except (OSError, KafkaError) as error:
                self.pulse.waits(type(error).__name__)
                log.warning("consumer_waits", consumer=self.name, reason=type(error).__name__, detail=str(error)[:200])
                await asyncio.sleep(1)

    async def _consume(self) -> None:
        consumer = AIOKafkaConsumer(
            *self._topics,
            bootstrap_servers=self._bootstrap_servers,
            group_id=self.name,
            # Static membership: a killed process resumes at once instead of waiting to be expelled.
            group_instance_id=f"{self.name}-{self._replica}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            max_poll_interval_ms=300_000,
        )
        try:
            await consumer.start()
            while True:
                batch = await consumer.getmany(timeout_ms=5 if self._rest_seconds else 1000, max_records=BATCH)
                records = [record for partition in batch.values() for record in partition]
                if records:
                    await self.process(records)
                    await consumer.commit()
                self.pulse.beat()  # only now: a batch that breaks again and again is no movement
                if not records:
                    await self._rest(consumer)
        finally:
            await consumer.stop()

    async def _rest(self, consumer: AIOKafkaConsumer) -> None:
        """Stops asking for a moment. Apache Kafka holds an empty fetch back by itself; a broker that answers it at once
        would keep this process busy with nothing."""
        if self._rest_seconds:
            partitions = consumer.assignment()
            consumer.pause(*partitions)
            await asyncio.sleep(self._rest_seconds)
            consumer.resume(*(partitions & consumer.assignment()))

    async def process(self, records: Sequence["ConsumerRecord[bytes, bytes]"]) -> None:
        """Brings a batch to its end: handled, or set aside with the reason. Only a lost database makes it wait."""
        waited = 0.1
        while True:
            try:
                await self._process(records)
                return
            except Exception as error:
                if not is_transient(error):
                    raise
                self.pulse.waits("the database is away")
                log.warning("batch_waits_for_database", consumer=self.name, reason=type(error).__name__)
                await asyncio.sleep(waited)
                waited = min(waited * 2, 1.0)

    async def _process(self, records: Sequence["ConsumerRecord[bytes, bytes]"]) -> None:
        good, bad = self._decode(records)
        left: Sequence[Message] = good
        refused: Sequence[Rejected] = bad
        try:
            left, refused = await self._together(good, bad, only_free=self._free is not None), ()
            if left:
                await self._together(left, ())
        except Exception as error:
            if is_transient(error):
                raise
            log.warning("batch_goes_one_by_one", consumer=self.name, reason=type(error).__name__)
            await self._one_by_one(left, refused)
        for message in good:
            consumed.labels(message.record.topic, "handled").inc()
        for rejected in bad:
            consumed.labels(rejected.topic, "malformed").inc()

    async def _together(
        self, good: Sequence["Message"], bad: Sequence[Rejected], *, only_free: bool = False
    ) -> Sequence["Message"]:
        """One transaction for all, or for those that need not wait for anything; answers the others."""
        async with self._database.transaction() as session:
            now, later = good, list[Message]()
            if only_free and self._free is not None:
                free = {received.id for received in await self._free(session, [one.received for one in good])}
                now = [one for one in good if one.received.id in free]
                later = [one for one in good if one.received.id not in free]
            ready = await self._set_aside(session, now, bad)
            new = await inbox.claim(session, self.name, [one.received.id for one in ready])
            events = _first_of_each([one.received for one in ready if one.received.id in new])
            if events:
                correlate(events[0].correlation_id if len(events) == 1 else None)
                await self._handler(session, events)
        return later

    async def _one_by_one(self, good: Sequence["Message"], bad: Sequence[Rejected]) -> None:
        """The batch again with a savepoint per event, so that only the event that fails is set aside."""
        async with self._database.transaction() as session:
            await self._set_aside(session, [], bad)
            for one in good:
                ready = await self._set_aside(session, [one], [])
                event = one.received
                if not ready or not await inbox.claim(session, self.name, [event.id]):
                    continue
                correlate(event.correlation_id)
                try:
                    async with session.begin_nested():
                        await self._handler(session, [event])
                except Exception as error:
                    if is_transient(error):
                        raise
                    log.error(
                        "event_set_aside",
                        consumer=self.name,
                        event_type=type(event.event).__name__,
                        reason=type(error).__name__,
                        stack=stack_of(error),
                    )
                    # An exception's text may quote values of the event; its kind is enough to find the log line.
                    parks = not is_unstorable(error)
                    reason = type(error).__name__ if parks else dead_letters.UNSTORABLE
                    await self._put_aside(session, [_rejected(one, reason, parks=parks)])
                    await self._unclaim(session, event)
                    consumed.labels(one.record.topic, "set_aside").inc()

    async def _unclaim(self, session: AsyncSession, event: Received) -> None:
        entry = await session.get(inbox.InboxEntry, (self.name, event.id))
        if entry is not None:
            await session.delete(entry)
            await session.flush()

    async def _put_aside(self, session: AsyncSession, rejected: Sequence[Rejected], *, copy: bool = True) -> None:
        await dead_letters.set_aside(session, self.name, self._key_ring, rejected, copy=copy)

    async def _set_aside(
        self, session: AsyncSession, good: Sequence["Message"], bad: Sequence[Rejected]
    ) -> Sequence["Message"]:
        """Stores what cannot be handled and what waits behind a parked key; answers the rest."""
        parked = await dead_letters.parked_keys(session, self.name, {one.place for one in good})
        waiting = [_rejected(one, "waits behind a parked event", parks=True) for one in good if one.place in parked]
        await self._put_aside(session, bad)
        await self._put_aside(session, waiting, copy=False)
        return [one for one in good if one.place not in parked] if parked else good

    def _decode(self, records: Sequence["ConsumerRecord[bytes, bytes]"]) -> tuple[list["Message"], list[Rejected]]:
        good: list[Message] = []
        bad: list[Rejected] = []
        for record in records:
            headers = {name: _text(bytes(value or b"")) for name, value in record.headers}
            letter = Letter(record.value or b"", headers)
            try:
                good.append(Message(record, letter, decode(letter.value, self._known, headers)))
            except UnknownEvent:
                consumed.labels(record.topic, "unknown").inc()
            except MalformedEvent as error:
                # Without its record's key, which may say anything: nothing waits for it that a key would name.
                reason = _text(str(error).encode("utf-8", "replace"))[:500]
                bad.append(
                    Rejected(record.topic, "", record.partition, record.offset, letter, reason, False, error.about)
                )
        return good, bad

    async def replay(self, *, only_due: bool = False) -> int:
        """Gives every parked key its turns until none is left or each has failed again; answers how many events were
        handled. `only_due`: only keys whose next attempt is due."""

        async def handle(session: AsyncSession, _: DeadLetter, letter: Letter) -> None:
            event = decode(letter.value, self._known, letter.headers)
            if await inbox.claim(session, self.name, [event.id]):
                await self._handler(session, [event])

        if not only_due:
            async with self._database.transaction() as session:
                await dead_letters.all_due(session, self.name)
        replayed = 0
        while True:
            async with self._database.transaction() as session:
                handled = await dead_letters.replay_next(session, self.name, self._key_ring, handle)
            if handled is None:
                return replayed
            replayed += handled

    async def replay_by_itself(self) -> None:
        """The loop that gives parked keys their next attempts."""
        while True:
            try:
                if replayed := await self.replay(only_due=True):
                    log.info("events_replayed", consumer=self.name, events=replayed)
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(REPLAY_EVERY_SECONDS)


@dataclass(frozen=True, slots=True)
class Message:
    """A record that could be read. Its place is its event's own key: a foreign record's may be missing, or wrong."""

    record: "ConsumerRecord[bytes, bytes]"
    letter: Letter
    received: Received

    @property
    def place(self) -> tuple[str, str]:
        return self.record.topic, self.received.event.key()


def _first_of_each(events: Sequence[Received]) -> list[Received]:
    """An event delivered twice in one batch is one event."""
    return list({event.id: event for event in reversed(events)}.values())[::-1]


def _text(value: bytes) -> str:
    """Foreign bytes as PostgreSQL's text can hold them: NUL would fail every batch that the message is in."""
    return value.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _rejected(one: Message, reason: str, *, parks: bool) -> Rejected:
    topic, key = one.place
    event = one.received.event
    about = About(type(event).__name__, _id_of(one.letter), event.account_id)
    return Rejected(topic, key, one.record.partition, one.record.offset, one.letter, reason, parks, about)


def _id_of(letter: Letter) -> str | None:
    """The sender's own id, of an event that could be read before."""
    told = letter.headers.get("ce_id")
    if told is None:
        told = msgspec.json.decode(letter.value, type=_Named).id
    return told


class _Named(msgspec.Struct):
    id: str
