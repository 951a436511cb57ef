"""The buckets: never overdrawn across replicas, and one seller's never in another's way."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from common import clock
from common.amazon.access import Seller
from common.amazon.limits import Limits, amazon_bucket
from common.amazon.operations import GET_ORDER, PATCH_LISTINGS_ITEM, SEARCH_ORDERS, Operation

MakeSeller = Callable[..., Seller]
FAST = replace(PATCH_LISTINGS_ITEM, name="fast", rate=200.0, burst=100.0, application_rate=None)


async def drain(limits: Limits, operation: Operation, app_id: str, seller: Seller, seconds: float) -> int:
    """Takes all it can get for so long, with many callers at once; how many that were."""
    ends = time.monotonic() + seconds
    taken = 0

    async def caller() -> None:
        nonlocal taken
        while time.monotonic() < ends:
            if await limits.take(operation, app_id, seller, max_wait=0.02) == 0.0:
                taken += 1
            else:
                await asyncio.sleep(0.005)

    await asyncio.gather(*(caller() for _ in range(20)))
    return taken


@pytest.mark.fault("F10")
@pytest.mark.fact("3.1")
@pytest.mark.parametrize("operation", [PATCH_LISTINGS_ITEM, FAST], ids=["five a second", "leased in blocks"])
async def test_two_replicas_together_never_overdraw_a_bucket(
    bucket_engine: AsyncEngine, app_id: str, seller: Seller, operation: Operation
) -> None:
    replicas = [Limits(bucket_engine, "listings") for _ in range(2)]
    started = time.monotonic()
    taken = await asyncio.gather(*(drain(replica, operation, app_id, seller, 1.5) for replica in replicas))
    elapsed = time.monotonic() - started
    assert sum(taken) <= operation.burst + operation.rate * elapsed
    assert sum(taken) >= operation.burst / 2


@pytest.mark.edge(22)
async def test_an_empty_bucket_of_one_seller_delays_no_other(
    bucket_engine: AsyncEngine, app_id: str, make_seller: MakeSeller
) -> None:
    limits = Limits(bucket_engine, "orders")
    busy, other = make_seller("A1BUSY"), make_seller("A2OTHER")
    while await limits.take(SEARCH_ORDERS, app_id, busy) == 0.0:
        pass
    waiting = asyncio.create_task(limits.take(SEARCH_ORDERS, app_id, busy, max_wait=600))
    await asyncio.sleep(0)
    assert await limits.take(SEARCH_ORDERS, app_id, other) == 0.0
    assert not waiting.done()
    waiting.cancel()


async def test_all_of_the_burst_but_one_is_given_at_once_and_then_the_wait_is_the_refill(
    bucket_engine: AsyncEngine, app_id: str, seller: Seller
) -> None:
    limits = Limits(bucket_engine, "orders")
    slow = replace(GET_ORDER, name="slow", rate=0.005)
    waits = [await limits.take(slow, app_id, seller) for _ in range(30)]
    assert waits[:29] == [0.0] * 29
    assert 150 < waits[29] <= 200.1


async def test_what_is_spent_is_remembered_over_a_restart(
    bucket_engine: AsyncEngine, app_id: str, seller: Seller
) -> None:
    before = Limits(bucket_engine, "orders")
    assert [await before.take(SEARCH_ORDERS, app_id, seller) for _ in range(19)] == [0.0] * 19
    wait = await Limits(bucket_engine, "orders").take(SEARCH_ORDERS, app_id, seller)
    assert 170 < wait <= 180


async def test_those_who_wait_behind_others_are_told_the_whole_wait(
    bucket_engine: AsyncEngine, app_id: str, seller: Seller
) -> None:
    limits = Limits(bucket_engine, "orders")
    while await limits.take(SEARCH_ORDERS, app_id, seller) == 0.0:
        pass
    first = asyncio.create_task(limits.take(SEARCH_ORDERS, app_id, seller, max_wait=600))
    await asyncio.sleep(0.05)
    assert 340 < await limits.take(SEARCH_ORDERS, app_id, seller) <= 360
    first.cancel()


@pytest.mark.fact("3.2")
async def test_the_applications_own_limit_holds_across_sellers_and_costs_the_seller_nothing(
    bucket_engine: AsyncEngine, app_id: str, make_seller: MakeSeller
) -> None:
    operation = replace(PATCH_LISTINGS_ITEM, name="shared", application_rate=0.01)
    limits = Limits(bucket_engine, "listings")
    first, second = make_seller("A1"), make_seller("A2")
    assert await limits.take(operation, app_id, first) == 0.0
    assert 50 < await limits.take(operation, app_id, second) <= 100.1
    clock.set_ahead(timedelta(seconds=101))
    try:
        assert await limits.take(operation, app_id, second) == 0.0
    finally:
        clock.set_ahead(timedelta(0))


@pytest.mark.fault("F15")
async def test_a_bucket_last_filled_in_the_future_gives_no_more_than_its_burst(
    bucket_engine: AsyncEngine, app_id: str, seller: Seller
) -> None:
    limits = Limits(bucket_engine, "orders")
    assert await limits.take(SEARCH_ORDERS, app_id, seller) == 0.0
    async with bucket_engine.begin() as connection:
        ahead = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 1)
        await connection.execute(
            update(amazon_bucket).where(amazon_bucket.c.app_id == app_id).values(refilled_at=ahead)
        )
    taken = 0
    while await limits.take(SEARCH_ORDERS, app_id, seller) == 0.0:
        taken += 1
    assert taken == 18


async def test_each_seller_has_a_row_and_a_share_of_a_divided_rate(
    bucket_engine: AsyncEngine, app_id: str, seller: Seller
) -> None:
    divided = replace(GET_ORDER, name="divided", shares={"orders": 0.3, "listings": 0.7}, burst=10.0)
    limits = Limits(bucket_engine, "orders")
    taken = 0
    while await limits.take(divided, app_id, seller) == 0.0:
        taken += 1
    async with bucket_engine.connect() as connection:
        rows = await connection.scalar(
            select(func.count()).select_from(amazon_bucket).where(amazon_bucket.c.app_id == app_id)
        )
    assert (taken, rows) == (2, 1)
