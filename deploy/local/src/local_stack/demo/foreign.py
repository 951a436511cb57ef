"""Other systems: a producer and a consumer on plain aiokafka that know nothing of our code, only CloudEvents."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


class ForeignSystem:
    """Sends events as any system would, and keeps all it reads of our topics."""

    def __init__(self, bootstrap_servers: str, topics: tuple[str, ...]) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topics = topics
        self.read: list[dict[str, Any]] = []
        self.raw = bytearray()

    async def start(self) -> None:
        self._producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap_servers)
        await self._producer.start()
        self._consumer = AIOKafkaConsumer(
            *self._topics, bootstrap_servers=self._bootstrap_servers, auto_offset_reset="earliest"
        )
        await self._consumer.start()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            for messages in (await self._consumer.getmany(timeout_ms=10)).values():
                for message in messages:
                    self.raw += message.value
                    self.read.append(json.loads(message.value))
            # The embedded broker answers an empty fetch at once: without a rest this would spin.
            self._consumer.pause(*self._consumer.assignment())
            await asyncio.sleep(0.05)
            self._consumer.resume(*self._consumer.assignment())

    def of_type(self, *types: str) -> list[dict[str, Any]]:
        """The data of the events of these types, in the order they were read, repeats included."""
        return [event["data"] for event in self.read if event["type"] in types]

    async def send(self, topic: str, key: str, event_type: str, data: dict[str, Any]) -> None:
        """One structured CloudEvent."""
        event = {
            "specversion": "1.0",
            "id": str(uuid4()),
            "source": "urn:foreign:warehouse",
            "type": event_type,
            "time": datetime.now(UTC).isoformat(),
            "datacontenttype": "application/json",
            "data": data,
        }
        await self._producer.send(topic, json.dumps(event).encode(), key=key.encode())

    async def flush(self) -> None:
        await self._producer.flush()

    async def stop(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._consumer.stop()
        await self._producer.stop()
