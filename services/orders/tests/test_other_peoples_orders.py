"""Orders that are not the merchant's to ship: placed outside Amazon, shipped by Amazon, or by one of its programs."""

from typing import Any
from uuid import uuid4

import pytest

from common.contracts.orders import FulfillmentRequested, FulfillmentWithdrawn, OrderImported
from orders_service.testing import OpenShop, Retold, Shop


@pytest.mark.row("C5")
@pytest.mark.edge(35)
@pytest.mark.parametrize(
    ("sales_channel", "code"),
    [
        ({"channelName": "NON_AMAZON"}, "not_sold_on_amazon"),
        ({"channelName": "Non-Amazon", "marketplaceId": "ATVPDKIKX0DER"}, "not_sold_on_amazon"),
        ({"channelName": "AMAZON", "marketplaceId": "A38D8NSA03LJTC"}, "unknown_marketplace"),
    ],
)
async def test_an_order_of_another_shop_is_skipped_explained_and_not_read_again_each_run(
    open_shop: OpenShop, retold: Retold, sales_channel: dict[str, str], code: str
) -> None:
    shop = await open_shop(amazon_endpoint_na=retold.url)
    elsewhere, mine = await shop.place({"fulfilled_by": "AMAZON"}, {})

    def outside(order: dict[str, Any]) -> None:
        if order["orderId"] == elsewhere:
            order["salesChannel"] = sales_channel

    retold.retell = outside
    run = await shop.get_orders()
    assert (run["counts"], run["errors"]) == ({"imported": 1, "skipped": 1}, [])
    assert [event.amazon_order_id for event in await shop.published(OrderImported)] == [mine]
    assert await shop.explain(elsewhere) == [code]
    await shop.get_orders()
    assert await shop.calls("getOrder") == 0


@pytest.mark.row("C5")
@pytest.mark.edge(37)
@pytest.mark.fact("8.4.4")
@pytest.mark.parametrize(
    ("program", "hold", "advice"),
    [
        ("IN_STORE_PICK_UP", "in_store_pick_up", "picked up in Seller Central"),
        ("AMAZON_EASY_SHIP", "easy_ship", "Schedule its pick-up"),
        ("FBM_SHIP_PLUS", "ship_plus", "Buy its label"),
        ("FULFILLMENT_ORDERS", "seller_flex", "tool of Amazon's"),
        ("SELLER_FLEX", "seller_flex", "tool of Amazon's"),
    ],
)
async def test_an_order_of_a_program_is_held_with_what_to_do_and_is_no_ordinary_parcel(
    shop: Shop, program: str, hold: str, advice: str
) -> None:
    amazon_order_id, ordinary = await shop.place({"programs": ["PRIME", program]}, {"programs": ["PRIME"]})
    await shop.get_orders()
    order = await shop.order(amazon_order_id)
    assert (order["holds"], (await shop.order(ordinary))["holds"]) == ([hold], [])
    (reason,) = await shop.reasons(amazon_order_id)
    assert reason["code"] == hold
    assert advice in reason["fix"]
    await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    assert await shop.published(FulfillmentRequested) == []
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    assert (await shop.shipment(told))["error_code"] == hold
    await shop.sync_orders()
    assert await shop.calls("confirmShipment") == 0


@pytest.mark.edge(28)
async def test_an_order_whose_fulfiller_is_a_new_word_is_never_released(open_shop: OpenShop, retold: Retold) -> None:
    shop = await open_shop(amazon_endpoint_na=retold.url)
    (amazon_order_id,) = await shop.place({})
    retold.retell = lambda order: order["fulfillment"].update(fulfilledBy="ROBOTS")
    await shop.get_orders()
    order = await shop.order(amazon_order_id)
    await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    assert await shop.published(FulfillmentRequested) == []
    (withdrawn,) = await shop.published(FulfillmentWithdrawn)
    assert (withdrawn.reason, withdrawn.detail) == (
        "not_fulfilled_by_merchant",
        "ROBOTS ships this order, not the merchant",
    )
    assert await shop.explain(amazon_order_id) == ["not_fulfilled_by_merchant"]
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    assert (await shop.shipment(told))["error_code"] == "not_fulfilled_by_merchant"
