"""Link and sync through the doors, against the local Amazon (MISSION B2, B3)."""

import pytest

from common.contracts.listings import ListingLinked, ListingRejected, ListingSynced
from listings_service.testing import Shop, offer


@pytest.mark.row("B2")
async def test_link_finds_exactly_the_skus_that_amazon_has(shop: Shop) -> None:
    await shop.seed(offer("A", asin="B000000001", quantity=7, price="12.50"), offer("b"))
    await shop.upsert(shop.row("A", title="Mine"), shop.row("B"), shop.row("missing"))
    ended = await shop.link()
    assert ended["counts"] == {"linked": 1, "not_found": 2}
    linked = await shop.listing("A")
    assert (linked["link"], linked["health"], linked["title"]) == ("linked", "listed", "Mine")
    assert linked["amazon"]["asin"] == "B000000001"
    assert (linked["amazon"]["quantity"], linked["amazon"]["price"]["amount"]) == (7, "12.50")
    assert (await shop.listing("B"))["link"] == "unlinked"
    assert [(event.sku, event.asin) for event in await shop.events(ListingLinked)] == [("A", "B000000001")]


@pytest.mark.row("B3")
async def test_only_what_changed_is_pushed_and_read_back(shop: Shop) -> None:
    await shop.seed(*(offer(f"S{n}") for n in range(50)))
    await shop.upsert(*(shop.row(f"S{n}", quantity=5, price="10.00") for n in range(50)))
    await shop.link()
    await shop.sync()
    assert sum(one["writes"] for one in (await shop.books()).values()) == 0
    await shop.change(
        shop.row("S1", quantity=9), shop.row("S2", price="11.00"), shop.row("S3", quantity=0, price="8.00")
    )
    await shop.sync()
    books = await shop.books()
    assert {sku for sku, one in books.items() if one["writes"]} == {"S1", "S2", "S3"}
    assert (books["S1"]["quantity"], books["S2"]["price"], books["S2"]["quantity"]) == (9, 11, 5)
    assert (books["S3"]["quantity"], books["S3"]["price"]) == (0, 8)
    synced = {event.sku: event for event in await shop.events(ListingSynced)}
    assert set(synced) == {"S1", "S2", "S3"}
    assert (synced["S3"].quantity, str(synced["S3"].price.amount)) == (0, "8.00")
    assert (await shop.call("GET", "/v1/listings", params={"dirty": True}))["items"] == []


@pytest.mark.row("B3")
async def test_a_refused_price_comes_back_with_amazons_words_and_does_not_hold_the_quantity(shop: Shop) -> None:
    await shop.seed(offer("A", minimum_seller_allowed_price=9))
    await shop.upsert(shop.row("A", quantity=5, price="10.00"))
    await shop.link()
    await shop.change(shop.row("A", quantity=3, price="8.00"))
    ended = await shop.sync()
    assert (await shop.at_amazon("A"))["quantity"] == 3
    listing = await shop.listing("A")
    assert listing["last_error"]["code"] == "18155"
    assert ended["errors"][0]["code"] == "18155"
    (rejected,) = await shop.events(ListingRejected)
    assert (rejected.sku, rejected.code) == ("A", "18155")
    await shop.sync()
    assert (await shop.at_amazon("A"))["writes"] == 1
    await shop.change(shop.row("A", price="9.50"))
    await shop.sync()
    assert (await shop.at_amazon("A"))["price"] == 9.5
    assert (await shop.listing("A"))["last_error"] is None
