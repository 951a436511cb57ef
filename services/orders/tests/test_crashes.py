"""Whoever dies at whatever step of a run: the next worker ends it, and nothing is lost or done twice."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from common.contracts.orders import OrderImported, TrackingConfirmed
from common.db import Database
from common.jobs import Runner
from common.worker import Worker
from orders_service.confirming import SyncOrders
from orders_service.getting import GetOrders
from orders_service.testing import Shop


class Killed(BaseException):
    """Like SIGKILL, no handler of ours runs: the run stays `running` in the hands of a dead worker."""


class MortalDatabase(Database):
    """Dies at the given step; each transaction has three: before it, before its commit, and after its commit."""

    def __init__(self, shop: Shop, dies_at: int) -> None:
        super().__init__(shop.service.runtime.db.url, service="orders")
        self.left = dies_at

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        self._step()
        async with super().transaction() as session:
            yield session
            self._step()
        self._step()


def runner(shop: Shop, operation: str, db: Database) -> Runner:
    runtime = shop.service.runtime
    if operation == "get_orders":
        return GetOrders(db, runtime.amazon, runtime.key_ring)
    return SyncOrders(db, runtime.amazon, (0.0,))


async def run_and_die(shop: Shop, operation: str, dies_at: int) -> bool:
    """Runs the operation in a worker that dies at that step, then in one that does not; False when none died."""
    await shop.refill_buckets()
    await shop.start(operation)
    mortal = MortalDatabase(shop, dies_at)
    try:
        await Worker(shop.service.runtime.db, {operation: runner(shop, operation, mortal)}).run_due()
        died = False
    except Killed:
        died = True
        # Its heartbeat stopped longer ago than the lease.
        await shop.sql("update operation_run set heartbeat_at = heartbeat_at - interval '1 minute'")
    await mortal.close()
    await shop.service.runtime.worker().run_due()
    return died


@pytest.mark.row("C3")
@pytest.mark.fault("F1")
async def test_an_import_that_dies_at_any_step_imports_every_order_once(shop: Shop) -> None:
    placed: list[str] = []
    dies_at, died = 0, True
    while died:
        dies_at += 1
        # Out of the overlap of the runs before, so that there are two pages each time.
        await shop.amazon.dial("POST", "/sandbox/clock", {"advance_s": 400})
        placed += await shop.place(*[{}] * 101)
        died = await run_and_die(shop, "get_orders", dies_at)
        announced = Counter([event.amazon_order_id for event in await shop.published(OrderImported)])
        assert announced == Counter(placed), f"died at step {dies_at}"
    assert dies_at > 15
    assert await shop.sql("select count(*) from orders") == [(len(placed),)]
    assert await shop.sql("select count(*) from order_line") == [(len(placed),)]
    assert await shop.sql("select 1 from operation_run where status <> 'succeeded' and requested_by = 'tester'") == []


@pytest.mark.row("C8")
@pytest.mark.fault("F12")
async def test_a_confirmation_that_dies_at_any_step_becomes_one_package(shop: Shop) -> None:
    dies_at, died = 0, True
    while died:
        dies_at += 1
        (amazon_order_id,) = await shop.place({})
        await shop.get_orders()
        told = shop.shipped(amazon_order_id)
        await shop.deliver(told)
        died = await run_and_die(shop, "sync_orders", dies_at)
        await shop.sync_orders()
        assert (await shop.shipment(told))["status"] == "confirmed", f"died at step {dies_at}"
        books = await shop.at_amazon(amazon_order_id)
        assert [package["package_reference_id"] for package in books["packages"]] == ["1"]
    confirmed = Counter([event.amazon_order_id for event in await shop.published(TrackingConfirmed)])
    assert set(confirmed.values()) == {1}
    assert len(confirmed) == dies_at
    assert dies_at > 9
