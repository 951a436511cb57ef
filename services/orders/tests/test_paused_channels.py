"""A paused channel: its orders are neither read nor confirmed, runs and orders say so, and nothing is lost."""

import pytest

from common.contracts.orders import OrderCancelled
from orders_service.testing import CANADA, US, OpenShop, Shop


async def pause(shop: Shop, *marketplaces: str) -> None:
    shop.paused = frozenset(marketplaces)
    await shop.connect()


@pytest.mark.row("A6", "C2")
async def test_while_every_channel_is_paused_amazon_is_not_called_and_the_runs_say_so(shop: Shop) -> None:
    first, second = await shop.place({}, {})
    await shop.get_orders()
    told = shop.shipped(first)
    await shop.deliver(told)
    await pause(shop, US)
    (late,) = await shop.place({})
    before = await shop.amazon.dial("GET", "/sandbox/books/calls")
    for operation in ("get_orders", "sync_orders"):
        run = await shop.run(operation)
        assert [error["code"] for error in run["errors"]] == ["channel_paused"]
        assert "is paused" in run["errors"][0]["detail"]
    assert await shop.amazon.dial("GET", "/sandbox/books/calls") == before
    assert await shop.explain(second) == ["channel_paused", "waits_for_routing"]
    await pause(shop)
    assert (await shop.get_orders())["counts"]["imported"] == 1
    await shop.sync_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"
    assert (await shop.order(late))["status"] == "UNSHIPPED"


@pytest.mark.row("A6", "C2")
async def test_orders_of_a_paused_channel_wait_while_the_others_go_on_and_come_when_it_does(
    open_shop: OpenShop,
) -> None:
    shop = await open_shop(marketplaces=(US, CANADA))
    (known,) = await shop.place({})
    await shop.get_orders()
    told = shop.shipped(known, 1)
    await shop.deliver(told)
    await pause(shop, US)
    await shop.amazon.dial("POST", f"/sandbox/orders/{known}/cancel", {})
    (new,) = await shop.place({})
    (canadian,) = await shop.place({}, marketplace_id=CANADA)
    run = await shop.get_orders()
    assert run["counts"] == {"imported": 1, "skipped": 2, "errors": 2}
    assert sorted(error["code"] for error in run["errors"]) == ["channel_paused", "unmapped_shipping"]
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "queued"
    assert await shop.explain(new) == ["channel_paused"]
    assert (await shop.order(known))["status"] == "UNSHIPPED"
    assert (await shop.order(canadian))["holds"] == ["unmapped_shipping"]
    await shop.sql("update import_cursor set last_updated_after = now() + interval '1 hour'")  # long passed by
    await pause(shop)
    await shop.get_orders()
    assert (await shop.order(new))["status"] == "UNSHIPPED"
    assert [event.amazon_order_id for event in await shop.published(OrderCancelled)] == [known]
    assert await shop.sql("select 1 from unimported_order") == []


async def test_acknowledging_orders_is_refused_until_it_works(shop: Shop) -> None:
    path = f"/v1/channels/{shop.channels[US]}/order-settings"
    before = await shop.call("GET", path)
    refused = await shop.call("PUT", path, {"created_within_days": 3, "acknowledge": True}, status=400)
    assert refused["type"] == "/problems/acknowledgement-not-available"
    assert await shop.call("GET", path) == before
    assert (await shop.call("PUT", path, {"created_within_days": 3, "acknowledge": False}))["acknowledge"] is False
