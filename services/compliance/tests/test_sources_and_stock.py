"""Sources and what they have, through the API, CSV files and events."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from common import clock
from common.contracts.event import Money
from common.contracts.inventory import SourceInventoryChanged
from common.http import OutcomeUnknown, Response
from common.testing.identity import Issuer
from compliance_service.testing import SCOPES, Merchant

ODD_SKUS = ["A/B", "A%2FB", "a b", "007", "O'Brien", "Ünï+&", "sku", "SKU", "\u2028line", "日本"]


def stock_event(
    merchant: Merchant, source_id: UUID, sku: str, quantity: int, **fields: object
) -> SourceInventoryChanged:
    facts = {"account_id": merchant.account_id, "source_id": source_id, "sku": sku, "quantity": quantity}
    return SourceInventoryChanged.model_validate(facts | {"as_of": clock.now()} | fields)


@pytest.mark.row("D1")
async def test_a_source_is_made_once_listed_and_edited(merchant: Merchant) -> None:
    body = {"name": "Nordlager", "kind": "3pl", "priority": 5, "shipping_policies": ["Standard"]}
    first = await merchant.call("POST", "/v1/sources", json=body, headers={"Idempotency-Key": "k"})
    again = await merchant.call("POST", "/v1/sources", json=body, headers={"Idempotency-Key": "k"})
    assert again == first
    assert first["compliant"] is False

    await merchant.call("PATCH", f"/v1/sources/{first['id']}", json={"enabled": False})

    page = await merchant.call("GET", "/v1/sources")
    assert [(s["name"], s["enabled"], s["shipping_policies"]) for s in page["items"]] == [
        ("Nordlager", False, ["Standard"])
    ]


async def test_sources_come_in_pages(merchant: Merchant) -> None:
    for name in ("C", "A", "B"):
        await merchant.source(name, attested=False)

    first = await merchant.call("GET", "/v1/sources?limit=2")
    second = await merchant.call("GET", "/v1/sources", params={"limit": 2, "cursor": first["next_cursor"]})

    assert [s["name"] for s in first["items"] + second["items"]] == ["A", "B", "C"]
    assert second["next_cursor"] is None


async def test_a_name_that_another_source_has_is_refused(merchant: Merchant) -> None:
    await merchant.source("One", attested=False)
    problem = await merchant.call("POST", "/v1/sources", expect=409, json={"name": "One", "kind": "supplier"})
    assert problem["type"] == "/problems/source-name-taken"


@pytest.mark.row("D1")
@pytest.mark.edge(16)
async def test_skus_are_kept_byte_for_byte_and_looked_up_so(merchant: Merchant) -> None:
    source = await merchant.source("One", {sku: n for n, sku in enumerate(ODD_SKUS, 1)}, attested=False)

    assert await merchant.available(source) == {sku: n for n, sku in enumerate(ODD_SKUS, 1)}
    answer = await merchant.call("POST", "/v1/inventory/lookup", json={"skus": [*ODD_SKUS, "Sku"]})
    assert [found["sku"] for found in answer["found"]] == ODD_SKUS
    assert answer["missing"] == ["Sku"]
    refused = await merchant.call("POST", "/v1/inventory/lookup", expect=400, json={"skus": ["Sku", "no\x00"]})
    assert refused["where"] == "body.skus.1"


@pytest.mark.row("B13")
async def test_a_lookup_says_which_skus_exist_at_which_sources(merchant: Merchant) -> None:
    one = await merchant.source("One", {"A": 2}, priority=1)
    two = await merchant.source("Two", {"A": 3, "B": 0}, priority=2)

    answer = await merchant.call("POST", "/v1/inventory/lookup", json={"skus": ["B", "A", "X"]})

    assert answer["missing"] == ["X"]
    assert [(f["sku"], [(s["source_id"], s["quantity"]) for s in f["sources"]]) for f in answer["found"]] == [
        ("B", [(str(two), 0)]),
        ("A", [(str(one), 2), (str(two), 3)]),
    ]


@pytest.mark.row("D1")
async def test_a_bad_row_never_takes_the_good_ones_with_it(merchant: Merchant) -> None:
    source = await merchant.source("One", attested=False)
    rows = [
        {"sku": "good", "quantity": 1, "cost": {"amount": "1.50", "currency": "USD"}},
        {"sku": "below zero", "quantity": -1},
        {"sku": "", "quantity": 1},
        {"sku": "x" * 41, "quantity": 1},
        {"sku": "decimals", "quantity": 1, "cost": {"amount": "1.505", "currency": "USD"}},
        {"sku": "yen", "quantity": 1, "cost": {"amount": "1.5", "currency": "JPY"}},
        {"sku": "money", "quantity": 1, "cost": {"amount": "1", "currency": "XXY"}},
        {"sku": "huge", "quantity": 1, "cost": {"amount": "1e999", "currency": "USD"}},
        {"sku": "typo", "quantity": 1, "colour": "red"},
        {"sku": "naive", "quantity": 1, "as_of": "2026-01-01T00:00:00"},
        {"sku": "also good", "quantity": 2},
        {"quantity": 2},
        {"sku": "dawn of time", "quantity": 1, "as_of": "0001-01-01T00:00:00+14:00"},
        {"sku": "end of time", "quantity": 1, "as_of": "9999-12-31T23:59:59-01:00"},
    ]

    answer = await merchant.call("PUT", f"/v1/sources/{source}/inventory", json={"rows": rows})

    assert (answer["created"], answer["updated"], answer["failed"]) == (2, 0, 12)
    assert [(error["row"], error["code"]) for error in answer["errors"]] == [
        (1, "quantity-invalid"),
        (2, "sku-invalid"),
        (3, "sku-invalid"),
        (4, "cost-invalid"),
        (5, "cost-invalid"),
        (6, "cost-invalid"),
        (7, "cost-invalid"),
        (8, "unknown-field"),
        (9, "as-of-invalid"),
        (11, "sku-invalid"),
        (12, "as-of-invalid"),
        (13, "as-of-invalid"),
    ]
    assert all(error["detail"] and error["fix"] for error in answer["errors"])
    assert await merchant.available(source) == {"good": 1, "also good": 2}


@pytest.mark.row("D1")
@pytest.mark.fault("F8")
async def test_the_newest_count_wins_whatever_the_order_of_arrival(merchant: Merchant) -> None:
    source = await merchant.source("One", attested=False)
    noon = clock.now() - timedelta(hours=1)
    newer = stock_event(merchant, source, "A", 7, as_of=noon)
    older = stock_event(merchant, source, "A", 9, as_of=noon - timedelta(minutes=1))

    await merchant.deliver(newer)
    await merchant.deliver(older)
    answer = await merchant.restock(source, {"A": 8}, as_of=noon - timedelta(seconds=1))

    assert (answer["created"], answer["updated"], answer["outdated"]) == (0, 0, 1)
    assert await merchant.available(source) == {"A": 7}


async def test_a_count_without_cost_keeps_the_known_cost(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 1}, cost="2.50", attested=False)

    await merchant.deliver(stock_event(merchant, source, "A", 4))

    (item,) = (await merchant.call("GET", f"/v1/sources/{source}/inventory"))["items"]
    assert (item["quantity"], Decimal(item["cost"]["amount"]), item["cost"]["currency"]) == (4, Decimal("2.5"), "USD")


@pytest.mark.row("D1")
@pytest.mark.edge(22)
async def test_a_count_that_cannot_be_taken_is_kept_with_the_reason_and_stops_nothing(
    new_merchant: Callable[[], Merchant],
) -> None:
    merchant, other = new_merchant(), new_merchant()
    source = await merchant.source("One", attested=False)
    foreign = await other.source("Theirs", attested=False)

    await merchant.deliver(
        stock_event(merchant, uuid4(), "A", 1),
        stock_event(merchant, foreign, "B", 1),
        stock_event(merchant, source, "C", 1, as_of=clock.now() + timedelta(days=400)),
        stock_event(merchant, source, "D", 1, cost=Money(amount=Decimal("1.001"), currency="EUR")),
        stock_event(merchant, source, "F", 1, as_of="0001-01-01T00:00:00+14:00"),
        stock_event(merchant, source, "G", 1, as_of="9999-12-31T23:59:59-01:00"),
        stock_event(merchant, source, "H", 1, as_of="2026-01-01T00:00:00"),
        stock_event(merchant, source, "E", 1),
    )

    rejections = (await merchant.call("GET", "/v1/inventory-rejections"))["items"]
    assert [(r["sku"], r["code"]) for r in reversed(rejections)] == [
        ("A", "unknown-source"),
        ("B", "unknown-source"),
        ("C", "as-of-in-future"),
        ("D", "cost-invalid"),
        ("F", "as-of-invalid"),
        ("G", "as-of-invalid"),
        ("H", "as-of-invalid"),
    ]
    assert await merchant.available(source) == {"E": 1}
    assert await other.available(foreign) == {}
    assert (await other.call("GET", "/v1/inventory-rejections"))["items"] == []


@pytest.mark.row("D1")
async def test_a_csv_file_is_stored_while_it_arrives(merchant: Merchant) -> None:
    source = await merchant.source("One", attested=False)
    rows = [f"SKU-{n},{n},1.25,USD" for n in range(4500)]
    rows[17] = "SKU-17,many,1.25,USD"
    rows[18] = '"quoted, with ""comma""",3,,'
    rows[19] = "too,few"
    rows = [f"{row}," for row in rows]
    rows[20] = "SKU-20,20,1.25,USD,0001-01-01T00:00:00+14:00"
    content = "\ufeff" + "\r\n".join(["sku,quantity,cost,currency,as_of", *rows])

    async def chunks() -> AsyncIterator[bytes]:
        encoded = content.encode()
        for start in range(0, len(encoded), 4099):
            yield encoded[start : start + 4099]

    answer = await merchant.call(
        "POST", f"/v1/sources/{source}/inventory/csv", content=chunks(), headers={"content-type": "text/csv"}
    )

    assert (answer["created"], answer["failed"]) == (4497, 3)
    assert [(e["row"], e["line"], e["sku"], e["code"]) for e in answer["errors"]] == [
        (17, 19, "SKU-17", "quantity-invalid"),
        (19, 21, "too", "wrong-width"),
        (20, 22, "SKU-20", "as-of-invalid"),
    ]
    found = await merchant.call("POST", "/v1/inventory/lookup", json={"skus": ['quoted, with "comma"', "SKU-4499"]})
    assert [f["sources"][0]["quantity"] for f in found["found"]] == [3, 4499]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"name,amount\nA,1\n", "header"),
        (b"sku,quantity,colour\nA,1,red\n", "only"),
        (b'"sku,quantity\nA,1\n', "quote"),
    ],
)
async def test_what_is_no_csv_of_ours_is_refused_with_the_reason(merchant: Merchant, content: bytes, why: str) -> None:
    source = await merchant.source("One", attested=False)
    problem = await merchant.call(
        "POST",
        f"/v1/sources/{source}/inventory/csv",
        expect=400,
        content=content,
        headers={"content-type": "text/csv"},
    )
    assert problem["type"] == "/problems/csv-unreadable"
    assert why in problem["detail"]
    assert problem["fix"]


@pytest.mark.row("D1")
@pytest.mark.edge(41)
async def test_a_spreadsheets_file_is_read_and_each_odd_row_is_reported_with_its_line(merchant: Merchant) -> None:
    source = await merchant.source("One", attested=False)
    lines = [
        "SKU\tQuantity\tCost\tCurrency",
        'PAN 12"\t3\t19,90\tUSD',
        '"PAN 13\t4\t19,90\tUSD',
        "PAN 14\t4\t1,234\tUSD",
        "PAN 15\t5",
        "PAN 16\t6\t1.234,50\tUSD",
    ]
    answer = await merchant.call(
        "POST",
        f"/v1/sources/{source}/inventory/csv",
        content="\r\n".join(lines).encode("utf-16"),
        headers={"content-type": "text/csv"},
    )
    assert [(e["row"], e["line"], e["sku"], e["code"]) for e in answer["errors"]] == [
        (1, 3, "PAN 13", "quote-not-closed"),
        (2, 4, "PAN 14", "ambiguous-number"),
        (3, 5, "PAN 15", "wrong-width"),
    ]
    stored = (await merchant.call("GET", f"/v1/sources/{source}/inventory"))["items"]
    costs = {one["sku"]: Decimal(one["cost"]["amount"]) for one in stored}
    assert costs == {'PAN 12"': Decimal("19.9"), "PAN 16": Decimal("1234.5")}


@pytest.mark.edge(22)
async def test_another_accounts_source_does_not_exist(new_merchant: Callable[[], Merchant]) -> None:
    merchant, other = new_merchant(), new_merchant()
    source = await merchant.source("One", {"A": 1})
    path = f"/v1/sources/{source}"
    rows = {"rows": [{"sku": "A", "quantity": 0}]}
    given = {"agreement_version": "1", "attested_by": "x"}

    await other.call("GET", path, expect=404)
    await other.call("PATCH", path, expect=404, json={"enabled": False})
    await other.call("PUT", f"{path}/inventory", expect=404, json=rows)
    await other.call("GET", f"{path}/inventory", expect=404)
    await other.call("PUT", f"{path}/attestation", expect=404, json=given)
    await other.call("POST", f"{path}/attestation/withdraw", expect=404, json={"withdrawn_by": "x"})
    await other.call("GET", f"{path}/attestations", expect=404)
    await other.call("GET", f"{path}/inventory/uploads", expect=404)
    await other.call("GET", "/v1/eligibility", expect=404, params={"source_id": str(source)})
    await other.call(
        "POST", f"{path}/inventory/csv", expect=404, content=b"sku,quantity\n", headers={"content-type": "text/csv"}
    )
    uploaded = await merchant.call(
        "POST", f"{path}/inventory/csv", content=b"sku,quantity\n", headers={"content-type": "text/csv"}
    )
    await other.call("GET", f"/v1/inventory/uploads/{uploaded['upload_id']}", expect=404)
    await merchant.attest(source, expires_at=(clock.now() + timedelta(days=2)).isoformat())
    assert (await other.call("GET", "/v1/attestations/expiring"))["items"] == []
    assert (await other.call("GET", "/v1/sources"))["items"] == []
    assert (await other.call("POST", "/v1/inventory/lookup", json={"skus": ["A"]}))["missing"] == ["A"]
    assert await merchant.available(source) == {"A": 1}


@pytest.mark.row("D1")
async def test_the_progress_of_a_file_is_shown_while_it_arrives(merchant: Merchant) -> None:
    source = await merchant.source("One", attested=False)
    uploads = f"/v1/sources/{source}/inventory/uploads"
    lines = ["sku,quantity\n", *(f"SKU-{n},{n}\n" for n in range(2500))]
    lines[8] = "SKU-7,many\n"
    seen: list[tuple[str, int, int]] = []

    async def chunks() -> AsyncIterator[bytes]:
        yield "".join(lines[:2200]).encode()
        while not seen or seen[-1][1] == 0:
            # Empty until the service has the first bytes.
            uploaded = (await merchant.call("GET", uploads))["items"]
            seen.extend((upload["status"], upload["created"], upload["failed"]) for upload in uploaded)
        yield "".join(lines[2200:]).encode()

    answer = await merchant.call(
        "POST", f"/v1/sources/{source}/inventory/csv", content=chunks(), headers={"content-type": "text/csv"}
    )

    assert seen[-1] == ("receiving", 1999, 1)
    assert (answer["status"], answer["created"], answer["failed"]) == ("stored", 2499, 1)
    assert answer["bytes_read"] == len("".join(lines))
    assert await merchant.call("GET", f"/v1/inventory/uploads/{answer['upload_id']}") == answer


@pytest.mark.row("D1")
async def test_a_file_that_breaks_off_keeps_its_whole_pages_and_says_so(merchant: Merchant) -> None:
    source = await merchant.source("One", attested=False)
    whole = "sku,quantity\n" + "".join(f"SKU-{n},{n}\n" for n in range(2100))

    class Lost(Exception):
        """The sender's line goes down."""

    async def chunks() -> AsyncIterator[bytes]:
        yield whole.encode()
        while not await merchant.available(source):
            await asyncio.sleep(0.01)
        raise Lost

    with pytest.raises(OutcomeUnknown):
        await merchant.call(
            "POST", f"/v1/sources/{source}/inventory/csv", content=chunks(), headers={"content-type": "text/csv"}
        )
    uploads = f"/v1/sources/{source}/inventory/uploads"
    while (upload := (await merchant.call("GET", uploads))["items"][0])["status"] == "receiving":
        await asyncio.sleep(0.05)
    refused = await merchant.call(
        "POST",
        f"/v1/sources/{source}/inventory/csv",
        expect=400,
        content=b"sku:quantity\n",
        headers={"content-type": "text/csv"},
    )

    assert (upload["status"], upload["created"]) == ("broken", 2000)
    assert refused["type"] == "/problems/csv-unreadable"
    latest = (await merchant.call("GET", uploads))["items"][0]
    assert (latest["status"], latest["created"]) == ("refused", 0)
    assert "header" in latest["problem"]


@pytest.mark.row("B13")
@pytest.mark.edge(16)
async def test_an_export_of_listings_is_looked_up_as_it_is_byte_for_byte(merchant: Merchant) -> None:
    one = await merchant.source("One", {"A/B": 2, "007": 3}, priority=1)
    two = await merchant.source("Two", {"A/B": 1}, priority=2)
    export = "\ufeffasin,sku,price\r\nB01,A/B,1\r\nB02,a/b,1\r\nB03,007,1\r\nB04,7,1\r\nB05,8\r\n"

    answer = await merchant.running.http.post(
        "/v1/inventory/lookup/csv", content=export.encode(), headers=merchant.headers | {"content-type": "text/csv"}
    )
    refused = await merchant.call(
        "POST", "/v1/inventory/lookup/csv", expect=400, content=b"asin\nB01\n", headers={"content-type": "text/csv"}
    )

    assert list(csv.reader(io.StringIO(answer.text))) == [
        ["sku", "source_id", "source_name", "quantity", "available", "problem"],
        ["A/B", str(one), "One", "2", "2", ""],
        ["A/B", str(two), "Two", "1", "1", ""],
        ["a/b", "", "", "", "", ""],
        ["007", str(one), "One", "3", "3", ""],
        ["7", "", "", "", "", ""],
        ["8", "", "", "", "", "line 6: the row has 2 cells, the header 3"],
    ]
    assert refused["type"] == "/problems/csv-unreadable"


async def _delete(merchant: Merchant, source_id: UUID, headers: dict[str, str] | None = None) -> Response:
    return await merchant.running.http.delete(f"/v1/sources/{source_id}", headers=headers or merchant.headers)


@pytest.mark.row("D1")
async def test_a_source_that_nothing_names_is_deleted_with_its_stock(merchant: Merchant) -> None:
    source_id = await merchant.source("Mistyped", {"A-1": 5}, attested=False)
    assert (await _delete(merchant, source_id)).status_code == 204
    for path in ("", "/inventory", "/attestations"):
        await merchant.call("GET", f"/v1/sources/{source_id}{path}", expect=404)
    assert (await merchant.call("GET", "/v1/sources"))["items"] == []
    looked_up = await merchant.call("POST", "/v1/inventory/lookup", json={"skus": ["A-1"]})
    assert "Mistyped" not in str(looked_up)
    assert (await _delete(merchant, source_id)).status_code == 404
    again = await merchant.source("Mistyped", {"A-1": 7}, attested=False)
    assert await merchant.available(again) == {"A-1": 7}


@pytest.mark.row("D1")
async def test_a_source_that_something_names_stays_and_the_answer_says_what_names_it(merchant: Merchant) -> None:
    channel_id = uuid4()
    await merchant.deliver(merchant.connection(channel_id))
    attested, grouped = await merchant.source("Attested"), await merchant.source("Grouped", attested=False)
    seen = await merchant.source("Seen", {"B-1": 1}, attested=False)
    shipping = await merchant.source("Shipping", {"A-1": 5})
    group = {"source_ids": [str(grouped)], "priorities": [], "allow_split": True}
    await merchant.call("PUT", f"/v1/channels/{channel_id}/routing-group", json=group)
    await merchant.deliver(merchant.order("111-0000001-0000001", {"A-1": 1}))

    told = {}
    for source_id in (attested, grouped, seen, shipping):
        answer = await _delete(merchant, source_id)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/source-in-use")
        told[source_id] = answer.json()["detail"]
        assert (await merchant.call("GET", f"/v1/sources/{source_id}"))["id"] == str(source_id)
    assert "attestations" in told[attested]
    assert "routing groups" in told[grouped]
    assert told[seen] == "it is named by decisions"
    assert "reservations" in told[shipping]
    assert await merchant.available(seen) == {"B-1": 1}


@pytest.mark.row("A9")
async def test_nobody_deletes_another_accounts_source(merchant: Merchant, issuer: Issuer) -> None:
    source_id = await merchant.source("Mine", {"A-1": 5}, attested=False)
    stranger = issuer.headers(uuid4(), *SCOPES)
    assert (await _delete(merchant, source_id, stranger)).status_code == 404
    assert await merchant.available(source_id) == {"A-1": 5}
