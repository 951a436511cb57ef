"""Catalog items, listing restrictions and the seller's account."""

from typing import Any

import httpx
import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
CATALOG = "/catalog/2022-04-01/items"
RESTRICTIONS = "/listings/2021-08-01/restrictions"
EVERYTHING = (
    "attributes,classifications,dimensions,identifiers,images,productTypes,relationships,salesRanks,summaries,"
    "vendorDetails"
)
TEAPOT = {
    "asin": "B000TEAPOT",
    "title": "Blue Teapot",
    "brand": "Kettle & Co",
    "identifiers": {"EAN": "4006381333931"},
    "classification_id": "77",
    "classification_name": "Teapots",
    "image": "https://images.example/teapot.jpg",
}


def put_products(amazon: LocalAmazon, *products: dict[str, Any]) -> None:
    amazon.dial("POST", "/sandbox/products", {"marketplace_id": US, "products": list(products)})


def asins(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["asin"] for item in answer.json()["items"]]


def test_an_item_is_shown_with_the_data_sets_asked_for(amazon: LocalAmazon, seller: SellingPartner) -> None:
    put_products(amazon, TEAPOT)
    path = f"{CATALOG}/B000TEAPOT"
    item = seller.call("GET", path, marketplaceIds=US).json()
    assert set(item) == {"asin", "summaries"}
    assert (item["summaries"][0]["itemName"], item["summaries"][0]["brand"]) == ("Blue Teapot", "Kettle & Co")
    whole = seller.call("GET", path, marketplaceIds=US, includedData=EVERYTHING).json()
    assert set(whole) == {"asin", *EVERYTHING.split(",")}
    assert whole["identifiers"][0]["identifiers"] == [{"identifierType": "EAN", "identifier": "4006381333931"}]
    assert seller.call("GET", f"{CATALOG}/B000NOBODY", marketplaceIds=US).status_code == 404
    assert seller.call("GET", path).status_code == 400
    assert seller.call("GET", path, marketplaceIds="A1F83G8C2ARO7P").status_code == 400
    assert seller.call("GET", path, marketplaceIds=US, includedData="gossip").status_code == 400


def test_what_sellers_list_is_in_the_catalogue(amazon: LocalAmazon, seller: SellingPartner) -> None:
    listing = {"sku": "S/1", "price": 5, "title": "Red Teapot", "asin": "B000REDTEA"}
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "listings": [listing]}
    amazon.dial("POST", "/sandbox/listings", body)
    put_products(amazon, TEAPOT)
    found = seller.call("GET", CATALOG, marketplaceIds=US, keywords="teapot")
    assert sorted(asins(found)) == ["B000REDTEA", "B000TEAPOT"]
    assert found.json()["refinements"]["brands"] == [{"numberOfResults": 1, "brandName": "Kettle & Co"}]
    for query, expected in (
        ({"identifiers": "B000REDTEA", "identifiersType": "ASIN"}, ["B000REDTEA"]),
        ({"identifiers": "4006381333931", "identifiersType": "EAN"}, ["B000TEAPOT"]),
        ({"identifiers": "4006381333931", "identifiersType": "UPC"}, []),
        ({"identifiers": "S/1,S/2", "identifiersType": "SKU", "sellerId": "A1US"}, ["B000REDTEA"]),
        ({"keywords": "teapot", "brandNames": "Kettle & Co"}, ["B000TEAPOT"]),
        ({"keywords": "teapot", "classificationIds": "77"}, ["B000TEAPOT"]),
        ({"keywords": "purple"}, []),
    ):
        assert asins(seller.call("GET", CATALOG, marketplaceIds=US, **query)) == expected, query


def test_search_pages_and_a_token_holds_with_its_query_only(amazon: LocalAmazon, seller: SellingPartner) -> None:
    put_products(amazon, *({"asin": f"B0{number:08d}", "title": f"Cup {number}"} for number in range(25)))
    query = {"marketplaceIds": US, "keywords": "cup", "pageSize": "20"}
    first = seller.call("GET", CATALOG, **query)
    assert (first.json()["numberOfResults"], len(asins(first))) == (25, 20)
    token = first.json()["pagination"]["nextToken"]
    second = seller.call("GET", CATALOG, **query, pageToken=token)
    assert len({*asins(first), *asins(second)}) == 25
    assert set(second.json()["pagination"]) == {"previousToken"}
    assert seller.call("GET", CATALOG, **{**query, "keywords": "saucer"}, pageToken=token).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"keywords": "a", "identifiers": "B000TEAPOT", "identifiersType": "ASIN"},
        {"identifiers": "B000TEAPOT"},
        {"identifiers": "B000TEAPOT", "identifiersType": "FNSKU"},
        {"identifiers": ",".join("abcdefghijklmnopqrstu"), "identifiersType": "EAN"},
        {"identifiers": "S", "identifiersType": "SKU"},
        {"identifiers": "B000TEAPOT", "identifiersType": "ASIN", "brandNames": "x"},
        {"keywords": "a", "pageSize": "21"},
        {"keywords": "a", "marketplaceIds": ""},
        {"keywords": "a", "marketplaceIds": f"{US},A2EUQ1WTGCTBG2"},
    ],
)
def test_a_wrong_catalogue_search_is_400(seller: SellingPartner, query: dict[str, str]) -> None:
    assert seller.call("GET", CATALOG, **{"marketplaceIds": US, **query}).status_code == 400


@pytest.mark.fact("5")
def test_no_restriction_is_an_empty_list_and_each_reason_says_what_to_do(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    query = {"asin": "B000TEAPOT", "sellerId": "A1US", "marketplaceIds": US}
    assert seller.call("GET", RESTRICTIONS, **query).json() == {"restrictions": []}
    put_products(amazon, TEAPOT)
    assert seller.call("GET", RESTRICTIONS, **query).json() == {"restrictions": []}
    unknown = seller.call("GET", RESTRICTIONS, **{**query, "asin": "B000NOBODY"}).json()["restrictions"]
    assert [reason["reasonCode"] for reason in unknown[0]["reasons"]] == ["ASIN_NOT_FOUND"]
    wish = {"selling_partner_id": "A1US", "marketplace_id": US, "asin": "B000TEAPOT"}
    amazon.dial("POST", "/sandbox/restrictions", wish)
    amazon.dial("POST", "/sandbox/restrictions", {**wish, "reason_code": "NOT_ELIGIBLE", "condition_type": "used_good"})
    approval, not_eligible = seller.call("GET", RESTRICTIONS, **query).json()["restrictions"]
    assert approval["reasons"][0]["links"][0]["resource"].endswith("asin=B000TEAPOT")
    assert not_eligible["conditionType"] == "used_good"
    assert "links" not in not_eligible["reasons"][0]
    narrowed = seller.call("GET", RESTRICTIONS, **query, conditionType="new_new").json()["restrictions"]
    assert narrowed == [approval]
    amazon.dial("DELETE", "/sandbox/restrictions")
    assert seller.call("GET", RESTRICTIONS, **query).json() == {"restrictions": []}


@pytest.mark.parametrize(
    "changes",
    [{"asin": "BAD_ASIN"}, {"sellerId": None}, {"marketplaceIds": None}, {"conditionType": "shiny"}],
)
def test_a_wrong_question_about_restrictions_is_400(seller: SellingPartner, changes: dict[str, str | None]) -> None:
    query = {"asin": "B000TEAPOT", "sellerId": "A1US", "marketplaceIds": US, **changes}
    answer = seller.call("GET", RESTRICTIONS, **{name: value for name, value in query.items() if value is not None})
    assert (answer.status_code, answer.json()[0]["code"]) == (400, "BAD_REQUEST")


def test_the_restrictions_of_another_seller_are_403(seller: SellingPartner) -> None:
    seller.amazon.check = None
    query = {"asin": "B000TEAPOT", "sellerId": "A9", "marketplaceIds": US}
    assert seller.call("GET", RESTRICTIONS, **query).status_code == 403


@pytest.mark.fact("1.5")
@pytest.mark.fact("3.7")
def test_participations_may_list_what_is_no_amazon_store(amazon: LocalAmazon) -> None:
    new = {"selling_partner_id": "A1US", "region": "NA", "name": "Acme", "marketplaces": [US], "non_amazon_store": True}
    amazon.dial("POST", "/sandbox/sellers", new)
    seller = amazon.connect("A1US", "NA")
    ids = [one["marketplace"]["id"] for one in seller.participations().json()["payload"]]
    assert ids == [US, "A38D8NSA03LJTC"]
    account = seller.call("GET", "/sellers/v1/account").json()["payload"]
    assert (account["business"]["name"], account["sellingPlan"]) == ("Acme", "PROFESSIONAL")
    assert len(account["marketplaceParticipationList"]) == 2


@pytest.mark.parametrize(
    ("path", "body", "hint"),
    [
        ("/sandbox/products", {"marketplace_id": "X", "products": []}, "marketplace"),
        ("/sandbox/products", {"marketplace_id": US, "products": [{"asin": "short", "title": "x"}]}, "asin"),
        (
            "/sandbox/restrictions",
            {"selling_partner_id": "A1US", "marketplace_id": US, "asin": "B000TEAPOT", "condition_type": "shiny"},
            "new_new",
        ),
    ],
)
def test_catalogue_dials_used_wrongly_say_how(seller: SellingPartner, path: str, body: object, hint: str) -> None:
    answer = seller.amazon.http.post(seller.amazon.urls["dials"] + path, json=body)
    assert answer.status_code == 400
    assert hint in answer.json()["error"]
