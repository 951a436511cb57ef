"""The outbox and its relay on real PostgreSQL and a real broker."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from common.contracts.event import Money
from common.contracts.inventory import InventoryChanged
from common.db import Database
from common.outbox import BATCH, LARGEST_MESSAGE, EventTooLarge, Relay, forward, give_up, publish
from common.testing.databases import Databases
from common.testing.events import published
from local_stack.broker import Broker

ACCOUNT = UUID("00000000-0000-4000-8000-000000000001")
CHANNEL = UUID("00000000-0000-4000-8000-000000000002")


def change(sku: str, quantity: int) -> InventoryChanged:
    return InventoryChanged(
        account_id=ACCOUNT, channel_id=CHANNEL, sku=sku, quantity=quantity, as_of=datetime(2026, 11, 23, tzinfo=UTC)
    )


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    url = await databases.new("common")
    one = Database(url, service="common")
    yield one
    await one.close()
    await databases.drop(url)


async def test_an_event_of_a_rolled_back_change_never_leaves(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as session:
            await publish(session, change("A", 1))
            raise ZeroDivisionError
    assert await published(database) == []
    assert not database.outbox_written.is_set()


async def test_a_commit_with_events_wakes_the_relay_and_one_without_does_not(database: Database) -> None:
    async with database.transaction():
        pass
    assert not database.outbox_written.is_set()
    async with database.transaction() as session:
        await publish(session, change("A", 1))
    assert database.outbox_written.is_set()


async def test_an_oversize_event_is_refused_before_anything_is_written(database: Database) -> None:
    huge = change("A", 1).model_copy(update={"price": Money(amount=Decimal("9" * LARGEST_MESSAGE), currency="USD")})
    async with database.transaction() as session:
        with pytest.raises(EventTooLarge):
            await publish(session, change("A", 1), huge)
    assert await published(database) == []


@pytest.mark.wire
@pytest.mark.row("E3")
@pytest.mark.fault("F2")
async def test_events_of_one_key_arrive_in_the_order_of_their_commits(database: Database, kafka: str) -> None:
    """Eight writers over few keys, each holding its key's row lock, while the relay runs and is killed in between."""
    topic, keys, rounds = f"order-{uuid4().hex[:8]}", 5, 60
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("create table counter (key text primary key, n int not null)")
        await connection.exec_driver_sql("insert into counter select 'k' || i, 0 from generate_series(0, 4) i")

    async def write(number: int) -> None:
        for step in range(rounds):
            async with database.transaction() as session:
                connection = await session.connection()
                key = f"k{(number + step) % keys}"
                rows = await connection.exec_driver_sql(
                    "update counter set n = n + 1 where key = $1 returning n", (key,)
                )
                await forward(session, [(topic, key, str(rows.scalar_one()).encode(), "{}")])

    async def relay_that_dies(writing: "asyncio.Future[list[None]]") -> None:
        while not writing.done():
            task = asyncio.create_task(Relay(database, kafka).run())
            await asyncio.sleep(0.25)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    writing = asyncio.gather(*(write(number) for number in range(8)))
    await relay_that_dies(writing)
    last = asyncio.create_task(Relay(database, kafka).run())
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    seen: dict[str, list[int]] = {}
    try:
        async with asyncio.timeout(30):
            while sum(len(set(numbers)) for numbers in seen.values()) < 8 * rounds:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        seen.setdefault(record.key.decode(), []).append(int(record.value))
    finally:
        await consumer.stop()
        last.cancel()
        await asyncio.gather(last, return_exceptions=True)
    for numbers in seen.values():
        first_seen = list(dict.fromkeys(numbers))
        assert first_seen == sorted(first_seen)
        assert set(numbers) == set(range(1, max(numbers) + 1))


@pytest.mark.fault("F5")
async def test_what_the_broker_did_not_acknowledge_stays_in_the_outbox(database: Database, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    broker.start()
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, acks="all", enable_idempotence=True)
    connection = await asyncpg.connect(database.url)
    try:
        await producer.start()
        async with database.transaction() as session:
            await publish(session, change("A", 1))
        assert await Relay(database, broker.bootstrap_servers).drain(connection, producer) == 1
        broker.child.kill()
        async with database.transaction() as session:
            await publish(session, change("B", 2), change("C", 3))
        with pytest.raises(TimeoutError):
            await Relay(database, broker.bootstrap_servers, patience=1.0).drain(connection, producer)
    finally:
        await connection.close()
        await give_up(producer)
        broker.stop()
    assert [event.sku for event in await published(database) if isinstance(event, InventoryChanged)] == ["B", "C"]


@pytest.mark.wire
async def test_only_one_relay_of_a_database_sends(database: Database, kafka: str) -> None:
    async with database.transaction() as session:
        await publish(session, *(change(f"S{number}", number) for number in range(BATCH + 1)))
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    first, second = await asyncpg.connect(database.url), await asyncpg.connect(database.url)
    try:
        async with first.transaction():
            await first.execute("select pg_advisory_xact_lock($1)", 0x6F7574626F78)
            assert await Relay(database, kafka).drain(second, producer) is None
        assert await Relay(database, kafka).drain(second, producer) == BATCH
        assert await Relay(database, kafka).drain(second, producer) == 1
        assert await Relay(database, kafka).drain(second, producer) == 0
    finally:
        await first.close()
        await second.close()
        await producer.stop()


@pytest.mark.wire
async def test_relays_that_stand_by_tell_the_one_that_relays_once_and_do_not_wake_each_other(
    database: Database, kafka: str
) -> None:
    """Another process relays (it holds the lock); two of ours stand by while one of them writes."""
    holder, listener = await asyncpg.connect(database.url), await asyncpg.connect(database.url)
    other = Database(database.url, service="common")
    heard: list[int] = []
    await listener.add_listener("outbox", lambda _, pid, *__: heard.append(pid))
    standby: list[asyncio.Task[None]] = []
    try:
        async with holder.transaction():
            await holder.execute("select pg_advisory_xact_lock($1)", 0x6F7574626F78)
            standby = [asyncio.create_task(Relay(one, kafka).run()) for one in (database, other)]
            listening = "select count(*) from pg_stat_activity where application_name = 'outbox-relay'"
            async with asyncio.timeout(60):
                while await listener.fetchval(f"{listening} and datname = current_database()") < 2:
                    await asyncio.sleep(0.05)
            async with database.transaction() as session:
                await publish(session, change("A", 1))
            async with asyncio.timeout(60):
                while not heard:
                    await asyncio.sleep(0.05)
            # Long enough for hundreds, were each to wake the other or itself.
            await asyncio.sleep(2.5)
            assert len(heard) == 1
    finally:
        for task in standby:
            task.cancel()
        await asyncio.gather(*standby, return_exceptions=True)
        await holder.close()
        await listener.close()
        await other.close()


@pytest.mark.row("E3")
async def test_an_event_comes_out_of_the_outbox_as_it_went_in(database: Database) -> None:
    async with database.transaction() as session:
        await publish(session, change("A/B ü", 3))
    (event,) = await published(database)
    assert event == change("A/B ü", 3)
