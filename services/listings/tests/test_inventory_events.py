"""`InventoryChanged`: other systems state quantities and prices without HTTP (MISSION B1)."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from uuid import uuid4

import pytest

from common import clock
from common.contracts.event import Money
from listings_service.testing import OpenShop, Shop, offer

USD = Money(amount=Decimal("12.34"), currency="USD")


@pytest.mark.row("B1")
async def test_a_stated_quantity_and_price_reach_amazon(shop: Shop) -> None:
    await shop.seed(offer("A"), offer("B"))
    await shop.upsert(shop.row("A"), shop.row("B"))
    await shop.link()
    await shop.deliver(shop.inventory("A", quantity=9), shop.inventory("B", price=USD), shop.inventory("A", price=USD))
    await shop.sync()
    books = await shop.books()
    assert (books["A"]["quantity"], books["A"]["price"], books["A"]["writes"]) == (9, 12.34, 1)
    assert (books["B"]["quantity"], books["B"]["price"]) == (5, 12.34)


@pytest.mark.edge(27)
async def test_the_newest_figure_wins_whatever_the_order(shop: Shop) -> None:
    await shop.upsert(shop.row("A"))
    now = clock.now()
    figures = [shop.inventory("A", quantity=n, as_of=now - timedelta(minutes=10 - n)) for n in (1, 3, 2)]
    await shop.deliver(*figures)
    assert (await shop.listing("A"))["quantity"] == 3
    await shop.deliver(shop.inventory("A", quantity=2, as_of=now - timedelta(minutes=8)))
    assert (await shop.listing("A"))["quantity"] == 3
    await shop.deliver(shop.inventory("A", price=USD, as_of=now - timedelta(minutes=20)))
    assert (await shop.listing("A"))["price"] == {"amount": "12.34", "currency": "USD"}


@pytest.mark.fault("F7")
async def test_a_redelivered_figure_changes_nothing(shop: Shop) -> None:
    await shop.upsert(shop.row("A"))
    event, event_id = shop.inventory("A", quantity=4), uuid4()
    for _ in range(3):
        await shop.deliver(event, event_id=event_id)
    versions = await shop.sql("select quantity, quantity_version from variant")
    assert [tuple(row) for row in versions] == [(4, 1)]


@pytest.mark.row("B1")
@pytest.mark.edge(22)
async def test_what_cannot_be_applied_is_listed_with_its_reason_and_the_rest_goes_on(open_shop: OpenShop) -> None:
    shop = await open_shop()
    other = await open_shop(beside=shop, selling_partner_id="A2OTHER")
    await shop.upsert(shop.row("A"))
    foreign = shop.inventory("A", quantity=1).model_copy(update={"channel_id": other.channel_id})
    await shop.deliver(
        shop.inventory("unheard of", quantity=1),
        foreign,
        shop.inventory("A", price=Money(amount=Decimal("1.999"), currency="USD")),
        shop.inventory("A", price=Money(amount=Decimal(1), currency="EUR")),
        shop.inventory("A", quantity=1, as_of=clock.now() + timedelta(days=1)),
        shop.inventory("A", quantity=1, as_of=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
        shop.inventory("A", quantity=1, as_of=datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1)))),
        shop.inventory("A", quantity=1, as_of=datetime(2026, 1, 1)),  # noqa: DTZ001 - as others may send it
        shop.inventory("A", quantity=8),
    )
    assert (await shop.listing("A"))["quantity"] == 8
    rejected = (await shop.call("GET", "/v1/inventory-rejections"))["items"]
    assert sorted(one["code"] for one in rejected) == [
        "as-of-in-future",
        "as-of-in-future",
        "as-of-invalid",
        "as-of-invalid",
        "too-many-decimals",
        "unknown-channel",
        "unknown-sku",
        "wrong-currency",
    ]
    (decimals,) = [one for one in rejected if one["code"] == "too-many-decimals"]
    assert (decimals["sku"], decimals["price"]) == ("A", {"amount": "1.999", "currency": "USD"})
    first = await shop.call("GET", "/v1/inventory-rejections", params={"limit": 5})
    rest = await shop.call("GET", "/v1/inventory-rejections", params={"limit": 5, "cursor": first["next_cursor"]})
    assert first["items"] + rest["items"] == rejected
    assert rest["next_cursor"] is None
    assert (await other.call("GET", "/v1/inventory-rejections"))["items"] == []
