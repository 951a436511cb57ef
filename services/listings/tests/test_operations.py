"""Operations and schedules by the API, and connections as auth tells of them."""

import pytest

from common.contracts.connections import ConnectionChanged, ConnectionDisabled
from listings_service.testing import Shop, offer


@pytest.mark.row("B14")
async def test_a_new_connection_is_synced_by_itself(shop: Shop) -> None:
    await shop.seed(offer("A"))
    await shop.upsert(shop.row("A", quantity=2))
    await shop.link()
    await shop.sql("update schedule set next_at = now()")
    await shop.work()
    assert (await shop.at_amazon("A"))["quantity"] == 2
    listed = (await shop.call("GET", "/v1/operations", params={"channel_id": str(shop.channel_id)}))["items"]
    assert (listed[0]["operation"], listed[0]["requested_by"]) == ("sync", "schedule")


@pytest.mark.row("B14")
async def test_a_schedule_is_set_by_channel_and_stays_through_a_change_of_the_connection(shop: Shop) -> None:
    path = f"/v1/channels/{shop.channel_id}/schedules"
    answer = await shop.call("PUT", f"{path}/sync", {"every_seconds": 600})
    assert answer == {"connection_id": str(shop.connection_id), "operation": "sync", "every_seconds": 600}
    await shop.call("PUT", f"{path}/link", {"every_seconds": 900})
    await shop.connect(ConnectionChanged)
    await shop.connect(ConnectionDisabled, status="disabled")
    await shop.connect()
    rows = await shop.sql("select operation, every_seconds, enabled from schedule order by operation")
    assert [tuple(row) for row in rows] == [("link", 900.0, True), ("sync", 600.0, True)]
    await shop.call("PUT", f"{path}/import", {"every_seconds": 600}, status=400)


@pytest.mark.row("B2")
@pytest.mark.edge(21)
async def test_a_link_waits_for_its_connection_and_ends_when_that_is_deleted(shop: Shop) -> None:
    await shop.seed(offer("A"))
    await shop.upsert(shop.row("A", quantity=2))
    first, second = [(await shop.start("link"))["id"] for _ in range(2)]

    async def runs() -> list[tuple[str, str | None]]:
        found = [await shop.call("GET", f"/v1/operations/{run_id}") for run_id in (first, second)]
        return [(one["status"], one["waits_for"] and one["waits_for"]["detail"]) for one in found]

    await shop.connect(ConnectionDisabled, status="disabled")
    calls = await shop.calls()
    await shop.work()
    assert await runs() == [("queued", "the connection is disabled")] * 2
    assert await shop.calls() == calls
    await shop.connect()
    await shop.work()
    assert await runs() == [("succeeded", None)] * 2
    assert (await shop.listing("A"))["link"] == "linked"

    first, second = [(await shop.start("link"))["id"] for _ in range(2)]
    await shop.connect(ConnectionDisabled, status="disabled")
    await shop.work()
    calls = await shop.calls()
    await shop.connect(ConnectionDisabled, status="deleted")
    await shop.work()
    assert await runs() == [("failed", None)] * 2
    assert await shop.calls() == calls


async def test_an_older_event_of_a_connection_changes_nothing(shop: Shop) -> None:
    await shop.connect(ConnectionDisabled, status="disabled")
    shop.version = 0
    await shop.connect()
    assert [row[0] for row in await shop.sql("select status from connection")] == ["disabled"]


async def test_a_deleted_channel_takes_no_more_listings(shop: Shop) -> None:
    await shop.upsert(shop.row("A"))
    kept = dict(shop.channels)
    shop.channels = {"A2EUQ1WTGCTBG2": shop.connection_id}
    await shop.connect(ConnectionChanged)
    shop.channels = kept
    assert (await shop.upsert(shop.row("B")))["errors"][0]["code"] == "unknown-channel"
    await shop.start("sync", status=404)
    assert (await shop.listing("A"))["sku"] == "A"


async def test_runs_are_paged_newest_first(shop: Shop) -> None:
    started = [(await shop.operate("link"))["id"] for _ in range(3)]
    first = await shop.call("GET", "/v1/operations", params={"limit": 2})
    rest = await shop.call("GET", "/v1/operations", params={"limit": 2, "cursor": first["next_cursor"]})
    ids = [one["id"] for one in first["items"] + rest["items"]]
    assert ids[:3] == started[::-1]
    assert len(ids) == 4  # and the first scheduled sync
