"""Stock in Amazon's warehouses."""

from typing import Any

import httpx
import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
SUMMARIES = "/fba/inventory/v1/summaries"
ITEMS = "/fba/inventory/v1/items"


def create(seller: SellingPartner, sku: str) -> httpx.Response:
    return seller.call("POST", ITEMS, {"sellerSku": sku, "marketplaceId": US, "productName": f"Product {sku}"})


def add(seller: SellingPartner, sku: str, quantity: object, token: str | None = "once") -> httpx.Response:
    headers = {"x-amz-access-token": seller.access_token}
    if token is not None:
        headers["x-amzn-idempotency-token"] = token
    items = [{"sellerSku": sku, "marketplaceId": US, "quantity": quantity}]
    url = f"{seller.amazon.urls['na']}{ITEMS}/inventory"
    return seller.amazon.http.post(url, json={"inventoryItems": items}, headers=headers)


def summaries(seller: SellingPartner, **query: str) -> httpx.Response:
    where = {"granularityType": "Marketplace", "granularityId": US, "marketplaceIds": US}
    return seller.call("GET", SUMMARIES, **{**where, **query})


def stock(seller: SellingPartner, **query: str) -> dict[str, int]:
    payload = summaries(seller, **query).json()["payload"]
    return {one["sellerSku"]: one["totalQuantity"] for one in payload["inventorySummaries"]}


@pytest.mark.fact("3.7")
def test_stock_is_made_added_once_for_each_token_sold_and_deleted(amazon: LocalAmazon, seller: SellingPartner) -> None:
    assert create(seller, "A/1").json() == {}
    assert create(seller, "A/1").status_code == 400
    assert add(seller, "A/1", 5).status_code == 200
    assert add(seller, "A/1", 5).status_code == 200
    assert stock(seller) == {"A/1": 5}
    assert add(seller, "A/1", 2, "another").status_code == 200
    detailed = summaries(seller, details="true").json()["payload"]["inventorySummaries"][0]
    assert detailed["inventoryDetails"]["fulfillableQuantity"] == 7
    order: dict[str, Any] = {"lines": [{"sku": "A/1", "quantity": 3, "unit_price": 1}], "fulfilled_by": "AMAZON"}
    amazon.dial("POST", "/sandbox/orders", {"selling_partner_id": "A1US", "marketplace_id": US, "orders": [order]})
    assert stock(seller) == {"A/1": 4}
    assert seller.call("DELETE", f"{ITEMS}/A%2F1", marketplaceId=US).status_code == 200
    assert stock(seller) == {}


@pytest.mark.pain("10")
def test_a_token_lives_thirty_seconds_and_is_encoded_once(amazon: LocalAmazon, seller: SellingPartner) -> None:
    for number in range(60):
        create(seller, f"S{number:02d}")
    first = summaries(seller)
    token = first.json()["pagination"]["nextToken"]
    assert len(first.json()["payload"]["inventorySummaries"]) == 50
    second = summaries(seller, nextToken=token).json()
    assert (len(second["payload"]["inventorySummaries"]), "pagination" in second) == (10, False)
    assert summaries(seller, nextToken=token.replace("+", "%2B")).status_code == 400, "encoded twice"
    amazon.advance(31)
    assert summaries(seller, nextToken=token).status_code == 400


def test_summaries_are_filtered_by_sku_and_time(amazon: LocalAmazon, seller: SellingPartner) -> None:
    create(seller, "OLD")
    amazon.advance(1800)
    now = amazon.dial("GET", "/sandbox/clock")["now"]
    create(seller, "NEW")
    assert stock(seller, sellerSkus="OLD,X") == {"OLD": 0}
    assert stock(seller, startDateTime=now) == {"NEW": 0}


@pytest.mark.parametrize(
    "query",
    [
        {"granularityType": "Country"},
        {"granularityId": "A2EUQ1WTGCTBG2"},
        {"marketplaceIds": ""},
        {"details": "perhaps"},
        {"sellerSkus": ",".join(str(number) for number in range(51))},
        {"startDateTime": "yesterday"},
        {"nextToken": "nonsense"},
    ],
)
def test_a_wrong_question_about_stock_is_400(seller: SellingPartner, query: dict[str, str]) -> None:
    assert summaries(seller, **query).status_code == 400


def test_wrong_changes_of_stock_are_refused(seller: SellingPartner) -> None:
    create(seller, "S")
    assert add(seller, "S", 1, None).status_code == 400
    assert add(seller, "S", -1).status_code == 400
    assert add(seller, "NOBODY", 1).status_code == 404
    assert seller.call("POST", ITEMS, {"sellerSku": "S"}).status_code == 400
    body = {"sellerSku": "S", "marketplaceId": "A1F83G8C2ARO7P", "productName": "x"}
    assert seller.call("POST", ITEMS, body).status_code == 400
    assert seller.call("DELETE", f"{ITEMS}/NOBODY", marketplaceId=US).status_code == 404
    assert stock(seller) == {"S": 0}
