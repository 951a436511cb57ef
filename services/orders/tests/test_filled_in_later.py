"""What Amazon leaves out at first and adds without a newer update time, and what it leaves out later."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from common.amazon.order import Buyer, DeliveryAddress, GiftOption, Recipient
from common.contracts.orders import FulfillmentRequested, OrderChanged
from orders_service.personal_data import ItemPersonalData, PersonalData, fill
from orders_service.testing import OpenShop, Retold, Shop


def without_address(order: dict[str, Any]) -> None:
    """As Amazon tells it to an application without the role (FACTS 4.1)."""
    address = order["recipient"]["deliveryAddress"]
    order["recipient"]["deliveryAddress"] = {name: address[name] for name in ("city", "stateOrRegion", "countryCode")}
    order["buyer"] = {}


def without_recipient(order: dict[str, Any]) -> None:
    order.pop("recipient", None)
    order.pop("buyer", None)


def without_money(order: dict[str, Any]) -> None:
    order.pop("proceeds", None)
    for item in order["orderItems"]:
        item["product"].pop("price", None)
        item.pop("proceeds", None)


def without_sku(order: dict[str, Any]) -> None:
    del order["orderItems"][1]["product"]["sellerSku"]


def without_second_item(order: dict[str, Any]) -> None:
    order["orderItems"] = order["orderItems"][:1]


async def recipient(shop: Shop, order: Any) -> Any:
    answer = await shop.service.http.get(f"/v1/orders/{order['id']}/recipient", headers=shop.pii_headers)
    return answer.json()


async def by_poll(shop: Shop, amazon_order_id: str) -> Any:
    return await shop.get_orders()


async def by_back_fill(shop: Shop, amazon_order_id: str) -> Any:
    return await shop.run("get_orders", amazon_order_ids=[amazon_order_id])


@pytest.mark.row("C5", "C6")
@pytest.mark.edge(36)
@pytest.mark.parametrize("take", [by_poll, by_back_fill])
@pytest.mark.parametrize("spoil", [without_address, without_recipient])
async def test_an_order_without_its_address_is_held_until_the_same_order_has_it(
    open_shop: OpenShop, retold: Retold, spoil: Callable[[dict[str, Any]], None], take: Callable[..., Any]
) -> None:
    shop = await open_shop(amazon_endpoint_na=retold.url)
    (amazon_order_id,) = await shop.place({})
    retold.retell = spoil
    await shop.get_orders()
    order = await shop.order(amazon_order_id)
    assert order["holds"] == ["no_address"]
    assert await shop.explain(amazon_order_id) == ["no_address"]
    await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    assert await shop.published(FulfillmentRequested) == []
    retold.retell = lambda order: None
    run = await take(shop, amazon_order_id)
    assert run["counts"] == {"changed": 1}
    (changed,) = await shop.published(OrderChanged)
    assert (changed.holds, changed.version) == ((), 2)
    found = await recipient(shop, order)
    assert found["delivery_address"]["address_line1"]
    assert found["buyer"]["buyer_name"].startswith("Canary")
    await shop.deliver(await shop.routed(await shop.order(amazon_order_id), (uuid4(), 2), decision_version=2))
    assert len(await shop.published(FulfillmentRequested)) == 1
    retold.retell = spoil
    assert (await take(shop, amazon_order_id))["counts"] == {"unchanged": 1}
    assert await recipient(shop, order) == found


@pytest.mark.row("C11")
@pytest.mark.edge(36)
@pytest.mark.parametrize("spoil", [without_money, without_second_item, without_sku])
async def test_a_price_an_item_or_a_sku_that_came_without_a_newer_time_is_taken_and_announced(
    open_shop: OpenShop, retold: Retold, spoil: Callable[[dict[str, Any]], None]
) -> None:
    shop = await open_shop(amazon_endpoint_na=retold.url)
    lines = [{"sku": sku, "quantity": 2, "unit_price": 9.99} for sku in ("MUG-1", "CUP-1")]
    (amazon_order_id,) = await shop.place({"lines": lines})
    retold.retell = spoil
    await shop.get_orders()
    retold.retell = lambda order: None
    await shop.get_orders()
    (changed,) = await shop.published(OrderChanged)
    assert [(line.sku, str(line.unit_price and line.unit_price.amount)) for line in changed.lines] == [
        ("MUG-1", "9.99"),
        ("CUP-1", "9.99"),
    ]
    order = await shop.order(amazon_order_id)
    assert order["total"]["amount"] == "39.96"
    retold.retell = spoil
    await shop.get_orders()
    assert await shop.order(amazon_order_id) == order
    assert len(await shop.published(OrderChanged)) == 1


@pytest.mark.edge(7)
@pytest.mark.edge(36)
async def test_a_newer_answer_that_says_less_takes_nothing_away(open_shop: OpenShop, retold: Retold) -> None:
    shop = await open_shop(amazon_endpoint_na=retold.url)
    (amazon_order_id,) = await shop.place({"gift_message": "Canary wishes"})
    await shop.get_orders()
    order = await shop.order(amazon_order_id)
    found = await recipient(shop, order)

    def poorer(told: dict[str, Any]) -> None:
        without_address(told)
        without_money(told)

    retold.retell = poorer
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/request-cancel", {})
    await shop.get_orders()
    after = await shop.order(amazon_order_id)
    assert (after["holds"], after["total"], after["lines"][0]["unit_price"]) == (
        ["cancel_requested"],
        order["total"],
        order["lines"][0]["unit_price"],
    )
    assert await recipient(shop, after) == found


HOME = DeliveryAddress(name="Ada", address_line1="7 Row", city="Seattle", phone="1")


@pytest.mark.edge(36)
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (msgspec.structs.replace(HOME, phone=None), HOME, HOME),
        (DeliveryAddress(city="Seattle"), HOME, HOME),
        # Moved meanwhile, and told without a street: the street of the other city is not put to it.
        (DeliveryAddress(city="Portland"), HOME, HOME),
        (DeliveryAddress(address_line1="9 Row", city="Portland"), HOME, None),
        (HOME, DeliveryAddress(address_line1="9 Row", address_line2="Floor 3", city="Portland"), HOME),
        (None, HOME, HOME),
    ],
)
def test_two_addresses_are_never_mixed(
    first: DeliveryAddress | None, second: DeliveryAddress, expected: DeliveryAddress | None
) -> None:
    filled = fill(
        PersonalData(recipient=Recipient(delivery_address=first)),
        PersonalData(recipient=Recipient(delivery_address=second)),
    )
    assert filled.recipient is not None
    assert filled.recipient.delivery_address == (expected or first)


@pytest.mark.edge(36)
def test_the_buyer_and_the_gifts_of_items_are_filled_in_one_by_one() -> None:
    gift = GiftOption(gift_message="Canary")
    first = PersonalData(
        buyer=Buyer(buyer_name="Ada"), items=(ItemPersonalData(order_item_id="1", gift_option=GiftOption()),)
    )
    second = PersonalData(
        buyer=Buyer(buyer_name="Bob", buyer_email="a@b"),
        recipient=Recipient(delivery_address=HOME),
        items=tuple(ItemPersonalData(order_item_id=item, gift_option=gift) for item in ("1", "2")),
    )
    filled = fill(first, second)
    assert filled == PersonalData(
        buyer=Buyer(buyer_name="Ada", buyer_email="a@b"), recipient=second.recipient, items=second.items
    )
