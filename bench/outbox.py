"""P5 and P6: what the outbox costs a writer, how fast the relay drains it, and how long an event takes to be read."""

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from common.bulk import run as run_sql
from common.contracts.event import encode
from common.contracts.inventory import InventoryChanged
from common.db import Database
from common.outbox import BATCH, Notifier, Relay, publish

ROUNDS = 3
WRITER_SECONDS = 1.5
MESSAGES = 10_000
TRICKLE = 200  # events a second
TRICKLE_SECONDS = 3.0
_EVENT = InventoryChanged(
    account_id=uuid4(), channel_id=uuid4(), sku="SKU-000001", quantity=5, as_of=datetime(2026, 11, 23, tzinfo=UTC)
)


async def run(database_url: str) -> list[dict[str, Any]]:
    """Rows of P5 and P6."""
    database = Database(database_url, service="bench", pool_size=40)
    kafka = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    async with database.transaction() as session:
        await run_sql(session, "create table biz (id uuid primary key, v int)")
    try:
        return [*await _writers(database), *await _relay(database, kafka), *await _latency(database, kafka)]
    finally:
        await database.close()


async def _writers(database: Database) -> list[dict[str, Any]]:
    """One commit per event, closed loop, with the coalesced wake-up running; beside the same without an outbox."""
    notifier = asyncio.create_task(Notifier(database).run())
    rows = []
    for clients in (8, 32):
        bare, ours = [], []
        for _ in range(ROUNDS):
            bare.append(await _commits(database, clients, events=False))
            ours.append(await _commits(database, clients, events=True))
        value, ceiling = statistics.median(ours), statistics.median(bare)
        rows.append(_row("P5", f"commits/s with an event each, {clients} clients", value, ceiling, 0.80))
    notifier.cancel()
    await asyncio.gather(notifier, return_exceptions=True)
    return rows


async def _commits(database: Database, clients: int, *, events: bool) -> float:
    count = 0
    ends = time.perf_counter() + WRITER_SECONDS

    async def write() -> None:
        nonlocal count
        while time.perf_counter() < ends:
            async with database.transaction() as session:
                await run_sql(session, "insert into biz values ($1, 1)", uuid4())
                if events:
                    await publish(session, _EVENT)
            count += 1

    began = time.perf_counter()
    await asyncio.gather(*(write() for _ in range(clients)))
    rate = count / (time.perf_counter() - began)
    async with database.transaction() as session:
        await run_sql(session, "truncate outbox, biz")
    return rate


@contextlib.asynccontextmanager
async def _topic(kafka: str) -> AsyncIterator[str]:
    """A topic that is gone afterwards: the embedded broker rewrites what it holds."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    name = f"bench-{uuid4().hex[:8]}"
    await admin.create_topics([NewTopic(name, 3, 1)])
    try:
        yield name
    finally:
        await admin.delete_topics([name])
        await admin.close()


async def _relay(database: Database, kafka: str) -> list[dict[str, Any]]:
    bare, ours = [], []
    message = encode(_EVENT, event_id=uuid4(), source="bench")
    for _ in range(ROUNDS):
        async with _topic(kafka) as topic, _producer(kafka) as producer:
            await producer.send_and_wait(topic, b"warm")
            began = time.perf_counter()
            for _batch in range(MESSAGES // BATCH):
                sends = [await producer.send(topic, message, key=b"k%d" % (n % 50)) for n in range(BATCH)]
                await asyncio.gather(*sends)
            bare.append(MESSAGES / (time.perf_counter() - began))
        async with _topic(kafka) as topic, _producer(kafka) as producer:
            await producer.send_and_wait(topic, b"warm")
            connection = await asyncpg.connect(database.url)
            await connection.execute(
                "insert into outbox (topic, key, message) "
                "select $1, 'k' || (i % 50), $2 from generate_series(1, $3::int) i",
                topic,
                message,
                MESSAGES,
            )
            relay = Relay(database, kafka)
            began = time.perf_counter()
            while await relay.drain(connection, producer):
                pass
            ours.append(MESSAGES / (time.perf_counter() - began))
            await connection.close()
    value, ceiling = statistics.median(ours), statistics.median(bare)
    return [_row("P6", "relay, events/s beside aiokafka's batched idempotent sends", value, ceiling, 0.80)]


async def _latency(database: Database, kafka: str) -> list[dict[str, Any]]:
    """From before the commit to a consumer's hands, at 200 events/s."""
    waits: list[float] = []
    async with _topic(kafka) as topic:
        relay = asyncio.create_task(Relay(database, kafka).run())
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest", fetch_max_wait_ms=1)
        await consumer.start()

        async def read() -> None:
            async for record in consumer:
                waits.append(time.perf_counter() - float(record.value))  # noqa: PERF401 - it never ends

        reading = asyncio.create_task(read())
        await asyncio.sleep(1.0)
        began = time.perf_counter()
        for number in range(int(TRICKLE * TRICKLE_SECONDS)):
            async with database.transaction() as session:
                await run_sql(
                    session,
                    "insert into outbox (topic, key, message) values ($1, 'k', $2)",
                    topic,
                    str(time.perf_counter()).encode(),
                )
                session.info["outbox"] = True
            await asyncio.sleep(max(0.0, began + number / TRICKLE - time.perf_counter()))
        await asyncio.sleep(1.0)
        for task in (relay, reading):
            task.cancel()
        await asyncio.gather(relay, reading, return_exceptions=True)
        await consumer.stop()
    ordered = sorted(waits)
    p50, p99 = (ordered[int(len(ordered) * part)] * 1000 for part in (0.5, 0.99))
    return [
        {
            "goal": "P6",
            "what": f"commit to a consumer's hands at {TRICKLE} events/s, p99 ms (p50 {p50:.1f})",
            "value": p99,
            "ceiling": None,
            "ratio": None,
            "target": "<= 10 ms",
            "met": p99 <= 10,
        }
    ]


@contextlib.asynccontextmanager
async def _producer(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=0)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def _row(goal: str, what: str, value: float, ceiling: float, target: float) -> dict[str, Any]:
    ratio = value / ceiling
    return {
        "goal": goal,
        "what": what,
        "value": value,
        "ceiling": ceiling,
        "ratio": ratio,
        "target": f">= {target}",
        "met": ratio >= target,
    }
