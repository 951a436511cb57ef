"""Product type definitions: the locales, the schema by URL, and that the schema says what PUT says."""

import hashlib
from typing import Any

import pytest
from jsonschema import Draft201909Validator  # type: ignore[import-untyped]

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
TYPES = "/definitions/2020-09-01/productTypes"


def test_product_types_are_searched_by_keywords_or_by_name(seller: SellingPartner) -> None:
    everything = seller.call("GET", TYPES, marketplaceIds=US).json()
    assert {one["name"] for one in everything["productTypes"]} >= {"PRODUCT", "LUGGAGE", "SHOES"}
    found = seller.call("GET", TYPES, marketplaceIds=US, keywords="luggage,shoes").json()["productTypes"]
    assert [one["name"] for one in found] == ["LUGGAGE", "SHOES"]
    named = seller.call("GET", TYPES, marketplaceIds=US, itemName="Running Shoes").json()["productTypes"]
    assert [one["displayName"] for one in named] == ["Shoes"]
    assert seller.call("GET", TYPES, marketplaceIds=US, keywords="a", itemName="b").status_code == 400
    assert seller.call("GET", TYPES).status_code == 400


def definition(seller: SellingPartner, product_type: str = "PRODUCT", **query: str) -> Any:
    answer = seller.call("GET", f"{TYPES}/{product_type}", **{"marketplaceIds": US, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.fact("5.3")
def test_a_definition_links_to_its_schema_with_a_checksum(amazon: LocalAmazon, seller: SellingPartner) -> None:
    shown = definition(seller, "LUGGAGE", requirements="LISTING_OFFER_ONLY", requirementsEnforced="NOT_ENFORCED")
    assert (shown["productType"], shown["locale"], shown["requirements"]) == ("LUGGAGE", "en_US", "LISTING_OFFER_ONLY")
    for link in (shown["schema"], shown["metaSchema"]):
        fetched = amazon.http.get(link["link"]["resource"])
        assert fetched.status_code == 200
        assert hashlib.md5(fetched.content).hexdigest() == link["checksum"]
    schema = amazon.http.get(shown["schema"]["link"]["resource"]).json()
    assert "required" not in schema
    assert "purchasable_offer" in schema["properties"]
    assert "item_name" not in schema["properties"]
    assert set(shown["propertyGroups"]) == {"offer"}
    missing = shown["schema"]["link"]["resource"].replace("LUGGAGE", "NOTHING")
    assert amazon.http.get(missing).status_code == 404


@pytest.mark.fact("1.3")
def test_a_locale_is_one_of_amazons_list_which_has_no_irish(amazon: LocalAmazon) -> None:
    amazon.create_seller("A2IE", "EU", "A28R8C7NBKEWEA")
    seller = amazon.connect("A2IE", "EU")
    ireland = {"marketplaceIds": "A28R8C7NBKEWEA"}
    assert definition(seller, **ireland, locale="DEFAULT")["locale"] == "en_IE"
    assert definition(seller, **ireland, locale="de_DE")["locale"] == "de_DE"
    for locale in ("en_IE", "en_ZA", "fr_BE", "ar_EG", "ar_SA", "de_AT"):
        assert seller.call("GET", f"{TYPES}/PRODUCT", **ireland, locale=locale).status_code == 400, locale


@pytest.mark.parametrize(
    ("product_type", "query", "status"),
    [
        ("INVALID", {}, 404),
        ("PRODUCT", {"requirements": "EVERYTHING"}, 400),
        ("PRODUCT", {"requirementsEnforced": "MAYBE"}, 400),
        ("PRODUCT", {"productTypeVersion": "1999"}, 400),
        ("PRODUCT", {"marketplaceIds": "A1F83G8C2ARO7P"}, 400),
    ],
)
def test_a_wrong_question_about_a_product_type_is_refused(
    seller: SellingPartner, product_type: str, query: dict[str, str], status: int
) -> None:
    answer = seller.call("GET", f"{TYPES}/{product_type}", **{"marketplaceIds": US, **query})
    assert answer.status_code == status


@pytest.mark.fact("5.3")
@pytest.mark.fact("5.3.4")
@pytest.mark.pain("4")
def test_the_schema_refuses_what_put_refuses(amazon: LocalAmazon, seller: SellingPartner) -> None:
    shown = definition(seller, requirements="LISTING_OFFER_ONLY")
    schema = amazon.http.get(shown["schema"]["link"]["resource"]).json()
    where = {"marketplace_id": US}
    price = [{"schedule": [{"value_with_tax": 19.99}]}]
    offer = {**where, "audience": "ALL", "currency": "USD", "our_price": price}
    good: dict[str, Any] = {
        "merchant_suggested_asin": [{"value": "B0XXXXXXXX", **where}],
        "condition_type": [{"value": "new_new", **where}],
        "purchasable_offer": [offer],
        "fulfillment_availability": [
            {"fulfillment_channel_code": "DEFAULT", "quantity": 10, "lead_time_to_ship_max_days": 2}
        ],
    }
    cases: list[tuple[dict[str, Any], bool]] = [
        (good, True),
        ({name: value for name, value in good.items() if name != "condition_type"}, False),
        ({name: value for name, value in good.items() if name != "merchant_suggested_asin"}, False),
        ({**good, "purchaseable_offer": [offer]}, False),
        ({**good, "purchasable_offer": [{**offer, "our_price": {"schedule": [{"value_with_tax": 1}]}}]}, False),
        ({**good, "purchasable_offer": [{**offer, "our_price": [{"value_with_tax": 1}]}]}, False),
        ({**good, "purchasable_offer": [{**offer, "currency": "EUR"}]}, False),
        ({**good, "condition_type": [{"value": "shiny", **where}]}, False),
        ({**good, "fulfillment_availability": [{"quantity": 3}]}, False),
    ]
    validator = Draft201909Validator({name: part for name, part in schema.items() if name != "$schema"})
    for attributes, fits in cases:
        assert validator.is_valid(attributes) is fits, attributes
        body = {"productType": "PRODUCT", "requirements": "LISTING_OFFER_ONLY", "attributes": attributes}
        preview = {"marketplaceIds": US, "mode": "VALIDATION_PREVIEW"}
        answer = seller.listings_item("PUT", "S", body, **preview).json()
        assert answer["status"] == ("VALID" if fits else "INVALID"), attributes
