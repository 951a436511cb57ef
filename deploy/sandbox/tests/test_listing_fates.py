"""ACCEPTED is not done: what may become of a write, and how a listing that fares badly looks."""

from typing import Any

import pytest

from amazon_sandbox.listings.attributes import CONDITION_TYPES
from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"


def offer(price: float, **fields: Any) -> dict[str, Any]:
    our_price = [{"schedule": [{"value_with_tax": price}]}]
    return {"marketplace_id": US, "currency": "USD", "our_price": our_price, **fields}


def offer_only(**more: Any) -> dict[str, Any]:
    attributes = {
        "merchant_suggested_asin": [{"value": "B000000001", "marketplace_id": US}],
        "condition_type": [{"value": "new_new", "marketplace_id": US}],
        "purchasable_offer": [offer(19.99)],
        "fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": 10}],
    }
    return {"productType": "PRODUCT", "requirements": "LISTING_OFFER_ONLY", "attributes": attributes | more}


def put(seller: SellingPartner, sku: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = seller.listings_item("PUT", sku, body or offer_only(), marketplaceIds=US)
    assert answer.status_code == 200, answer.text
    submission: dict[str, Any] = answer.json()
    return submission


def patch(seller: SellingPartner, sku: str, op: str, attribute: str, *value: dict[str, Any]) -> dict[str, Any]:
    body = {
        "productType": "PRODUCT",
        "patches": [{"op": op, "path": f"/attributes/{attribute}", "value": list(value)}],
    }
    submission: dict[str, Any] = seller.listings_item("PATCH", sku, body, marketplaceIds=US).json()
    return submission


def shown(seller: SellingPartner, sku: str) -> dict[str, Any]:
    data = "summaries,attributes,issues,offers,fulfillmentAvailability,relationships"
    item: dict[str, Any] = seller.listings_item("GET", sku, marketplaceIds=US, includedData=data).json()
    return item


def decree(amazon: LocalAmazon, kind: str, **more: Any) -> None:
    amazon.dial("POST", "/sandbox/listings/fates", {"selling_partner_id": "A1US", "kind": kind, **more})


SUPPRESSED = {
    "code": "18320",
    "message": "Approval is needed to list this product.",
    "severity": "ERROR",
    "categories": ["QUALIFICATION_REQUIRED"],
    "enforcements": {"actions": [{"action": "LISTING_SUPPRESSED"}], "exemption": {"status": "NOT_EXEMPT"}},
}


@pytest.mark.pain("3")
@pytest.mark.fact("5.6.1")
@pytest.mark.fact("5.6.4")
def test_an_accepted_write_can_fail_later_with_issues(amazon: LocalAmazon, seller: SellingPartner) -> None:
    decree(amazon, "issues", sku="S", issues=[SUPPRESSED])
    assert put(seller, "S")["status"] == "ACCEPTED"
    item = shown(seller, "S")
    assert item["summaries"][0]["status"] == []
    assert item["issues"] == [{**SUPPRESSED, "marketplaceIds": [US]}]
    found = seller.search_listings(marketplaceIds=US, withIssueSeverity="ERROR", includedData="issues").json()
    assert [each["sku"] for each in found["items"]] == ["S"]
    assert seller.search_listings(marketplaceIds=US, withStatus="BUYABLE").json()["items"] == []
    assert put(seller, "S")["status"] == "ACCEPTED"
    assert shown(seller, "S")["issues"] == []
    assert shown(seller, "S")["summaries"][0]["status"] == ["BUYABLE", "DISCOVERABLE"]


@pytest.mark.pain("3")
@pytest.mark.fact("5.6.2")
def test_an_accepted_item_may_never_appear_or_take_an_hour(amazon: LocalAmazon, seller: SellingPartner) -> None:
    decree(amazon, "never", sku="NEVER")
    decree(amazon, "late", sku="LATE", seconds=3000)
    assert [put(seller, sku)["status"] for sku in ("NEVER", "LATE", "PROMPT")] == ["ACCEPTED"] * 3
    assert seller.listings_item("GET", "PROMPT", marketplaceIds=US).status_code == 200
    assert seller.listings_item("GET", "LATE", marketplaceIds=US).status_code == 404
    amazon.advance(3000)
    assert seller.listings_item("GET", "LATE", marketplaceIds=US).status_code == 200
    assert seller.listings_item("GET", "NEVER", marketplaceIds=US).status_code == 404
    assert put(seller, "NEVER")["status"] == "ACCEPTED"
    assert seller.listings_item("GET", "NEVER", marketplaceIds=US).status_code == 200


@pytest.mark.pain("4")
def test_an_offer_that_looked_right_can_turn_out_incomplete(amazon: LocalAmazon, seller: SellingPartner) -> None:
    decree(amazon, "incomplete")
    assert put(seller, "S")["status"] == "ACCEPTED"
    item = shown(seller, "S")
    assert item["offers"] == []
    assert item["fulfillmentAvailability"] == [{"fulfillmentChannelCode": "DEFAULT"}]
    (issue,) = item["issues"]
    assert (issue["code"], issue["categories"], issue["marketplaceIds"]) == ("18448", ["MISSING_PRICE"], [US])
    assert item["summaries"][0]["status"] == []


@pytest.mark.pain("4")
@pytest.mark.parametrize(
    "wrong",
    [
        {"purchasable_offer": [{"marketplace_id": US, "our_price": [{"schedule": [{"value_with_tax": 5}]}]}]},
        {"purchasable_offer": [{"marketplace_id": US, "currency": "USD", "our_price": 5}]},
        {"fulfillment_availability": [{"quantity": 5}]},
        {"purchasable_offer": [offer(5) | {"marketplace_id": "A2EUQ1WTGCTBG2"}]},
    ],
)
def test_the_wrong_nesting_of_an_offer_is_invalid(seller: SellingPartner, wrong: dict[str, Any]) -> None:
    assert put(seller, "S", offer_only(**wrong))["status"] == "INVALID"


@pytest.mark.pain("5")
def test_a_switch_of_the_channel_leaves_two_until_the_old_one_is_deleted(seller: SellingPartner) -> None:
    put(seller, "S")
    patch(seller, "S", "replace", "fulfillment_availability", {"fulfillment_channel_code": "AMAZON_NA"})
    channels = [each["fulfillmentChannelCode"] for each in shown(seller, "S")["fulfillmentAvailability"]]
    assert channels == ["DEFAULT", "AMAZON_NA"]
    patch(seller, "S", "delete", "fulfillment_availability", {"fulfillment_channel_code": "DEFAULT"})
    channels = [each["fulfillmentChannelCode"] for each in shown(seller, "S")["fulfillmentAvailability"]]
    assert channels == ["AMAZON_NA"]


@pytest.mark.pain("5")
@pytest.mark.fact("5.4.6")
def test_a_business_price_is_an_audience_and_no_attribute_of_its_own(seller: SellingPartner) -> None:
    put(seller, "S")
    assert patch(seller, "S", "add", "b2b_purchasable_offer", offer(17))["status"] == "INVALID"
    assert patch(seller, "S", "add", "purchasable_offer", offer(17, audience="B2B"))["status"] == "ACCEPTED"
    assert [each["offerType"] for each in shown(seller, "S")["offers"]] == ["B2C", "B2B"]


@pytest.mark.fact("5.4.3")
def test_a_merge_with_null_deletes_the_discount_plan_of_a_business_offer(seller: SellingPartner) -> None:
    plan = [{"schedule": [{"discount_type": "fixed", "levels": [{"lower_bound": 5, "value": 16}]}]}]
    put(seller, "S", offer_only(purchasable_offer=[offer(19), offer(17, audience="B2B", quantity_discount_plan=plan)]))
    value = {"marketplace_id": US, "currency": "USD", "audience": "B2B", "quantity_discount_plan": None}
    assert patch(seller, "S", "merge", "purchasable_offer", value)["status"] == "ACCEPTED"
    business = shown(seller, "S")["attributes"]["purchasable_offer"][1]
    assert "quantity_discount_plan" not in business
    assert business["our_price"] == [{"schedule": [{"value_with_tax": 17}]}]


@pytest.mark.fact("5.4.5")
def test_the_quantity_changes_by_merge_and_the_price_by_a_whole_offer(seller: SellingPartner) -> None:
    put(
        seller,
        "S",
        offer_only(
            fulfillment_availability=[
                {"fulfillment_channel_code": "DEFAULT", "quantity": 1, "lead_time_to_ship_max_days": 2}
            ],
            purchasable_offer=[offer(19, minimum_seller_allowed_price=[{"schedule": [{"value_with_tax": 15}]}])],
        ),
    )
    patch(seller, "S", "merge", "fulfillment_availability", {"fulfillment_channel_code": "DEFAULT", "quantity": 5})
    read = shown(seller, "S")["attributes"]["purchasable_offer"][0]
    whole = {**read, "our_price": [{"schedule": [{"value_with_tax": 21}]}]}
    patch(seller, "S", "replace", "purchasable_offer", whole)
    after = shown(seller, "S")["attributes"]
    assert after["purchasable_offer"] == [whole]
    assert after["fulfillment_availability"][0] == {
        "fulfillment_channel_code": "DEFAULT",
        "quantity": 5,
        "lead_time_to_ship_max_days": 2,
    }


@pytest.mark.fact("5.3.1")
def test_the_whole_offer_of_the_guides_is_taken(seller: SellingPartner) -> None:
    where = {"marketplace_id": US}
    body = offer_only(
        condition_note=[{"value": "Light wear", "language_tag": "en_US", **where}],
        purchasable_offer=[
            offer(
                19.99,
                audience="ALL",
                minimum_seller_allowed_price=[{"schedule": [{"value_with_tax": 15.00}]}],
                maximum_seller_allowed_price=[{"schedule": [{"value_with_tax": 25.00}]}],
            )
        ],
        list_price=[{"currency": "USD", "value": 24.99, **where}],
        merchant_shipping_group=[{"value": "a-template-id", **where}],
        supplier_declared_dg_hz_regulation=[{"value": "not_applicable", **where}],
        batteries_required=[{"value": False, **where}],
    )
    assert put(seller, "S", body)["issues"] == []
    assert shown(seller, "S")["attributes"] == body["attributes"]


@pytest.mark.fact("5.3.2")
def test_an_offer_can_name_its_product_by_gtin(seller: SellingPartner) -> None:
    body = offer_only(
        externally_assigned_product_identifier=[{"type": "ean", "value": "4006381333931", "marketplace_id": US}]
    )
    del body["attributes"]["merchant_suggested_asin"]
    assert put(seller, "S", body)["status"] == "ACCEPTED"
    found = seller.search_listings(marketplaceIds=US, identifiers="4006381333931", identifiersType="EAN").json()
    assert [each["sku"] for each in found["items"]] == ["S"]
    assert "asin" not in shown(seller, "S")["summaries"][0]


@pytest.mark.fact("5.3.3")
def test_every_condition_is_known_and_no_other(seller: SellingPartner) -> None:
    assert len(CONDITION_TYPES) == 13
    for condition in CONDITION_TYPES:
        body = offer_only(condition_type=[{"value": condition, "marketplace_id": US}])
        assert put(seller, condition, body)["status"] == "ACCEPTED"
        assert shown(seller, condition)["summaries"][0]["conditionType"] == condition
    wrong = offer_only(condition_type=[{"value": "used", "marketplace_id": US}])
    assert put(seller, "S", wrong)["status"] == "INVALID"


@pytest.mark.fact("5.6.4")
def test_a_bad_main_image_is_a_warning_that_hides_the_listing_from_search(seller: SellingPartner) -> None:
    good = [{"media_location": "https://images.example/1.jpg", "marketplace_id": US}]
    put(seller, "S", offer_only(main_product_image_locator=good))
    assert shown(seller, "S")["summaries"][0]["mainImage"]["link"] == "https://images.example/1.jpg"
    put(seller, "S", offer_only(main_product_image_locator=[{**good[0], "media_location": "ftp://x"}]))
    item = shown(seller, "S")
    assert (item["issues"][0]["code"], item["issues"][0]["severity"]) == ("18027", "WARNING")
    assert item["issues"][0]["enforcements"]["actions"] == [{"action": "SEARCH_SUPPRESSED"}]
    assert item["summaries"][0]["status"] == ["BUYABLE"]
    assert "mainImage" not in shown_bare(seller, "T")


def shown_bare(seller: SellingPartner, sku: str) -> dict[str, Any]:
    put(seller, sku)
    summary: dict[str, Any] = shown(seller, sku)["summaries"][0]
    return summary


@pytest.mark.fact("5.6.5")
def test_there_is_no_draft_operation(seller: SellingPartner) -> None:
    seller.amazon.check = None
    path = "/listings/2021-08-01/items/A1US/S/draft"
    assert seller.call("PUT", path, offer_only(), marketplaceIds=US).status_code == 404


@pytest.mark.fact("5.1.3")
def test_variations_and_packages_are_found_by_what_they_belong_to(seller: SellingPartner) -> None:
    relation = {"child_relationship_type": "variation", "parent_sku": "PARENT", "marketplace_id": US}
    put(seller, "CHILD", offer_only(child_parent_sku_relationship=[relation]))
    put(seller, "CASE", offer_only(package_contains_sku=[{"sku": "CHILD", "quantity": 6, "marketplace_id": US}]))
    query = {"marketplaceIds": US, "includedData": "relationships"}
    (child,) = seller.search_listings(**query, variationParentSku="PARENT").json()["items"]
    assert child["sku"] == "CHILD"
    assert child["relationships"][0]["relationships"] == [{"type": "VARIATION", "parentSkus": ["PARENT"]}]
    (case,) = seller.search_listings(**query, packageHierarchySku="CHILD").json()["items"]
    assert case["sku"] == "CASE"
    both = seller.search_listings(marketplaceIds=US, variationParentSku="P", packageHierarchySku="C")
    assert both.status_code == 400


@pytest.mark.parametrize(
    ("wish", "hint"),
    [
        ({"kind": "issues"}, "one at least"),
        ({"kind": "issues", "issues": [{"code": "1"}]}, "message"),
        ({"kind": "never", "issues": [SUPPRESSED]}, "issues"),
        ({"kind": "issues", "issues": [SUPPRESSED | {"enforcements": "x"}]}, "enforcements"),
        ({"kind": "issues", "issues": [SUPPRESSED | {"enforcements": None}]}, "enforcements"),
        ({"kind": "issues", "issues": [SUPPRESSED | {"enforcements": {"actions": [{}]}}]}, "action"),
        ({"kind": "issues", "issues": [SUPPRESSED | {"attributeNames": "x"}]}, "attributeNames"),
        ({"kind": "lost"}, "kind"),
        ({"kind": "never", "selling_partner_id": "nobody"}, "nobody"),
    ],
)
def test_a_fate_that_makes_no_sense_is_refused(
    amazon: LocalAmazon, seller: SellingPartner, wish: dict[str, Any], hint: str
) -> None:
    answer = amazon.http.post(
        amazon.urls["dials"] + "/sandbox/listings/fates", json={"selling_partner_id": seller.selling_partner_id} | wish
    )
    assert answer.status_code in (400, 404)
    assert hint in answer.json()["error"]
    assert amazon.dial("DELETE", "/sandbox/listings/fates") == {"waiting": []}


@pytest.mark.fact("11.8")
def test_an_offer_on_an_asin_of_the_catalogue_shows_the_products_own_data(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    product = {"asin": "B000000001", "title": "Canary Lamp", "brand": "Lumen", "image": "https://images.example/l.jpg"}
    amazon.dial("POST", "/sandbox/products", {"marketplace_id": US, "products": [product]})
    put(seller, "S")
    summary = shown(seller, "S")["summaries"][0]
    assert (summary["itemName"], summary["mainImage"]["link"]) == ("Canary Lamp", "https://images.example/l.jpg")
    own = [{"value": "Our lamp", "language_tag": "en_US", "marketplace_id": US}]
    put(seller, "T", offer_only(item_name=own))
    assert shown(seller, "T")["summaries"][0]["itemName"] == "Our lamp"
    put(seller, "U", offer_only(merchant_suggested_asin=[{"value": "B000000009", "marketplace_id": US}]))
    assert "itemName" not in shown(seller, "U")["summaries"][0]
