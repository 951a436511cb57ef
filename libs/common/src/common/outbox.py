"""Events leave with the change they tell of: `publish` joins its transaction, the relay sends them in order."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter
from sqlalchemy import BigInteger, Column, Identity, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import insert_page
from common.contracts.event import CONTENT_TYPE, Event, encode
from common.database_url import connect
from common.db import CommonTable, Database
from common.pulse import Pulse
from common.telemetry import correlation_id

log = structlog.get_logger()

# Below the brokers' usual 1 MiB ceiling for a message, with room for the envelope.
LARGEST_MESSAGE = 900 * 1024
BATCH = 500
POLL_SECONDS = 1.0
COALESCE_SECONDS = 0.005
CHANNEL = "outbox"
# One relay per database: the advisory lock's number, "outbox" in ASCII.
LOCK = 0x6F7574626F78

relayed = Counter("entrepot_outbox_relayed_total", "Events handed to Kafka", ["topic"])


class OutboxMessage(CommonTable, table=True):
    """One message that has not left yet. The lowest id leaves first."""

    __tablename__ = "outbox"

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    topic: str
    key: str
    message: bytes = Field(sa_type=LargeBinary)
    headers: dict[str, str] | None = Field(default=None, sa_type=JSONB)


class EventTooLarge(ValueError):
    """The event is over the ceiling; it would be refused by the broker for ever."""


async def publish(session: AsyncSession, *events: Event) -> None:
    """Announces events in the session's transaction.

    The caller holds the row lock of the aggregate that is each event's key, so that events of one key get their ids
    in the order of their commits. Raises `EventTooLarge` before anything is written.
    """
    correlation = correlation_id()
    rows = []
    for event in events:
        message = encode(event, event_id=uuid4(), source=session.info["service"], correlation_id=correlation)
        if len(message) > LARGEST_MESSAGE:
            raise EventTooLarge(f"{type(event).__name__} is {len(message)} bytes; at most {LARGEST_MESSAGE} fit")
        rows.append((type(event).TOPIC, event.key(), message))
    await insert_page(session, OutboxMessage, ("topic", "key", "message"), rows)
    session.info["outbox"] = True


async def forward(session: AsyncSession, rows: Sequence[tuple[str, str, bytes, str]]) -> None:
    """Sends raw messages (topic, key, message, headers as JSON text), e.g. copies to a dead-letter topic."""
    await insert_page(session, OutboxMessage, ("topic", "key", "message", "headers"), rows)
    session.info["outbox"] = True


class Relay:
    """Moves the outbox to Kafka in one transaction per batch: what the broker did not acknowledge stays."""

    def __init__(self, database: Database, bootstrap_servers: str, *, patience: float = 20.0) -> None:
        """`patience`: seconds for one batch's acknowledgements; then it is rolled back and sent by a new producer."""
        self._database = database
        self._bootstrap_servers = bootstrap_servers
        self._patience = patience
        self._written = database.outbox_written
        self._heard = asyncio.Event()
        self.pulse = Pulse("relay")

    async def run(self) -> None:
        """Relays until cancelled; the database or the broker being away is waited out."""
        while True:
            try:
                await self._relay()
            except (OSError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self.pulse.waits(type(error).__name__)
                log.warning("outbox_relay_waits", reason=type(error).__name__, detail=str(error)[:200])
                await asyncio.sleep(1)

    async def _relay(self) -> None:
        async with AsyncExitStack() as stack:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap_servers,
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                max_request_size=2 * LARGEST_MESSAGE,
            )
            stack.push_async_callback(give_up, producer)
            await producer.start()
            connection = await connect(
                self._database.url, application_name="outbox-relay", idle_in_transaction_session_timeout="30s"
            )
            stack.push_async_callback(connection.close, timeout=2)
            await connection.add_listener(CHANNEL, lambda *_: self._heard.set())
            while True:
                is_ours = self._written.is_set()
                self._written.clear()
                self._heard.clear()
                sent = await self.drain(connection, producer)
                self.pulse.beat()
                if sent is None and is_ours:
                    # Another replica relays; tell it, since our writers only woke this process. What was heard is not
                    # told on: two that stand by would wake each other for ever.
                    await connection.execute(f"notify {CHANNEL}")
                    await asyncio.sleep(COALESCE_SECONDS)
                if sent != BATCH:
                    await _either(self._written, self._heard, POLL_SECONDS)

    async def drain(self, connection: "asyncpg.Connection[Any]", producer: AIOKafkaProducer) -> int | None:
        """Sends one batch; answers how many, or None when another process holds the relay."""
        async with connection.transaction():
            if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", LOCK):
                return None
            rows = await connection.fetch(
                "delete from outbox where id in (select id from outbox order by id limit $1) "
                "returning id, topic, key, message, headers",
                BATCH,
            )
            # DELETE answers in no order; unsorted, hundreds of inversions per key were measured.
            rows.sort(key=lambda row: row["id"])
            async with asyncio.timeout(self._patience):
                sends = [
                    await producer.send(
                        row["topic"], row["message"], key=row["key"].encode(), headers=_headers(row["headers"])
                    )
                    for row in rows
                ]
                if sends:
                    await asyncio.gather(*sends)
        for row in rows:
            relayed.labels(row["topic"]).inc()
        return len(rows)


class Notifier:
    """For a process without a relay: tells the relay of another process, once for many commits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        written = self._database.outbox_written
        while True:
            await written.wait()
            written.clear()
            try:
                async with self._database.transaction() as session:
                    await (await session.connection()).exec_driver_sql(f"notify {CHANNEL}")
            except OSError as error:
                log.warning("outbox_notify_failed", reason=type(error).__name__)
            await asyncio.sleep(COALESCE_SECONDS)


def _headers(stored: str | None) -> list[tuple[str, bytes]]:
    headers = {"content-type": CONTENT_TYPE} | (msgspec.json.decode(stored, type=dict[str, str]) if stored else {})
    return [(name, value.encode()) for name, value in headers.items()]


async def give_up(producer: AIOKafkaProducer) -> None:
    """Ends a producer at once. Its own `stop()` waits without end for a broker that is away, and nothing is lost: what
    was not acknowledged is still in the outbox."""
    sending = producer._sender.sender_task
    if sending is not None:
        sending.cancel()
        await asyncio.wait([sending])
    await producer.stop()


async def _either(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
