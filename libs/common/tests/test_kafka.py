"""The batch loop: inbox, savepoints, parked keys, replay; over a real broker, death between effect and offset."""

import asyncio
import base64
import dataclasses
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock, rewrapping
from common.bulk import run
from common.contracts.event import Received, encode
from common.contracts.inventory import InventoryChanged, SourceInventoryChanged
from common.contracts.shipments import ShipmentCreated, ShippedItem
from common.crypto import KeyLost, KeyRing, Unreadable
from common.db import Database
from common.dead_letters import SEALED, UNSTORABLE, DeadLetter, ParkedKey
from common.kafka import Consumer, by_type
from common.outbox import OutboxMessage
from common.testing.databases import Databases
from common.testing.events import deliver, record
from common.testing.plugin import KEY_RING

ACCOUNT = uuid4()
RING = KeyRing.parse(KEY_RING)
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
    return Consumer(database, kafka, name=f"c-{topic}", topics=(topic,), handler=handler, key_ring=RING)


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
    assert json.loads(copies[0].message) == {
        "consumer": consumer.name,
        "topic": "entrepot.inventory",
        "partition": 0,
        "offset": letters[0].position,
        "reason": "ValueError",
        "waits": True,
    }


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
    assert await consumer.replay() == 0
    assert await effects(database) == []
    handler.refuse = set()
    assert await consumer.replay() == 1
    assert await effects(database) == [("bad", 1)]


@pytest.mark.fault("F9")
async def test_a_key_that_fails_again_and_again_holds_no_other_back_and_has_its_next_turn_later(
    database: Database,
) -> None:
    handler = Effects()
    handler.refuse = {"bad", "good", "other"}
    consumer = consumer_of(database, handler)
    for quantity in (1, 2):
        await deliver(consumer, *(change(sku, quantity) for sku in ("bad", "good", "other")))
    handler.refuse = {"bad"}
    assert await consumer.replay() == 4
    assert sorted(await effects(database)) == [("good", 1), ("good", 2), ("other", 1), ("other", 2)]
    async with database.transaction() as session:
        (key,) = (await session.exec(select(ParkedKey))).all()
    assert (key.key, key.attempts) == (f"{ACCOUNT}:bad", 1)
    assert key.next_attempt_at > clock.now()
    assert await consumer.replay(only_due=True) == 0  # its turn is later
    handler.refuse = set()
    assert await consumer.replay(only_due=True) == 0
    async with database.transaction() as session:
        await run(session, "update parked_key set next_attempt_at = now()")
    assert await consumer.replay(only_due=True) == 2
    assert (await effects(database))[-2:] == [("bad", 1), ("bad", 2)]


@pytest.mark.fault("F9")
async def test_one_accounts_parked_event_never_holds_another_whatever_key_the_records_have(database: Database) -> None:
    handler = Effects()
    handler.refuse = {"bad"}
    consumer = consumer_of(database, handler)
    other = change("fine").model_copy(update={"account_id": uuid4()})
    for key in (None, "one key for all", ""):
        told = [change("bad"), other, change("mine")]
        messages = [encode(event, event_id=uuid4(), source="test") for event in told]
        await consumer.process([record(message, topic="t", key=key) for message in messages])
    assert sorted(sku for sku, _ in await effects(database)) == ["fine"] * 3 + ["mine"] * 3
    async with database.transaction() as session:
        (parked,) = (await session.exec(select(ParkedKey))).all()
    assert parked.key == f"{ACCOUNT}:bad"


@pytest.mark.fault("F9")
async def test_a_value_that_the_database_cannot_hold_is_refused_and_parks_nothing(database: Database) -> None:
    async def overflow(session: AsyncSession, events: Sequence[Received]) -> None:
        for received in events:
            assert isinstance(received.event, InventoryChanged)
            quantity = 10**12 if received.event.sku == "bad" else 1
            await run(
                session, "insert into effect (sku, quantity) select $1, $2::numeric", received.event.sku, quantity
            )

    consumer = Consumer(database, "", name="c", topics=("t",), handler=overflow, key_ring=RING)
    await deliver(consumer, change("bad"), change("A"))
    await deliver(consumer, change("bad"), change("B"))
    assert [sku for sku, _ in await effects(database)] == ["A", "B"]
    async with database.transaction() as session:
        assert (await session.exec(select(ParkedKey))).all() == []
        letters = (await session.exec(select(DeadLetter))).all()
    assert {(letter.parked, letter.reason) for letter in letters} == {(False, UNSTORABLE)}


@pytest.mark.fault("F9")
@pytest.mark.parametrize("sku", ["A\0B", "\0"])
async def test_text_that_the_database_cannot_hold_is_a_dead_letter_and_no_parked_key(
    database: Database, sku: str
) -> None:
    consumer = consumer_of(database, Effects())
    await deliver(consumer, change("fine"), change(sku), change("fine too"))
    assert [sku for sku, _ in await effects(database)] == ["fine", "fine too"]
    async with database.transaction() as session:
        (letter,) = (await session.exec(select(DeadLetter))).all()
        assert (await session.exec(select(ParkedKey))).all() == []
    assert letter.reason == "InventoryChanged: data.sku: text must not hold U+0000"
    assert (letter.account_id, letter.event_type) == (ACCOUNT, "InventoryChanged")


async def test_any_text_is_an_id_and_is_unique_together_with_its_source(database: Database) -> None:
    consumer = consumer_of(database, Effects())
    message = json.loads(encode(change("A"), event_id=uuid4(), source="test"))
    for source, event_id in (
        ("/erp", "order 17 🚚"),
        ("/erp", "order 17 🚚"),
        ("/shop", "order 17 🚚"),
        ("/erp", "18\0"),
    ):
        told = json.dumps(message | {"source": source, "id": event_id}).encode()
        await consumer.process([record(told, topic="t", key=None)])
    assert len(await effects(database)) == 3


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", None])
async def test_an_event_in_binary_mode_is_read_as_one_in_structured_mode(
    database: Database, content_type: str | None
) -> None:
    consumer = consumer_of(database, Effects())
    headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/erp", "ce_type": "InventoryChanged"}
    headers |= {"ce_time": "2026-11-23T00:00:00Z", "ce_entrepotaccount": str(ACCOUNT)}
    headers |= {"content-type": content_type} if content_type else {}
    data = change("A", 7).model_dump_json().encode()
    await consumer.process([record(data, topic="t", key=None, headers=headers)])
    await consumer.process([record(data, topic="t", key=None, headers=headers | {"ce_id": "2", "ce_source": ""})])
    await consumer.process([record(data, topic="t", key=None, headers=headers | {"content-type": "text/xml"})])
    await consumer.process([record(b"<xml/>", topic="t", key=None, headers=headers | {"ce_id": "3"})])
    assert await effects(database) == [("A", 7)]
    async with database.transaction() as session:
        reasons = [
            letter.reason for letter in (await session.exec(select(DeadLetter).order_by(col(DeadLetter.id)))).all()
        ]
    assert reasons[0] == "id and source must not be empty"
    assert reasons[1] == "datacontenttype must be application/json"
    assert "Invalid JSON" in reasons[2]


async def test_an_event_that_another_service_handles_is_no_dead_letter_here_however_malformed(
    database: Database,
) -> None:
    effects_of = Effects()
    handler = by_type({InventoryChanged: effects_of})
    consumer = Consumer(database, "", name="c", topics=("t",), handler=handler, key_ring=RING)
    for told in (
        {"specversion": "1.0", "id": "1", "source": "/erp", "type": "SourceInventoryChanged", "data": {"nothing": 1}},
        {"specversion": "0.3", "id": "", "type": "SourceInventoryChanged"},
        {"type": "SourceInventoryChanged", "data": "text"},
    ):
        await consumer.process([record(json.dumps(told).encode(), topic="t", key=None)])
    ours = json.dumps({"type": "InventoryChanged", "data": {"account_id": str(ACCOUNT)}}).encode()
    await consumer.process([record(ours, topic="t", key=None)])
    async with database.transaction() as session:
        (letter,) = (await session.exec(select(DeadLetter))).all()
    assert (letter.event_type, letter.account_id) == ("InventoryChanged", ACCOUNT)


@pytest.mark.edge(23)
async def test_what_a_refused_message_says_is_sealed_and_nowhere_else(database: Database) -> None:
    consumer = consumer_of(database, Effects())
    secret = "jane.canary@example.com"
    told = {"specversion": "1.0", "id": "7", "source": "/erp", "type": "InventoryChanged"}
    data = {"account_id": str(ACCOUNT), "sku": {"email": secret}, secret: secret}
    headers = {"x-note": secret}
    whole = json.dumps(told | {"data": data}).encode()
    messages = (record(whole, topic="t", key=secret, headers=headers), record(secret.encode(), topic="t", key=secret))
    await consumer.process(messages)
    async with database.transaction() as session:
        letters = (await session.exec(select(DeadLetter).order_by(col(DeadLetter.id)))).all()
        copies = (await session.exec(select(OutboxMessage))).all()
        everything = str([await run(session, f"select * from {table}") for table in ("dead_letter", "outbox")])
    assert len(letters) == len(copies) == 2
    assert "canary" not in everything
    assert b"canary" not in b"".join([letter.message for letter in letters] + [copy.message for copy in copies])
    opened = json.loads(RING.open(letters[0].message, SEALED.context(None, letters[0].letter_id)))
    assert secret.encode() in base64.b64decode(opened["value"])
    with pytest.raises(Unreadable):
        RING.open(letters[0].message, SEALED.context(None, letters[1].letter_id))


async def test_what_waits_is_handled_after_the_keys_were_rotated(database: Database) -> None:
    handler = Effects()
    handler.refuse = {"bad"}
    await deliver(consumer_of(database, handler), change("bad"))
    new = KeyRing({"new": b"n" * 32})
    both = KeyRing({"new": b"n" * 32, "test": b"k" * 32})
    rotated = Consumer(database, "", name="c-t", topics=("t",), handler=Effects(), key_ring=new)
    with pytest.raises(KeyLost):
        await rotated.replay()
    assert await rewrapping.rewrap(database, [SEALED], both, lambda _: None) == 1
    assert await rotated.replay() == 1
    assert await effects(database) == [("bad", 1)]


async def test_a_header_without_a_value_and_a_message_nested_too_deep_stop_nobody(database: Database) -> None:
    consumer = consumer_of(database, Effects())
    fine = record(encode(change("A"), event_id=uuid4(), source="test"), topic="t", key="k")
    deep = record(b'{"data":' + b"[" * 100_000, topic="t", key="k")
    deeper = record(
        b'{"specversion":"1.0","id":"1","source":"x","type":"InventoryChanged","data":' + b'{"a":' * 50_000,
        topic="t",
        key=None,
    )
    await consumer.process([dataclasses.replace(fine, headers=(("empty", None),)), deep, deeper])
    assert await effects(database) == [("A", 1)]


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

    dying = Dies(database, kafka, name=f"c-{topic}", topics=(topic,), handler=Effects(), key_ring=RING)
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


@pytest.mark.wire
@pytest.mark.fault("F3")
async def test_a_consumer_that_dies_inside_a_batch_gets_the_whole_batch_again(database: Database, kafka: str) -> None:
    """Before the effect's commit: an offset that was committed first would have lost the batch."""
    topic = f"inside-{uuid4().hex[:8]}"
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for number in range(20):
        await producer.send_and_wait(topic, encode(change("A", number), event_id=uuid4(), source="test"), key=b"k")
    await producer.stop()

    class Killed(BaseException):
        """The process dies: no handler of ours runs."""

    async def dies(session: AsyncSession, events: Sequence[Received]) -> None:
        await Effects()(session, events)
        raise Killed

    dying = Consumer(database, kafka, name=f"c-{topic}", topics=(topic,), handler=dies, key_ring=RING)
    with pytest.raises(Killed):
        await dying.run()
    assert await effects(database) == []
    living = asyncio.create_task(consumer_of(database, Effects(), kafka, topic).run())
    try:
        async with asyncio.timeout(60):
            while len(await effects(database)) < 20:
                await asyncio.sleep(0.05)
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
    assert await effects(database) == [("A", number) for number in range(20)]


@pytest.mark.fault("F7")
@pytest.mark.fault("F9")
async def test_a_handled_event_again_in_a_batch_in_which_another_fails_has_no_second_effect(database: Database) -> None:
    handler = Effects()
    consumer = consumer_of(database, handler)
    again = encode(change("A"), event_id=uuid4(), source="test")
    await consumer.process([record(again, topic="t", key="k")])
    handler.refuse = {"bad"}
    bad = encode(change("bad"), event_id=uuid4(), source="test")
    await consumer.process([record(message, topic="t", key="k") for message in (again, bad, again)])
    assert await effects(database) == [("A", 1)]
    handler.refuse = set()
    assert await consumer.replay() == 1
    await consumer.process([record(message, topic="t", key="k") for message in (again, bad)])
    assert await effects(database) == [("A", 1), ("bad", 1)]


async def test_a_letter_that_cannot_be_opened_stops_no_other_key(database: Database) -> None:
    handler = Effects()
    handler.refuse = {"bad", "worse"}
    consumer = consumer_of(database, handler)
    await deliver(consumer, change("bad"), change("worse"))
    async with database.transaction() as session:
        await run(
            session,
            "update dead_letter set message = substr(message, 1, length(message) - 1) where id = "
            "(select min(id) from dead_letter)",
        )
    handler.refuse = set()
    await consumer.replay()
    assert await effects(database) == [("worse", 1)]


async def test_a_key_longer_than_an_index_holds_is_a_dead_letter_and_stops_nobody(database: Database) -> None:
    consumer = consumer_of(database, Effects())
    parcel = ShipmentCreated(
        account_id=ACCOUNT,
        selling_partner_id="A1",
        amazon_order_id=token_hex(8000),
        shipment_id=uuid4(),
        carrier="UPS",
        tracking_number="1",
        shipped_at=datetime(2026, 1, 1, tzinfo=UTC),
        items=(ShippedItem(sku="A", quantity=1),),
    )
    await deliver(consumer, parcel, change("good"))
    assert await effects(database) == [("good", 1)]
    async with database.transaction() as session:
        (letter,) = (await session.exec(select(DeadLetter))).all()
        assert (letter.parked, "key is longer" in letter.reason) == (False, True)
