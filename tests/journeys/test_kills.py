"""`kill -9` of each service in the middle of the sync and of the import, then a restart: the same final counts."""

import asyncio
import io
import os
from collections.abc import Awaitable, Callable

import pytest
from rich.console import Console

from local_stack.demo.hands import until
from local_stack.demo.report import Report
from local_stack.demo.running import new_stack, tell
from local_stack.demo.story import STEPS, Story
from local_stack.ports import answers
from local_stack.services import NAMES, SERVICES, create_account
from local_stack.stack import INFRASTRUCTURE, Stack, start_stack
from local_stack.supervisor import Service

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]


class UnderFire(Story):
    """The demo's story while every service is killed once during the sync and once during the import."""

    patience = 180.0
    stack: Stack
    killed: list[str]

    async def change_and_sync(self) -> str:
        # listings dies with writes half done, auth while tokens are asked for, the others idle
        return await self._while_killing(
            super().change_and_sync, ("listings", "auth", "orders", "compliance"), self._written
        )

    async def import_orders(self) -> str:
        # the answer of the first page takes long enough to die in; compliance dies when the first events arrive
        slow = {"operation": "searchOrders", "kind": "slow", "seconds": 5, "count": 2}
        await self.amazon.dial("POST", "/faults", slow)
        return await self._while_killing(
            super().import_orders, ("orders", "compliance", "auth", "listings"), self._importing
        )

    async def _while_killing(
        self, step: Callable[[], Awaitable[str]], names: tuple[str, ...], begun: Callable[[], Awaitable[bool]]
    ) -> str:
        running = asyncio.ensure_future(step())
        await until("the work to begin", begun, within=self.patience)
        servers = [self._kill(name) for name in names]
        for server in servers:

            async def serves(server: Service = server) -> bool:
                server.child.check()
                return await asyncio.to_thread(answers, server.health_url)

            await until(f"{server.name} to serve again", serves, within=self.patience)
        return await running

    def _kill(self, name: str) -> Service:
        """SIGKILL, and a restart at once. Only started here, in the main thread: a child dies with its thread."""
        server = self.stack.supervisor.servers[name]
        assert isinstance(server, Service)
        server.kill()
        self.killed.append(name)
        server.launch()
        return server

    async def _written(self) -> bool:
        return bool(await self._writes())

    async def _importing(self) -> bool:
        runs = await self.merchant.every("orders", "/v1/operations")
        return any(run["operation"] == "get_orders" and run["status"] == "running" for run in runs)


@pytest.mark.fault("F1")
@pytest.mark.fault("F3")
@pytest.mark.row("B15", "C3", "C8")
def test_killing_each_service_during_sync_and_import_changes_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    assert "DATABASE_URL" not in os.environ
    stack = new_stack()
    screen = io.StringIO()
    report = Report(Console(file=screen, width=200), steps=len(STEPS))
    killed: list[str] = []
    fired = type("Fired", (UnderFire,), {"stack": stack, "killed": killed})
    try:
        start_stack((*INFRASTRUCTURE, *SERVICES), stack, lambda _: None)
        failed = asyncio.run(tell(stack, report, create_account(stack, "Demo merchant"), fired))
    finally:
        stack.supervisor.stop()
    assert not failed, screen.getvalue()
    assert sorted(killed) == sorted([*NAMES, *NAMES])
    counts = {name: report.counts[name] for name in ("changes", "orders", "duplicates", "held", "routed", "confirmed")}
    assert counts == {"changes": 30, "orders": 40, "duplicates": 0, "held": 10, "routed": 40, "confirmed": 40}
