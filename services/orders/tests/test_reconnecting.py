"""Orders are their seller's: after delete and re-connect, and when channels come, go and move, everything goes on."""

from uuid import uuid4

import pytest

from common.contracts.orders import FulfillmentRequested, OrderChanged, OrderImported, TrackingConfirmed
from orders_service.testing import CANADA, UK, US, OpenShop, Shop


@pytest.mark.row("C3", "C8")
@pytest.mark.parametrize("told_first", [False, True])
async def test_after_delete_and_reconnect_orders_go_on_and_their_tracking_is_confirmed(
    shop: Shop, told_first: bool
) -> None:
    shipped, routed, canadian = await shop.place({}, {}, {})
    await shop.get_orders()
    told = shop.shipped(shipped)
    await shop.deliver(told)
    ((cursor,),) = await shop.sql("select last_updated_after from import_cursor")
    settings = f"/v1/channels/{shop.channels[US]}/order-settings"
    await shop.call("PUT", settings, {"statuses": ["UNSHIPPED", "SHIPPED"], "created_within_days": 7})
    old = shop.connection_id
    await shop.reconnect(told_first=told_first)
    assert shop.connection_id != old
    changed = await shop.published(OrderChanged)
    assert {event.amazon_order_id for event in changed} == {shipped, routed, canadian}
    assert {(event.channel_id, event.holds, event.shipping_policy) for event in changed[-3:]} == {
        (shop.channels[US], (), "Standard")
    }
    kept = await shop.call("GET", f"/v1/channels/{shop.channels[US]}/order-settings")
    assert (kept["statuses"], kept["created_within_days"]) == (["UNSHIPPED", "SHIPPED"], 7)
    assert await shop.sql("select connection_id, last_updated_after from import_cursor") == [
        (shop.connection_id, cursor)
    ]
    await shop.sync_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"
    assert len(await shop.published(TrackingConfirmed)) == 1
    order = await shop.order(routed)
    assert (order["connection_id"], order["channel_id"]) == (str(shop.connection_id), str(shop.channels[US]))
    await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    assert len(await shop.published(FulfillmentRequested)) == 1
    run = await shop.get_orders()
    assert run["status"] == "succeeded"
    assert len(await shop.published(OrderImported)) == 3


@pytest.mark.row("C3", "C8")
async def test_the_tracking_of_a_closed_order_is_confirmed_by_the_next_connection(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    await shop.sync_orders()
    await shop.get_orders()
    assert (await shop.order(amazon_order_id))["status"] == "SHIPPED"
    await shop.reconnect()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"


@pytest.mark.row("C3", "C5")
async def test_what_was_not_imported_is_explained_and_read_by_the_next_connection(shop: Shop) -> None:
    (in_canada,) = await shop.place({"status": "PENDING"})
    path = f"/v1/channels/{shop.channels[US]}/order-settings"
    await shop.call("PUT", path, {"statuses": ["UNSHIPPED"]})
    await shop.get_orders()
    await shop.reconnect()
    assert await shop.explain(in_canada) == ["status_not_configured"]
    path = f"/v1/channels/{shop.channels[US]}/order-settings"
    await shop.call("PUT", path, {"statuses": ["PENDING"]})
    await shop.get_orders()
    assert (await shop.order(in_canada))["status"] == "PENDING"


@pytest.mark.row("C3")
@pytest.mark.edge(22)
async def test_a_connection_of_another_account_or_region_takes_nothing_over(open_shop: OpenShop) -> None:
    shop = await open_shop()
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    other = await open_shop(beside=shop, selling_partner_id="A2OTHERSELLER")
    other.selling_partner_id = shop.selling_partner_id
    other.version += 1
    await other.connect()
    other.version = 0
    other.account_id, other.connection_id = shop.account_id, uuid4()
    other.region, other.channels = "EU", {UK: uuid4()}
    await other.connect()
    await shop.connect(status="deleted")
    order = await shop.order(amazon_order_id)
    assert (order["connection_id"], order["channel_id"]) == (str(shop.connection_id), str(shop.channels[US]))
    assert await shop.published(OrderChanged) == []
    assert await shop.sql("select connection_id from import_cursor where connection_id = $1", other.connection_id) == []


@pytest.mark.row("C5")
async def test_a_channel_that_comes_back_or_is_moved_there_frees_what_waited_for_it(open_shop: OpenShop) -> None:
    shop = await open_shop(marketplaces=(US, CANADA))
    us, canada = shop.channels[US], shop.channels[CANADA]
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    # Its channel is deleted, and then the order changes.
    shop.channels = {CANADA: canada}
    await shop.connect()
    await shop.map_shipping_as_in_the_us(CANADA)
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/request-cancel", {"by": "MERCHANT"})
    await shop.get_orders()
    assert "unknown_channel" in await shop.explain(amazon_order_id)
    # Canada's channel is moved to the US, with its mappings.
    shop.channels = {US: canada}
    await shop.connect()
    changed = (await shop.published(OrderChanged))[-1]
    assert (changed.channel_id, changed.shipping_policy) == (canada, "Standard")
    assert "unknown_channel" not in changed.holds
    assert (await shop.order(amazon_order_id))["channel_id"] == str(canada)
    # And back: the channel of before is created again beside it.
    shop.channels = {CANADA: canada}
    await shop.connect()
    shop.channels = {CANADA: canada, US: us}
    await shop.connect()
    assert (await shop.published(OrderChanged))[-1].channel_id == us


@pytest.mark.row("C1", "C5")
async def test_a_new_channel_takes_an_order_over_and_its_mapping_frees_it(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    shop.channels = {US: uuid4()}
    await shop.connect()
    (moved,) = await shop.published(OrderChanged)
    assert (moved.channel_id, moved.holds) == (shop.channels[US], ("unmapped_shipping",))
    assert await shop.explain(amazon_order_id) == ["unmapped_shipping"]
    await shop.map_shipping()
    freed = (await shop.published(OrderChanged))[-1]
    assert (freed.channel_id, freed.holds, freed.version) == (shop.channels[US], (), 3)
