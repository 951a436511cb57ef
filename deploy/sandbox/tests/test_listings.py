"""getListingsItem, put, patch and delete, with siblings lost where Amazon loses them."""

from typing import Any

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
ALL = "summaries,attributes,issues,offers,fulfillmentAvailability,procurement,relationships,productTypes"

PRICES = (("A1F83G8C2ARO7P", 11, "GBP"), ("A1PA6795UKMFR9", 12, "EUR"))


def seed(seller: SellingPartner, *listings: dict[str, Any], marketplace_id: str = US) -> None:
    body = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": marketplace_id, "listings": listings}
    seller.amazon.dial("POST", "/sandbox/listings", body)


def patch(seller: SellingPartner, sku: str, *patches: dict[str, Any], **query: str) -> dict[str, Any]:
    body = {"productType": "PRODUCT", "patches": patches}
    answer = seller.listings_item("PATCH", sku, body, marketplaceIds=US, **query)
    assert answer.status_code == 200, answer.text
    submission: dict[str, Any] = answer.json()
    return submission


def attributes(seller: SellingPartner, sku: str) -> dict[str, Any]:
    answer = seller.listings_item("GET", sku, marketplaceIds=US, includedData="attributes")
    found: dict[str, Any] = answer.json()["attributes"]
    return found


def replace(path: str, *value: dict[str, Any], op: str = "replace") -> dict[str, Any]:
    return {"op": op, "path": f"/attributes/{path}", "value": list(value)}


def offer(price: float, **fields: Any) -> dict[str, Any]:
    our_price = [{"schedule": [{"value_with_tax": price}]}]
    return {"marketplace_id": US, "currency": "USD", "our_price": our_price, **fields}


def default(**fields: Any) -> dict[str, Any]:
    return {"fulfillment_channel_code": "DEFAULT", **fields}


@pytest.mark.row("E1")
@pytest.mark.fact("5.1.1")
@pytest.mark.edge(16)
@pytest.mark.parametrize("sku", ["A/B", "A%2FB", "a b", "a+b", "R&D", "007", "Ünïcode", "it's", "100%"])
def test_a_sku_round_trips_byte_for_byte(seller: SellingPartner, sku: str) -> None:
    skus = ["A/B", "A%2FB", "a/b", "a b", "a+b", "R&D", "007", "7", "Ünïcode", "it's", "100%"]
    seed(seller, *({"sku": each, "price": 1 + number, "quantity": number} for number, each in enumerate(skus)))
    answer = seller.listings_item("GET", sku, marketplaceIds=US, includedData="fulfillmentAvailability")
    assert answer.json()["sku"] == sku
    assert answer.json()["fulfillmentAvailability"][0]["quantity"] == skus.index(sku)


@pytest.mark.fact("5.1.2")
@pytest.mark.fact("5.3.6")
def test_each_data_set_is_there_when_asked_for_and_only_then(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 30, "quantity": 3, "title": "Lamp", "asin": "B000000042"})
    bare = seller.listings_item("GET", "S", marketplaceIds=US).json()
    assert set(bare) == {"sku", "summaries"}
    whole = seller.listings_item("GET", "S", marketplaceIds=US, includedData=ALL).json()
    assert set(whole) == {"sku", *ALL.split(",")}
    summary = whole["summaries"][0]
    assert (summary["asin"], summary["itemName"], summary["status"]) == (
        "B000000042",
        "Lamp",
        ["BUYABLE", "DISCOVERABLE"],
    )
    assert whole["offers"][0]["price"] == {"currencyCode": "USD", "amount": "30.00"}


def test_an_unknown_sku_is_404_and_a_missing_marketplace_400(seller: SellingPartner) -> None:
    assert seller.listings_item("GET", "nobody", marketplaceIds=US).status_code == 404
    assert seller.listings_item("GET", "nobody").status_code == 400
    assert seller.listings_item("GET", "nobody", marketplaceIds="A1F83G8C2ARO7P").status_code == 400
    assert seller.listings_item("GET", "x" * 41, marketplaceIds=US).status_code == 400


def test_the_listings_of_another_seller_are_403(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.create_seller("A3US", "NA", US)
    other = SellingPartner(amazon, "A3US", "NA", seller.access_token, "")
    assert other.listings_item("GET", "S", marketplaceIds=US).status_code == 403
    assert other.search_listings(marketplaceIds=US).status_code == 403


@pytest.mark.fact("5.4.2")
def test_replace_drops_the_siblings_that_were_not_sent(seller: SellingPartner) -> None:
    seed(
        seller,
        {"sku": "S", "price": 20, "quantity": 3, "lead_time_to_ship_max_days": 2, "minimum_seller_allowed_price": 15},
    )
    result = patch(
        seller,
        "S",
        replace("fulfillment_availability", default(quantity=9)),
        replace("purchasable_offer", offer(21.5)),
    )
    assert result["status"] == "ACCEPTED"
    after = attributes(seller, "S")
    assert after["fulfillment_availability"] == [default(quantity=9)]
    assert after["purchasable_offer"] == [offer(21.5)]


@pytest.mark.fact("5.4.2")
def test_replace_acts_on_the_instance_its_selectors_name(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 20, "quantity": 3})
    patch(seller, "S", replace("fulfillment_availability", {"fulfillment_channel_code": "AMAZON_NA"}))
    patch(seller, "S", replace("purchasable_offer", offer(18, audience="B2B"), op="add"))
    after = attributes(seller, "S")
    channels = [each["fulfillment_channel_code"] for each in after["fulfillment_availability"]]
    assert channels == ["DEFAULT", "AMAZON_NA"]
    assert [each["audience"] for each in after["purchasable_offer"]] == ["ALL", "B2B"]
    offers = seller.listings_item("GET", "S", marketplaceIds=US, includedData="offers").json()["offers"]
    assert [each["offerType"] for each in offers] == ["B2C", "B2B"]


@pytest.mark.fact("5.4.3")
@pytest.mark.edge(19)
def test_merge_keeps_the_siblings(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 20, "quantity": 3, "lead_time_to_ship_max_days": 2})
    patch(seller, "S", replace("fulfillment_availability", default(quantity=5), op="merge"))
    assert attributes(seller, "S")["fulfillment_availability"] == [default(quantity=5, lead_time_to_ship_max_days=2)]


@pytest.mark.fact("5.4.3")
def test_merge_is_refused_where_amazon_does_not_document_it(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 20})
    item_name = {"value": "x", "marketplace_id": US, "language_tag": "en_US"}
    assert patch(seller, "S", replace("item_name", item_name, op="merge"))["status"] == "INVALID"


@pytest.mark.fact("5.4.4")
def test_delete_takes_away_the_instance_its_selectors_name(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 20, "quantity": 3})
    patch(seller, "S", replace("fulfillment_availability", {"fulfillment_channel_code": "AMAZON_NA"}))
    patch(seller, "S", replace("fulfillment_availability", default(), op="delete"))
    assert attributes(seller, "S")["fulfillment_availability"] == [{"fulfillment_channel_code": "AMAZON_NA"}]
    assert patch(seller, "S", replace("fulfillment_availability", {}, op="delete"))["status"] == "INVALID"


@pytest.mark.fact("5.4.4")
def test_delete_names_all_selectors_of_the_instance_or_is_refused(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 20, "quantity": 3})
    where = {"marketplace_id": US}
    for name, needed in (
        ("purchasable_offer", {**where, "currency": "USD"}),
        ("item_name", {**where, "language_tag": "en_US"}),
        ("condition_type", where),
    ):
        before = attributes(seller, "S")
        assert name in before
        if needed != where:
            refused = patch(seller, "S", replace(name, where, op="delete"))
            assert (refused["status"], refused["issues"][0]["attributeNames"]) == ("INVALID", [name])
            assert attributes(seller, "S") == before
        assert patch(seller, "S", replace(name, needed, op="delete"))["status"] == "ACCEPTED"
        assert name not in attributes(seller, "S")


def test_a_patch_is_for_all_its_marketplaces_or_for_none(amazon: LocalAmazon) -> None:
    gb, de = "A1F83G8C2ARO7P", "A1PA6795UKMFR9"
    amazon.create_seller("A4EU", "EU", gb, de)
    seller = amazon.connect("A4EU", "EU")
    for marketplace_id in (gb, de):
        seed(seller, {"sku": "S", "price": 10, "quantity": 1}, marketplace_id=marketplace_id)
    seed(seller, {"sku": "G", "price": 10, "quantity": 1}, marketplace_id=gb)

    def both(sku: str, *patches: dict[str, Any]) -> Any:
        body = {"productType": "PRODUCT", "patches": patches}
        answer = seller.listings_item("PATCH", sku, body, marketplaceIds=f"{gb},{de}")
        assert answer.status_code == 200, answer.text
        return answer.json()["status"]

    def price_and_note(marketplace_id: str) -> tuple[str, str]:
        query = {"marketplaceIds": marketplace_id, "includedData": "offers,attributes"}
        item = seller.listings_item("GET", "S", **query).json()
        return item["offers"][0]["price"]["amount"], item["attributes"]["condition_note"][0]["value"]

    offers = [{**offer(price), "marketplace_id": at, "currency": money} for at, price, money in PRICES]
    note = replace("condition_note", {"value": "As new"})
    assert both("S", replace("purchasable_offer", *offers), note) == "ACCEPTED"
    assert (price_and_note(gb), price_and_note(de)) == (("11.00", "As new"), ("12.00", "As new"))
    assert both("G", note) == "INVALID", "it is listed in one of them only"
    query = {"marketplaceIds": gb, "includedData": "attributes"}
    assert "condition_note" not in seller.listings_item("GET", "G", **query).json()["attributes"]
    body = {"productType": "PRODUCT", "requirements": "LISTING_OFFER_ONLY", "attributes": {}}
    assert seller.listings_item("PUT", "S", body, marketplaceIds=f"{gb},{de}").status_code == 400


@pytest.mark.fact("5.4.1")
@pytest.mark.parametrize("path", ["/attributes/purchasable_offer/0", "/attributes", "/offers", "purchasable_offer"])
def test_a_path_other_than_a_top_level_attribute_is_refused(seller: SellingPartner, path: str) -> None:
    seed(seller, {"sku": "S", "price": 20})
    body = {"productType": "PRODUCT", "patches": [{"op": "replace", "path": path, "value": [offer(1)]}]}
    answer = seller.listings_item("PATCH", "S", body, marketplaceIds=US)
    assert answer.status_code == 400
    assert "Invalid path provided in patch" in answer.json()["errors"][0]["message"]


@pytest.mark.fact("5.4.6")
def test_a_misspelt_attribute_is_issue_90000900(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 20})
    result = patch(seller, "S", replace("purchaseable_offer", offer(1)))
    assert (result["status"], result["issues"][0]["code"]) == ("INVALID", "90000900")


@pytest.mark.fact("5.3.4")
@pytest.mark.fact("5.3.5")
@pytest.mark.parametrize(
    "value",
    [
        ("purchasable_offer", {"marketplace_id": US, "currency": "USD", "our_price": {"value": 1}}),
        ("purchasable_offer", offer(-1)),
        ("purchasable_offer", offer(1.234)),
        ("purchasable_offer", offer(1) | {"currency": "EUR"}),
        ("purchasable_offer", offer(1) | {"currency": ["USD"]}),
        ("purchasable_offer", offer(1) | {"marketplace_id": "A2EUQ1WTGCTBG2"}),
        ("purchasable_offer", offer(10, minimum_seller_allowed_price=[{"schedule": [{"value_with_tax": 11}]}])),
        ("fulfillment_availability", default(quantity=-1)),
        ("fulfillment_availability", default(quantity=1.5)),
        ("fulfillment_availability", default(quantity=True)),
        ("fulfillment_availability", default(quantity=None)),
        ("fulfillment_availability", {"quantity": 1}),
        ("fulfillment_availability", {"fulfillment_channel_code": "AMAZON_NA", "quantity": 1}),
        ("condition_type", {"value": ["new_new"], "marketplace_id": US}),
    ],
)
def test_a_wrong_value_is_invalid_and_changes_nothing(
    seller: SellingPartner, value: tuple[str, dict[str, Any]]
) -> None:
    seed(seller, {"sku": "S", "price": 20, "quantity": 3})
    before = attributes(seller, "S")
    result = patch(seller, "S", replace(*value))
    assert result["status"] == "INVALID"
    assert result["issues"][0]["severity"] == "ERROR"
    assert attributes(seller, "S") == before


def test_a_patch_of_an_unknown_sku_is_invalid(seller: SellingPartner) -> None:
    assert patch(seller, "nobody", replace("fulfillment_availability", default(quantity=1)))["status"] == "INVALID"


OFFER_ONLY = {
    "productType": "PRODUCT",
    "requirements": "LISTING_OFFER_ONLY",
    "attributes": {
        "merchant_suggested_asin": [{"value": "B000000001", "marketplace_id": US}],
        "condition_type": [{"value": "new_new", "marketplace_id": US}],
        "purchasable_offer": [offer(19.99)],
        "fulfillment_availability": [default(quantity=10)],
    },
}


@pytest.mark.fact("5.6.2")
@pytest.mark.fact("5.6.3")
def test_a_write_is_accepted_at_once_and_seen_later(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(listing_delay_s=120)
    assert seller.listings_item("PUT", "NEW", OFFER_ONLY, marketplaceIds=US).json()["status"] == "ACCEPTED"
    assert seller.listings_item("GET", "NEW", marketplaceIds=US).status_code == 404
    books = amazon.dial("GET", "/sandbox/books/listings", selling_partner_id="A1US", marketplace_id=US)["listings"]
    assert (books[0]["price"], books[0]["quantity"], books[0]["in_sight"]) == (19.99, 10, False)
    amazon.advance(121)
    assert seller.listings_item("GET", "NEW", marketplaceIds=US).status_code == 200


def test_a_put_removes_what_it_leaves_out(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 20, "quantity": 3, "title": "Lamp", "lead_time_to_ship_max_days": 2})
    seller.listings_item("PUT", "S", OFFER_ONLY, marketplaceIds=US)
    after = attributes(seller, "S")
    assert "item_name" not in after
    assert after["fulfillment_availability"] == [default(quantity=10)]


def test_a_put_without_what_an_offer_needs_is_issue_90220(seller: SellingPartner) -> None:
    body = {**OFFER_ONLY, "attributes": {"purchasable_offer": [offer(1)]}}
    result = seller.listings_item("PUT", "S", body, marketplaceIds=US).json()
    assert result["status"] == "INVALID"
    assert {each["attributeNames"][0] for each in result["issues"]} == {"condition_type", "merchant_suggested_asin"}
    assert {each["code"] for each in result["issues"]} == {"90220"}


@pytest.mark.fact("5.1.2")
def test_a_preview_validates_and_changes_nothing(seller: SellingPartner) -> None:
    query = {"marketplaceIds": US, "mode": "VALIDATION_PREVIEW", "includedData": "identifiers,issues"}
    result = seller.listings_item("PUT", "S", OFFER_ONLY, **query).json()
    assert result["status"] == "VALID"
    assert result["identifiers"] == [{"marketplaceId": US, "asin": "B000000001"}]
    assert seller.listings_item("GET", "S", marketplaceIds=US).status_code == 404
    refused = seller.listings_item("PUT", "S", OFFER_ONLY, marketplaceIds=US, includedData="identifiers")
    assert refused.status_code == 400


def test_deleting_leaves_404_and_deleting_again_is_success(seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 20})
    assert seller.listings_item("DELETE", "S", marketplaceIds=US).json()["status"] == "ACCEPTED"
    assert seller.listings_item("GET", "S", marketplaceIds=US).status_code == 404
    assert seller.listings_item("DELETE", "S", marketplaceIds=US).json()["status"] == "ACCEPTED"


def test_the_same_sku_in_two_marketplaces_shares_its_quantity(amazon: LocalAmazon) -> None:
    gb, de = "A1F83G8C2ARO7P", "A1PA6795UKMFR9"
    amazon.create_seller("A4EU", "EU", gb, de)
    seller = amazon.connect("A4EU", "EU")
    seed(seller, {"sku": "S", "price": 10, "quantity": 1}, marketplace_id=gb)
    seed(seller, {"sku": "S", "price": 12, "quantity": 4}, marketplace_id=de)
    item = seller.listings_item(
        "GET", "S", marketplaceIds=f"{gb},{de}", includedData="offers,fulfillmentAvailability"
    ).json()
    assert [each["price"] for each in item["offers"]] == [
        {"currencyCode": "GBP", "amount": "10.00"},
        {"currencyCode": "EUR", "amount": "12.00"},
    ]
    assert item["fulfillmentAvailability"] == [{"fulfillmentChannelCode": "DEFAULT", "quantity": 4}]
    seller.listings_item("DELETE", "S", marketplaceIds=gb)
    assert seller.listings_item("GET", "S", marketplaceIds=gb).status_code == 404
    assert seller.listings_item("GET", "S", marketplaceIds=de).status_code == 200


@pytest.mark.parametrize("body", [None, [], {"productType": "PRODUCT"}, {"patches": []}, {"productType": 1}])
def test_a_body_of_another_shape_is_400(seller: SellingPartner, body: object) -> None:
    seed(seller, {"sku": "S", "price": 20})
    assert seller.listings_item("PATCH", "S", body, marketplaceIds=US).status_code == 400


def test_the_books_count_writes_and_keep_their_history(amazon: LocalAmazon, seller: SellingPartner) -> None:
    seed(seller, {"sku": "S", "price": 20, "quantity": 3}, {"sku": "T", "price": 1, "quantity": 1})
    patch(seller, "S", replace("fulfillment_availability", default(quantity=5), op="merge"))
    patch(seller, "S", replace("purchasable_offer", offer(18.25)))
    query = {"selling_partner_id": "A1US", "marketplace_id": US, "written": "true"}
    (written,) = amazon.dial("GET", "/sandbox/books/listings", **query)["listings"]
    assert (written["sku"], written["writes"], written["price"], written["quantity"]) == ("S", 2, 18.25, 5)
    assert [(each["price"], each["quantity"]) for each in written["history"]] == [(20, 5), (18.25, 5)]
