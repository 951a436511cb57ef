"""Reports 2021-06-30: the listings report with its encodings, order reports, schedules (FACTS section 7)."""

import csv
from typing import Any

import httpx
import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
CA = "A2EUQ1WTGCTBG2"
GB = "A1F83G8C2ARO7P"
DE = "A1PA6795UKMFR9"
JP = "A1VC38T7YXB528"
LISTINGS = "GET_MERCHANT_LISTINGS_ALL_DATA"
ORDERS = "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL"

# As public parsers have seen it, by name (FACTS 7).
OBSERVED = (
    "item-name item-description listing-id seller-sku price quantity open-date image-url item-is-marketplace "
    "product-id-type zshop-shipping-fee item-note item-condition zshop-category1 zshop-browse-path "
    "zshop-storefront-feature asin1 asin2 asin3 will-ship-internationally expedited-shipping zshop-boldface "
    "product-id bid-for-featured-placement add-delete pending-quantity fulfillment-channel merchant-shipping-group "
    "status"
)


def seed(seller: SellingPartner, *listings: dict[str, Any], marketplace_id: str = US) -> None:
    wish = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": marketplace_id, "listings": listings}
    seller.amazon.dial("POST", "/sandbox/listings", wish)


def connected(amazon: LocalAmazon, region: Any, *marketplace_ids: str) -> SellingPartner:
    amazon.create_seller(f"A7{region}", region, *marketplace_ids)
    return amazon.connect(f"A7{region}", region)


def downloaded(seller: SellingPartner, report: dict[str, Any]) -> httpx.Response:
    """By the URL whose Content-Encoding unzips itself, so that the text is as the charset says."""
    path = f"documents/{report['reportDocumentId']}"
    document = seller.reports("GET", path, enableContentEncodingUrlHeader="true").json()
    return seller.amazon.http.get(document["url"])


def table(text: str) -> list[dict[str, str]]:
    """QUOTE_NONE, as a reader must (FACTS 7.3)."""
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def rows(seller: SellingPartner, report_type: str, *marketplace_ids: str, **fields: object) -> list[dict[str, str]]:
    report = seller.request_report(report_type, *marketplace_ids, **fields)
    assert report["processingStatus"] == "DONE"
    return table(downloaded(seller, report).text)


@pytest.mark.row("E1")
@pytest.mark.fact("7.1")
def test_the_listings_report_has_every_listing_in_every_status(seller: SellingPartner) -> None:
    seed(
        seller,
        {"sku": "ACTIVE", "price": 19.9, "quantity": 4, "title": "Lamp", "asin": "B000000042"},
        {"sku": "INACTIVE", "price": 5, "quantity": 0},
        {"sku": "FBA", "price": 7, "fulfillment_channel_code": "AMAZON_NA"},
    )
    incomplete = {
        "productType": "PRODUCT",
        "attributes": {
            "merchant_suggested_asin": [{"value": "B000000001"}],
            "condition_type": [{"value": "used_good"}],
        },
    }
    seller.listings_item("PUT", "INCOMPLETE", incomplete, marketplaceIds=US)
    report = seller.request_report(LISTINGS, US)
    answer = downloaded(seller, report)
    assert answer.text.splitlines()[0].replace("\t", " ") == OBSERVED
    by_sku = {row["seller-sku"]: row for row in table(answer.text)}
    assert {sku: row["status"] for sku, row in by_sku.items()} == {
        "ACTIVE": "Active",
        "INACTIVE": "Inactive",
        "FBA": "Active",
        "INCOMPLETE": "Incomplete",
    }
    active = by_sku["ACTIVE"]
    assert [active[name] for name in ("item-name", "price", "quantity", "asin1", "fulfillment-channel")] == [
        "Lamp",
        "19.90",
        "4",
        "B000000042",
        "DEFAULT",
    ]
    assert (active["product-id"], active["product-id-type"], active["item-condition"]) == ("B000000042", "1", "11")
    assert (by_sku["FBA"]["quantity"], by_sku["FBA"]["fulfillment-channel"]) == ("", "AMAZON_NA")
    assert (by_sku["INCOMPLETE"]["price"], by_sku["INCOMPLETE"]["item-condition"]) == ("", "3")
    assert active["open-date"].rsplit(" ", 1)[1] in ("PST", "PDT")


def test_a_business_price_brings_a_column_of_its_own(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 20, "quantity": 1}, {"sku": "T", "price": 30, "quantity": 1})
    b2b = {"audience": "B2B", "currency": "USD", "our_price": [{"schedule": [{"value_with_tax": 17.5}]}]}
    patch = {"op": "add", "path": "/attributes/purchasable_offer", "value": [b2b]}
    seller.listings_item("PATCH", "S", {"productType": "PRODUCT", "patches": [patch]}, marketplaceIds=US)
    found = rows(seller, LISTINGS, US)
    assert [(row["price"], row["Business Price"]) for row in found] == [("20.00", "17.50"), ("30.00", "")]


@pytest.mark.pain("16")
@pytest.mark.fact("7.2")
def test_the_report_is_cp1252_and_what_that_lacks_is_a_question_mark(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 1, "quantity": 1, "title": "Café – 商品 €5"})
    report = seller.request_report(LISTINGS, US)
    answer = downloaded(seller, report)
    assert answer.headers["content-type"] == "text/plain;charset=Cp1252"
    (row,) = table(answer.content.decode("cp1252"))
    assert row["item-name"] == "Café – ?? €5"
    assert table(answer.text) == [row]
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode("utf-8")


@pytest.mark.fact("7.3")
def test_fields_are_not_quoted_and_hold_no_tab_or_line_end(seller: SellingPartner) -> None:
    title = 'The "Best"\tLamp,\r\n6" wide'
    seed(seller, {"sku": 'S"1', "price": 1, "quantity": 1, "title": title}, {"sku": "T", "price": 2, "quantity": 1})
    first, second = rows(seller, LISTINGS, US)
    assert (first["seller-sku"], first["item-name"]) == ('S"1', 'The "Best" Lamp,  6" wide')
    assert second["seller-sku"] == "T"


@pytest.mark.fact("7.1")
def test_the_british_header_is_spelled_as_the_british_spell(amazon: LocalAmazon) -> None:
    seller = connected(amazon, "EU", GB, DE)
    seed(seller, {"sku": "S", "price": 1, "quantity": 1}, marketplace_id=GB)
    seed(seller, {"sku": "S", "price": 2, "quantity": 1}, marketplace_id=DE)
    (british,) = rows(seller, LISTINGS, GB)
    assert british["fulfilment-channel"] == "DEFAULT"
    assert british["open-date"].rsplit(" ", 1)[1] in ("GMT", "BST")
    (german,) = rows(seller, LISTINGS, DE)
    assert german["fulfillment-channel"] == "DEFAULT"
    assert [row["price"] for row in rows(seller, LISTINGS, GB, DE)] == ["1.00", "2.00"]


@pytest.mark.fact("7.1")
def test_the_japanese_header_is_japanese_unless_english_is_asked_for(amazon: LocalAmazon) -> None:
    seller = connected(amazon, "FE", JP)
    seed(seller, {"sku": "S", "price": 1980, "quantity": 2, "title": "照明 €"}, marketplace_id=JP)
    report = seller.request_report(LISTINGS, JP)
    answer = downloaded(seller, report)
    assert answer.headers["content-type"] == "text/plain;charset=Shift_JIS"
    (row,) = table(answer.text)
    assert (row["出品者SKU"], row["商品名"], row["価格"], row["ステータス"]) == ("S", "照明 ?", "1980", "Active")
    assert row["フルフィルメント・チャンネル"] == "DEFAULT"
    (english,) = rows(seller, LISTINGS, JP, reportOptions={"preferredReportDocumentLocale": "en_US"})
    assert (english["seller-sku"], english["item-name"]) == ("S", "照明 ?")


@pytest.mark.pain("16")
def test_a_report_without_data_is_cancelled(seller: SellingPartner) -> None:
    report = seller.request_report(LISTINGS, US)
    assert report["processingStatus"] == "CANCELLED"
    assert "reportDocumentId" not in report
    assert seller.request_report(ORDERS, US, dataStartTime="2020-01-01T00:00:00Z")["processingStatus"] == "CANCELLED"


@pytest.mark.pain("16")
def test_a_report_that_is_asked_for_too_often_is_cancelled(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(report_cooldown_s=900)
    seed(seller, {"sku": "S", "price": 1, "quantity": 1})
    assert seller.request_report(LISTINGS, US)["processingStatus"] == "DONE"
    assert seller.request_report(LISTINGS, US)["processingStatus"] == "CANCELLED"
    amazon.advance(901)
    assert seller.request_report(LISTINGS, US)["processingStatus"] == "DONE"


def test_a_report_shows_the_world_as_it_was_when_it_was_made(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(report_queue_s=10, report_processing_s=30)
    seed(seller, {"sku": "S", "price": 1, "quantity": 9})
    report = seller.request_report(LISTINGS, US)
    assert report["processingStatus"] == "IN_QUEUE"
    path = f"reports/{report['reportId']}"
    amazon.advance(11)
    running = seller.reports("GET", path).json()
    assert (running["processingStatus"], "processingEndTime" in running) == ("IN_PROGRESS", False)
    amazon.advance(30)
    done = seller.reports("GET", path).json()
    assert done["processingStatus"] == "DONE"
    seed(seller, {"sku": "S", "price": 2, "quantity": 1})
    (row,) = table(downloaded(seller, done).text)
    assert (row["price"], row["quantity"]) == ("1.00", "9")


def test_a_report_is_cancelled_while_it_is_queued_and_only_then(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(report_queue_s=10, report_processing_s=30)
    seed(seller, {"sku": "S", "price": 1, "quantity": 9})
    first, second = (seller.request_report(LISTINGS, US)["reportId"] for _ in range(2))
    assert seller.reports("DELETE", f"reports/{second}").status_code == 200
    amazon.advance(11)
    assert seller.reports("DELETE", f"reports/{first}").status_code == 400
    assert seller.reports("DELETE", "reports/1").status_code == 404
    amazon.advance(30)
    listed = seller.reports("GET", reportTypes=LISTINGS).json()["reports"]
    assert [one["processingStatus"] for one in listed] == ["CANCELLED", "DONE"]


def test_reports_stick_and_fail_by_dial(amazon: LocalAmazon, seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 1, "quantity": 9})
    dial = {"selling_partner_id": "A1US"}
    amazon.dial("POST", "/sandbox/reports/next", {**dial, "end": "FATAL"})
    assert seller.request_report(LISTINGS, US)["processingStatus"] == "FATAL"
    amazon.dial("POST", "/sandbox/reports/next", {**dial, "type": LISTINGS, "stick": "IN_PROGRESS"})
    stuck = seller.request_report(LISTINGS, US)
    assert stuck["processingStatus"] == "IN_PROGRESS"
    assert seller.request_report(LISTINGS, US)["processingStatus"] == "IN_QUEUE"
    amazon.dial("POST", f"/sandbox/reports/{stuck['reportId']}/release")
    books = amazon.dial("GET", "/sandbox/books/reports", selling_partner_id="A1US")["reports"]
    assert [one["processingStatus"] for one in books] == ["FATAL", "DONE", "DONE"]
    with pytest.raises(RuntimeError, match="usage"):
        amazon.dial("POST", "/sandbox/reports/next", {**dial, "fail_every": 2})


def test_the_order_report_has_a_line_for_each_item_and_names_nobody(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    lines = [{"sku": "S", "quantity": 2, "unit_price": 9.5}, {"sku": "T", "quantity": 1, "unit_price": 3}]
    orders = [
        {"lines": lines, "created_time": "2026-11-01T10:00:00Z"},
        {"lines": lines[1:], "status": "PENDING", "created_time": "2026-11-02T10:00:00Z"},
        {"lines": lines[1:], "fulfilled_by": "AMAZON", "created_time": "2026-11-03T10:00:00Z"},
    ]
    wish = {"selling_partner_id": "A1US", "marketplace_id": US, "orders": orders}
    placed = amazon.dial("POST", "/sandbox/orders", wish)["orders"]
    report = seller.request_report(ORDERS, US, dataStartTime="2026-11-01T00:00:00Z")
    text = downloaded(seller, report).text
    assert "Canary" not in text
    first, second, pending, by_amazon = table(text)
    assert first["amazon-order-id"] == second["amazon-order-id"] == placed[0]["amazon_order_id"]
    assert [first[name] for name in ("sku", "quantity", "item-price", "currency", "order-status")] == [
        "S",
        "2",
        "19.00",
        "USD",
        "Unshipped",
    ]
    assert (first["purchase-date"], first["sales-channel"]) == ("2026-11-01T10:00:00+00:00", "Amazon.com")
    assert first["ship-country"] == "US"
    assert (pending["order-status"], pending["item-price"], pending["ship-city"]) == ("Pending", "", "")
    assert by_amazon["fulfillment-channel"] == "Amazon"
    window = {"dataStartTime": "2026-11-02T00:00:00Z", "dataEndTime": "2026-11-02T23:59:59Z"}
    assert [row["sku"] for row in rows(seller, ORDERS, US, **window)] == ["T"]
    amazon.dial("POST", f"/sandbox/orders/{placed[0]['amazon_order_id']}/cancel", {})
    assert seller.request_report(ORDERS, US, **window)["processingStatus"] == "DONE"
    by_date = "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_ORDER_DATE_GENERAL"
    cancelled, *_ = rows(seller, by_date, US, dataStartTime="2026-11-01T00:00:00Z")
    assert (cancelled["order-status"], cancelled["quantity"], cancelled["item-price"]) == ("Cancelled", "0", "")


@pytest.mark.parametrize(
    "change",
    [
        {"reportType": "GET_NONSENSE"},
        {"reportType": None},
        {"marketplaceIds": []},
        {"marketplaceIds": [US] * 26},
        {"marketplaceIds": [GB]},
        {"dataStartTime": "yesterday"},
        {"dataStartTime": "2100-01-01T00:00:00Z"},
        {"dataStartTime": "2026-01-02T00:00:00Z", "dataEndTime": "2026-01-01T00:00:00Z"},
        {"reportOptions": {"a": 1}},
    ],
)
def test_a_report_that_makes_no_sense_is_refused(seller: SellingPartner, change: dict[str, Any]) -> None:
    assert seller.reports("POST", body={"reportType": LISTINGS, "marketplaceIds": [US], **change}).status_code == 400


def test_reports_live_90_days(amazon: LocalAmazon, seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 1, "quantity": 9})
    report = seller.request_report(LISTINGS, US)
    amazon.advance(89 * 86_400)
    later = amazon.connect("A1US", "NA")
    assert later.reports("GET", f"documents/{report['reportDocumentId']}").status_code == 200
    amazon.advance(86_400)
    assert later.reports("GET", f"reports/{report['reportId']}").status_code in (403, 404)
    last = amazon.connect("A1US", "NA")
    assert last.reports("GET", f"reports/{report['reportId']}").status_code == 404
    assert last.reports("GET", f"documents/{report['reportDocumentId']}").status_code == 404


def test_a_schedule_makes_a_report_every_period_until_it_is_cancelled(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    seed(seller, {"sku": "S", "price": 1, "quantity": 9})
    wish = {"reportType": LISTINGS, "marketplaceIds": [US], "period": "PT15M"}
    created = seller.reports("POST", "schedules", wish)
    assert created.status_code == 201
    schedule_id = created.json()["reportScheduleId"]
    amazon.advance(46 * 60)
    made = seller.reports("GET", reportTypes=LISTINGS).json()["reports"]
    assert [(one["processingStatus"], one["reportScheduleId"]) for one in made] == [("DONE", schedule_id)] * 4
    assert made[0]["dataStartTime"] == made[1]["dataEndTime"]
    shown = seller.reports("GET", f"schedules/{schedule_id}").json()
    assert (shown["reportType"], shown["period"]) == (LISTINGS, "PT15M")
    assert shown["nextReportCreationTime"] > amazon.dial("GET", "/sandbox/clock")["now"]
    assert seller.reports("DELETE", f"schedules/{schedule_id}").status_code == 200
    assert seller.reports("GET", f"schedules/{schedule_id}").status_code == 404
    amazon.advance(600)
    assert len(seller.reports("GET", reportTypes=LISTINGS).json()["reports"]) == 4


def test_a_clock_that_jumps_over_many_periods_leaves_the_oldest_out(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    seed(seller, *({"sku": f"S-{n}", "price": 1, "quantity": n} for n in range(1_000)))
    seller.reports("POST", "schedules", {"reportType": LISTINGS, "marketplaceIds": [US], "period": "PT5M"})
    amazon.advance(80 * 86_400)
    later = amazon.connect("A1US", "NA")
    made = []
    page = later.reports("GET", reportTypes=LISTINGS, pageSize="100").json()
    while True:
        made += page["reports"]
        if "nextToken" not in page:
            break
        page = later.reports("GET", nextToken=page["nextToken"]).json()
    assert {one["processingStatus"] for one in made} == {"DONE"}
    assert 100 <= len(made) <= 102
    assert len(table(downloaded(later, made[0]).text)) == len(table(downloaded(later, made[-1]).text)) == 1_000


def test_a_schedule_of_the_same_type_and_marketplaces_replaces_the_old(amazon: LocalAmazon) -> None:
    seller = connected(amazon, "NA", US, CA)
    wish = {"reportType": LISTINGS, "marketplaceIds": [US, CA], "period": "P1D"}
    first = seller.reports("POST", "schedules", wish).json()["reportScheduleId"]
    again = {**wish, "marketplaceIds": [CA, US], "period": "P7D", "nextReportCreationTime": "2100-01-01T00:00:00Z"}
    second = seller.reports("POST", "schedules", again).json()["reportScheduleId"]
    seller.reports("POST", "schedules", {**wish, "marketplaceIds": [US]})
    listed = seller.reports("GET", "schedules", reportTypes=LISTINGS).json()["reportSchedules"]
    assert [one["period"] for one in listed] == ["P7D", "P1D"]
    assert first not in {one["reportScheduleId"] for one in listed}
    assert second in {one["reportScheduleId"] for one in listed}
    changes: tuple[dict[str, Any], ...] = (
        {"period": "PT1M"},
        {"reportType": "X"},
        {"marketplaceIds": []},
        {"nextReportCreationTime": "soon"},
    )
    for change in changes:
        assert seller.reports("POST", "schedules", {**wish, **change}).status_code == 400
    assert seller.reports("GET", "schedules").status_code == 400
    assert seller.reports("DELETE", "schedules/1").status_code == 404


def test_a_report_of_many_rows_comes_piece_by_piece_and_then_whole(seller: SellingPartner) -> None:
    seed(seller, *({"sku": f"S-{n}", "price": 1 + n, "quantity": n} for n in range(5_000)))
    report = seller.request_report(LISTINGS, US)
    first = downloaded(seller, report)
    assert "content-length" not in first.headers
    assert [row["seller-sku"] for row in table(first.text)] == [f"S-{n}" for n in range(5_000)]
    again = downloaded(seller, report)
    assert again.headers["content-length"]
    assert again.content == first.content


@pytest.mark.fault("F11")
def test_a_download_that_breaks_off_can_be_done_again(amazon: LocalAmazon, seller: SellingPartner) -> None:
    seed(seller, *({"sku": f"S-{n}", "price": 1, "quantity": n} for n in range(2_000)))
    report = seller.request_report(LISTINGS, US)
    amazon.dial("POST", "/sandbox/faults", {"operation": "downloadDocument", "kind": "truncated"})
    with pytest.raises(httpx.TransportError):
        downloaded(seller, report)
    assert len(table(downloaded(seller, report).text)) == 2_000


def test_a_report_nobody_has_downloaded_yet_travels_in_a_snapshot_with_its_schedule(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    seed(seller, {"sku": "S", "price": 1, "quantity": 9})
    wish = {"reportType": LISTINGS, "marketplaceIds": [US], "period": "PT15M"}
    seller.reports("POST", "schedules", wish)
    report = seller.request_report(LISTINGS, US)
    world = amazon.http.get(amazon.urls["dials"] + "/sandbox/world").content
    amazon.dial("DELETE", "/sandbox/world")
    assert amazon.http.put(amazon.urls["dials"] + "/sandbox/world", content=world).status_code == 200
    assert table(downloaded(seller, report).text)[0]["seller-sku"] == "S"
    amazon.advance(15 * 60 + 1)
    made = seller.reports("GET", reportTypes=LISTINGS).json()["reports"]
    assert ["reportScheduleId" in one for one in made].count(True) == 2
