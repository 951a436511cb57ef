"""The JSON listings feed: its messages, its rules and its processing report (FACTS section 6)."""

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from amazon_sandbox.testing import (
    LocalAmazon,
    SellingPartner,
    listings_feed,
    offer,
    offer_attributes,
    update_message,
)

US = "ATVPDKIKX0DER"
CA = "A2EUQ1WTGCTBG2"
LISTINGS = "JSON_LISTINGS_FEED"


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
    report = seller.processing_report(
        listings_feed(
            update_message(1, "PUT"),
            update_message(2, "PARTIAL"),
            {
                "messageId": 3,
                "sku": "PARTIAL",
                "operationType": "PARTIAL_UPDATE",
                "productType": "PRODUCT",
                "attributes": {"fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": 9}]},
            },
            update_message(4, "PATCH"),
            {
                "messageId": 5,
                "sku": "PATCH",
                "operationType": "PATCH",
                "productType": "PRODUCT",
                "patches": [{"op": "replace", "path": "/attributes/purchasable_offer", "value": [offer(7)]}],
            },
            update_message(6, "DELETE"),
            {"messageId": 7, "sku": "DELETE", "operationType": "DELETE"},
        ),
        US,
    )
    assert report["issues"] == []
    assert report["summary"] == {
        "errors": 0,
        "warnings": 0,
        "messagesProcessed": 7,
        "messagesAccepted": 7,
        "messagesInvalid": 0,
    }
    assert without_marketplace(shown(seller, "PUT") or {}) == offer_attributes()
    assert without_marketplace(shown(seller, "PARTIAL") or {}) == offer_attributes(quantity=9)
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
    body = {"productType": "PRODUCT", "attributes": {**offer_attributes(), **attributes}}
    by_api = seller.listings_item("PUT", "S", body, marketplaceIds=US).json()
    by_feed = seller.processing_report(
        listings_feed(update_message(1, "S", attributes={**offer_attributes(), **attributes})), US
    )
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
    feed_id = seller.submit_feed(
        LISTINGS, listings_feed(update_message(1, "GOOD"), update_message(2, "BAD", attributes={"x": []})), US
    )
    assert seller.feed(feed_id)["processingStatus"] == "DONE"
    report = json.loads(seller.feed_result(feed_id))
    assert report["summary"]["messagesAccepted"] == report["summary"]["messagesInvalid"] == 1
    assert {one["messageId"] for one in report["issues"]} == {2}
    assert shown(seller, "GOOD") is not None
    assert shown(seller, "BAD") is None


@pytest.mark.fact("6.11")
def test_processing_reports_hold_against_amazons_schema(seller: SellingPartner, feed_schemas: dict[str, Any]) -> None:
    included = {"includedData": ["summaries", "attributes", "issues", "offers"], "apiVersion": "2021-08-01"}
    content = listings_feed(update_message(1, "S"), {"messageId": 2}, "rubbish", report=included)
    Draft7Validator(feed_schemas["report"]).validate(seller.processing_report(content, US))
    Draft7Validator(feed_schemas["report"]).validate(seller.processing_report(b"not json", US))
    Draft7Validator(feed_schemas["feed"]).validate(json.loads(listings_feed(update_message(1, "S"), report=included)))


@pytest.mark.fact("6.9")
def test_included_data_adds_the_listings_themselves(seller: SellingPartner) -> None:
    unpriced = {name: value for name, value in offer_attributes().items() if name != "purchasable_offer"}
    report = seller.processing_report(
        listings_feed(
            update_message(1, "S"),
            update_message(2, "NO-PRICE", attributes=unpriced),
            update_message(3, "REFUSED", attributes={"x": []}),
            report={"includedData": ["summaries", "issues"], "apiVersion": "2021-08-01"},
        ),
        US,
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
        listings_feed(update_message(1, "S"), seller_id="A9US"),
        listings_feed(update_message(1, "S"), version="1.0"),
        listings_feed(update_message(1, "S"), report={"includedData": ["everything"], "apiVersion": "2021-08-01"}),
        listings_feed(),
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
        (update_message(0, "S"), None),
        (update_message(2**31, "S"), None),
        ({**update_message(1, "S"), "messageId": "1"}, None),
        ({**update_message(1, "S"), "messageId": 1.5}, None),
        (update_message(1, ""), 1),
        (update_message(1, "x" * 41), 1),
        (update_message(1, "S", operationType="UPSERT"), 1),
        (update_message(1, "S", attributes={}), 1),
        ({"messageId": 1, "sku": "S", "operationType": "UPDATE", "productType": "PRODUCT"}, 1),
        (update_message(1, "S", operationType="PARTIAL_UPDATE", requirements="LISTING"), 1),
        (update_message(1, "S", operationType="PATCH"), 1),
        ({"messageId": 1, "sku": "S", "operationType": "PATCH", "productType": "P", "patches": []}, 1),
        ({"messageId": 1, "sku": "S", "operationType": "DELETE", "productType": "PRODUCT"}, 1),
        ({"messageId": 1, "sku": "S", "operationType": "DELETE", "attributes": offer_attributes()}, 1),
        ("rubbish", None),
        (None, None),
    ],
)
def test_a_message_that_breaks_the_rules_is_refused_alone(
    seller: SellingPartner, message: Any, named: int | None
) -> None:
    report = seller.processing_report(listings_feed(message, update_message(77, "GOOD")), US)
    assert report["summary"]["messagesInvalid"] == 1
    assert [one.get("messageId") for one in report["issues"]] == [named]
    assert shown(seller, "GOOD") is not None
    assert shown(seller, "S") is None


@pytest.mark.fact("6.10")
def test_a_message_id_is_used_once(seller: SellingPartner) -> None:
    report = seller.processing_report(listings_feed(update_message(1, "FIRST"), update_message(1, "SECOND")), US)
    assert [(one["messageId"], one["sku"]) for one in report["issues"]] == [(1, "SECOND")]
    assert (shown(seller, "FIRST") is None, shown(seller, "SECOND") is None) == (False, True)


@pytest.mark.fact("6.6")
def test_a_feed_takes_25_000_messages_and_not_one_more(seller: SellingPartner) -> None:
    messages = [{"messageId": n, "sku": f"S-{n}", "operationType": "DELETE"} for n in range(1, 25_002)]
    most = seller.processing_report(listings_feed(*messages[:25_000]), US)
    assert most["summary"]["messagesAccepted"] == 25_000
    more = seller.processing_report(listings_feed(*messages), US)
    assert (more["summary"]["messagesProcessed"], len(more["issues"])) == (0, 1)


@pytest.mark.fact("6.5")
def test_a_feed_of_more_than_ten_mebibytes_is_fatal(seller: SellingPartner) -> None:
    content = listings_feed(update_message(1, "S"))
    report = seller.processing_report(content + b" " * (10 * 2**20 - len(content)), US)
    assert report["issues"] == []
    report = seller.processing_report(content + b" " * (10 * 2**20 + 1 - len(content)), US)
    assert "larger than" in report["issues"][0]["message"]


def test_a_feed_for_two_marketplaces_takes_a_message_for_both_or_for_none(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US, CA)
    seller = amazon.connect("A1US", "NA")
    both = offer_attributes(
        purchasable_offer=[offer(20, marketplace_id=US), offer(27, "CAD", marketplace_id=CA)],
    )
    only_us = {
        name: [{**one, "marketplace_id": US} for one in value] if name != "fulfillment_availability" else value
        for name, value in offer_attributes().items()
        if name != "fulfillment_availability"
    }
    wrong = offer_attributes(purchasable_offer=[offer(20, marketplace_id=US), offer(27, "USD", marketplace_id=CA)])
    report = seller.processing_report(
        listings_feed(
            update_message(1, "BOTH", attributes=both),
            update_message(2, "US", attributes=only_us),
            update_message(3, "WRONG", attributes=wrong),
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
    assert seller.processing_report(listings_feed(patch), US, CA)["issues"] == []
    assert (shown(seller, "BOTH", US) or {})["purchasable_offer"][0]["our_price"] == offer(20)["our_price"]
    assert (shown(seller, "BOTH", CA) or {})["purchasable_offer"][0]["our_price"] == offer(30)["our_price"]


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
