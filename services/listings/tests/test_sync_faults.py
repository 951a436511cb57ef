"""Whatever fails or dies in the middle of a sync, Amazon ends with the last desired values (B3, B5, B15; F10-F16)."""

from typing import Any

import pytest

from common.contracts.connections import ConnectionAuthorized, ConnectionRevoked
from common.contracts.listings import ListingLinkBroken, ListingSynced
from listings_service.testing import OpenShop, Shop, offer, until


async def linked(shop: Shop, *skus: str, **fields: Any) -> None:
    """Linked listings at Amazon with quantity 5 and price 10.00."""
    await shop.seed(*(offer(sku, **fields) for sku in skus))
    await shop.upsert(*(shop.row(sku) for sku in skus))
    await shop.link()


async def fault(shop: Shop, operation: str, **fields: Any) -> None:
    await shop.amazon.dial("POST", "/sandbox/faults", {"operation": operation} | fields)


async def history(shop: Shop, sku: str) -> list[tuple[int | None, float]]:
    return [(write["quantity"], write["price"]) for write in (await shop.at_amazon(sku))["history"]]


@pytest.mark.fault("F12")
async def test_a_worker_that_dies_with_its_intent_written_and_nothing_sent(shop: Shop) -> None:
    await linked(shop, "A")
    await shop.change(shop.row("A", price="11.00"))
    await fault(shop, "searchListingsItems", kind="slow", seconds=30)

    async def intent_written() -> bool:
        return (await shop.listing("A"))["open_write"] is not None

    await shop.die_while_syncing(lambda: until(intent_written))
    assert (await shop.listing("A"))["open_write"]["state"] == "sending"
    await shop.work()
    assert await history(shop, "A") == [(5, 11)]
    assert (await shop.listing("A"))["open_write"] is None
    assert len(await shop.events(ListingSynced)) == 1


@pytest.mark.fault("F12")
async def test_a_worker_that_dies_after_amazon_accepted_and_before_it_recorded(shop: Shop) -> None:
    await linked(shop, "A")
    await shop.change(shop.row("A", quantity=2))
    await fault(shop, "patchListingsItem", kind="slow", seconds=30)
    await shop.die_while_syncing(lambda: shop.until_at_amazon("A", quantity=2))
    assert (await shop.listing("A"))["open_write"]["state"] == "sending"
    await shop.work()
    assert await history(shop, "A") == [(2, 10)]
    assert not (await shop.listing("A"))["dirty"]
    assert [event.quantity for event in await shop.events(ListingSynced)] == [2]


@pytest.mark.fault("F12")
async def test_a_change_while_the_worker_was_dead_is_the_last_word(shop: Shop) -> None:
    await linked(shop, "A")
    await shop.change(shop.row("A", quantity=2))
    await fault(shop, "patchListingsItem", kind="slow", seconds=30)
    await shop.die_while_syncing(lambda: shop.until_at_amazon("A", quantity=2))
    await shop.change(shop.row("A", quantity=5))
    await shop.work()
    assert await history(shop, "A") == [(2, 10), (5, 10)]
    assert [event.quantity for event in await shop.events(ListingSynced)] == [5]


@pytest.mark.fault("F12")
async def test_answers_that_are_lost_after_the_effect_are_resolved_by_reading(shop: Shop) -> None:
    await linked(shop, "A", "B")
    await shop.change(shop.row("A", quantity=2), shop.row("B", quantity=3))
    # more often than the client tries: the outcome stays unknown to it
    await fault(shop, "patchListingsItem", kind="drop_after_effect", count=8)
    await shop.operate("sync", succeed=False)
    assert {(await shop.listing(sku))["open_write"]["state"] for sku in "AB"} == {"unknown"}
    await shop.amazon.dial("DELETE", "/sandbox/faults")
    before = {sku: await history(shop, sku) for sku in "AB"}
    await shop.forward()
    await shop.work()
    assert {sku: await history(shop, sku) for sku in "AB"} == before
    assert {(await shop.listing(sku))["dirty"] for sku in "AB"} == {False}


@pytest.mark.row("B15")
@pytest.mark.fact("5.6.3")
async def test_a_write_that_shows_late_is_closed_by_the_look_that_sees_it(open_shop: OpenShop) -> None:
    shop = await open_shop(read_back_delays="0,60,60,60")
    await linked(shop, "A")
    await shop.amazon.dial("PUT", "/sandbox/settings", {"listing_delay_s": 300})
    await shop.change(shop.row("A", quantity=2, price="12.00"))
    first = await shop.sync()
    assert first["counts"] == {"pushed": 1, "not_visible_yet": 1}
    await shop.amazon.dial("POST", "/sandbox/clock", {"advance_s": 301})
    await shop.forward()
    second = await shop.sync()
    assert second["counts"] == {"synced": 1}
    assert await history(shop, "A") == [(2, 12)]


@pytest.mark.row("B15")
@pytest.mark.fact("5.6.2")
async def test_a_write_that_never_shows_raises_an_alarm_and_is_sent_again(shop: Shop) -> None:
    await linked(shop, "A")
    await shop.change(shop.row("A", quantity=2))
    await fault(shop, "patchListingsItem", kind="lost_effect")
    ended = await shop.sync()
    assert ended["counts"]["alarms"] == 1
    assert (await shop.listing("A"))["last_error"]["code"] == "not-visible"
    assert await shop.events(ListingSynced) == []
    await shop.sql("update variant set send_after = now()")
    await shop.sync()
    assert await history(shop, "A") == [(2, 10)]
    listing = await shop.listing("A")
    assert (listing["dirty"], listing["last_error"]) == (False, None)


@pytest.mark.row("B5")
@pytest.mark.edge(20)
async def test_a_listing_deleted_at_amazon_is_found_broken_by_the_next_sync_and_can_be_relinked(shop: Shop) -> None:
    await linked(shop, "A", "B")
    query = f"selling_partner_id={shop.selling_partner_id}&marketplace_id={shop.marketplace_id}"
    for sku in "AB":
        await shop.amazon.dial("DELETE", f"/sandbox/listings?{query}&sku={sku}")
    assert (await shop.listing("A"))["link"] == "linked"
    await shop.change(shop.row("A", quantity=2), shop.row("B", price="9.00"))
    ended = await shop.sync()
    assert ended["counts"]["broken_link"] == 2
    assert {(await shop.listing(sku))["link"] for sku in "AB"} == {"broken_link"}
    assert sorted(event.sku for event in await shop.events(ListingLinkBroken)) == ["A", "B"]
    assert not any(one["listed"] for one in (await shop.books()).values())
    await shop.seed(offer("A"))
    listing_id = (await shop.listing("A"))["id"]
    await shop.call("POST", "/v1/listings/relink", {"listing_ids": [listing_id]})
    await shop.work()
    await shop.sync()
    assert (await shop.at_amazon("A"))["quantity"] == 2


@pytest.mark.edge(19)
@pytest.mark.fact("5.4.2")
async def test_quantity_and_price_keep_their_siblings(shop: Shop) -> None:
    await linked(shop, "A", lead_time_to_ship_max_days=4, minimum_seller_allowed_price=7)
    await shop.change(shop.row("A", quantity=2, price="9.00"))
    await shop.sync()
    at_amazon = await shop.at_amazon("A")
    assert (at_amazon["quantity"], at_amazon["price"], at_amazon["lead_time_to_ship_max_days"]) == (2, 9, 4)
    await shop.change(shop.row("A", price="6.00"))
    await shop.sync()
    # below the minimum, which must still be there to be minded
    assert (await shop.listing("A"))["last_error"]["code"] == "18155"


@pytest.mark.row("B4")
@pytest.mark.fact("5.3.5")
async def test_the_quantity_of_an_offer_that_amazon_fulfils_is_never_sent(shop: Shop) -> None:
    await linked(shop, "A", quantity=None, fulfillment_channel_code="AMAZON_NA")
    await shop.change(shop.row("A", quantity=9, price="9.00"))
    await shop.sync()
    assert await history(shop, "A") == [(None, 9)]
    assert not (await shop.listing("A"))["dirty"]


@pytest.mark.edge(21)
@pytest.mark.fault("F14")
async def test_a_revoked_connection_is_not_called_and_resumes_after_consent(shop: Shop) -> None:
    await linked(shop, "A")
    await shop.change(shop.row("A", quantity=2))
    queued = await shop.start("sync")
    await shop.connect(ConnectionRevoked, status="revoked")
    calls = await shop.calls()
    await shop.sql("update schedule set next_at = now()")
    await shop.work()
    waiting = await shop.call("GET", f"/v1/operations/{queued['id']}")
    assert (waiting["status"], waiting["waits_for"]["code"]) == ("queued", "connection_not_active")
    refused = await shop.start("sync", status=409)
    assert refused["type"] == "/problems/connection-not-active"
    assert await shop.calls() == calls
    await shop.connect(ConnectionAuthorized)
    await shop.work()
    assert (await shop.at_amazon("A"))["quantity"] == 2
    ended = await shop.call("GET", f"/v1/operations/{queued['id']}")
    assert (ended["status"], ended["waits_for"], ended["counts"]["pushed"]) == ("succeeded", None, 1)


@pytest.mark.fault("F10")
async def test_an_empty_bucket_pauses_the_run_and_nothing_is_lost(shop: Shop) -> None:
    skus = [f"S{n}" for n in range(12)]
    await linked(shop, *skus)
    await shop.change(*(shop.row(sku, quantity=n) for n, sku in enumerate(skus, 10)))
    await fault(shop, "patchListingsItem", status=429, count=40)
    paused = await shop.operate("sync", succeed=False)
    assert paused["status"] == "queued"
    await shop.amazon.dial("DELETE", "/sandbox/faults")
    await shop.sql("delete from amazon_bucket")
    for _ in range(5):
        await shop.forward()
        await shop.work()
    books = await shop.books()
    assert {sku: books[sku]["quantity"] for sku in skus} == {sku: n for n, sku in enumerate(skus, 10)}
    assert {books[sku]["writes"] for sku in skus} == {1}


@pytest.mark.fault("F11")
@pytest.mark.parametrize("kind", ["html", "malformed_json", "truncated", "empty"])
async def test_a_broken_answer_to_a_search_is_never_taken_for_an_empty_one(shop: Shop, kind: str) -> None:
    await shop.seed(offer("A"))
    await shop.upsert(shop.row("A"))
    await fault(shop, "searchListingsItems", kind=kind, count=4, **({"status": 503} if kind == "html" else {}))
    await shop.operate("link", succeed=False)
    await shop.amazon.dial("DELETE", "/sandbox/faults")
    await shop.forward()
    await shop.work()
    assert (await shop.listing("A"))["link"] == "linked"


@pytest.mark.row("B3")
async def test_stop_sells_leave_first_then_quantities_then_prices(shop: Shop) -> None:
    skus = [f"S{n:02}" for n in range(48)]
    await linked(shop, *skus)
    prices, quantities, zeros = skus[:16], skus[16:32], skus[32:]
    await shop.change(
        *(shop.row(sku, price="9.00") for sku in prices),
        *(shop.row(sku, quantity=3) for sku in quantities),
        *(shop.row(sku, quantity=0, price="9.00") for sku in zeros),
    )
    await shop.sync()
    books = await shop.books()
    times = [[books[sku]["history"][0]["at"] for sku in lane] for lane in (zeros, quantities, prices)]
    assert max(times[0]) <= min(times[1])
    assert max(times[1]) <= min(times[2])
    assert {(books[sku]["quantity"], books[sku]["price"]) for sku in zeros} == {(0, 9)}


@pytest.mark.row("B3")
async def test_many_changes_of_one_listing_between_two_syncs_are_one_push(shop: Shop) -> None:
    await linked(shop, "A", "B")
    for quantity in (1, 2, 3, 4):
        await shop.change(shop.row("A", quantity=quantity), shop.row("B", quantity=quantity))
    await shop.change(shop.row("B", quantity=5))
    await shop.sync()
    assert await history(shop, "A") == [(4, 10)]
    assert await history(shop, "B") == []  # back at what Amazon shows


async def test_a_change_while_a_write_is_open_replaces_it_at_once(open_shop: OpenShop) -> None:
    shop = await open_shop(read_back_delays="60,0.1,0.1,0.1")
    await linked(shop, "A")
    await shop.amazon.dial("PUT", "/sandbox/settings", {"listing_delay_s": 0.1})
    await shop.change(shop.row("A", quantity=7))
    await shop.sync()
    await shop.change(shop.row("A", quantity=5))
    await shop.sync()
    assert [quantity for quantity, _ in await history(shop, "A")] == [7, 5]
    await shop.forward()
    await shop.sync()
    listing = await shop.listing("A")
    assert (listing["dirty"], listing["amazon"]["quantity"]) == (False, 5)
