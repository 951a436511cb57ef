"""A connection that is disabled, revoked or deleted in the middle of a run: no further call, and nothing is lost."""

import pytest

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
    return (run["status"], run["waits_for"], attempts) == ("queued", WAITS, 0)


@pytest.mark.row("A7")
async def test_a_run_that_was_queued_before_waits_without_a_call_and_ends_when_the_connection_is_deleted(
    shop: Shop,
) -> None:
    run_id = await shop.start("get-orders")
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
