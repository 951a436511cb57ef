"""The batch loop: decode, inbox and handler in one transaction, then the offset. A bad event never stops the others."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError
from prometheus_client import Counter
from sqlmodel.ext.asyncio.session import AsyncSession

from common import dead_letters, inbox
from common.contracts.catalogue import EVENTS
from common.contracts.event import Event, MalformedEvent, Received, UnknownEvent, decode
from common.db import Database, is_transient
from common.dead_letters import DeadLetter, Rejected
from common.pulse import Pulse
from common.telemetry import correlate

log = structlog.get_logger()

BATCH = 500

# Handles events in their order, inside the given transaction; `events` may be of several types and keys.
Handler = Callable[[AsyncSession, Sequence[Received]], Awaitable[None]]

consumed = Counter("entrepot_events_consumed_total", "Events handled, set aside or passed by", ["topic", "outcome"])


def by_type(handlers: Mapping[type[Event], Handler]) -> Handler:
    """One handler out of one per event type: runs of the same type go to theirs together, in the order they came."""

    async def handle(session: AsyncSession, events: Sequence[Received]) -> None:
        start = 0
        for end in range(1, len(events) + 1):
            if end == len(events) or type(events[end].event) is not type(events[start].event):
                if handler := handlers.get(type(events[start].event)):
                    await handler(session, events[start:end])
                start = end

    return handle


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
        replica: int = 0,
        rest_seconds: float = 0,
    ) -> None:
        self._database = database
        self._bootstrap_servers = bootstrap_servers
        self.name = name
        self._topics = topics
        self._handler = handler
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
                self.pulse.beat()
                records = [record for partition in batch.values() for record in partition]
                if not records:
                    await self._rest(consumer)
                    continue
                await self.process(records)
                await consumer.commit()
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
                waited = min(waited * 2, 5.0)

    async def _process(self, records: Sequence["ConsumerRecord[bytes, bytes]"]) -> None:
        good, bad = self._decode(records)
        try:
            async with self._database.transaction() as session:
                ready = await self._set_aside(session, good, bad)
                new = await inbox.claim(session, self.name, [event.id for _, event in ready])
                events = _first_of_each([event for _, event in ready if event.id in new])
                if events:
                    correlate(events[0].correlation_id if len(events) == 1 else None)
                    await self._handler(session, events)
        except Exception as error:
            if is_transient(error):
                raise
            log.warning("batch_goes_one_by_one", consumer=self.name, reason=type(error).__name__)
            await self._one_by_one(good, bad)
        for record, _ in good:
            consumed.labels(record.topic, "handled").inc()
        for rejected in bad:
            consumed.labels(rejected.topic, "malformed").inc()

    async def _one_by_one(
        self, good: Sequence[tuple["ConsumerRecord[bytes, bytes]", Received]], bad: Sequence[Rejected]
    ) -> None:
        """The batch again with a savepoint per event, so that only the event that fails is set aside."""
        async with self._database.transaction() as session:
            await self._set_aside(session, [], bad)
            for record, event in good:
                ready = await self._set_aside(session, [(record, event)], [])
                if not ready or not await inbox.claim(session, self.name, [event.id]):
                    continue
                correlate(event.correlation_id)
                try:
                    async with session.begin_nested():
                        await self._handler(session, [event])
                except Exception as error:
                    if is_transient(error):
                        raise
                    log.exception("event_set_aside", consumer=self.name, event_type=type(event.event).__name__)
                    # An exception's text may quote values of the event; its kind is enough to find the log line.
                    await dead_letters.set_aside(
                        session, self.name, [_rejected(record, type(error).__name__, parks=True)]
                    )
                    await self._unclaim(session, event)
                    consumed.labels(record.topic, "set_aside").inc()

    async def _unclaim(self, session: AsyncSession, event: Received) -> None:
        entry = await session.get(inbox.InboxEntry, (self.name, event.id))
        if entry is not None:
            await session.delete(entry)
            await session.flush()

    async def _set_aside(
        self,
        session: AsyncSession,
        good: Sequence[tuple["ConsumerRecord[bytes, bytes]", Received]],
        bad: Sequence[Rejected],
    ) -> Sequence[tuple["ConsumerRecord[bytes, bytes]", Received]]:
        """Stores what cannot be handled and what waits behind a parked key; answers the rest."""
        parked = await dead_letters.parked_keys(session, self.name, {(r.topic, _key(r)) for r, _ in good})
        waiting = [
            _rejected(r, "waits behind a parked event", parks=True) for r, _ in good if (r.topic, _key(r)) in parked
        ]
        await dead_letters.set_aside(session, self.name, bad)
        await dead_letters.set_aside(session, self.name, waiting, copy=False)
        return [(r, event) for r, event in good if (r.topic, _key(r)) not in parked] if parked else good

    def _decode(
        self, records: Sequence["ConsumerRecord[bytes, bytes]"]
    ) -> tuple[list[tuple["ConsumerRecord[bytes, bytes]", Received]], list[Rejected]]:
        good: list[tuple[ConsumerRecord[bytes, bytes], Received]] = []
        bad: list[Rejected] = []
        for record in records:
            try:
                good.append((record, decode(record.value or b"", EVENTS)))
            except UnknownEvent:
                consumed.labels(record.topic, "unknown").inc()
            except MalformedEvent as error:
                bad.append(_rejected(record, str(error)[:500], parks=False))
        return good, bad

    async def replay(self) -> int:
        """Handles parked events again, oldest first per key, until one fails or none is left; answers how many."""

        async def handle(session: AsyncSession, letter: DeadLetter) -> None:
            event = decode(letter.message, EVENTS)
            if await inbox.claim(session, self.name, [event.id]):
                await self._handler(session, [event])

        replayed = 0
        while True:
            async with self._database.transaction() as session:
                if not await dead_letters.replay_next(session, self.name, handle):
                    return replayed
            replayed += 1


def _first_of_each(events: Sequence[Received]) -> list[Received]:
    """An event delivered twice in one batch is one event."""
    return list({event.id: event for event in reversed(events)}.values())[::-1]


def _key(record: "ConsumerRecord[bytes, bytes]") -> str:
    return _text(record.key or b"")


def _text(value: bytes) -> str:
    """Foreign bytes as PostgreSQL's text can hold them: NUL would fail every batch that the message is in."""
    return value.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _rejected(record: "ConsumerRecord[bytes, bytes]", reason: str, *, parks: bool) -> Rejected:
    headers: dict[str, str] = {name: _text(bytes(value)) for name, value in record.headers}
    return Rejected(
        record.topic, _key(record), record.partition, record.offset, record.value or b"", reason, parks, headers
    )
