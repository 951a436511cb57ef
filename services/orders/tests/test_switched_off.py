"""A connection that is disabled, revoked or deleted in the middle of a run: no further call, and nothing is lost."""

from collections import Counter
from functools import partial

import pytest
import structlog

from common.contracts.orders import OrderImported
from orders_service.testing import Shop

WAITS = {
    "code": "connection_not_active",
    "detail": "the connection is disabled",
    "fix": "Enable the connection if it is disabled, else authorize it again; the run then goes on by itself",
}


async def waits(shop: Shop, run_id: str) -> bool:
    """Whether the run waits for its connection, having used no attempt."""
    run = await shop.operation(run_id)
    ((attempts,),) = await shop.sql("select attempts from operation_run where id = $1", run_id)
    known = {name: value for name, value in (run["waits_for"] or {}).items() if name in WAITS}
    return (run["status"], known, attempts) == ("queued", WAITS, 0)


async def switch_on(shop: Shop) -> None:
    await shop.connect()
    await shop.refill_buckets()
    await shop.service.runtime.worker().run_due()


@pytest.mark.row("A7")
@pytest.mark.edge(21)
async def test_no_further_page_is_asked_for_and_the_run_goes_on_from_the_next_one(shop: Shop) -> None:
    placed = await shop.place(*[{}] * 101)
    before = await shop.calls("searchOrders")
    run_id = await shop.start("get_orders")
    await shop.work_interrupted("select 1 from orders", partial(shop.connect, status="disabled"))
    assert await shop.calls("searchOrders") == before + 1
    assert await waits(shop, run_id)
    assert await shop.sql("select count(*) from orders") == [(100,)]
    await switch_on(shop)
    ended = await shop.operation(run_id)
    assert (ended["status"], ended["counts"], ended["waits_for"]) == ("succeeded", {"imported": 101}, None)
    assert await shop.calls("searchOrders") == before + 2
    assert Counter(event.amazon_order_id for event in await shop.published(OrderImported)) == Counter(placed)


@pytest.mark.edge(21)
async def test_a_back_fill_goes_on_with_the_orders_that_it_has_not_asked_for(shop: Shop) -> None:
    ids = ["111-0000000-0000000", *await shop.place({}, {}, {})]
    run_id = await shop.start("get_orders", amazon_order_ids=ids)
    await shop.work_interrupted("select 1 from orders", partial(shop.connect, status="disabled"))
    assert await shop.calls("getOrder") == 2
    assert await waits(shop, run_id)
    await switch_on(shop)
    ended = await shop.operation(run_id)
    assert (ended["status"], ended["counts"]) == ("succeeded", {"imported": 3, "errors": 1})
    assert [error["code"] for error in ended["errors"]] == ["not_found"]
    assert await shop.calls("getOrder") == 4


@pytest.mark.row("C8")
@pytest.mark.edge(21)
async def test_no_further_shipment_is_confirmed_and_those_left_are_confirmed_once(shop: Shop) -> None:
    placed = await shop.place({}, {}, {})
    await shop.get_orders()
    await shop.deliver(*(shop.shipped(amazon_order_id) for amazon_order_id in placed))
    run_id = await shop.start("sync_orders")
    await shop.work_interrupted(
        "select 1 from shipment where status = 'unverified'", partial(shop.connect, status="disabled")
    )
    assert await shop.calls("confirmShipment") == 1
    assert await waits(shop, run_id)
    left = await shop.sql("select status, attempts from shipment order by status")
    assert left == [("queued", 0), ("queued", 0), ("unverified", 1)]
    await switch_on(shop)
    await shop.sync_orders()
    assert {row[0] for row in await shop.sql("select status from shipment")} == {"confirmed"}
    assert [(await shop.at_amazon(amazon_order_id))["confirmations"] for amazon_order_id in placed] == [1, 1, 1]


@pytest.mark.edge(21)
async def test_no_further_package_is_looked_for(shop: Shop) -> None:
    placed = await shop.place({}, {})
    await shop.get_orders()
    await shop.deliver(*(shop.shipped(amazon_order_id) for amazon_order_id in placed))
    await shop.sync_orders()
    run_id = await shop.start("sync_orders")
    await shop.work_interrupted(
        "select 1 from shipment where status = 'confirmed'", partial(shop.connect, status="disabled")
    )
    assert await shop.calls("getOrder") == 1
    assert await waits(shop, run_id)
    await switch_on(shop)
    assert {row[0] for row in await shop.sql("select status from shipment")} == {"confirmed"}


@pytest.mark.edge(14)
@pytest.mark.edge(21)
async def test_a_refused_confirmation_is_not_read_back_and_stays_to_be_looked_for(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    fault = {"operation": "confirmShipment", "kind": "status", "status": 400, "count": 1}
    await shop.amazon.dial("POST", "/sandbox/faults", fault)
    run_id = await shop.start("sync_orders")
    await shop.work_interrupted(
        "select 1 from shipment where status = 'sending'", partial(shop.connect, status="disabled")
    )
    assert (await shop.calls("confirmShipment"), await shop.calls("getOrder")) == (1, 0)
    assert await waits(shop, run_id)
    assert (await shop.shipment(told))["status"] == "sending"
    await switch_on(shop)
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"
    assert (await shop.at_amazon(amazon_order_id))["confirmations"] == 1


@pytest.mark.row("A7")
async def test_a_run_that_was_queued_before_waits_without_a_call_and_ends_when_the_connection_is_deleted(
    shop: Shop,
) -> None:
    run_id = await shop.start("get_orders")
    before = await shop.calls("searchOrders")
    await shop.connect(status="disabled")
    worker = shop.service.runtime.worker()
    assert [await worker.run_due() for _ in range(3)] == [1, 0, 0]
    assert await waits(shop, run_id)
    await shop.connect(status="deleted")
    assert await worker.run_due() == 1
    ended = await shop.operation(run_id)
    assert (ended["status"], ended["waits_for"]) == ("failed", None)
    assert ended["errors"] == [
        {"code": "connection_not_active", "detail": "the connection is deleted", "fix": "Connect the seller again"}
    ]
    assert await shop.calls("searchOrders") == before


@pytest.mark.fault("F14")
async def test_a_role_that_is_missing_makes_one_run_wait_for_a_person_and_the_next_consent_resumes_it(
    shop: Shop,
) -> None:
    (placed,) = await shop.place({})
    await shop.amazon.dial("POST", "/sandbox/faults", {"operation": "searchOrders", "status": 403, "count": 100})
    run_id = await shop.start("get_orders")
    worker = shop.service.runtime.worker()
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await shop.sql("update schedule set next_at = now() where operation = 'get_orders'")
            await worker.run_due()
    waiting = await shop.operation(run_id)
    assert (waiting["status"], waiting["errors"]) == ("queued", [])
    assert (waiting["waits_for"]["code"], waiting["waits_for"]["amazon_code"]) == ("access_denied", "Unauthorized")
    assert "authorize the connection again" in waiting["waits_for"]["fix"]
    assert await shop.sql(
        "select count(*) from operation_run where operation = 'get_orders' and status <> 'succeeded'"
    ) == [(1,)]
    assert [line["error_code"] for line in logs if line["event"] == "run_needs_a_person"] == ["access_denied"]
    assert await shop.calls("searchOrders") == 3  # the first run's, and one with each of two tokens
    await shop.amazon.dial("DELETE", "/sandbox/faults")
    await shop.connect()
    await worker.run_due()
    assert (await shop.operation(run_id))["status"] == "succeeded"
    assert [order["amazon_order_id"] for order in await shop.orders()] == [placed]


@pytest.mark.fault("F11")
async def test_a_run_says_that_amazon_is_away_and_goes_on_by_itself(shop: Shop) -> None:
    (placed,) = await shop.place({})
    await shop.amazon.dial("POST", "/sandbox/faults", {"operation": "searchOrders", "status": 503, "count": 100})
    waiting = await shop.get_orders()
    assert (waiting["status"], waiting["waits_for"]["code"]) == ("queued", "amazon_away")
    await shop.amazon.dial("DELETE", "/sandbox/faults")
    await shop.sql("update operation_run set due_at = now()")
    await shop.service.runtime.worker().run_due()
    ended = await shop.operation(waiting["id"])
    assert (ended["status"], ended["waits_for"]) == ("succeeded", None)
    assert [order["amazon_order_id"] for order in await shop.orders()] == [placed]
