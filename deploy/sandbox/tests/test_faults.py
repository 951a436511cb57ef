"""Storms, odds, outages of one region, and silence: the faults beyond the next call."""

import time

import httpx
import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US, JP = "ATVPDKIKX0DER", "A1VC38T7YXB528"
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.mark.fault("F10")
def test_a_storm_lasts_as_long_as_it_was_asked_to(amazon: LocalAmazon, seller: SellingPartner) -> None:
    storm = {"operation": "searchOrders", "status": 429, "for_s": 600}
    amazon.dial("POST", "/sandbox/faults", storm)
    assert [seller.search_orders(lastUpdatedAfter=LONG_AGO).status_code for _ in range(3)] == [429] * 3
    (armed,) = amazon.dial("GET", "/sandbox/faults")["armed"]
    assert (armed["hits"], armed["left"]) == (3, None)
    assert seller.participations().status_code == 200
    amazon.advance(600)
    assert seller.search_orders(lastUpdatedAfter=LONG_AGO).status_code == 200
    assert amazon.dial("GET", "/sandbox/faults") == {"armed": []}


@pytest.mark.fact("3.3")
@pytest.mark.parametrize(("kind", "status"), [("status", 429), ("status", 503), ("html", 503)])
def test_what_a_storm_answers_has_no_rate_limit_header(
    amazon: LocalAmazon, seller: SellingPartner, kind: str, status: int
) -> None:
    amazon.settings(quotas={"enabled": True})
    amazon.check = None
    amazon.dial("POST", "/sandbox/faults", {"operation": "getAccount", "kind": kind, "status": status})
    stormy = seller.call("GET", "/sellers/v1/account")
    assert stormy.status_code == status
    assert "x-amzn-ratelimit-limit" not in stormy.headers
    assert "x-amzn-ratelimit-limit" in seller.call("GET", "/sellers/v1/account").headers


@pytest.mark.fault("F11")
def test_odds_are_drawn_from_a_seed_and_so_repeat(amazon: LocalAmazon, seller: SellingPartner) -> None:
    def run(seed: int) -> list[int]:
        fault = {"operation": "getMarketplaceParticipations", "status": 503, "probability": 0.5, "seed": seed}
        amazon.dial("POST", "/sandbox/faults", fault)
        statuses = [seller.participations().status_code for _ in range(20)]
        amazon.dial("DELETE", "/sandbox/faults")
        return statuses

    first = run(7)
    assert first == run(7)
    assert first != run(8)
    assert set(first) == {200, 503}


@pytest.mark.pain("14")
def test_an_operation_can_be_refused_for_one_account_in_one_region_only(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    for seller_id in ("A4JP", "A5JP"):
        amazon.create_seller(seller_id, "FE", JP)
    hit, spared = amazon.connect("A4JP", "FE"), amazon.connect("A5JP", "FE")
    outage = {
        "operation": "searchOrders",
        "status": 400,
        "for_s": 12 * 3600,
        "region": "FE",
        "selling_partner_id": "A4JP",
        "query": {"includedData": "FULFILLMENT"},
    }
    amazon.dial("POST", "/sandbox/faults", outage)
    query = {"lastUpdatedAfter": LONG_AGO, "includedData": "BUYER,FULFILLMENT"}
    assert [hit.search_orders(**query).status_code for _ in range(2)] == [400, 400]
    assert hit.search_orders(lastUpdatedAfter=LONG_AGO, includedData="BUYER").status_code == 200
    assert spared.search_orders(**query).status_code == 200
    assert seller.search_orders(**query).status_code == 200
    amazon.advance(12 * 3600)
    hit.access_token = amazon.token("FE", grant_type="refresh_token", refresh_token=hit.refresh_token).json()[
        "access_token"
    ]
    assert hit.search_orders(**query).status_code == 200


def test_a_whole_region_can_be_down(amazon: LocalAmazon, seller: SellingPartner, uk_seller: SellingPartner) -> None:
    amazon.check = None
    amazon.dial("POST", "/sandbox/faults", {"operation": "*", "region": "EU", "status": 503, "for_s": 60})
    assert uk_seller.participations().status_code == 503
    assert uk_seller.search_orders(lastUpdatedAfter=LONG_AGO).status_code == 503
    assert seller.participations().status_code == 200
    assert amazon.token("EU", grant_type="refresh_token", refresh_token=uk_seller.refresh_token).status_code == 200


@pytest.mark.fault("F12")
@pytest.mark.parametrize("after_effect", [False, True])
def test_a_timeout_is_silence_before_or_after_the_effect(
    amazon: LocalAmazon, seller: SellingPartner, after_effect: bool
) -> None:
    listing = {"sku": "S", "price": 20, "quantity": 5}
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "listings": [listing]}
    amazon.dial("POST", "/sandbox/listings", body)
    silence = {"operation": "deleteListingsItem", "kind": "timeout", "seconds": 0.2, "after_effect": after_effect}
    amazon.dial("POST", "/sandbox/faults", silence)
    began = time.monotonic()
    with pytest.raises(httpx.TransportError):
        seller.listings_item("DELETE", "S", marketplaceIds=US)
    assert time.monotonic() - began >= 0.2
    books = amazon.dial("GET", "/sandbox/books/listings", selling_partner_id="A1US", marketplace_id=US)["listings"]
    assert books[0]["listed"] is not after_effect


@pytest.mark.fault("F12")
def test_a_confirmation_can_be_answered_204_and_be_lost(amazon: LocalAmazon, seller: SellingPartner) -> None:
    order = {"lines": [{"sku": "S", "quantity": 1, "unit_price": 5}]}
    wish = {"selling_partner_id": "A1US", "marketplace_id": US, "orders": [order]}
    (placed,) = amazon.dial("POST", "/sandbox/orders", wish)["orders"]
    detail = {
        "packageReferenceId": "1",
        "carrierCode": "UPS",
        "trackingNumber": "1Z",
        "shipDate": "2026-11-23T10:00:00Z",
        "orderItems": [{"orderItemId": placed["order_item_ids"][0], "quantity": 1}],
    }
    body = {"marketplaceId": US, "packageDetail": detail}
    amazon.dial("POST", "/sandbox/faults", {"operation": "confirmShipment", "kind": "lost_effect"})
    assert seller.confirm_shipment(placed["amazon_order_id"], body).status_code == 204
    assert "packages" not in seller.order(placed["amazon_order_id"], includedData="PACKAGES").json()["order"]
    assert seller.confirm_shipment(placed["amazon_order_id"], body).status_code == 204
    assert "packages" in seller.order(placed["amazon_order_id"], includedData="PACKAGES").json()["order"]


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        ({"operation": "getOrder", "status": 500, "probability": 2}, "probability"),
        ({"operation": "getOrder", "status": 500, "for_s": 0}, "for_s"),
        ({"operation": "getOrder", "kind": "timeout", "seconds": 601}, "seconds"),
        ({"operation": "getOrder", "status": 500, "region": "MARS"}, "EU"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(amazon: LocalAmazon, fault: dict[str, object], hint: str) -> None:
    answer = amazon.http.post(amazon.urls["dials"] + "/sandbox/faults", json=fault)
    assert answer.status_code == 400
    assert hint in answer.json()["error"]
