"""The listings API: upserts with an answer per row, CSV both ways, filters, bulk actions (MISSION B1, B2, B11)."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from common.contracts.connections import ConnectionChanged
from common.testing.identity import Issuer
from listings_service.testing import CA, US, OpenShop, Shop, offer

ODD_SKUS = ("A/B", "A%2FB", "A B", "50%", "a+b&c", "007", "7", "ü-日本", "O'Brien", "case", "CASE", "x,y", '"q"', "..")


@pytest.mark.row("B1")
async def test_an_upsert_creates_updates_and_leaves_what_is_the_same(shop: Shop) -> None:
    first = await shop.upsert(shop.row("A", quantity=5, price="10.00", title="A thing"), shop.row("B", quantity=1))
    assert (first["created"], first["updated"], first["unchanged"], first["errors"]) == (2, 0, 0, [])
    second = await shop.upsert(shop.row("A", quantity=5, price="10"), shop.row("B", quantity=2), shop.row("C"))
    assert (second["created"], second["updated"], second["unchanged"]) == (1, 1, 1)
    listing = await shop.listing("A")
    assert (listing["title"], listing["quantity"], listing["price"]) == (
        "A thing",
        5,
        {"amount": "10.00", "currency": "USD"},
    )
    assert (listing["link"], listing["health"], listing["intent"], listing["paused"]) == (
        "unlinked",
        "not_listed",
        "none",
        False,
    )
    versions = await shop.sql("select quantity_version, price_version from variant where sku = 'A'")
    assert [tuple(row) for row in versions] == [(1, 1)]


@pytest.mark.row("B1")
async def test_a_bad_row_never_takes_the_good_ones_with_it(shop: Shop) -> None:
    rows: list[Any] = [
        shop.row("good", quantity=1),
        shop.row("negative", quantity=-1),
        shop.row("decimals", price="1.999"),
        shop.row("currency", price="1.99", currency="EUR"),
        shop.row("x" * 41),
        shop.row("foreign") | {"channel_id": str(uuid4())},
        {"sku": "no channel"},
        "no row at all",
        shop.row("typo", qantity=3),
        shop.row("nul\0"),
        shop.row("title", title="t\0"),
        shop.row("future", quantity=1, as_of="2999-01-01T00:00:00Z"),
        shop.row("end of time", quantity=1, as_of="9999-12-31T23:59:59-01:00"),
        shop.row("dawn of time", quantity=1, as_of="0001-01-01T00:00:00+14:00"),
        shop.row("good too", price="1.99"),
    ]
    answer = await shop.upsert(*rows)
    assert answer["created"] == 2
    assert {error["row"]: error["code"] for error in answer["errors"]} == {
        1: "negative-quantity",
        2: "too-many-decimals",
        3: "wrong-currency",
        4: "sku-too-long",
        5: "unknown-channel",
        6: "invalid-row",
        7: "invalid-row",
        8: "invalid-row",
        9: "invalid-text",
        10: "invalid-text",
        11: "as-of-in-future",
        12: "as-of-in-future",
        13: "as-of-invalid",
    }
    assert all(error["detail"] and error["fix"] for error in answer["errors"])


async def test_more_rows_than_a_page_takes_are_refused_whole(shop: Shop) -> None:
    body = {"listings": [shop.row(str(n)) for n in range(1001)]}
    answer = await shop.call("POST", "/v1/listings", body, status=400)
    assert answer["type"] == "/problems/invalid-request"


async def test_the_last_of_two_rows_for_one_listing_holds(shop: Shop) -> None:
    answer = await shop.upsert(shop.row("A", quantity=1), shop.row("A", quantity=2))
    assert (answer["created"], answer["unchanged"]) == (1, 0)
    assert (await shop.listing("A"))["quantity"] == 2


async def test_upserts_of_the_same_listings_at_once_create_each_once(shop: Shop) -> None:
    rows = [shop.row(f"S{n}", quantity=1) for n in range(200)]
    answers = await asyncio.gather(*(shop.upsert(*(rows[::-1] if turn % 2 else rows)) for turn in range(6)))
    assert sum(answer["created"] for answer in answers) == 200
    assert [tuple(row) for row in await shop.sql("select count(*), max(quantity_version) from variant")] == [(200, 1)]


async def test_a_repeat_with_the_same_idempotency_key_answers_the_first_answer(shop: Shop) -> None:
    body = {"listings": [shop.row("A")]}
    key = {"idempotency-key": "once"}
    assert (await shop.call("POST", "/v1/listings", body, headers=key))["created"] == 1
    assert (await shop.call("POST", "/v1/listings", body, headers=key))["created"] == 1
    await shop.call("POST", "/v1/listings", {"listings": []}, headers=key, status=409)


@pytest.mark.row("B1")
async def test_changes_are_for_listings_that_exist(shop: Shop) -> None:
    await shop.upsert(shop.row("A", quantity=1, price="1.00"))
    answer = await shop.change(shop.row("A", price="2.00"), shop.row("unheard of", quantity=1))
    assert (answer["updated"], answer["errors"][0]["code"], answer["errors"][0]["row"]) == (1, "unknown-sku", 1)
    assert (await shop.listing("A"))["price"]["amount"] == "2.00"


@pytest.mark.row("B2")
@pytest.mark.edge(16)
@pytest.mark.fact("5.1.1")
async def test_odd_skus_round_trip_through_api_database_paths_search_and_csv(shop: Shop) -> None:
    await shop.seed(*(offer(sku, quantity=5) for sku in ODD_SKUS))
    answer = await shop.upsert(*(shop.row(sku, quantity=number) for number, sku in enumerate(ODD_SKUS, 10)))
    assert answer["created"] == len(ODD_SKUS)
    assert (await shop.link())["counts"]["linked"] == len(ODD_SKUS)
    await shop.sync()
    books = await shop.books()
    assert {sku: one["quantity"] for sku, one in books.items()} == {sku: n for n, sku in enumerate(ODD_SKUS, 10)}
    assert all(one["writes"] == 1 for one in books.values())
    downloaded = await shop.service.http.get("/v1/listings/csv", headers=shop.headers)
    assert {row["sku"] for row in csv.DictReader(io.StringIO(downloaded.text, newline=""))} == set(ODD_SKUS)
    for sku in ODD_SKUS:
        assert (await shop.listing(sku))["sku"] == sku


@pytest.mark.row("B1")
async def test_a_csv_of_several_pages_is_upserted_and_its_bad_rows_are_named(shop: Shop) -> None:
    lines = ["channel_id,sku,title,quantity,price,currency"]
    lines += [f'{shop.channel_id},S{n},"Title, with ""quotes""\nand lines",{n},{n + 1}.50,USD' for n in range(2100)]
    lines[1 + 1500] = f"{shop.channel_id},S1500,,minus one,,"
    body = "\r\n".join(lines).encode()

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    answer = await shop.service.http.post(
        "/v1/listings/csv", content=in_pieces(), headers=shop.headers | {"content-type": "text/csv"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["created"] == 2099
    assert [(error["row"], error["line"], error["sku"], error["code"]) for error in answer.json()["errors"]] == [
        (1500, 3002, "S1500", "invalid-row")
    ]
    listing = await shop.listing("S2099")
    assert listing["title"] == 'Title, with "quotes"\nand lines'
    assert (listing["quantity"], listing["price"]["amount"]) == (2099, "2100.50")


@pytest.mark.row("B1")
async def test_a_download_can_be_sent_back_and_changes_nothing(shop: Shop) -> None:
    rows = [shop.row(f"S{n}", quantity=n, price=f"{n + 1}.00", title='ü, "x"') for n in range(1200)]
    await shop.upsert(*rows[:600])
    await shop.upsert(*rows[600:])
    downloaded = await shop.service.http.get("/v1/listings/csv", headers=shop.headers)
    answer = await shop.service.http.post("/v1/listings/csv", content=downloaded.content, headers=shop.headers)
    assert answer.json() == {"created": 0, "updated": 0, "unchanged": 1200, "errors": []}


@pytest.mark.parametrize(
    "content", [b"", b"sku,quantity\nA,1\n", b"channel_id,sku,sku\n", b'"channel_id,sku\nx,A\n', b"PK\x03\x04\x00\x00"]
)
async def test_an_unreadable_csv_is_refused_with_the_reason(shop: Shop, content: bytes) -> None:
    answer = await shop.service.http.post("/v1/listings/csv", content=content, headers=shop.headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/csv-unreadable")
    assert answer.json()["detail"]


@pytest.mark.row("B1")
@pytest.mark.edge(41)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
async def test_a_spreadsheets_file_is_read_and_each_odd_row_is_reported_with_its_line(
    shop: Shop, encoding: str
) -> None:
    channel = shop.channel_id
    lines = [
        "Channel_ID;SKU;Title;Quantity;Price;Currency",
        f'{channel};PAN-12;12" pan;3;1.019,90;USD',
        f'{channel};PAN-13;"a 13"" pan";4;19,90;USD',
        f'{channel};PAN-14;"a 14 pan;5;20;USD',
        f"{channel};PAN-15;a pan;6",
        f"{channel};PAN-16;a pan;7;1,234;USD",
        f"{channel};PAN-17;a pan;8;21;USD",
    ]
    answer = await shop.service.http.post(
        "/v1/listings/csv", content="\r\n".join(lines).encode(encoding), headers=shop.headers
    )
    assert answer.json()["created"] == 3
    assert [(error["row"], error["line"], error["sku"], error["code"]) for error in answer.json()["errors"]] == [
        (2, 4, "PAN-14", "quote-not-closed"),
        (3, 5, "PAN-15", "wrong-width"),
        (4, 6, "PAN-16", "ambiguous-number"),
    ]
    listing = await shop.listing("PAN-12")
    assert (listing["title"], listing["price"]["amount"]) == ('12" pan', "1019.90")


@pytest.mark.row("B1")
async def test_listings_are_found_by_state_and_paged_by_cursor(shop: Shop) -> None:
    await shop.seed(offer("A1"), offer("A2"))
    await shop.upsert(*(shop.row(sku, quantity=9) for sku in ("A1", "A2", "A3", "B_1", "BX1")))
    await shop.link()

    async def skus(**query: object) -> list[str]:
        found, cursor = [], None
        while True:
            params = query | {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = await shop.call("GET", "/v1/listings", params=params)
            found += [item["sku"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    assert await skus() == ["A1", "A2", "A3", "BX1", "B_1"]
    assert await skus(link="linked") == ["A1", "A2"]
    assert await skus(health="not_listed", sku_prefix="A") == ["A3"]
    assert await skus(sku_prefix="B_") == ["B_1"]
    assert await skus(sku="a1") == []
    await shop.sync()
    assert await skus(dirty=True) == ["A3", "BX1", "B_1"]
    await shop.call("GET", "/v1/listings", params={"cursor": "nonsense"}, status=400)


async def test_one_listing_is_read_and_changed_by_its_id(shop: Shop) -> None:
    await shop.upsert(shop.row("A", quantity=1))
    path = f"/v1/listings/{(await shop.listing('A'))['id']}"
    changed = await shop.call(
        "PATCH", path, {"title": "New", "price": {"amount": "3.50", "currency": "USD"}, "paused": True}
    )
    assert (changed["title"], changed["price"]["amount"], changed["quantity"], changed["paused"]) == (
        "New",
        "3.50",
        1,
        True,
    )
    assert await shop.call("GET", path) == changed
    refused = await shop.call("PATCH", path, {"quantity": -1}, status=400)
    assert (refused["type"], refused["where"]) == ("/problems/invalid-request", "body.quantity")
    refused = await shop.call("PATCH", path, {"price": {"amount": "1", "currency": "EUR"}}, status=400)
    assert (refused["type"], refused["code"]) == ("/problems/refused-change", "wrong-currency")


@pytest.mark.row("B11")
async def test_a_paused_listing_is_frozen_until_it_is_unpaused(shop: Shop) -> None:
    await shop.seed(offer("A"), offer("B"))
    await shop.upsert(shop.row("A", quantity=1), shop.row("B", quantity=1))
    await shop.link()
    ids = [(await shop.listing("A"))["id"]]
    missing = str(uuid4())
    answer = await shop.call("POST", "/v1/listings/pause", {"listing_ids": [*ids, missing]})
    assert (answer["changed"], answer["errors"][0]["listing_id"]) == (1, missing)
    await shop.sync()
    assert [(await shop.at_amazon(sku))["quantity"] for sku in ("A", "B")] == [5, 1]
    await shop.call("POST", "/v1/listings/unpause", {"listing_ids": ids})
    await shop.sync()
    assert (await shop.at_amazon("A"))["quantity"] == 1


async def test_a_paused_channel_sends_nothing(shop: Shop) -> None:
    await shop.seed(offer("A"))
    await shop.upsert(shop.row("A", quantity=1))
    await shop.link()
    await shop.connect(ConnectionChanged, paused=True)
    await shop.sync()
    assert (await shop.at_amazon("A"))["writes"] == 0
    await shop.connect(ConnectionChanged)
    await shop.sync()
    assert (await shop.at_amazon("A"))["quantity"] == 1


@pytest.mark.row("B2")
async def test_unlink_and_relink_start_afresh_and_keep_the_product_data(shop: Shop) -> None:
    await shop.seed(offer("A"))
    await shop.upsert(shop.row("A", quantity=5, title="Mine"))
    await shop.link()
    listing_id = (await shop.listing("A"))["id"]
    await shop.call("POST", "/v1/listings/unlink", {"listing_ids": [listing_id]})
    unlinked = await shop.listing("A")
    assert (unlinked["link"], unlinked["health"], unlinked["title"], unlinked["quantity"]) == (
        "unlinked",
        "not_listed",
        "Mine",
        5,
    )
    assert unlinked["amazon"]["read_at"] is None
    answer = await shop.call("POST", "/v1/listings/relink", {"listing_ids": [listing_id]})
    await shop.work()
    (run_id,) = answer["operation_run_ids"]
    assert (await shop.call("GET", f"/v1/operations/{run_id}"))["counts"] == {"linked": 1, "not_found": 0}
    assert (await shop.listing("A"))["link"] == "linked"


@pytest.mark.edge(22)
async def test_nothing_of_another_account_can_be_seen_or_changed(open_shop: OpenShop) -> None:
    ours = await open_shop()
    theirs = await open_shop(beside=ours, selling_partner_id="A2OTHER")
    await ours.seed(offer("A"))
    await theirs.seed(offer("A"))
    await ours.upsert(ours.row("A", quantity=1))
    await theirs.upsert(theirs.row("A", quantity=2))
    listing_id = (await theirs.listing("A"))["id"]
    await ours.call("GET", f"/v1/listings/{listing_id}", status=404)
    await ours.call("PATCH", f"/v1/listings/{listing_id}", {"quantity": 9}, status=404)
    await ours.start("sync", channel_id=theirs.channel_id, status=404)
    stolen = await ours.upsert(ours.row("A") | {"channel_id": str(theirs.channel_id)})
    assert stolen["errors"][0]["code"] == "unknown-channel"
    paused = await ours.call("POST", "/v1/listings/pause", {"listing_ids": [listing_id]})
    assert (paused["changed"], paused["errors"][0]["code"]) == (0, "not-found")
    assert [item["quantity"] for item in (await ours.call("GET", "/v1/listings"))["items"]] == [1]
    for shop in (ours, theirs):
        await shop.link()
        await shop.sync()
    assert [(await shop.at_amazon("A"))["quantity"] for shop in (ours, theirs)] == [1, 2]
    await ours.call("GET", f"/v1/operations/{(await theirs.sync())['id']}", status=404)


async def test_a_key_that_may_only_read_changes_nothing(shop: Shop, issuer: Issuer) -> None:
    reader = issuer.headers(shop.account_id, "listings:read", "operations:read")
    await shop.call("GET", "/v1/listings", headers=reader)
    await shop.call("POST", "/v1/listings", {"listings": []}, headers=reader, status=403)
    body = {"operation": "sync", "channel_id": str(shop.channel_id)}
    await shop.call("POST", "/v1/operations", body, headers=reader, status=403)


async def test_variants_of_one_product_share_their_parent(shop: Shop) -> None:
    await shop.upsert(shop.row("red", parent_sku="shirt", title="Shirt"), shop.row("blue", parent_sku="shirt"))
    red, blue = await shop.listing("red"), await shop.listing("blue")
    assert red["parent_id"] == blue["parent_id"]
    assert (blue["parent_sku"], blue["title"]) == ("shirt", "Shirt")


async def test_two_channels_of_a_connection_keep_their_own_listings(open_shop: OpenShop) -> None:
    shop = await open_shop(marketplaces=(US, CA))
    await shop.seed(offer("A", price="10.00"), marketplace_id=US)
    await shop.seed(offer("A", price="14.00"), marketplace_id=CA)
    cad = shop.row("A", price="13.00", currency="CAD") | {"channel_id": str(shop.channels[CA])}
    assert (await shop.upsert(shop.row("A", price="9.00"), cad))["created"] == 2
    await shop.link()
    await shop.operate("link", channel_id=shop.channels[CA])
    await shop.sync()
    assert (await shop.at_amazon("A", CA))["price"] == 14
    await shop.operate("sync", channel_id=shop.channels[CA])
    assert ((await shop.at_amazon("A", US))["price"], (await shop.at_amazon("A", CA))["price"]) == (9, 13)
