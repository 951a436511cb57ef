"""Both ends of Kafka without a broker: hand events to a service's consumer, and read what its outbox holds."""

from collections.abc import Mapping, Sequence
from itertools import count
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord
from sqlmodel import col, select

from common.contracts.catalogue import EVENTS
from common.contracts.event import Event, decode, encode
from common.db import Database
from common.kafka import Consumer
from common.outbox import OutboxMessage

_offsets = count()


def record(
    message: bytes, *, topic: str, key: str | None, headers: Mapping[str, str] | None = None
) -> "ConsumerRecord[bytes, bytes]":
    """A message as aiokafka would hand it over."""
    return ConsumerRecord(
        topic=topic,
        partition=0,
        offset=next(_offsets),
        timestamp=0,
        timestamp_type=0,
        key=None if key is None else key.encode(),
        value=message,
        checksum=None,
        serialized_key_size=len(key or ""),
        serialized_value_size=len(message),
        headers=tuple((name, value.encode()) for name, value in (headers or {}).items()),
    )


async def deliver(consumer: Consumer, *events: Event, event_id: UUID | None = None) -> None:
    """Brings events to the consumer in one batch, through decoding, inbox and handler as from Kafka."""
    await consumer.process(
        [
            record(encode(event, event_id=event_id or uuid4(), source="test"), topic=event.TOPIC, key=event.key())
            for event in events
        ]
    )


async def published(database: Database) -> Sequence[Event]:
    """What the outbox holds, in the order in which it would leave; dead-letter copies excluded."""
    async with database.transaction() as session:
        rows = (await session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id)))).all()
    return [decode(row.message, EVENTS).event for row in rows if not row.topic.endswith(".dead-letter")]


async def clear_outbox(database: Database) -> None:
    """Forgets what was published so far, as if the relay had sent it."""
    async with database.transaction() as session:
        for row in (await session.exec(select(OutboxMessage))).all():
            await session.delete(row)
