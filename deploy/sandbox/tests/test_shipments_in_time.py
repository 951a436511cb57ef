"""A package shows when it is due, however far the clock jumps before somebody asks (FACTS 8.4.7)."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
JUMP_S = 3500  # nearly the life of an access token


def place(seller: SellingPartner) -> tuple[str, str]:
    lines = [{"sku": "S", "quantity": 1, "unit_price": 10}]
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "orders": [{"lines": lines}]}
    (placed,) = seller.amazon.dial("POST", "/sandbox/orders", body)["orders"]
    return placed["amazon_order_id"], placed["order_item_ids"][0]


def now(amazon: LocalAmazon) -> datetime:
    return datetime.fromisoformat(amazon.dial("GET", "/sandbox/clock")["now"])


def updated(order: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(order["lastUpdatedTime"])


@pytest.mark.fact("8.4.7")
def test_after_a_long_jump_both_searches_find_the_shipment_at_once(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(shipment_delay_s=180, search_lag_s=120)
    order_id, item_id = place(seller)
    detail = {
        "packageReferenceId": "1",
        "carrierCode": "UPS",
        "trackingNumber": "1Z",
        "shipDate": "2026-11-23T10:00:00Z",
        "orderItems": [{"orderItemId": item_id, "quantity": 1}],
    }
    confirmed = now(amazon)
    assert seller.confirm_shipment(order_id, {"marketplaceId": US, "packageDetail": detail}).status_code == 204
    amazon.advance(JUMP_S)
    after = (confirmed + timedelta(seconds=60)).isoformat()
    (order,) = seller.search_orders(lastUpdatedAfter=after, includedData="FULFILLMENT").json()["orders"]
    assert (order["orderId"], order["fulfillment"]["fulfillmentStatus"]) == (order_id, "SHIPPED")
    assert timedelta(seconds=180) <= updated(order) - confirmed < timedelta(seconds=240)
    old = seller.call("GET", "/orders/v0/orders", MarketplaceIds=US, LastUpdatedAfter=after).json()["payload"]
    assert [(one["AmazonOrderId"], one["LastUpdateDate"]) for one in old["Orders"]] == [
        (order_id, order["lastUpdatedTime"])
    ]


@pytest.mark.fact("8.4.7")
def test_a_package_of_a_feed_that_ended_inside_the_jump_counts_from_that_end(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    amazon.settings(shipment_delay_s=180, feed_queue_s=15, feed_processing_s=60)
    order_id, _ = place(seller)
    envelope = (
        '<?xml version="1.0" encoding="UTF-8"?><AmazonEnvelope>'
        "<Header><DocumentVersion>1.01</DocumentVersion><MerchantIdentifier>A1US</MerchantIdentifier></Header>"
        f"<MessageType>OrderFulfillment</MessageType><Message><MessageID>1</MessageID><OrderFulfillment>"
        f"<AmazonOrderID>{order_id}</AmazonOrderID><FulfillmentDate>2026-11-23T10:00:00Z</FulfillmentDate>"
        "<FulfillmentData><CarrierCode>UPS</CarrierCode><ShipperTrackingNumber>1Z</ShipperTrackingNumber>"
        "</FulfillmentData></OrderFulfillment></Message></AmazonEnvelope>"
    )
    feed_id = seller.submit_feed("POST_ORDER_FULFILLMENT_DATA", envelope.encode(), US)
    amazon.advance(JUMP_S)
    ended = datetime.fromisoformat(seller.feed(feed_id)["processingEndTime"])
    assert now(amazon) - ended > timedelta(seconds=3000)
    order = seller.order(order_id).json()["order"]
    assert updated(order) - ended == timedelta(seconds=180)
