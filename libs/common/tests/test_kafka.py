"""The batch loop: inbox, savepoints, parked keys, replay; over a real broker, death between effect and offset."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import run
from common.contracts.event import Received, encode
from common.contracts.inventory import InventoryChanged, SourceInventoryChanged
from common.db import Database
from common.dead_letters import DeadLetter, ParkedKey
from common.kafka import Consumer, by_type
from common.outbox import OutboxMessage
from common.testing.databases import Databases
from common.testing.events import deliver, record

ACCOUNT = uuid4()
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def change(sku: str, quantity: int = 1) -> InventoryChanged:
    return InventoryChanged(account_id=ACCOUNT, channel_id=uuid4(), sku=sku, quantity=quantity, as_of=NOW)


class Effects:
    """A handler that writes one row per event, and refuses SKUs it is told to."""

    def __init__(self) -> None:
        self.refuse: set[str] = set()

    async def __call__(self, session: AsyncSession, events: Sequence[Received]) -> None:
        for received in events:
            event = received.event
            assert isinstance(event, InventoryChanged)
            await run(session, "insert into effect (sku, quantity) values ($1, $2)", event.sku, event.quantity)
            if event.sku in self.refuse:
                raise ValueError("this one always fails")


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    url = await databases.new("common")
    one = Database(url, service="common")
    async with one.transaction() as session:
        await run(session, "create table effect (id int generated always as identity, sku text, quantity int)")
    yield one
    await one.close()
    await databases.drop(url)


async def effects(database: Database) -> list[tuple[str, int]]:
    async with database.transaction() as session:
        return [tuple(row) for row in await run(session, "select sku, quantity from effect order by id")]


def consumer_of(database: Database, handler: Effects, kafka: str = "127.0.0.1:1", topic: str = "t") -> Consumer:
    return Consumer(database, kafka, name=f"c-{topic}", topics=(topic,), handler=handler)


@pytest.mark.fault("F7")
async def test_an_event_delivered_twice_has_one_effect(database: Database) -> None:
    consumer, same = consumer_of(database, Effects()), uuid4()
    await deliver(consumer, change("A"), event_id=same)
    await deliver(consumer, change("A"), event_id=same)
    assert await effects(database) == [("A", 1)]


async def test_an_event_twice_in_one_batch_has_one_effect(database: Database) -> None:
    consumer = consumer_of(database, Effects())
    message = encode(change("A"), event_id=uuid4(), source="test")
    await consumer.process([record(message, topic="t", key="k"), record(message, topic="t", key="k")])
    assert await effects(database) == [("A", 1)]


@pytest.mark.fault("F9")
async def test_a_failing_event_parks_its_key_and_the_others_go_on(database: Database) -> None:
    handler = Effects()
    handler.refuse = {"bad"}
    consumer = consumer_of(database, handler)
    await deliver(consumer, change("A", 1), change("bad", 1), change("B", 1))
    await deliver(consumer, change("bad", 2), change("A", 2))
    assert await effects(database) == [("A", 1), ("B", 1), ("A", 2)]
    async with database.transaction() as session:
        letters = (await session.exec(select(DeadLetter))).all()
        copies = (await session.exec(select(OutboxMessage))).all()
    assert [letter.reason for letter in letters] == ["ValueError", "waits behind a parked event"]
    assert [copy.topic for copy in copies] == ["entrepot.inventory.dead-letter"]
    assert copies[0].headers == {"entrepot-reason": "ValueError", "entrepot-consumer": consumer.name}


@pytest.mark.fault("F9")
async def test_a_replay_handles_what_was_parked_in_order_and_frees_the_key(database: Database) -> None:
    handler = Effects()
    handler.refuse = {"bad"}
    consumer = consumer_of(database, handler)
    await deliver(consumer, change("bad", 1))
    await deliver(consumer, change("bad", 2))
    handler.refuse = set()
    assert await consumer.replay() == 2
    await deliver(consumer, change("bad", 3))
    assert await effects(database) == [("bad", 1), ("bad", 2), ("bad", 3)]
    async with database.transaction() as session:
        assert (await session.exec(select(ParkedKey))).all() == []


async def test_a_replay_that_fails_again_leaves_everything_parked(database: Database) -> None:
    handler = Effects()
    handler.refuse = {"bad"}
    consumer = consumer_of(database, handler)
    await deliver(consumer, change("bad", 1))
    with pytest.raises(ValueError, match="always fails"):
        await consumer.replay()
    assert await effects(database) == []
    handler.refuse = set()
    assert await consumer.replay() == 1
    assert await effects(database) == [("bad", 1)]


@pytest.mark.fault("F9")
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"not json", "not a CloudEvent"),
        (b"{}", "not a CloudEvent"),
        (
            b'{"specversion":"1.0","id":"%s","type":"InventoryChanged","source":"x","data":{}}',
            "account_id: Field required",
        ),
        (
            b'{"specversion":"2.0","id":"%s","type":"InventoryChanged","source":"x","data":{}}',
            "specversion must be 1.0",
        ),
    ],
)
async def test_a_malformed_message_is_a_dead_letter_with_its_reason(
    database: Database, message: bytes, reason: str
) -> None:
    consumer = consumer_of(database, Effects())
    broken = record(message.replace(b"%s", str(uuid4()).encode()), topic="t", key="k")
    fine = record(encode(change("A"), event_id=uuid4(), source="test"), topic="t", key="k")
    await consumer.process([broken, fine])
    assert await effects(database) == [("A", 1)]
    async with database.transaction() as session:
        (letter,) = (await session.exec(select(DeadLetter))).all()
    assert reason in letter.reason
    assert letter.parked is False


async def test_an_event_of_an_unknown_type_or_newer_version_is_passed_by(database: Database) -> None:
    consumer = consumer_of(database, Effects())
    known = encode(change("A"), event_id=uuid4(), source="test")
    newer = known.replace(b"urn:entrepot:event:InventoryChanged:1", b"urn:entrepot:event:InventoryChanged:2")
    unknown = known.replace(b'"type":"InventoryChanged"', b'"type":"SomethingElse"')
    await consumer.process([record(newer, topic="t", key="k"), record(unknown, topic="t", key="k")])
    assert await effects(database) == []
    async with database.transaction() as session:
        assert (await session.exec(select(DeadLetter))).all() == []


async def test_an_event_that_names_another_account_in_its_envelope_is_malformed(database: Database) -> None:
    consumer = consumer_of(database, Effects())
    message = encode(change("A"), event_id=uuid4(), source="test")
    forged = message.replace(f'"entrepotaccount":"{ACCOUNT}"'.encode(), f'"entrepotaccount":"{uuid4()}"'.encode())
    await consumer.process([record(forged, topic="t", key="k")])
    assert await effects(database) == []


async def test_runs_of_one_type_reach_their_handler_in_order() -> None:
    calls: list[tuple[str, int]] = []

    async def one(_: AsyncSession, events: Sequence[Received]) -> None:
        calls.append(("inventory", len(events)))

    async def other(_: AsyncSession, events: Sequence[Received]) -> None:
        calls.append(("source", len(events)))

    def received(event: InventoryChanged | SourceInventoryChanged) -> Received:
        return Received(uuid4(), event, NOW)

    source = SourceInventoryChanged(account_id=ACCOUNT, source_id=UUID(int=1), sku="A", quantity=1, as_of=NOW)
    handle = by_type({InventoryChanged: one, SourceInventoryChanged: other})
    events = [received(change("A")), received(change("B")), received(source), received(change("C"))]
    await handle(None, events)  # type: ignore[arg-type]  # these handlers use no session
    assert calls == [("inventory", 2), ("source", 1), ("inventory", 1)]


@pytest.mark.wire
@pytest.mark.fault("F3")
async def test_a_consumer_that_dies_after_the_effect_and_before_the_offset_has_one_effect(
    database: Database, kafka: str
) -> None:
    topic = f"consume-{uuid4().hex[:8]}"
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for number in range(20):
        await producer.send_and_wait(topic, encode(change("A", number), event_id=uuid4(), source="test"), key=b"k")
    await producer.stop()

    class Dies(Consumer):
        async def process(self, records):  # type: ignore[no-untyped-def]
            await super().process(records)
            raise asyncio.CancelledError

    dying = Dies(database, kafka, name=f"c-{topic}", topics=(topic,), handler=Effects())
    with pytest.raises(asyncio.CancelledError):
        await dying.run()
    living = asyncio.create_task(consumer_of(database, Effects(), kafka, topic).run())
    try:
        async with asyncio.timeout(30):
            while len(await effects(database)) < 20:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
    assert await effects(database) == [("A", number) for number in range(20)]
