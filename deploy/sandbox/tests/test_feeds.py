"""Feeds 2021-06-30: the queue, the JSON listings feed and its processing report (FACTS section 6)."""

import itertools
import json
from typing import Any

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
CA = "A2EUQ1WTGCTBG2"
LISTINGS = "JSON_LISTINGS_FEED"


def offer(price: float, currency: str = "USD", **fields: Any) -> dict[str, Any]:
    return {"currency": currency, "our_price": [{"schedule": [{"value_with_tax": price}]}], **fields}


def whole(price: float = 20, quantity: int = 3, **fields: Any) -> dict[str, Any]:
    return {
        "merchant_suggested_asin": [{"value": "B000000001"}],
        "condition_type": [{"value": "new_new"}],
        "purchasable_offer": [offer(price)],
        "fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": quantity}],
        **fields,
    }


def update(message_id: int, sku: str, **fields: Any) -> dict[str, Any]:
    message = {"messageId": message_id, "sku": sku, "operationType": "UPDATE", "productType": "PRODUCT"}
    return {**message, "attributes": whole(), **fields}


def feed_of(*messages: Any, seller_id: str = "A1US", **header: Any) -> bytes:
    return json.dumps({"header": {"sellerId": seller_id, "version": "2.0", **header}, "messages": messages}).encode()


def report_of(seller: SellingPartner, content: bytes, *marketplace_ids: str) -> dict[str, Any]:
    """The processing report of a feed with this content."""
    feed_id = seller.submit_feed(LISTINGS, content, *(marketplace_ids or (US,)))
    report: dict[str, Any] = json.loads(seller.feed_result(feed_id))
    assert report["header"]["feedId"] == feed_id
    return report


def shown(seller: SellingPartner, sku: str, marketplace_id: str = US) -> dict[str, Any] | None:
    answer = seller.listings_item("GET", sku, marketplaceIds=marketplace_id, includedData="attributes")
    return None if answer.status_code == 404 else answer.json()["attributes"]


def without_marketplace(attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [{field: value for field, value in one.items() if field != "marketplace_id"} for one in instances]
        for name, instances in attributes.items()
    }


@pytest.mark.row("E1")
@pytest.mark.fact("6.10")
def test_update_partial_update_patch_and_delete_do_what_put_patch_and_delete_do(seller: SellingPartner) -> None:
    report = report_of(
        seller,
        feed_of(
            update(1, "PUT"),
            update(2, "PARTIAL"),
            {
                "messageId": 3,
                "sku": "PARTIAL",
                "operationType": "PARTIAL_UPDATE",
                "productType": "PRODUCT",
                "attributes": {"fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": 9}]},
            },
            update(4, "PATCH"),
            {
                "messageId": 5,
                "sku": "PATCH",
                "operationType": "PATCH",
                "productType": "PRODUCT",
                "patches": [{"op": "replace", "path": "/attributes/purchasable_offer", "value": [offer(7)]}],
            },
            update(6, "DELETE"),
            {"messageId": 7, "sku": "DELETE", "operationType": "DELETE"},
        ),
    )
    assert report["issues"] == []
    assert report["summary"] == {
        "errors": 0,
        "warnings": 0,
        "messagesProcessed": 7,
        "messagesAccepted": 7,
        "messagesInvalid": 0,
    }
    assert without_marketplace(shown(seller, "PUT") or {}) == whole()
    assert without_marketplace(shown(seller, "PARTIAL") or {}) == whole(quantity=9)
    patched = without_marketplace(shown(seller, "PATCH") or {})
    assert patched["purchasable_offer"][0]["our_price"] == offer(7)["our_price"]
    assert shown(seller, "DELETE") is None


@pytest.mark.row("E1")
@pytest.mark.fact("6.10")
@pytest.mark.parametrize(
    ("attributes", "code", "attribute"),
    [
        ({"purchaseable_offer": [offer(1)]}, "90000900", "purchaseable_offer"),
        ({"purchasable_offer": [{"currency": "USD"}]}, "90220", "purchasable_offer"),
        ({"condition_type": [{"value": "shiny"}]}, "4000001", "condition_type"),
        ({"purchasable_offer": [offer(1, marketplace_id=CA)]}, "4000001", "purchasable_offer"),
    ],
)
def test_a_feed_and_the_listings_api_find_the_same_issues(
    seller: SellingPartner, attributes: dict[str, Any], code: str, attribute: str
) -> None:
    body = {"productType": "PRODUCT", "attributes": {**whole(), **attributes}}
    by_api = seller.listings_item("PUT", "S", body, marketplaceIds=US).json()
    by_feed = report_of(seller, feed_of(update(1, "S", attributes={**whole(), **attributes})))
    assert by_api["status"] == "INVALID"
    assert [(one["code"], one["message"]) for one in by_api["issues"]] == [
        (one["code"], one["message"]) for one in by_feed["issues"]
    ]
    first = by_feed["issues"][0]
    assert (first["messageId"], first["sku"], first["code"], first["severity"]) == (1, "S", code, "ERROR")
    assert first["attributeName"] == attribute


@pytest.mark.fact("6.2")
@pytest.mark.fact("6.11")
def test_done_does_not_mean_success_each_message_stands_for_itself(seller: SellingPartner) -> None:
    feed_id = seller.submit_feed(LISTINGS, feed_of(update(1, "GOOD"), update(2, "BAD", attributes={"x": []})), US)
    assert seller.feed(feed_id)["processingStatus"] == "DONE"
    report = json.loads(seller.feed_result(feed_id))
    assert report["summary"]["messagesAccepted"] == report["summary"]["messagesInvalid"] == 1
    assert {one["messageId"] for one in report["issues"]} == {2}
    assert shown(seller, "GOOD") is not None
    assert shown(seller, "BAD") is None


@pytest.mark.fact("6.11")
def test_processing_reports_hold_against_amazons_schema(seller: SellingPartner, feed_schemas: dict[str, Any]) -> None:
    included = {"includedData": ["summaries", "attributes", "issues", "offers"], "apiVersion": "2021-08-01"}
    content = feed_of(update(1, "S"), {"messageId": 2}, "rubbish", report=included)
    Draft7Validator(feed_schemas["report"]).validate(report_of(seller, content))
    Draft7Validator(feed_schemas["report"]).validate(report_of(seller, b"not json"))
    Draft7Validator(feed_schemas["feed"]).validate(json.loads(feed_of(update(1, "S"), report=included)))


@pytest.mark.fact("6.9")
def test_included_data_adds_the_listings_themselves(seller: SellingPartner) -> None:
    unpriced = {name: value for name, value in whole().items() if name != "purchasable_offer"}
    report = report_of(
        seller,
        feed_of(
            update(1, "S"),
            update(2, "NO-PRICE", attributes=unpriced),
            update(3, "REFUSED", attributes={"x": []}),
            report={"includedData": ["summaries", "issues"], "apiVersion": "2021-08-01"},
        ),
    )
    assert [one["sku"] for one in report["items"]] == ["S", "NO-PRICE"]
    assert report["items"][0]["summaries"][0]["status"] == ["BUYABLE", "DISCOVERABLE"]
    assert report["items"][1]["issues"][0]["code"] == "18448"
    assert report["summary"]["itemSummary"] == {"items": 2, "errors": 1, "warnings": 0}
    assert report["header"]["report"]["includedData"] == ["summaries", "issues"]


@pytest.mark.fact("6.9")
@pytest.mark.fact("6.11")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        feed_of(update(1, "S"), seller_id="A9US"),
        feed_of(update(1, "S"), version="1.0"),
        feed_of(update(1, "S"), report={"includedData": ["everything"], "apiVersion": "2021-08-01"}),
        feed_of(),
        json.dumps({"header": {"sellerId": "A1US", "version": "2.0"}, "messages": {}}).encode(),
    ],
)
def test_a_file_that_cannot_be_read_is_fatal_with_one_issue_without_message_id(
    seller: SellingPartner, content: bytes
) -> None:
    feed_id = seller.submit_feed(LISTINGS, content, US)
    assert seller.feed(feed_id)["processingStatus"] == "FATAL"
    (problem,) = json.loads(seller.feed_result(feed_id))["issues"]
    assert set(problem) == {"code", "severity", "message"}
    assert shown(seller, "S") is None


@pytest.mark.fact("6.10")
@pytest.mark.parametrize(
    ("message", "named"),
    [
        (update(0, "S"), None),
        (update(2**31, "S"), None),
        ({**update(1, "S"), "messageId": "1"}, None),
        ({**update(1, "S"), "messageId": 1.5}, None),
        (update(1, ""), 1),
        (update(1, "x" * 41), 1),
        (update(1, "S", operationType="UPSERT"), 1),
        (update(1, "S", attributes={}), 1),
        ({"messageId": 1, "sku": "S", "operationType": "UPDATE", "productType": "PRODUCT"}, 1),
        (update(1, "S", operationType="PARTIAL_UPDATE", requirements="LISTING"), 1),
        (update(1, "S", operationType="PATCH"), 1),
        ({"messageId": 1, "sku": "S", "operationType": "PATCH", "productType": "P", "patches": []}, 1),
        ({"messageId": 1, "sku": "S", "operationType": "DELETE", "productType": "PRODUCT"}, 1),
        ({"messageId": 1, "sku": "S", "operationType": "DELETE", "attributes": whole()}, 1),
        ("rubbish", None),
        (None, None),
    ],
)
def test_a_message_that_breaks_the_rules_is_refused_alone(
    seller: SellingPartner, message: Any, named: int | None
) -> None:
    report = report_of(seller, feed_of(message, update(77, "GOOD")))
    assert report["summary"]["messagesInvalid"] == 1
    assert [one.get("messageId") for one in report["issues"]] == [named]
    assert shown(seller, "GOOD") is not None
    assert shown(seller, "S") is None


@pytest.mark.fact("6.10")
def test_a_message_id_is_used_once(seller: SellingPartner) -> None:
    report = report_of(seller, feed_of(update(1, "FIRST"), update(1, "SECOND")))
    assert [(one["messageId"], one["sku"]) for one in report["issues"]] == [(1, "SECOND")]
    assert (shown(seller, "FIRST") is None, shown(seller, "SECOND") is None) == (False, True)


@pytest.mark.fact("6.6")
def test_a_feed_takes_25_000_messages_and_not_one_more(seller: SellingPartner) -> None:
    messages = [{"messageId": n, "sku": f"S-{n}", "operationType": "DELETE"} for n in range(1, 25_002)]
    most = report_of(seller, feed_of(*messages[:25_000]))
    assert most["summary"]["messagesAccepted"] == 25_000
    more = report_of(seller, feed_of(*messages))
    assert (more["summary"]["messagesProcessed"], len(more["issues"])) == (0, 1)


@pytest.mark.fact("6.5")
def test_a_feed_of_more_than_ten_mebibytes_is_fatal(seller: SellingPartner) -> None:
    content = feed_of(update(1, "S"))
    report = report_of(seller, content + b" " * (10 * 2**20 - len(content)))
    assert report["issues"] == []
    report = report_of(seller, content + b" " * (10 * 2**20 + 1 - len(content)))
    assert "larger than" in report["issues"][0]["message"]


@pytest.mark.fact("6.6")
def test_five_listings_feeds_in_five_minutes_per_account_and_region(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    amazon.create_seller("A3US", "NA", US)
    other = amazon.connect("A3US", "NA")
    amazon.settings(quotas={"enabled": True})
    document_id = seller.upload(b"{}")
    wish = {"feedType": LISTINGS, "marketplaceIds": [US], "inputFeedDocumentId": document_id}
    assert [seller.feeds("POST", body=wish).status_code for _ in range(6)] == [202] * 5 + [429]
    assert other.submit_feed(LISTINGS, b"{}", US)
    assert seller.submit_feed("POST_ORDER_ACKNOWLEDGEMENT_DATA", b"", US)  # other types have only the common limit
    amazon.advance(301)
    assert seller.feeds("POST", body=wish).status_code == 202


@pytest.mark.fact("6.7")
@pytest.mark.parametrize("feed_type", ["POST_PRODUCT_DATA", "POST_INVENTORY_AVAILABILITY_DATA"])
def test_legacy_listing_feeds_end_fatal(seller: SellingPartner, feed_type: str) -> None:
    feed = seller.feed(seller.submit_feed(feed_type, b"<AmazonEnvelope/>", US))
    assert feed["processingStatus"] == "FATAL"
    assert "resultFeedDocumentId" not in feed


@pytest.mark.fact("6.3")
def test_feeds_of_a_type_run_one_after_another(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(feed_queue_s=15, feed_processing_s=60)
    ids = [seller.submit_feed(LISTINGS, feed_of(update(1, f"S-{n}")), US) for n in range(3)]
    other = seller.submit_feed("POST_PRODUCT_DATA", b"", US)

    def statuses() -> list[str]:
        return [seller.feed(feed_id)["processingStatus"] for feed_id in [*ids, other]]

    assert statuses() == ["IN_QUEUE"] * 4
    amazon.advance(16)
    assert statuses() == ["IN_PROGRESS", "IN_QUEUE", "IN_QUEUE", "IN_PROGRESS"]
    amazon.advance(60)
    assert statuses() == ["DONE", "IN_PROGRESS", "IN_QUEUE", "FATAL"]
    amazon.advance(1800)
    feeds = [seller.feed(feed_id) for feed_id in ids]
    assert [feed["processingStatus"] for feed in feeds] == ["DONE"] * 3
    for before, after in itertools.pairwise(feeds):  # a clock that jumps loses no second
        assert after["processingStartTime"] == before["processingEndTime"]


@pytest.mark.pain("7")
@pytest.mark.fact("6.3")
@pytest.mark.parametrize("status", ["IN_QUEUE", "IN_PROGRESS"])
def test_a_stuck_feed_blocks_those_behind_it_until_it_is_released(
    amazon: LocalAmazon, seller: SellingPartner, status: str
) -> None:
    amazon.dial("POST", "/sandbox/feeds/next", {"selling_partner_id": "A1US", "type": LISTINGS, "stick": status})
    stuck = seller.submit_feed(LISTINGS, feed_of(update(1, "FIRST")), US)
    behind = seller.submit_feed(LISTINGS, feed_of(update(1, "SECOND")), US)
    amazon.advance(24 * 3600)
    later = amazon.connect("A1US", "NA")
    assert [later.feed(each)["processingStatus"] for each in (stuck, behind)] == [status, "IN_QUEUE"]
    (first, second) = amazon.dial("GET", "/sandbox/books/feeds", selling_partner_id="A1US")["feeds"]
    assert (first["stuck"], second["stuck"]) == (True, False)
    amazon.dial("POST", f"/sandbox/feeds/{stuck}/release")
    assert [later.feed(each)["processingStatus"] for each in (stuck, behind)] == ["DONE", "DONE"]


@pytest.mark.pain("7")
def test_the_seller_can_cancel_a_feed_stuck_in_the_queue_but_not_one_in_progress(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    dial = {"selling_partner_id": "A1US", "type": LISTINGS}
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "stick": "IN_QUEUE"})
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "stick": "IN_PROGRESS"})
    queued, running, behind = (seller.submit_feed(LISTINGS, feed_of(update(1, f"S-{n}")), US) for n in range(3))
    assert seller.feeds("DELETE", f"feeds/{queued}").status_code == 200
    assert seller.feeds("DELETE", f"feeds/{running}").status_code == 400
    assert [seller.feed(each)["processingStatus"] for each in (queued, running, behind)] == [
        "CANCELLED",
        "IN_PROGRESS",
        "IN_QUEUE",
    ]


@pytest.mark.pain("7")
def test_a_running_feed_can_be_stuck_and_released_by_hand(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(feed_queue_s=0, feed_processing_s=60)
    feed_id = seller.submit_feed(LISTINGS, feed_of(update(1, "S")), US)
    amazon.dial("POST", f"/sandbox/feeds/{feed_id}/stick")
    amazon.advance(600)
    assert seller.feed(feed_id)["processingStatus"] == "IN_PROGRESS"
    amazon.dial("POST", f"/sandbox/feeds/{feed_id}/release")
    assert seller.feed(feed_id)["processingStatus"] == "DONE"
    with pytest.raises(RuntimeError, match="409"):
        amazon.dial("POST", f"/sandbox/feeds/{feed_id}/stick")
    with pytest.raises(RuntimeError, match="not stuck"):
        amazon.dial("POST", f"/sandbox/feeds/{feed_id}/release")
    with pytest.raises(RuntimeError, match="404"):
        amazon.dial("POST", "/sandbox/feeds/1/release")


@pytest.mark.fact("6.2")
def test_a_feed_can_be_cancelled_while_it_is_queued_and_only_then(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(feed_queue_s=15, feed_processing_s=60)
    first, second, third = (seller.submit_feed(LISTINGS, feed_of(update(1, f"S-{n}")), US) for n in range(3))
    amazon.advance(20)
    refused = seller.feeds("DELETE", f"feeds/{first}")
    assert refused.status_code == 400
    assert "IN_PROGRESS" in refused.json()["errors"][0]["message"]
    assert seller.feeds("DELETE", f"feeds/{second}").status_code == 200
    amazon.advance(60)
    assert [seller.feed(each)["processingStatus"] for each in (first, second, third)] == [
        "DONE",
        "CANCELLED",
        "IN_PROGRESS",
    ]
    assert seller.feeds("DELETE", f"feeds/{second}").status_code == 400
    assert seller.feeds("DELETE", "feeds/1").status_code == 404
    amazon.advance(60)
    assert shown(seller, "S-1") is None


@pytest.mark.fact("6.2")
def test_a_fatal_feed_may_be_partly_applied(amazon: LocalAmazon, seller: SellingPartner) -> None:
    wish = {"selling_partner_id": "A1US", "end": "FATAL", "fatal_after": 1}
    amazon.dial("POST", "/sandbox/feeds/next", wish)
    feed_id = seller.submit_feed(LISTINGS, feed_of(update(1, "FIRST"), update(2, "SECOND")), US)
    assert seller.feed(feed_id)["processingStatus"] == "FATAL"
    assert (shown(seller, "FIRST") is None, shown(seller, "SECOND") is None) == (False, True)


def test_dials_decide_what_becomes_of_the_next_feeds(amazon: LocalAmazon, seller: SellingPartner) -> None:
    dial = {"selling_partner_id": "A1US"}
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "end": "FATAL"})
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "end": "CANCELLED", "type": "POST_PRODUCT_DATA"})
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "fail_every": 2, "fail_skus": ["S-1"], "count": 2})
    content = feed_of(*(update(n, f"S-{n}") for n in range(1, 6)))
    dead = seller.feed(seller.submit_feed(LISTINGS, content, US))
    assert (dead["processingStatus"], dead.get("resultFeedDocumentId")) == ("FATAL", None)
    cancelled = seller.feed(seller.submit_feed("POST_PRODUCT_DATA", b"", US))
    assert cancelled["processingStatus"] == "CANCELLED"
    for _ in range(2):
        issues = report_of(seller, content)["issues"]
        assert [one["messageId"] for one in issues] == [1, 2, 4]
    assert report_of(seller, content)["issues"] == []
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "processing_s": 3600})
    slow = seller.submit_feed(LISTINGS, content, US)
    amazon.advance(3599)
    assert seller.feed(slow)["processingStatus"] == "IN_PROGRESS"
    amazon.dial("POST", "/sandbox/feeds/next", dial)
    assert amazon.dial("DELETE", "/sandbox/feeds/next") == {"planned": []}
    for mistake in ({"end": "DONE"}, {"type": "POST_NONSENSE"}, {"fail_every": 0}, {"nonsense": 1}):
        with pytest.raises(RuntimeError, match="usage"):
            amazon.dial("POST", "/sandbox/feeds/next", {**dial, **mistake})


@pytest.mark.fact("5.6.1")
def test_what_a_feed_accepts_shows_after_the_listing_delay(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(listing_delay_s=120, feed_processing_s=60)
    feed_id = seller.submit_feed(LISTINGS, feed_of(update(1, "S")), US)
    amazon.advance(61)
    assert seller.feed(feed_id)["processingStatus"] == "DONE"
    assert shown(seller, "S") is None
    amazon.advance(120)
    assert shown(seller, "S") is not None


def test_a_feed_for_two_marketplaces_takes_a_message_for_both_or_for_none(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US, CA)
    seller = amazon.connect("A1US", "NA")
    both = whole(
        purchasable_offer=[offer(20, marketplace_id=US), offer(27, "CAD", marketplace_id=CA)],
    )
    only_us = {
        name: [{**one, "marketplace_id": US} for one in value] if name != "fulfillment_availability" else value
        for name, value in whole().items()
        if name != "fulfillment_availability"
    }
    wrong = whole(purchasable_offer=[offer(20, marketplace_id=US), offer(27, "USD", marketplace_id=CA)])
    report = report_of(
        seller,
        feed_of(
            update(1, "BOTH", attributes=both),
            update(2, "US", attributes=only_us),
            update(3, "WRONG", attributes=wrong),
        ),
        US,
        CA,
    )
    assert [one["messageId"] for one in report["issues"]] == [3]
    assert (shown(seller, "BOTH", US) or {})["purchasable_offer"][0]["currency"] == "USD"
    assert (shown(seller, "BOTH", CA) or {})["purchasable_offer"][0]["currency"] == "CAD"
    assert (shown(seller, "US", US) is None, shown(seller, "US", CA) is None) == (False, True)
    assert (shown(seller, "WRONG", US), shown(seller, "WRONG", CA)) == (None, None)
    patch = {
        "messageId": 1,
        "sku": "BOTH",
        "operationType": "PATCH",
        "productType": "PRODUCT",
        "patches": [
            {"op": "replace", "path": "/attributes/purchasable_offer", "value": [offer(30, "CAD", marketplace_id=CA)]}
        ],
    }
    assert report_of(seller, feed_of(patch), US, CA)["issues"] == []
    assert (shown(seller, "BOTH", US) or {})["purchasable_offer"][0]["our_price"] == offer(20)["our_price"]
    assert (shown(seller, "BOTH", CA) or {})["purchasable_offer"][0]["our_price"] == offer(30)["our_price"]


@pytest.mark.parametrize(
    "change",
    [
        {"feedType": "POST_NONSENSE"},
        {"feedType": None},
        {"marketplaceIds": []},
        {"marketplaceIds": [US] * 26},
        {"marketplaceIds": ["A1F83G8C2ARO7P"]},
        {"inputFeedDocumentId": "nothing"},
        {"feedOptions": {"a": 1}},
    ],
)
def test_a_feed_that_makes_no_sense_is_refused(seller: SellingPartner, change: dict[str, Any]) -> None:
    wish = {"feedType": LISTINGS, "marketplaceIds": [US], "inputFeedDocumentId": seller.upload(b"{}"), **change}
    assert seller.feeds("POST", body=wish).status_code == 400
    assert seller.feeds("POST", "documents", {"contentType": ""}).status_code == 400
    assert seller.feeds("POST", "documents", {}).status_code == 400


def test_feeds_are_listed_by_filters_in_pages_that_carry_the_filters(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    ids = [seller.submit_feed(LISTINGS, b"{}", US) for _ in range(5)]
    seller.submit_feed("POST_PRODUCT_DATA", b"", US)
    first = seller.feeds("GET", feedTypes=LISTINGS, processingStatuses="DONE,FATAL", pageSize="2").json()
    second = seller.feeds("GET", nextToken=first["nextToken"]).json()
    third = seller.feeds("GET", nextToken=second["nextToken"]).json()
    pages = [[feed["feedId"] for feed in page["feeds"]] for page in (first, second, third)]
    assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1]]
    assert "nextToken" not in third
    now = amazon.dial("GET", "/sandbox/clock")["now"]
    for query, count in (
        ({"feedTypes": f"{LISTINGS},POST_PRODUCT_DATA"}, 6),
        ({"feedTypes": LISTINGS, "processingStatuses": "IN_QUEUE"}, 0),
        ({"feedTypes": LISTINGS, "marketplaceIds": CA}, 0),
        ({"feedTypes": LISTINGS, "createdSince": now}, 0),
        ({"feedTypes": LISTINGS, "createdUntil": now, "createdSince": "2020-01-01T00:00:00Z"}, 5),
    ):
        assert len(seller.feeds("GET", **query).json()["feeds"]) == count
    for query in (
        {},
        {"feedTypes": LISTINGS, "processingStatuses": "BAD_VALUE"},
        {"feedTypes": LISTINGS, "pageSize": "101"},
        {"feedTypes": LISTINGS, "createdSince": "yesterday"},
        {"feedTypes": ",".join([LISTINGS] * 11)},
        {"nextToken": first["nextToken"], "feedTypes": LISTINGS},
        {"nextToken": "rubbish"},
    ):
        assert seller.feeds("GET", **query).status_code == 400
    assert seller.reports("GET", nextToken=first["nextToken"]).status_code == 400


@pytest.fixture(scope="module")
def feed_schemas(contract: Any) -> dict[str, Any]:
    """Amazon's published JSON Schemas of the feed and of its processing report."""
    if contract is None:
        pytest.skip("Amazon's models are not beside this checkout")
    folder = contract.folder / "schemas" / "feeds"
    return {
        "feed": json.loads((folder / "listings-feed-schema-v2.json").read_text()),
        "report": json.loads((folder / "listings-feed-processing-report-schema-v2.json").read_text()),
    }


def test_feeds_under_way_travel_in_a_snapshot(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(feed_queue_s=15, feed_processing_s=60)
    ids = [seller.submit_feed(LISTINGS, feed_of(update(1, f"S-{n}")), US) for n in range(2)]
    amazon.advance(20)
    world = amazon.http.get(amazon.urls["dials"] + "/sandbox/world").content
    amazon.dial("DELETE", "/sandbox/world")
    restored = amazon.http.put(amazon.urls["dials"] + "/sandbox/world", content=world)
    assert restored.status_code == 200, restored.text
    assert [seller.feed(each)["processingStatus"] for each in ids] == ["IN_PROGRESS", "IN_QUEUE"]
    amazon.advance(120)
    assert [seller.feed(each)["processingStatus"] for each in ids] == ["DONE", "DONE"]
    assert json.loads(seller.feed_result(ids[1]))["summary"]["messagesAccepted"] == 1


@pytest.mark.fact("3.8")
def test_an_app_without_the_role_is_refused_by_the_type_of_feed_or_report(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    document_id = seller.upload(b"{}")
    feed = {"marketplaceIds": [US], "inputFeedDocumentId": document_id}
    report = {"marketplaceIds": [US]}
    orders = "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL"

    def statuses() -> list[int]:
        return [
            seller.feeds("POST", body={**feed, "feedType": LISTINGS}).status_code,
            seller.feeds("POST", body={**feed, "feedType": "POST_ORDER_ACKNOWLEDGEMENT_DATA"}).status_code,
            seller.reports("POST", body={**report, "reportType": orders}).status_code,
            seller.reports("POST", "schedules", {**report, "reportType": orders, "period": "P1D"}).status_code,
        ]

    amazon.app_settings(roles=["Product Listing"])
    assert statuses() == [202, 403, 403, 403]
    amazon.app_settings(roles=["Pricing"])
    assert statuses() == [403, 403, 403, 403]
    amazon.app_settings(roles=["Inventory and Order Tracking"])
    assert [status in (201, 202) for status in statuses()] == [True, True, True, True]
