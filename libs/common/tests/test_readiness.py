"""Ready is who moves: the relay, the consumer, and one process only per replica number."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock, http
from common.app import Service, create_service_app
from common.bulk import run
from common.contracts.event import Received, encode
from common.contracts.inventory import InventoryChanged
from common.db import Database
from common.settings import ServiceSettings
from common.testing.databases import Databases
from common.testing.plugin import KEY_RING, serve


def service(topic: str) -> Service[ServiceSettings]:
    """One that writes a row for each event of a topic of its own, and its group's."""

    async def write(session: AsyncSession, events: Sequence[Received]) -> None:
        for event in events:
            await run(session, "insert into effect (event_id) values ($1)", event.id)

    return Service(
        name=topic,  # type: ignore[arg-type]  # the group's name as well
        package="common",
        settings=ServiceSettings,
        routers=[],
        topics=(topic,),
        events=lambda _: write,
    )


def app(topic: str, database_url: str, kafka: str, **settings: Any) -> FastAPI:
    given: dict[str, Any] = {
        "environment": "test",
        "roles": "worker",
        "database_url": database_url,
        "kafka_bootstrap_servers": kafka,
    }
    given |= {
        "auth_url": "http://127.0.0.1:1",
        "service_key": "none",
        "key_ring": KEY_RING,
        "consumer_rest_seconds": 0.03,
    }
    return create_service_app(service(topic), ServiceSettings(**given | settings))


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    url = await databases.new("common")
    yield url
    await databases.drop(url)


@asynccontextmanager
async def process(made: FastAPI) -> AsyncIterator[Callable[[], Awaitable[tuple[int, Any]]]]:
    """The app as it serves; asks its `/readyz`."""
    async with serve(made) as url, http.client() as client:

        async def ready() -> tuple[int, Any]:
            answer = await client.get(f"{url}/readyz")
            return answer.status_code, answer.json()["checks"]

        yield ready


async def is_ready(ready: Callable[[], Awaitable[tuple[int, Any]]]) -> bool:
    return (await ready())[0] == 200


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(90):
        while not await condition():
            await asyncio.sleep(0.05)


@pytest.mark.wire
@pytest.mark.edge(43)
async def test_of_two_processes_with_one_replica_number_the_second_consumes_nothing_and_is_not_ready(
    database_url: str, kafka: str
) -> None:
    topic = f"twice-{uuid4().hex[:8]}"
    first = app(topic, database_url, kafka)
    db = Database(database_url, service="test")
    async with db.transaction() as session:
        await run(session, "create table effect (event_id uuid)")

    async def handled(number: int) -> bool:
        async with db.transaction() as session:
            return len(await run(session, "select event_id from effect")) == number

    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()

    async def tell() -> None:
        event = InventoryChanged(account_id=uuid4(), channel_id=uuid4(), sku="A", quantity=1, as_of=clock.now())
        message = encode(event, event_id=uuid4(), source="test")
        await producer.send_and_wait(topic, message, key=b"k")

    async with process(first) as first_ready:
        await until(lambda: is_ready(first_ready))
        async with process(app(topic, database_url, kafka)) as second_ready:

            async def says_so() -> bool:
                status, checks = await second_ready()
                return status == 503 and "REPLICA of its own" in checks["consumer"]

            await until(says_so)
            await tell()
            await until(lambda: handled(1))
            assert await is_ready(first_ready)
            assert await says_so()
    await producer.stop()
    await db.close()


@pytest.mark.edge(43)
async def test_the_second_process_begins_when_the_first_is_gone(database_url: str, kafka: str) -> None:
    topic = f"after-{uuid4().hex[:8]}"
    async with AsyncExitStack() as stack:
        async with process(app(topic, database_url, kafka)) as first_ready:
            await until(lambda: is_ready(first_ready))
            second_ready = await stack.enter_async_context(process(app(topic, database_url, kafka)))

            async def is_refused() -> bool:
                return (await second_ready())[0] == 503

            await until(is_refused)
        await until(lambda: is_ready(second_ready))


@pytest.mark.fault("F5")
@pytest.mark.parametrize("roles", ["worker", "api,worker"])
async def test_a_broker_that_accepts_and_never_answers_makes_a_worker_unready(database_url: str, roles: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        made = app("mute", database_url, f"127.0.0.1:{mute.getsockname()[1]}", roles=roles)
        async with process(made) as ready:
            for pulse in made.state.runtime.pulses:
                pulse.still_after = 0.2

            async def stands() -> bool:
                answered, checks = await ready()
                return answered == 503 and "has not moved" in checks["relay"] and "has not moved" in checks["consumer"]

            await until(stands)


@pytest.mark.fault("F5")
async def test_an_api_whose_broker_is_away_is_ready_and_says_that_its_relay_stands(database_url: str) -> None:
    made = app("away", database_url, "127.0.0.1:1", roles="api,worker")
    async with process(made) as ready:
        for pulse in made.state.runtime.pulses:
            pulse.still_after = 0.2

        async def stands() -> bool:
            status, checks = await ready()
            return status == 200 and "has not moved" in checks["relay"] and "no broker answers" in checks["kafka"]

        await until(stands)
