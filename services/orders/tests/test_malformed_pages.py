"""What Amazon should not send: odd orders, orders that it cannot give, a page token that is refused, a page cut off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY
from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import run as run_sql
from common.contracts.orders import OrderImported
from common.db import Database
from common.worker import Worker
from orders_service.getting import GetOrders
from orders_service.testing import ODDITIES, OpenShop, Shop, Spoiler
from orders_service.unimported import PATIENCE, READ_AGAIN_PER_RUN

CURSORS = "select last_updated_after from import_cursor"


async def imported(shop: Shop) -> set[str]:
    return {event.amazon_order_id for event in await shop.published(OrderImported)}


async def all_are_due(shop: Shop) -> None:
    """Their waits are over, and the window has long passed them by."""
    await shop.sql("update unimported_order set next_attempt_at = now() where next_attempt_at is not null")
    await shop.sql("update import_cursor set last_updated_after = now() + interval '1 hour'")


@pytest.mark.row("C2")
@pytest.mark.fault("F13")
@pytest.mark.edge(32)
@pytest.mark.parametrize("oddity", ODDITIES)
async def test_an_odd_order_wherever_it_stands_is_set_aside_sealed_and_comes_when_it_is_whole(
    open_shop: OpenShop, spoiler: Spoiler, oddity: str
) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    for odd_places in ((0,), (1,), (2,), (0, 1, 2)):
        await shop.amazon.dial("POST", "/sandbox/clock", {"advance_s": 400})  # a page of its own
        placed = await shop.place(*[{} for _ in range(3)])
        odd = [placed[place] for place in odd_places]
        spoiler.odd = dict.fromkeys(odd, oddity)
        run = await shop.get_orders()
        assert run["status"] == "succeeded"
        assert run["counts"].get("imported", 0) == 3 - len(odd)
        assert (run["counts"]["malformed"], run["counts"]["errors"]) == (len(odd), len(odd))
        assert {error["amazon_order_id"] for error in run["errors"]} == set(odd)
        for amazon_order_id in odd:
            assert await shop.explain(amazon_order_id) == ["malformed"]
        bodies = await shop.sql("select sealed_body from unimported_order")
        assert all(body and b"Canary" not in body for (body,) in bodies)
        spoiler.odd = {}
        await all_are_due(shop)
        await shop.get_orders()
        await shop.sql("delete from import_cursor")
        assert set(placed) <= await imported(shop)
        assert await shop.sql("select 1 from unimported_order") == []
    assert len(await shop.published(OrderImported)) == 12


@pytest.mark.edge(32)
async def test_what_no_reader_foresees_is_set_aside_as_well(shop: Shop) -> None:
    await shop.sql("alter table order_line add constraint unforeseen check (sku <> 'ODD')")
    for places in ((0,), (1,), (2,), (0, 1, 2)):
        await shop.amazon.dial("POST", "/sandbox/clock", {"advance_s": 400})
        placed = await shop.place(
            *[{"lines": [{"sku": "ODD" if n in places else "MUG-1", "quantity": 1, "unit_price": 1}]} for n in range(3)]
        )
        odd = {placed[place] for place in places}
        run = await shop.get_orders()
        assert run["status"] == "succeeded"
        told = {error["amazon_order_id"]: error["detail"] for error in run["errors"]}
        assert told.keys() & set(placed) == odd
        assert set(told.values()) == {"the database refuses it (SQLSTATE 23514)"}
        assert await imported(shop) & set(placed) == set(placed) - odd
        for amazon_order_id in odd:
            assert await shop.explain(amazon_order_id) == ["not_storable"]


@pytest.mark.edge(33)
async def test_a_set_aside_order_that_amazon_never_gives_waits_apart_and_is_parked_with_an_alarm(
    open_shop: OpenShop, spoiler: Spoiler
) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    (bad,) = await shop.place({})
    spoiler.odd, spoiler.failing = {bad: "nul"}, {bad}
    await shop.get_orders()
    (good,) = await shop.place({})
    run = await shop.get_orders()
    assert (run["status"], await imported(shop)) == ("succeeded", {good})
    assert {error["code"] for error in run["errors"]} == {"malformed", "unanswered"}
    ((failures, waits),) = await shop.sql(
        "select failures, next_attempt_at > now() + interval '4 minutes' from unimported_order"
    )
    assert (failures, waits) == (2, True)
    # Shown in a window again it keeps its place: that is no attempt of its own.
    await shop.get_orders()
    assert await shop.sql("select failures from unimported_order") == [(2,)]

    def parked() -> float:
        return REGISTRY.get_sample_value("entrepot_parked_items_total", {"kind": "order"}) or 0.0

    before = parked()
    await shop.sql("update unimported_order set failures = $1, next_attempt_at = now()", len(PATIENCE.pauses))
    await shop.get_orders()
    assert parked() == before + 1
    rows = await shop.sql(
        "select next_attempt_at, parked_at is not null, sealed_body is not null from unimported_order"
    )
    assert rows == [(None, True, True)]
    (reason,) = await shop.reasons(bad)
    assert "amazon_order_ids" in reason["fix"]
    # The fix that is told makes it go away.
    spoiler.odd, spoiler.failing = {}, set()
    await shop.run("get_orders", amazon_order_ids=[bad])
    assert await imported(shop) == {bad, good}
    assert await shop.sql("select 1 from unimported_order") == []


@pytest.mark.edge(33)
async def test_twenty_old_ones_that_fail_starve_no_new_one(open_shop: OpenShop, spoiler: Spoiler) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    old = await shop.place(*[{} for _ in range(READ_AGAIN_PER_RUN)])
    spoiler.odd, spoiler.failing = dict.fromkeys(old, "shape"), set(old)
    await shop.get_orders()
    await shop.get_orders()  # the turn of each, in vain
    assert await shop.sql("select distinct failures from unimported_order") == [(2,)]
    (new,) = await shop.place({})
    spoiler.odd |= {new: "shape"}
    await shop.get_orders()
    del spoiler.odd[new]
    await shop.sql("update import_cursor set last_updated_after = now() + interval '1 hour'")
    await shop.get_orders()
    assert await imported(shop) == {new}


@pytest.mark.edge(33)
async def test_a_back_fill_of_a_bad_and_a_good_order_reads_the_good_one_and_tells_of_the_bad_one(
    open_shop: OpenShop, spoiler: Spoiler
) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    failing, odd, good = await shop.place({}, {}, {})
    spoiler.odd, spoiler.failing = {odd: "bare word"}, {failing}
    run = await shop.run("get_orders", amazon_order_ids=[failing, odd, "111-0000000-0000000", good])
    assert run["status"] == "succeeded"
    assert [(error["amazon_order_id"], error["code"]) for error in run["errors"]] == [
        (failing, "unanswered"),
        (odd, "malformed"),
        ("111-0000000-0000000", "not_found"),
    ]
    assert await imported(shop) == {good}
    # What Amazon has and could not give comes by itself; an id that it does not know is not asked for again.
    assert await shop.sql("select count(*) from unimported_order") == [(2,)]
    spoiler.odd, spoiler.failing = {}, set()
    await all_are_due(shop)
    await shop.get_orders()
    assert await imported(shop) == {failing, odd, good}


@pytest.mark.edge(5)
@pytest.mark.fault("F19")
@pytest.mark.fact("8.2.2")
async def test_a_page_token_that_is_refused_restarts_the_window(open_shop: OpenShop, spoiler: Spoiler) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    await shop.place(*[{} for _ in range(150)])
    cursors = await shop.sql(CURSORS)
    spoiler.refuse_tokens = True
    run = await shop.get_orders()
    assert (run["status"], run["errors"][0]["code"]) == ("failed", "amazon_refused")
    assert run["counts"]["windows_restarted"] == 3
    assert await shop.sql(CURSORS) == cursors
    spoiler.refuse_tokens = False
    run = await shop.get_orders()
    assert (run["status"], run["counts"]["imported"]) == ("succeeded", 50)
    assert len(await shop.published(OrderImported)) == 150


@pytest.mark.fault("F11")
@pytest.mark.fact("8.2.2")
async def test_a_page_that_is_cut_off_is_never_taken_for_the_last_and_is_read_again_in_smaller_ones(
    open_shop: OpenShop, spoiler: Spoiler
) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    await shop.place(*[{} for _ in range(13)])
    cursors = await shop.sql(CURSORS)
    spoiler.cut = 1
    run = await shop.get_orders()
    assert run["status"] == "queued"
    assert await shop.sql(CURSORS) == cursors
    await shop.sql("update operation_run set due_at = now()")
    await shop.service.runtime.worker().run_due()
    assert len(await shop.orders()) == 13
    assert spoiler.page_sizes[-3:] == [13, 10, 3]


@pytest.mark.edge(32)
async def test_the_pages_behind_an_odd_one_are_read_too(open_shop: OpenShop, spoiler: Spoiler) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    placed = await shop.place(*[{} for _ in range(8)])
    spoiler.largest_page = 3
    spoiler.odd = {placed[4]: "bare word"}
    run = await shop.get_orders()
    assert (run["status"], run["counts"]["pages_read_in_parts"]) == ("succeeded", 1)
    assert await imported(shop) == set(placed) - {placed[4]}


class Broken(RuntimeError):
    """An ordinary error of ours, of no order."""


class BreakingDatabase(Database):
    """One transaction, the first that has stored `orders` of them, breaks before its commit."""

    def __init__(self, url: str, orders: int) -> None:
        super().__init__(url, service="orders")
        self.broke = False
        self._orders = orders

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        async with super().transaction() as session:
            yield session
            if not self.broke:
                ((stored,),) = await run_sql(session, "select count(*) from orders")
                self.broke = stored >= self._orders
                if self.broke:
                    raise Broken


@pytest.mark.row("C3")
@pytest.mark.fault("F1")
@pytest.mark.parametrize("orders", [1, 101])
async def test_a_page_that_was_not_stored_is_read_again_when_the_run_goes_on_after_an_ordinary_error(
    shop: Shop, orders: int
) -> None:
    placed = await shop.place(*[{} for _ in range(101)])
    cursors = await shop.sql(CURSORS)
    runtime = shop.service.runtime
    database = BreakingDatabase(runtime.db.url, orders)
    run_id = await shop.start("get_orders")
    worker = Worker(runtime.db, {"get_orders": GetOrders(database, runtime.amazon, runtime.key_ring)})
    await worker.run_due()
    assert database.broke
    assert (await shop.operation(run_id))["status"] == "queued"
    # Neither the window's cursor moved, nor the run's past the page that is not stored.
    assert await shop.sql(CURSORS) == cursors
    await shop.sql("update operation_run set due_at = now()")
    await worker.run_due()
    await database.close()
    assert (await shop.operation(run_id))["status"] == "succeeded"
    assert await imported(shop) == set(placed)
    assert len(await shop.orders()) == 101
