"""searchListingsItems: identifiers, windows, pages and the ceiling."""

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"


def seed(seller: SellingPartner, count: int) -> None:
    listings = [{"sku": f"S{number:04d}", "price": 5, "quantity": number % 2} for number in range(count)]
    body = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": US, "listings": listings}
    seller.amazon.dial("POST", "/sandbox/listings", body)


def skus(seller: SellingPartner, **query: str) -> list[str]:
    answer = seller.search_listings(marketplaceIds=US, **query)
    assert answer.status_code == 200, answer.text
    return [item["sku"] for item in answer.json()["items"]]


@pytest.mark.fact("5.1.3")
def test_twenty_skus_are_found_by_identifier_in_one_call(seller: SellingPartner) -> None:
    seed(seller, 50)
    wanted = [f"S{number:04d}" for number in range(0, 40, 2)]
    found = skus(seller, identifiers=",".join([*wanted[:19], "nobody"]), identifiersType="SKU", pageSize="20")
    assert sorted(found) == wanted[:19]
    too_many = seller.search_listings(marketplaceIds=US, identifiers=",".join(["x"] * 21), identifiersType="SKU")
    assert too_many.status_code == 400


@pytest.mark.fact("5.1.3")
def test_pages_lead_through_all_items_and_back(seller: SellingPartner) -> None:
    seed(seller, 45)
    query = {"marketplaceIds": US, "pageSize": "20", "sortBy": "sku", "sortOrder": "ASC"}
    first = seller.search_listings(**query).json()
    assert first["numberOfResults"] == 45
    assert "previousToken" not in first["pagination"]
    second = seller.search_listings(**query, pageToken=first["pagination"]["nextToken"]).json()
    third = seller.search_listings(**query, pageToken=second["pagination"]["nextToken"]).json()
    found = [item["sku"] for page in (first, second, third) for item in page["items"]]
    assert found == [f"S{number:04d}" for number in range(45)]
    assert "nextToken" not in third["pagination"]
    back = seller.search_listings(**query, pageToken=third["pagination"]["previousToken"]).json()
    assert back["items"] == second["items"]


@pytest.mark.fact("5.1.3")
def test_no_more_than_a_thousand_skus_can_be_paged(seller: SellingPartner) -> None:
    seed(seller, 1030)
    paged = 0
    query = {"marketplaceIds": US, "pageSize": "20"}
    while True:
        page = seller.search_listings(**query).json()
        assert page["numberOfResults"] == 1030
        paged += len(page["items"])
        if "nextToken" not in page["pagination"]:
            break
        query["pageToken"] = page["pagination"]["nextToken"]
    assert paged == 1000


def test_a_page_token_of_another_query_or_of_nobody_is_refused(seller: SellingPartner) -> None:
    seed(seller, 12)
    token = seller.search_listings(marketplaceIds=US).json()["pagination"]["nextToken"]
    assert seller.search_listings(marketplaceIds=US, withStatus="BUYABLE", pageToken=token).status_code == 400
    assert seller.search_listings(marketplaceIds=US, pageToken=token[:-2] + "AA").status_code == 400
    assert seller.search_listings(marketplaceIds=US, pageToken="?").status_code == 400


@pytest.mark.fact("5.1.3")
def test_filters_choose_by_status_window_and_asin(amazon: LocalAmazon, seller: SellingPartner) -> None:
    seed(seller, 6)
    assert sorted(skus(seller, withStatus="BUYABLE")) == ["S0001", "S0003", "S0005"]
    assert sorted(skus(seller, withoutStatus="BUYABLE")) == ["S0000", "S0002", "S0004"]
    assert skus(seller, createdAfter="2100-01-01T00:00:00Z") == []
    assert len(skus(seller, lastUpdatedAfter="2001-01-01T00:00:00Z")) == 6
    assert skus(seller, identifiers="B000000004", identifiersType="ASIN") == ["S0004"]
    assert skus(seller, withIssueSeverity="ERROR") == []
    amazon.dial("DELETE", "/sandbox/listings", selling_partner_id="A1US", marketplace_id=US, sku="S0001")
    assert sorted(skus(seller, withStatus="BUYABLE")) == ["S0003", "S0005"]


@pytest.mark.fact("5.1.3")
def test_the_fnsku_that_a_summary_shows_finds_the_listing(seller: SellingPartner) -> None:
    seed(seller, 2)
    listing = {"sku": "F", "price": 5, "asin": "B012345678", "fulfillment_channel_code": "AMAZON_NA"}
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "listings": [listing]}
    seller.amazon.dial("POST", "/sandbox/listings", body)
    fn_sku = seller.listings_item("GET", "F", marketplaceIds=US).json()["summaries"][0]["fnSku"]
    assert skus(seller, identifiers=fn_sku, identifiersType="FNSKU") == ["F"]
    assert skus(seller, identifiers="B012345678", identifiersType="FNSKU") == []


@pytest.mark.parametrize(
    "query",
    [
        {"identifiers": "S0001"},
        {"identifiersType": "SKU"},
        {"identifiers": "S0001", "identifiersType": "ISSN"},
        {"identifiers": "S0001", "identifiersType": "SKU", "variationParentSku": "P"},
        {"pageSize": "21"},
        {"pageSize": "zero"},
        {"sortBy": "price"},
        {"includedData": "everything"},
        {"createdAfter": "yesterday"},
    ],
)
def test_a_wrong_query_is_400(seller: SellingPartner, query: dict[str, str]) -> None:
    assert seller.search_listings(marketplaceIds=US, **query).status_code == 400
