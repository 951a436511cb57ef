"""Usage plans: which bucket a call empties, what the 429 says, and plans that change under way."""

from typing import Any

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"


def patch(seller: SellingPartner, attribute: str, **query: str) -> Any:
    body = {"productType": "PRODUCT", "patches": [{"op": "replace", "path": f"/attributes/{attribute}", "value": [{}]}]}
    return seller.listings_item("PATCH", "S", body, marketplaceIds=US, **query)


def limit(amazon: LocalAmazon, operation: str, rate: float, **more: object) -> None:
    """Rates of a thousandth: only the clock that the test moves fills a bucket, not the time that it takes."""
    amazon.settings(quotas={"enabled": True})
    amazon.dial("PUT", "/sandbox/quotas", {"operation": operation, "rate": rate, **more})


@pytest.mark.fact("3.2")
@pytest.mark.pain("6")
def test_the_limit_of_the_app_is_shared_by_all_its_sellers(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.create_seller("A3US", "NA", US)
    other = amazon.connect("A3US", "NA")
    limit(amazon, "getListingsItem", 0.002, burst=2, limit="application")
    statuses = [each.listings_item("GET", "S", marketplaceIds=US).status_code for each in (seller, other, seller)]
    assert statuses == [404, 404, 429]
    amazon.advance(1000)
    assert other.listings_item("GET", "S", marketplaceIds=US).status_code == 404


@pytest.mark.fact("3.2")
def test_a_call_refused_by_the_apps_limit_takes_nothing_of_the_sellers(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    limit(amazon, "getListingsItem", 0.001, limit="application")
    limit(amazon, "getListingsItem", 0.000_001, burst=2)
    statuses = []
    for _ in range(4):
        statuses.append(seller.listings_item("GET", "S", marketplaceIds=US).status_code)
        amazon.advance(500)
    assert statuses == [404, 429, 404, 429]


@pytest.mark.fact("3.5")
@pytest.mark.parametrize(
    ("limit_name", "attribute", "query", "said"),
    [
        ("application", "purchasable_offer", {}, "the application"),
        ("product data", "item_name", {}, "product data"),
        ("relationships", "child_parent_sku_relationship", {}, "relationships"),
        ("validation preview", "purchasable_offer", {"mode": "VALIDATION_PREVIEW"}, "the application"),
    ],
)
def test_a_429_of_put_and_patch_says_which_limit_it_was(
    amazon: LocalAmazon, seller: SellingPartner, limit_name: str, attribute: str, query: dict[str, str], said: str
) -> None:
    limit(amazon, "patchListingsItem", 0.001, limit=limit_name)
    assert patch(seller, attribute, **query).status_code == 200
    throttled = patch(seller, attribute, **query)
    assert throttled.status_code == 429
    assert throttled.json()["errors"][0]["message"].endswith(f"allowed for {said}.")


@pytest.mark.fact("3.5")
def test_an_offer_counts_neither_as_product_data_nor_as_a_relationship(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    for name in ("product data", "relationships"):
        limit(amazon, "patchListingsItem", 0.001, limit=name)
    assert [patch(seller, "purchasable_offer").status_code for _ in range(3)] == [200] * 3


@pytest.mark.fact("3.3")
def test_a_changed_plan_shows_in_the_header_of_that_seller_alone(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.create_seller("A3US", "NA", US)
    other = amazon.connect("A3US", "NA")
    limit(amazon, "searchOrders", 0.5, burst=30, selling_partner_id="A1US")
    query = {"lastUpdatedAfter": "2020-01-01T00:00:00Z"}
    assert seller.search_orders(**query).headers["x-amzn-ratelimit-limit"] == "0.5"
    assert other.search_orders(**query).headers["x-amzn-ratelimit-limit"] == "0.0056"
    amazon.dial("DELETE", "/sandbox/quotas")
    assert seller.search_orders(**query).headers["x-amzn-ratelimit-limit"] == "0.0056"


@pytest.mark.fact("3.3")
@pytest.mark.pain("6")
def test_the_header_is_missing_on_as_many_answers_as_one_likes(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(quotas={"enabled": True, "header_share": 0.5})
    there = ["x-amzn-ratelimit-limit" in seller.participations().headers for _ in range(4)]
    assert sorted(there) == [False, False, True, True]
    assert "x-amzn-ratelimit-limit" not in seller.order("113-0000000-0000000").headers


@pytest.mark.parametrize(
    ("wish", "hint"),
    [
        ({"operation": "fly", "rate": 1}, "getOrder"),
        ({"operation": "getOrder", "rate": 0}, "rate"),
        ({"operation": "getOrder", "rate": 1, "limit": "product data"}, "pair"),
        ({"operation": "getListingsItem", "rate": 1, "limit": "application", "selling_partner_id": "A1US"}, "seller"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(amazon: LocalAmazon, wish: dict[str, object], hint: str) -> None:
    answer = amazon.http.put(amazon.urls["dials"] + "/sandbox/quotas", json=wish)
    assert answer.status_code == 400
    assert hint in answer.json()["error"]


@pytest.mark.fact("3.10")
def test_every_answer_has_a_request_id_of_its_own(amazon: LocalAmazon, seller: SellingPartner) -> None:
    limit(amazon, "getMarketplaceParticipations", 0.001, burst=1)
    answers = [seller.participations(), seller.participations(), seller.order("nobody")]
    assert [answer.status_code for answer in answers] == [200, 429, 404]
    ids = [answer.headers["x-amzn-requestid"] for answer in answers]
    assert len(set(ids)) == 3
