"""Orders lower what channels show, and give it back, exactly once (ARCHITECTURE Stock; edges 2, 15, 25, 30)."""

import asyncio
from datetime import timedelta

import pytest

from common import clock
from common.contracts.listings import ListingSynced
from common.contracts.orders import OrderCancelled, OrderChanged, OrderImported
from listings_service.testing import DE, UK, OpenShop, Shop, offer


async def settled(shop: Shop, quantity: int = 5) -> None:
    """One linked listing that Amazon shows as desired."""
    await shop.seed(offer("A", quantity=5))
    await shop.upsert(shop.row("A", quantity=quantity))
    await shop.link()
    await shop.sync()


async def shown_and_wanted(shop: Shop) -> tuple[int, int]:
    return (await shop.at_amazon("A"))["quantity"], (await shop.listing("A"))["quantity"]


@pytest.mark.edge(30)
async def test_a_sale_lowers_both_sides_and_its_own_channel_pushes_nothing(shop: Shop) -> None:
    await settled(shop)
    order_id = await shop.sell("A", 2)
    await shop.deliver(shop.order(OrderImported, order_id, ("A", 2)))
    await shop.sync()
    assert await shown_and_wanted(shop) == (3, 3)
    assert (await shop.at_amazon("A"))["writes"] == 0


@pytest.mark.edge(30)
async def test_a_restock_that_makes_up_for_a_sale_is_pushed(shop: Shop) -> None:
    await settled(shop)
    order_id = await shop.sell("A")
    await shop.deliver(shop.order(OrderImported, order_id, ("A", 1)))
    await shop.deliver(shop.inventory("A", quantity=5, as_of=clock.now() + timedelta(seconds=1)))
    await shop.sync()
    assert await shown_and_wanted(shop) == (5, 5)
    assert (await shop.at_amazon("A"))["writes"] == 1


@pytest.mark.edge(30)
async def test_a_sale_that_is_in_the_figure_already_is_made_up_for_at_amazon_only(shop: Shop) -> None:
    await settled(shop)
    order_id = await shop.sell("A")
    bought = clock.now()
    await shop.deliver(shop.inventory("A", quantity=5, as_of=bought + timedelta(seconds=1)))
    await shop.deliver(shop.order(OrderImported, order_id, ("A", 1), purchased_at=bought))
    await shop.sync()
    assert await shown_and_wanted(shop) == (5, 5)


@pytest.mark.edge(30)
async def test_a_figure_from_before_a_sale_is_lowered_by_it(shop: Shop) -> None:
    await settled(shop)
    counted = clock.now()
    order_id = await shop.sell("A")
    await shop.deliver(shop.order(OrderImported, order_id, ("A", 1), purchased_at=counted + timedelta(seconds=1)))
    await shop.deliver(shop.inventory("A", quantity=9, as_of=counted))
    await shop.sync()
    assert await shown_and_wanted(shop) == (8, 8)


@pytest.mark.edge(2)
async def test_a_cancelled_pending_order_gives_its_units_back_once_and_amazon_did_so_itself(shop: Shop) -> None:
    await settled(shop)
    order_id = await shop.sell("A", 2, status="PENDING")
    await shop.deliver(shop.order(OrderImported, order_id, ("A", 2), status="PENDING"))
    assert await shown_and_wanted(shop) == (3, 3)
    await shop.amazon.dial("POST", f"/sandbox/orders/{order_id}/cancel", {})
    for version in (2, 3):
        await shop.deliver(shop.order(OrderCancelled, order_id, ("A", 2), version=version))
    await shop.sync()
    assert await shown_and_wanted(shop) == (5, 5)
    assert (await shop.at_amazon("A"))["writes"] == 0


@pytest.mark.edge(7)
async def test_a_cancelled_order_that_was_released_is_given_back_to_amazon_by_us(shop: Shop) -> None:
    await settled(shop)
    order_id = await shop.sell("A", 2, status="PENDING")
    await shop.deliver(shop.order(OrderImported, order_id, ("A", 2), status="PENDING"))
    await shop.amazon.dial("POST", f"/sandbox/orders/{order_id}/release", {})
    await shop.deliver(shop.order(OrderChanged, order_id, ("A", 2), version=2))
    await shop.amazon.dial("POST", f"/sandbox/orders/{order_id}/cancel", {})
    await shop.deliver(shop.order(OrderCancelled, order_id, ("A", 2), version=3))
    await shop.sync()
    assert await shown_and_wanted(shop) == (5, 5)
    assert (await shop.at_amazon("A"))["writes"] == 1


@pytest.mark.fault("F8")
async def test_order_events_in_any_order_leave_what_the_newest_says(shop: Shop) -> None:
    await settled(shop)
    imported = shop.order(OrderImported, "1", ("A", 3))
    cancelled = shop.order(OrderCancelled, "1", ("A", 3), version=3)
    fewer = shop.order(OrderChanged, "1", ("A", 1), version=2)
    await shop.deliver(fewer, imported)
    assert (await shop.listing("A"))["quantity"] == 4
    await shop.deliver(cancelled)
    await shop.deliver(fewer)
    await shop.deliver(imported)
    assert (await shop.listing("A"))["quantity"] == 5


async def test_a_line_that_left_an_order_is_given_back(shop: Shop) -> None:
    await shop.upsert(shop.row("A", quantity=5), shop.row("B", quantity=5))
    await shop.deliver(shop.order(OrderImported, "1", ("A", 1), ("B", 2), ("A", 1)))
    assert [(await shop.listing(sku))["quantity"] for sku in ("A", "B")] == [3, 3]
    await shop.deliver(shop.order(OrderChanged, "1", ("A", 2), version=2))
    assert [(await shop.listing(sku))["quantity"] for sku in ("A", "B")] == [3, 5]


async def test_more_sold_than_stated_shows_zero_and_comes_back_right(shop: Shop) -> None:
    await shop.upsert(shop.row("A", quantity=1))
    await shop.deliver(shop.order(OrderImported, "1", ("A", 1)), shop.order(OrderImported, "2", ("A", 1)))
    assert (await shop.listing("A"))["quantity"] == 0
    await shop.deliver(shop.order(OrderCancelled, "1", ("A", 1), version=2))
    assert (await shop.listing("A"))["quantity"] == 0
    await shop.deliver(shop.order(OrderCancelled, "2", ("A", 1), version=2))
    assert (await shop.listing("A"))["quantity"] == 1


async def test_orders_that_amazon_fulfils_and_unknown_skus_change_nothing(shop: Shop) -> None:
    await shop.upsert(shop.row("A", quantity=5))
    await shop.deliver(
        shop.order(OrderImported, "1", ("A", 1), fulfilled_by="AMAZON"),
        shop.order(OrderImported, "2", ("unheard of", 1)),
    )
    assert (await shop.listing("A"))["quantity"] == 5


@pytest.mark.edge(25)
@pytest.mark.fact("5.3.5")
async def test_a_sale_in_one_country_lowers_the_shared_stock_of_its_siblings(open_shop: OpenShop) -> None:
    shop = await open_shop(marketplaces=(UK, DE), region="EU")
    for marketplace_id in (UK, DE):
        await shop.seed(offer("A", quantity=5), marketplace_id=marketplace_id)
    german = shop.channels[DE]
    await shop.upsert(shop.row("A", quantity=5), shop.row("A", quantity=5) | {"channel_id": str(german)})
    await shop.link()
    await shop.operate("link", channel_id=german)
    order_id = await shop.sell("A", 2)
    await shop.deliver(shop.order(OrderImported, order_id, ("A", 2)))
    for channel_id in (shop.channel_id, german):
        await shop.operate("sync", channel_id=channel_id)
        assert (await shop.listing("A", channel_id))["quantity"] == 3
    assert ((await shop.at_amazon("A", UK))["quantity"], (await shop.at_amazon("A", DE))["quantity"]) == (3, 3)
    assert (await shop.at_amazon("A", DE))["writes"] == 0


@pytest.mark.edge(15)
@pytest.mark.parametrize("sold_before_the_write", [True, False])
async def test_a_sale_while_a_write_is_open_ends_with_zero_at_amazon(
    open_shop: OpenShop, sold_before_the_write: bool
) -> None:
    shop = await open_shop(read_back_delays="60,0.3,0.3,0.3")
    await settled(shop)
    await shop.amazon.dial("PUT", "/sandbox/settings", {"listing_delay_s": 0.2})
    await shop.change(shop.row("A", quantity=1))
    if sold_before_the_write:
        order_id = await shop.sell("A")
        await shop.sync()
    else:
        await shop.sync()
        order_id = await shop.sell("A")
    assert (await shop.listing("A"))["open_write"]["quantity"] == 1
    await shop.deliver(shop.order(OrderImported, order_id, ("A", 1)))
    await shop.forward()
    await shop.sync()
    assert (await shop.at_amazon("A"))["quantity"] == 0
    await shop.forward()
    await shop.sync()
    assert await shown_and_wanted(shop) == (0, 0)
    assert not (await shop.listing("A"))["dirty"]


@pytest.mark.edge(15)
async def test_the_answer_to_an_older_write_never_clears_a_newer_change(shop: Shop) -> None:
    await settled(shop)
    await shop.amazon.dial("POST", "/sandbox/faults", {"operation": "patchListingsItem", "kind": "slow", "seconds": 3})
    await shop.change(shop.row("A", quantity=1))
    syncing = asyncio.create_task(shop.sync())
    await shop.until_at_amazon("A", quantity=1)
    order_id = await shop.sell("A")
    await shop.deliver(shop.order(OrderImported, order_id, ("A", 1)))
    await syncing
    assert await shown_and_wanted(shop) == (0, 0)
    history = [write["quantity"] for write in (await shop.at_amazon("A"))["history"]]
    assert history == [1, 0]
    synced = await shop.events(ListingSynced)
    assert [event.quantity for event in synced] == [0]
