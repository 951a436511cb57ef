"""A running auth service beside the local Amazon."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from auth_service.access_tokens import TokenBroker
from auth_service.app import SERVICE
from auth_service.testing import Desk, amazon_settings
from common.app import Runtime
from common.testing.amazon import Amazon
from common.testing.plugin import RunService

OpenDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
def open_desk(run_service: RunService, amazon: Amazon) -> OpenDesk:
    """`await open_desk(**settings)`: auth with other settings than usual."""

    async def start(**settings: Any) -> Desk:
        running = await run_service(SERVICE, amazon=amazon, **(amazon_settings(amazon) | settings))
        return Desk(running.runtime, running.http, amazon)

    return start


@pytest_asyncio.fixture
async def desk(open_desk: OpenDesk) -> Desk:
    return await open_desk()


@pytest_asyncio.fixture
async def replica(desk: Desk) -> AsyncIterator[TokenBroker]:
    """The broker of a second auth process over the same database."""
    other = Runtime(SERVICE, desk.runtime.settings)
    assert isinstance(other.access, TokenBroker)
    yield other.access
    await other.close()


@pytest.fixture
def all_at_once() -> Callable[..., Awaitable[list[Any]]]:
    """Awaits everything at the same time; errors are answered in their places."""

    async def run(*awaitables: Awaitable[Any]) -> list[Any]:
        return await asyncio.gather(*awaitables, return_exceptions=True)

    return run
