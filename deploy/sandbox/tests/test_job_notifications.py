"""FEED_ and REPORT_PROCESSING_FINISHED tell what really came of a feed or report (FACTS 9.5, 9.6)."""

from collections.abc import Callable
from typing import Any

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner
from amazon_sandbox.testing_notifications import Desk

US = "ATVPDKIKX0DER"

Arrived = Callable[[], list[Any]]


@pytest.fixture
def arrived(desk: Desk, seller: SellingPartner) -> Arrived:
    """What has arrived since the last look, of the feeds, reports and orders of the seller."""
    destination_id = desk.destination()["destinationId"]
    for kind in ("FEED_PROCESSING_FINISHED", "REPORT_PROCESSING_FINISHED", "ORDER_CHANGE"):
        desk.subscribe(seller, kind, destination_id)
    return desk.arrived


@pytest.mark.row("E1")
@pytest.mark.fact("9.5")
@pytest.mark.fact("9.6")
def test_the_end_of_a_feed_is_told_with_its_result(
    seller: SellingPartner, arrived: Arrived, notification_schema: Callable[[str, Any], None]
) -> None:
    feed_id = seller.submit_feed("JSON_LISTINGS_FEED", b"{}", US)
    feed = seller.feed(feed_id)
    (message,) = arrived()
    notification_schema("FeedProcessingFinishedNotification", message)
    assert message["notificationType"] == "FEED_PROCESSING_FINISHED"
    told = message["payload"]["feedProcessingFinishedNotification"]
    assert (told["sellerId"], told["feedId"], told["feedType"]) == ("A1US", feed_id, "JSON_LISTINGS_FEED")
    assert (told["processingStatus"], told["resultFeedDocumentId"]) == ("FATAL", feed["resultFeedDocumentId"])


@pytest.mark.fact("9.5")
def test_the_end_of_a_report_is_told_and_of_an_empty_one_too(
    amazon: LocalAmazon, seller: SellingPartner, arrived: Arrived, notification_schema: Callable[[str, Any], None]
) -> None:
    kind = "GET_MERCHANT_LISTINGS_ALL_DATA"
    empty = seller.request_report(kind, US)
    listing = {"sku": "S", "price": 1, "quantity": 1}
    wish = {"selling_partner_id": "A1US", "marketplace_id": US, "listings": [listing]}
    amazon.dial("POST", "/sandbox/listings", wish)
    full = seller.request_report(kind, US)
    messages = arrived()
    told = [message["payload"]["reportProcessingFinishedNotification"] for message in messages]
    assert [(one["reportId"], one["processingStatus"]) for one in told] == [
        (empty["reportId"], "CANCELLED"),
        (full["reportId"], "DONE"),
    ]
    assert told[1]["reportDocumentId"] == full["reportDocumentId"]
    for message in messages:
        notification_schema("ReportProcessingFinishedNotification", message)


def test_a_cancelled_feed_and_a_cancelled_item_are_told(
    amazon: LocalAmazon, seller: SellingPartner, arrived: Arrived
) -> None:
    order = {"lines": [{"sku": "S", "quantity": 1, "unit_price": 9}]}
    wish = {"selling_partner_id": "A1US", "marketplace_id": US, "orders": [order]}
    (placed,) = amazon.dial("POST", "/sandbox/orders", wish)["orders"]
    item = f"<AmazonOrderItemCode>{placed['order_item_ids'][0]}</AmazonOrderItemCode>"
    item += "<CancelReason>NoInventory</CancelReason>"
    content = (
        "<AmazonEnvelope><MessageType>OrderAcknowledgement</MessageType><Message><MessageID>1</MessageID>"
        f"<OrderAcknowledgement><AmazonOrderID>{placed['amazon_order_id']}</AmazonOrderID>"
        f"<StatusCode>Failure</StatusCode><Item>{item}</Item></OrderAcknowledgement></Message></AmazonEnvelope>"
    ).encode()
    amazon.settings(feed_queue_s=15)
    cancelled = seller.submit_feed("POST_ORDER_ACKNOWLEDGEMENT_DATA", content, US)
    seller.feeds("DELETE", f"feeds/{cancelled}")
    done = seller.submit_feed("POST_ORDER_ACKNOWLEDGEMENT_DATA", content, US)
    amazon.advance(16)
    messages = arrived()
    feeds = [one["payload"]["feedProcessingFinishedNotification"] for one in messages if "payload" in one]
    assert [(one["feedId"], one["processingStatus"]) for one in feeds] == [(cancelled, "CANCELLED"), (done, "DONE")]
    changes = [one["Payload"]["OrderChangeNotification"] for one in messages if "Payload" in one]
    assert [one["Summary"]["OrderStatus"] for one in changes] == ["Unshipped", "Canceled"]
