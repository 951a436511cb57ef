"""Pytest fixtures for all services: `databases`, `amazon`, `issuer`, `run_service`."""

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from starlette.types import ASGIApp

from common import http, http_server
from common.app import Runtime, Service, create_service_app
from common.settings import ServiceSettings
from common.testing.amazon import Amazon, LocalAmazon
from common.testing.databases import Databases
from common.testing.identity import Issuer

KEY_RING = "test:" + base64.b64encode(b"k" * 32).decode()


@dataclass
class Running:
    """A service that serves on a real socket inside the test process."""

    runtime: Runtime[Any]
    http: http.AsyncClient
    url: str


RunService = Callable[..., Awaitable[Running]]


@pytest_asyncio.fixture(scope="session")
async def databases() -> AsyncIterator[Databases]:
    made = Databases(os.environ["DATABASE_URL"])
    yield made
    await made.close()


@pytest.fixture(scope="session")
def kafka() -> str:
    """Bootstrap servers of the session's broker."""
    return os.environ["KAFKA_BOOTSTRAP_SERVERS"]


@pytest.fixture(scope="session")
def local_amazon() -> Iterator[LocalAmazon]:
    local = LocalAmazon()
    yield local
    local.stop()


@pytest_asyncio.fixture
async def amazon(local_amazon: LocalAmazon) -> AsyncIterator[Amazon]:
    """The local Amazon, empty and without delays or quotas."""
    async with http.client() as client:
        hands = Amazon(local_amazon, client)
        await hands.reset()
        yield hands


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest_asyncio.fixture
async def run_service(databases: Databases, issuer: Issuer) -> AsyncIterator[RunService]:
    """`await run_service(service, amazon=amazon, roles="api", **settings)`: a fresh database, a free port, real HTTP.

    Without `worker` among the roles (the default) no loop runs: tests call `deliver` and `worker().run_due()`.
    """
    async with AsyncExitStack() as stack:

        async def start(service: Service[Any], *, amazon: Amazon | None = None, **settings: Any) -> Running:
            url = await databases.new(service.package)
            stack.push_async_callback(databases.drop, url)
            given: dict[str, Any] = {
                "environment": "test",
                "roles": "api",
                "database_url": url,
                "kafka_bootstrap_servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
                "auth_url": "http://127.0.0.1:1",
                "service_key": "none",
                "key_ring": KEY_RING,
            }
            if amazon is not None:
                given |= {f"amazon_endpoint_{region.lower()}": base for region, base in amazon.endpoints.items()}
            wired = service if service.keys else replace(service, keys=lambda _: issuer.keys)
            if amazon is not None and service.access is None:
                wired = replace(wired, access=lambda _: amazon.access)
            app = create_service_app(wired, service.settings(**(given | settings)))
            base_url = await stack.enter_async_context(serve(app, app.state.runtime.settings))
            client = await stack.enter_async_context(http.client())
            client.base_url = base_url
            return Running(app.state.runtime, client, base_url)

        yield start


@asynccontextmanager
async def serve(app: ASGIApp, settings: ServiceSettings | None = None) -> AsyncIterator[str]:
    """Serves an app on a free loopback port, a service's (with its settings) as `serve` does; yields its base URL."""
    if settings is None:
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_keep_alive=http.IDLE_SERVER_SECONDS)
    else:
        config = http_server.configuration(app, settings, port=0)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.005)
        if task.done():
            await task
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await task
    listening.close()
