"""Roles and Restricted Data Tokens: what is missing without them, and how Amazon says so or does not."""

from typing import Any

import pytest

from amazon_sandbox.roles import (
    DIRECT_TO_CONSUMER,
    INVENTORY_AND_ORDERS,
    PRODUCT_LISTING,
    TAX_INVOICING,
)
from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
PLAIN_ROLES = [PRODUCT_LISTING, INVENTORY_AND_ORDERS]
EVERYTHING = "BUYER,RECIPIENT,FULFILLMENT"
RDT = "/tokens/2021-03-01/restrictedDataToken"


def place(seller: SellingPartner, **changes: Any) -> dict[str, Any]:
    order = {"lines": [{"sku": "S", "quantity": 2, "unit_price": 20}], "gift_message": "Canary wish", **changes}
    wish = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": US, "orders": [order]}
    placed: dict[str, Any] = seller.amazon.dial("POST", "/sandbox/orders", wish)["orders"][0]
    return placed


def shown(seller: SellingPartner, order_id: str) -> dict[str, Any]:
    document: dict[str, Any] = seller.order(order_id, includedData=EVERYTHING).json()["order"]
    return document


@pytest.mark.fact("4.1")
@pytest.mark.fact("4.2")
@pytest.mark.pain("11")
@pytest.mark.pain("12")
def test_without_the_role_people_are_silently_absent(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.app_settings(roles=PLAIN_ROLES)
    seller = amazon.connect("A1US", "NA")
    order = shown(seller, place(seller)["amazon_order_id"])
    assert "anary" not in str(order)
    assert order["buyer"] == {}
    assert set(order["recipient"]["deliveryAddress"]) == {"city", "stateOrRegion", "countryCode"}
    found = seller.search_orders(lastUpdatedAfter="2020-01-01T00:00:00Z", includedData=EVERYTHING)
    assert (found.status_code, "anary" in found.text) == (200, False)


@pytest.mark.fact("2.3.4")
@pytest.mark.pain("11")
def test_a_role_gained_later_counts_from_the_next_consent_on(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.app_settings(roles=PLAIN_ROLES)
    seller = amazon.connect("A1US", "NA")
    order_id = place(seller)["amazon_order_id"]
    amazon.app_settings(roles=[*PLAIN_ROLES, DIRECT_TO_CONSUMER])
    assert "recipient" in shown(seller, order_id)
    assert "anary" not in str(shown(seller, order_id))
    tokens = amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token).json()
    assert "anary" not in str(shown(seller.with_token(tokens["access_token"]), order_id))
    renewed = amazon.connect("A1US", "NA")
    assert "buyerEmail" in shown(renewed, order_id)["buyer"]
    assert "Canary" in shown(renewed, order_id)["recipient"]["deliveryAddress"]["name"]
    amazon.app_settings(roles=PLAIN_ROLES)
    assert "anary" not in str(shown(renewed, order_id)), "a role that is lost is lost at once"


@pytest.mark.fact("4.2")
def test_the_buyers_name_of_an_order_amazon_fulfils_needs_a_tax_role(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.app_settings(roles=[*PLAIN_ROLES, TAX_INVOICING])
    seller = amazon.connect("A1US", "NA")
    buyer = shown(seller, place(seller, fulfilled_by="AMAZON")["amazon_order_id"])["buyer"]
    assert set(buyer) == {"buyerName"}


@pytest.mark.fact("4.3")
@pytest.mark.pain("12")
def test_the_email_address_goes_with_the_status_and_the_channel(amazon: LocalAmazon, seller: SellingPartner) -> None:
    unshipped, pending, by_amazon = (
        place(seller, **changes)["amazon_order_id"]
        for changes in ({}, {"status": "PENDING"}, {"fulfilled_by": "AMAZON"})
    )
    assert "buyerEmail" in shown(seller, unshipped)["buyer"]
    assert "buyer" not in shown(seller, pending)
    assert "buyerEmail" not in shown(seller, by_amazon)["buyer"]
    amazon.dial("POST", f"/sandbox/orders/{unshipped}/cancel")
    assert "buyer" not in shown(seller, unshipped)


@pytest.mark.fact("3.8")
def test_without_the_role_of_an_operation_the_call_is_403(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.app_settings(roles=["Pricing"])
    seller = amazon.connect("A1US", "NA")
    assert seller.search_orders(lastUpdatedAfter="2020-01-01T00:00:00Z").status_code == 403
    assert seller.listings_item("GET", "S", marketplaceIds=US).status_code == 403
    assert seller.participations().status_code == 200


@pytest.mark.fact("4.4")
@pytest.mark.fact("4.6")
@pytest.mark.parametrize("path", ["specific", "generic"])
def test_a_restricted_data_token_opens_exactly_its_resources(
    amazon: LocalAmazon, seller: SellingPartner, path: str
) -> None:
    order_id, other_id = place(seller)["amazon_order_id"], place(seller)["amazon_order_id"]
    named = order_id if path == "specific" else "{orderId}"
    rdt = seller.restricted(f"/orders/v0/orders/{named}", "buyerInfo", "shippingAddress")
    order = rdt.call("GET", f"/orders/v0/orders/{order_id}").json()["payload"]
    assert "Canary" in order["ShippingAddress"]["Name"]
    assert "canary" in order["BuyerInfo"]["BuyerEmail"]
    other = rdt.call("GET", f"/orders/v0/orders/{other_id}")
    assert other.status_code == (403 if path == "specific" else 200)
    assert rdt.call("GET", f"/orders/v0/orders/{order_id}/address").status_code == 403
    assert rdt.participations().status_code == 403
    assert rdt.call("POST", RDT, {"restrictedResources": []}).status_code == 403
    amazon.advance(3601)
    assert rdt.call("GET", f"/orders/v0/orders/{order_id}").status_code == 403


@pytest.mark.fact("4.4")
def test_a_token_opens_the_elements_it_names_and_no_others(seller: SellingPartner) -> None:
    order_id = place(seller)["amazon_order_id"]
    path = f"/orders/v0/orders/{order_id}"
    with_buyer = seller.restricted(path, "buyerInfo").call("GET", path).json()["payload"]
    assert "BuyerInfo" in with_buyer
    assert set(with_buyer["ShippingAddress"]) == {"City", "StateOrRegion", "PostalCode", "CountryCode"}
    bare = seller.restricted(path).call("GET", path).json()["payload"]
    assert "anary" not in str(bare)


@pytest.mark.fact("4.7")
def test_what_is_restricted_needs_the_token_and_the_rest_only_loses_its_people(seller: SellingPartner) -> None:
    order_id = place(seller, regulated=True)["amazon_order_id"]
    base = f"/orders/v0/orders/{order_id}"
    for path in ("/address", "/buyerInfo", "/regulatedInfo", "/orderItems/buyerInfo"):
        assert seller.call("GET", base + path).status_code == 403, path
        opened = seller.restricted(base + path).call("GET", base + path)
        assert "anary" in opened.text, path
    for path in ("", "/orderItems"):
        plain = seller.call("GET", base + path)
        assert (plain.status_code, "anary" in plain.text) == (200, False), path
        opened = seller.restricted(base + path, "buyerInfo").call("GET", base + path)
        assert "anary" in opened.text, path


def resources(**changes: Any) -> dict[str, Any]:
    resource = {"method": "GET", "path": "/orders/v0/orders", "dataElements": ["buyerInfo"], **changes}
    return {"restrictedResources": [{name: value for name, value in resource.items() if value is not None}]}


@pytest.mark.fact("4.4")
@pytest.mark.pain("11")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"restrictedResources": []},
        {"restrictedResources": "all"},
        {"restrictedResources": resources()["restrictedResources"] * 51},
        {**resources(), "targetApplication": None},
        {**resources(), "targetApplication": "amzn1.sellerapps.app.nobody"},
        {**resources(), "targetApplication": {"nested": []}},
        resources(dataElements=["shoeSize"]),
        resources(method="POST"),
        resources(method="BREW"),
        resources(path="orders/v0/orders"),
        resources(path="/orders/2026-01-01/orders"),
        resources(path="/sellers/v1/account"),
        resources(path="/orders/v0/orders/{orderId}/address"),
        resources(path="/reports/2021-06-30/documents/{reportDocumentId}", dataElements=None),
    ],
)
def test_a_wrong_request_for_a_restricted_data_token_is_400(seller: SellingPartner, body: dict[str, Any]) -> None:
    answer = seller.call("POST", RDT, body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "InvalidInput")


@pytest.mark.fact("4.4")
def test_fifty_resources_and_a_report_document_are_fine(seller: SellingPartner) -> None:
    body = {"restrictedResources": resources()["restrictedResources"] * 49}
    body["restrictedResources"].append({"method": "GET", "path": "/reports/2021-06-30/documents/amzn1.tortuga.4"})
    answer = seller.call("POST", RDT, body)
    assert answer.status_code == 200
    assert answer.json()["restrictedDataToken"].startswith("Atz.sprdt|")
    assert answer.json()["expiresIn"] == 3600


@pytest.mark.fact("4.5")
@pytest.mark.pain("11")
def test_without_the_role_the_data_elements_are_refused_by_name(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.app_settings(roles=PLAIN_ROLES)
    seller = amazon.connect("A1US", "NA")
    answer = seller.call("POST", RDT, resources(dataElements=["buyerInfo", "shippingAddress"]))
    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert error["message"] == (
        "Application does not have access to one or more requested data elements: [buyerInfo, shippingAddress]"
    )
    assert seller.call("POST", RDT, resources(dataElements=None)).status_code == 403


@pytest.mark.fact("4.8")
def test_addresses_come_with_the_status_and_phones_leave_with_the_delivery(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    pending, unshipped, by_amazon = (
        place(seller, **changes)["amazon_order_id"]
        for changes in ({"status": "PENDING"}, {}, {"fulfilled_by": "AMAZON"})
    )
    path = "/orders/v0/orders/{orderId}/address"

    def address(order_id: str) -> dict[str, str]:
        rdt = seller.restricted(path)
        payload = rdt.call("GET", path.format(orderId=order_id)).json()["payload"]
        found: dict[str, str] = payload.get("ShippingAddress", {})
        return found

    assert address(pending) == {}
    assert "Phone" in address(unshipped)
    assert "Phone" not in address(by_amazon)
    item = shown(seller, unshipped)["orderItems"][0]["orderItemId"]
    detail: dict[str, Any] = {"packageReferenceId": "1", "carrierCode": "UPS", "trackingNumber": "1Z"}
    detail |= {"shipDate": "2026-11-23T10:00:00Z", "orderItems": [{"orderItemId": item, "quantity": 2}]}
    assert seller.confirm_shipment(unshipped, {"marketplaceId": US, "packageDetail": detail}).status_code == 204
    assert "Phone" in address(unshipped)
    amazon.advance(30 * 24 * 3600)
    tokens = amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token).json()
    seller = seller.with_token(tokens["access_token"])
    assert "Phone" not in address(unshipped)
    assert "Name" in address(unshipped)
