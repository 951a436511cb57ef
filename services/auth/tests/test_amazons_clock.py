"""The service's time can follow the local Amazon's: lives of an hour and more pass in milliseconds."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from auth_service.app import SERVICE
from common import clock
from common.testing.amazon import Amazon


async def _advance(amazon: Amazon, by: timedelta) -> None:
    """Moves Amazon's clock, and waits until this process has followed."""
    before = clock.ahead()
    await amazon.dial("POST", "/sandbox/clock", {"advance_s": by.total_seconds()})
    async with asyncio.timeout(10):
        while clock.ahead() < before + by - timedelta(seconds=5):
            await asyncio.sleep(0.01)


@pytest.mark.row("E1")
@pytest.mark.row("A8")
@pytest.mark.fact("2.3.2")
async def test_access_tokens_and_our_own_expire_when_amazons_clock_moves(open_desk: Any, amazon: Amazon) -> None:
    desk = await open_desk(clock_url=amazon.urls["dials"] + "/sandbox/clock")
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    asking = {"account_id": str(tenant.account_id), "connection_id": connection["id"]}

    async def ask(headers: dict[str, str]) -> Any:
        return await desk.http.post("/v1/internal/access-tokens", json=asking, headers=headers)

    headers = await desk.service_headers()
    first = (await ask(headers)).json()["access_token"]
    assert (await ask(headers)).json()["access_token"] == first
    for passes in (timedelta(hours=1), timedelta(days=30)):
        await _advance(amazon, passes)
        assert (await ask(headers)).status_code == 401
        headers = await desk.service_headers()
        renewed = (await ask(headers)).json()
        assert renewed["access_token"] != first
        assert 3500 < renewed["expires_in"] <= 3600
        first = renewed["access_token"]
    assert await desk.refreshes() == 3


def test_a_clock_to_follow_is_refused_in_production() -> None:
    settings: dict[str, Any] = {
        "environment": "production",
        "database_url": "postgresql://x:y@db/auth",
        "kafka_bootstrap_servers": "kafka:9092",
        "auth_url": "http://auth:8000",
        "service_key": "a",
        "key_ring": "k:a",
        "clock_url": "http://amazon:9400/sandbox/clock",
    }
    with pytest.raises(ValidationError, match="CLOCK_URL"):
        SERVICE.settings(**settings)
