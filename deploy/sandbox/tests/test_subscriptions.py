"""Destinations and subscriptions: what Amazon takes, and what it refuses (FACTS section 9)."""

from typing import Any

import pytest

from amazon_sandbox.notifications.types import NOTIFICATION_TYPES, NotificationType
from amazon_sandbox.testing import SellingPartner
from amazon_sandbox.testing_notifications import DESTINATIONS, EVENT_BRIDGE, SUBSCRIPTIONS, Desk

US = "ATVPDKIKX0DER"
ISSUES = "LISTINGS_ITEM_ISSUES_CHANGE"
FINISHED = ("FEED_PROCESSING_FINISHED", "REPORT_PROCESSING_FINISHED")
TO_QUEUES = ("ORDER_CHANGE", "ANY_OFFER_CHANGED", "PRICING_HEALTH", *FINISHED)


@pytest.mark.fact("9.1")
def test_a_destination_is_made_shown_and_deleted_by_the_app(desk: Desk) -> None:
    queue, bus = desk.destination(), desk.destination(eventBridge=EVENT_BRIDGE)
    assert queue["resource"] == {"sqs": {"arn": desk.arn}}
    assert bus["resource"]["eventBridge"]["name"].startswith("aws.partner/sellingpartnerapi.amazon.com/123456789012/")
    assert desk.app.call("GET", DESTINATIONS).json()["payload"] == [queue, bus]
    path = f"{DESTINATIONS}/{queue['destinationId']}"
    assert desk.app.call("GET", path).json()["payload"] == queue
    again = {"name": "again", "resourceSpecification": {"sqs": {"arn": desk.arn}}}
    assert desk.app.call("POST", DESTINATIONS, again).status_code == 409
    assert desk.app.call("DELETE", path).json() == {}
    assert desk.app.call("GET", path).status_code == 404
    europe = desk.amazon.grantless(region="EU")
    assert europe.call("GET", DESTINATIONS).json()["payload"] == []


@pytest.mark.fact("9.1")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "ours"},
        {"name": "ours", "resourceSpecification": {}},
        {"name": "ours", "resourceSpecification": {"sqs": {"arn": "arn:aws:sns:us-east-1:1:x"}}},
        {"name": "ours", "resourceSpecification": {"eventBridge": {"region": "us-east-1"}}},
        {"name": "ours", "resourceSpecification": {"eventBridge": EVENT_BRIDGE, "sqs": {"arn": "arn:aws:sqs:a:b:c"}}},
        {"name": "x" * 300, "resourceSpecification": {"sqs": {"arn": "arn:aws:sqs:a:b:c"}}},
    ],
)
def test_a_wrong_destination_is_400(desk: Desk, body: dict[str, Any]) -> None:
    assert desk.app.call("POST", DESTINATIONS, body).status_code == 400


@pytest.mark.fact("9.3")
@pytest.mark.fact("3.7")
def test_a_seller_subscribes_once_and_the_app_sees_and_ends_it_by_its_id(desk: Desk, seller: SellingPartner) -> None:
    destination_id = desk.destination()["destinationId"]
    made = desk.subscribe(seller, "ORDER_CHANGE", destination_id)
    path = f"{SUBSCRIPTIONS}/ORDER_CHANGE"
    body = {"payloadVersion": "1.0", "destinationId": destination_id}
    assert seller.call("POST", path, body).status_code == 409
    assert seller.call("GET", path).json()["payload"] == made
    listed = seller.call("GET", SUBSCRIPTIONS, notificationTypes="ORDER_CHANGE").json()["payload"]
    assert listed == {"subscriptions": [made]}
    by_id = f"{path}/{made['subscriptionId']}"
    assert desk.app.call("GET", by_id).json()["payload"] == made
    assert desk.app.call("GET", by_id.replace("ORDER_CHANGE", "ANY_OFFER_CHANGED")).status_code == 404
    assert desk.app.call("DELETE", f"{DESTINATIONS}/{destination_id}").status_code == 409
    assert desk.app.call("DELETE", by_id).json() == {}
    assert seller.call("GET", path).status_code == 404
    assert seller.call("POST", path, body).status_code == 200


@pytest.mark.fact("9.3")
@pytest.mark.fact("9.8")
@pytest.mark.parametrize(
    ("kind", "changes", "status"),
    [
        ("DANCE_CHANGE", {}, 400),
        ("ORDER_CHANGE", {"payloadVersion": None}, 400),
        ("ORDER_CHANGE", {"payloadVersion": "2.0"}, 400),
        ("FEED_PROCESSING_FINISHED", {"payloadVersion": "1.0"}, 400),
        ("ORDER_CHANGE", {"destinationId": "nobody"}, 404),
        ("ORDER_CHANGE", {"processingDirective": {"eventFilter": {"eventFilterType": "ANY_OFFER_CHANGED"}}}, 400),
        ("ORDER_CHANGE", {"processingDirective": {"eventFilter": {"eventFilterType": "ORDER_CHANGE"}}}, 200),
        (
            "ORDER_CHANGE",
            {"processingDirective": {"eventFilter": {"eventFilterType": "ORDER_CHANGE", "orderChangeTypes": ["X"]}}},
            400,
        ),
        (
            "ANY_OFFER_CHANGED",
            {"processingDirective": {"eventFilter": {"eventFilterType": "ANY_OFFER_CHANGED", "marketplaceIds": [US]}}},
            200,
        ),
        ("ORDER_CHANGE", {"processingDirective": {"filterExpression": "a.b == 'c' && (d in ['e'])"}}, 200),
        ("ORDER_CHANGE", {"processingDirective": {"filterExpression": "x" * 257}}, 400),
        ("ORDER_CHANGE", {"processingDirective": {"filterExpression": "(a == 'b'"}}, 400),
        (
            "ORDER_CHANGE",
            {"processingDirective": {"filterExpression": "a", "eventFilter": {"eventFilterType": "ORDER_CHANGE"}}},
            400,
        ),
        ("PRICING_HEALTH", {"processingDirective": {"eventFilter": {"eventFilterType": "PRICING_HEALTH"}}}, 400),
    ],
)
def test_amazon_takes_or_refuses_a_subscription(
    desk: Desk, seller: SellingPartner, kind: str, changes: dict[str, Any], status: int
) -> None:
    body = {"payloadVersion": "1.0", "destinationId": desk.destination()["destinationId"], **changes}
    assert seller.call("POST", f"{SUBSCRIPTIONS}/{kind}", body).status_code == status


@pytest.mark.fact("9.8")
def test_the_removed_version_of_issues_change_is_refused(desk: Desk, seller: SellingPartner) -> None:
    body = {"payloadVersion": "1.0", "destinationId": desk.event_bridge()}
    assert seller.call("POST", f"{SUBSCRIPTIONS}/{ISSUES}", body).status_code == 400
    body["payloadVersion"] = "2023-12-13"
    assert seller.call("POST", f"{SUBSCRIPTIONS}/{ISSUES}", body).status_code == 200


@pytest.mark.fact("9.4")
@pytest.mark.parametrize("kind", NOTIFICATION_TYPES.values(), ids=lambda kind: kind.name)
def test_each_type_goes_to_its_own_kind_of_destination(
    desk: Desk, seller: SellingPartner, kind: NotificationType
) -> None:
    """From memory only, says FACTS."""
    by_channel = {"SQS": desk.destination()["destinationId"], "EVENT_BRIDGE": desk.event_bridge()}
    answers = {}
    for channel, destination_id in by_channel.items():
        body = {"payloadVersion": kind.payload_versions[-1], "destinationId": destination_id}
        answers[channel] = seller.call("POST", f"{SUBSCRIPTIONS}/{kind.name}", body).status_code
    from_fact = "SQS" if kind.name in TO_QUEUES else "EVENT_BRIDGE"
    assert answers == dict.fromkeys(by_channel, 400) | {from_fact: 200}
