"""Destinations, subscriptions and what arrives on the queues."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from amazon_sandbox.notifications.types import NOTIFICATION_TYPES, NotificationType
from amazon_sandbox.testing import LocalAmazon, SellingPartner, app_of

US = "ATVPDKIKX0DER"
DESTINATIONS = "/notifications/v1/destinations"
SUBSCRIPTIONS = "/notifications/v1/subscriptions"
NOTIFIER = "437568002678"
EVENT_BRIDGE = {"region": "us-east-1", "accountId": "123456789012"}
STATUS, ISSUES = "LISTINGS_ITEM_STATUS_CHANGE", "LISTINGS_ITEM_ISSUES_CHANGE"
QUANTITY = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
FINISHED = ("FEED_PROCESSING_FINISHED", "REPORT_PROCESSING_FINISHED")
TO_QUEUES = ("ORDER_CHANGE", "ANY_OFFER_CHANGED", "PRICING_HEALTH", *FINISHED)

Schema = Callable[[str, Any], None]


def policy(*actions: str, principal: str = NOTIFIER, effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Principal": {"AWS": principal}, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


OPEN = policy("SQS:SendMessage", "SQS:GetQueueAttributes")


class Desk:
    """A queue with its destination, and hands to read what arrives."""

    def __init__(self, amazon: LocalAmazon, sqs: Any) -> None:
        self.amazon = amazon
        self.sqs = sqs
        self.app = amazon.grantless()
        self.url, self.arn = self.queue("notifications", Policy=OPEN)

    def queue(self, name: str, **attributes: str) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        shown = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, shown["Attributes"]["QueueArn"]

    def destination(self, **resource: Any) -> Any:
        body = {"name": "ours", "resourceSpecification": resource or {"sqs": {"arn": self.arn}}}
        answer = self.app.call("POST", DESTINATIONS, body)
        assert answer.status_code == 200, answer.text
        return answer.json()["payload"]

    def event_bridge(self) -> str:
        """A destination on EventBridge whose events a rule sends to the queue."""
        made = self.destination(eventBridge=EVENT_BRIDGE)
        rule = {"event_source": made["resource"]["eventBridge"]["name"], "queue_arn": self.arn}
        self.amazon.dial("POST", "/sandbox/event-rules", rule)
        destination_id: str = made["destinationId"]
        return destination_id

    def subscribe(self, seller: SellingPartner, kind: str, destination_id: str, **more: Any) -> Any:
        version = {ISSUES: "2023-12-13", "FEED_PROCESSING_FINISHED": "2020-09-04"}.get(kind, "1.0")
        version = "2020-09-04" if kind == "REPORT_PROCESSING_FINISHED" else version
        body = {"payloadVersion": version, "destinationId": destination_id, **more}
        answer = seller.call("POST", f"{SUBSCRIPTIONS}/{kind}", body)
        assert answer.status_code == 200, answer.text
        return answer.json()["payload"]

    def arrived(self, url: str | None = None) -> list[Any]:
        answer = self.sqs.receive_message(QueueUrl=url or self.url, MaxNumberOfMessages=10)
        messages = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=url or self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def outcomes(self) -> dict[str, int]:
        outcomes: dict[str, int] = self.amazon.dial("GET", "/sandbox/books/notifications")["outcomes"]
        return outcomes


@pytest.fixture
def desk(amazon: LocalAmazon, sqs: Any) -> Desk:
    return Desk(amazon, sqs)


def place(seller: SellingPartner, count: int = 1, **changes: Any) -> list[str]:
    order = {"lines": [{"sku": "S", "quantity": 2, "unit_price": 20}], **changes}
    body = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": US, "orders": [order] * count}
    return [each["amazon_order_id"] for each in seller.amazon.dial("POST", "/sandbox/orders", body)["orders"]]


def seed(seller: SellingPartner, **changes: Any) -> None:
    listing = {"sku": "S", "price": 20, "quantity": 5, **changes}
    body = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": US, "listings": [listing]}
    seller.amazon.dial("POST", "/sandbox/listings", body)


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


@pytest.mark.fact("9.5")
@pytest.mark.fact("9.6")
@pytest.mark.fact("9.7")
def test_an_order_change_arrives_in_v0_words_and_without_a_person(
    desk: Desk, seller: SellingPartner, notification_schema: Schema
) -> None:
    subscription = desk.subscribe(seller, "ORDER_CHANGE", desk.destination()["destinationId"])
    (order_id,) = place(seller, gift_message="Canary")
    (document,) = desk.arrived()
    notification_schema("OrderChangeNotification", document)
    assert (document["NotificationType"], document["PayloadVersion"]) == ("ORDER_CHANGE", "1.0")
    metadata = document["NotificationMetadata"]
    assert metadata["SubscriptionId"] == subscription["subscriptionId"]
    assert metadata["ApplicationId"] == app_of("NA").application_id
    change = document["Payload"]["OrderChangeNotification"]
    assert (change["SellerId"], change["AmazonOrderId"]) == ("A1US", order_id)
    assert change["OrderChangeType"] == "OrderStatusChange"
    summary = change["Summary"]
    assert (summary["OrderStatus"], summary["FulfillmentType"]) == ("Unshipped", "MFN")
    assert "anary" not in json.dumps(document)
    address = seller.order(order_id, includedData="RECIPIENT").json()["order"]["recipient"]["deliveryAddress"]
    assert summary["DestinationPostalCode"] == address["postalCode"]
    desk.amazon.dial("POST", f"/sandbox/orders/{order_id}/cancel")
    (cancelled,) = desk.arrived()
    notification_schema("OrderChangeNotification", cancelled)
    assert cancelled["Payload"]["OrderChangeNotification"]["Summary"]["OrderStatus"] == "Canceled"


@pytest.mark.fact("9.6")
def test_orders_are_told_as_they_are_released_wished_away_and_shipped(desk: Desk, seller: SellingPartner) -> None:
    desk.subscribe(seller, "ORDER_CHANGE", desk.destination()["destinationId"])
    (order_id,) = place(seller, status="PENDING")
    desk.amazon.dial("POST", f"/sandbox/orders/{order_id}/release")
    desk.amazon.dial("POST", f"/sandbox/orders/{order_id}/request-cancel")
    item = seller.order(order_id).json()["order"]["orderItems"][0]["orderItemId"]
    detail: dict[str, Any] = {"packageReferenceId": "1", "carrierCode": "UPS", "trackingNumber": "1Z"}
    detail |= {"shipDate": "2026-11-23T10:00:00Z", "orderItems": [{"orderItemId": item, "quantity": 1}]}
    seller.confirm_shipment(order_id, {"marketplaceId": US, "packageDetail": detail})
    changes = [one["Payload"]["OrderChangeNotification"] for one in desk.arrived()]
    told = [(one["OrderChangeType"], one["Summary"]["OrderStatus"]) for one in changes]
    assert told == [
        ("OrderStatusChange", "Pending"),
        ("OrderStatusChange", "Unshipped"),
        ("BuyerRequestedChange", "Unshipped"),
        ("OrderStatusChange", "PartiallyShipped"),
    ]
    assert changes[0]["Summary"]["DestinationPostalCode"] is None
    assert (changes[3]["Summary"]["NumberOfItemsShipped"], changes[3]["Summary"]["NumberOfItemsUnshipped"]) == (1, 1)


@pytest.mark.fact("9.3")
def test_a_filter_of_order_change_types_lets_only_those_through(desk: Desk, seller: SellingPartner) -> None:
    wish = {"eventFilterType": "ORDER_CHANGE", "orderChangeTypes": ["BuyerRequestedChange"]}
    directive = {"eventFilter": wish}
    made = desk.subscribe(seller, "ORDER_CHANGE", desk.destination()["destinationId"], processingDirective=directive)
    assert made["processingDirective"] == directive
    (order_id,) = place(seller)
    assert desk.arrived() == []
    desk.amazon.dial("POST", f"/sandbox/orders/{order_id}/request-cancel")
    assert len(desk.arrived()) == 1


@pytest.mark.fact("9.3")
@pytest.mark.parametrize("ended", ["revoked", "other seller"])
def test_a_subscription_is_its_sellers_and_dies_with_the_authorisation(
    desk: Desk, seller: SellingPartner, ended: str
) -> None:
    made = desk.subscribe(seller, "ORDER_CHANGE", desk.destination()["destinationId"])
    if ended == "revoked":
        desk.amazon.dial("POST", "/sandbox/sellers/A1US/revoke")
        by_id = f"{SUBSCRIPTIONS}/ORDER_CHANGE/{made['subscriptionId']}"
        assert desk.app.call("GET", by_id).status_code == 404
        seller = desk.amazon.connect("A1US", "NA")
    else:
        desk.amazon.create_seller("A3US", "NA", US)
        seller = desk.amazon.connect("A3US", "NA")
    place(seller)
    assert desk.arrived() == []


@pytest.mark.fact("9.2")
@pytest.mark.pain("15")
@pytest.mark.parametrize(
    ("name", "attributes", "outcome"),
    [
        ("none", {}, "policy"),
        ("half", {"Policy": policy("SQS:SendMessage")}, "policy"),
        ("stranger", {"Policy": policy("SQS:*", principal="111111111111")}, "policy"),
        ("denied", {"Policy": policy("SQS:*", effect="Deny")}, "policy"),
        ("order.fifo", {"Policy": OPEN, "FifoQueue": "true"}, "FIFO queue"),
        ("sealed", {"Policy": OPEN, "KmsMasterKeyId": "alias/ours"}, "KMS key"),
        ("root", {"Policy": policy("sqs:*", principal=f"arn:aws:iam::{NOTIFIER}:root")}, "delivered"),
    ],
)
def test_a_queue_that_amazon_cannot_send_to_gets_nothing_and_nobody_is_told(
    desk: Desk, seller: SellingPartner, name: str, attributes: dict[str, str], outcome: str
) -> None:
    url, arn = desk.queue(name, **attributes)
    desk.subscribe(seller, "ORDER_CHANGE", desk.destination(sqs={"arn": arn})["destinationId"])
    place(seller)
    assert len(desk.arrived(url)) == (1 if outcome == "delivered" else 0)
    assert desk.outcomes() == {f"ORDER_CHANGE {outcome}": 1}
    desk.amazon.dial("POST", "/sandbox/key-grants", {"key_id": "alias/ours"})
    place(seller)
    assert len(desk.arrived(url)) == (1 if outcome in ("delivered", "KMS key") else 0)


@pytest.mark.fact("9.10")
def test_delivery_is_at_least_once_late_or_out_of_order_when_dialled(desk: Desk, seller: SellingPartner) -> None:
    desk.subscribe(seller, "ORDER_CHANGE", desk.destination()["destinationId"])

    def told() -> list[str]:
        return [one["Payload"]["OrderChangeNotification"]["AmazonOrderId"] for one in desk.arrived()]

    def arm(**fault: Any) -> None:
        desk.amazon.dial("POST", "/sandbox/notification-faults", fault)

    arm(kind="duplicate")
    (first,) = place(seller)
    documents = desk.arrived()
    assert len({one["NotificationMetadata"]["NotificationId"] for one in documents}) == 1
    assert len(documents) == 2
    arm(kind="lose", notification_type="ORDER_CHANGE", selling_partner_id="A1US")
    place(seller)
    assert told() == []
    arm(kind="delay", seconds=24 * 3600)
    (late,) = place(seller)
    assert told() == []
    (now,) = place(seller)
    assert told() == [now]
    desk.amazon.advance(24 * 3600)
    assert told() == [late]
    arm(kind="reorder")
    one, two, three = place(seller, 3)
    assert told() == [two, one, three]
    assert first
    outcomes = desk.outcomes()
    assert outcomes == {"ORDER_CHANGE delivered": 7, "ORDER_CHANGE lost": 1}


@pytest.mark.fact("9.5")
@pytest.mark.fact("9.6")
@pytest.mark.fact("9.9")
def test_listings_changes_arrive_by_event_bridge_in_its_envelope(
    desk: Desk, seller: SellingPartner, notification_schema: Schema
) -> None:
    bus = desk.event_bridge()
    seed(seller)
    for kind in (STATUS, ISSUES, QUANTITY):
        desk.subscribe(seller, kind, bus)
    desk.amazon.settings(listing_delay_s=60)
    offer = {"marketplace_id": US}
    patches = [{"op": "delete", "path": "/attributes/purchasable_offer", "value": [{**offer, "currency": "USD"}]}]
    stock = [{"fulfillment_channel_code": "DEFAULT", "quantity": 9}]
    patches.append({"op": "merge", "path": "/attributes/fulfillment_availability", "value": stock})
    answer = seller.listings_item("PATCH", "S", {"productType": "PRODUCT", "patches": patches}, marketplaceIds=US)
    assert answer.json()["status"] == "ACCEPTED"
    assert desk.arrived() == [], "nothing shows yet"
    desk.amazon.advance(61)
    events = {event["detail-type"]: event for event in desk.arrived()}
    assert set(events) == {STATUS, ISSUES, QUANTITY}
    for kind, schema in (
        (STATUS, "ListingsItemStatusChangeNotification"),
        (ISSUES, "ListingsItemIssuesChangeNotification_2023-12-13"),
        (QUANTITY, "ListingsItemMfnQuantityChange"),
    ):
        event = events[kind]
        assert (event["account"], event["version"]) == ("123456789012", "0")
        assert event["source"].startswith("aws.partner/sellingpartnerapi.amazon.com/")
        notification_schema(schema, event["detail"])
        assert event["detail"]["NotificationType"] == kind
    status, issues, quantity = (events[kind]["detail"]["Payload"] for kind in (STATUS, ISSUES, QUANTITY))
    assert (status["Sku"], status["MarketplaceId"], status["Status"]) == ("S", US, [])
    assert issues["Severities"] == ["ERROR"]
    assert quantity == {"SellerId": "A1US", "FulfillmentChannelCode": "DEFAULT", "Sku": "S", "Quantity": 9}


@pytest.mark.fact("9.9")
@pytest.mark.fact("5.3.5")
def test_a_sale_changes_the_quantity_and_a_deletion_the_status(desk: Desk, seller: SellingPartner) -> None:
    bus = desk.event_bridge()
    seed(seller, quantity=2)
    for kind in (STATUS, QUANTITY):
        desk.subscribe(seller, kind, bus)
    place(seller)
    events = {event["detail-type"]: event["detail"]["Payload"] for event in desk.arrived()}
    assert (events[QUANTITY]["Quantity"], events[STATUS]["Status"]) == (0, ["DISCOVERABLE"])
    where = {"selling_partner_id": "A1US", "marketplace_id": US, "sku": "S"}
    desk.amazon.dial("DELETE", "/sandbox/listings", **where)
    events = {event["detail-type"]: event["detail"]["Payload"] for event in desk.arrived()}
    assert events[STATUS]["Status"] == ["DELETED"]


@pytest.mark.fact("9.5")
@pytest.mark.fact("9.6")
@pytest.mark.parametrize(
    ("word", "schema"), [("feed", "FeedProcessingFinished"), ("report", "ReportProcessingFinished")]
)
def test_what_finished_processing_arrives_in_camel_case(
    desk: Desk, seller: SellingPartner, notification_schema: Schema, word: str, schema: str
) -> None:
    kind = f"{word.upper()}_PROCESSING_FINISHED"
    desk.subscribe(seller, kind, desk.destination()["destinationId"])
    content = {"sellerId": "A1US", "accountId": "amzn1.merchant.o.A1US", f"{word}Id": "1", "processingStatus": "DONE"}
    content[f"{word}Type"] = "JSON_LISTINGS_FEED"
    payload = {f"{word}ProcessingFinishedNotification": content}
    telling = {"selling_partner_id": "A1US", "notification_type": kind, "payload": payload}
    desk.amazon.dial("POST", "/sandbox/notifications", telling)
    (document,) = desk.arrived()
    notification_schema(f"{schema}Notification", document)
    assert (document["notificationType"], document["payloadVersion"]) == (kind, "2020-09-04")


def test_queues_subscriptions_and_tokens_travel_in_a_snapshot(desk: Desk, seller: SellingPartner) -> None:
    desk.subscribe(seller, "ORDER_CHANGE", desk.destination()["destinationId"])
    desk.amazon.dial("POST", "/sandbox/notification-faults", {"kind": "delay", "seconds": 600})
    (late,) = place(seller)
    rdt = seller.restricted(f"/orders/v0/orders/{late}", "buyerInfo")
    world = desk.amazon.urls["dials"] + "/sandbox/world"
    taken = desk.amazon.http.get(world).content
    desk.amazon.dial("DELETE", "/sandbox/world")
    assert desk.amazon.http.put(world, content=taken).status_code == 200
    assert "BuyerInfo" in rdt.call("GET", f"/orders/v0/orders/{late}").json()["payload"]
    (now,) = place(seller)
    told = [one["Payload"]["OrderChangeNotification"]["AmazonOrderId"] for one in desk.arrived()]
    assert told == [now]
    desk.amazon.advance(600)
    assert [one["Payload"]["OrderChangeNotification"]["AmazonOrderId"] for one in desk.arrived()] == [late]


@pytest.mark.fact("9.11")
def test_a_test_notification_is_sent_to_a_destination(desk: Desk) -> None:
    path = f"{SUBSCRIPTIONS}/ORDER_CHANGE/testNotification"
    destination_id = desk.destination()["destinationId"]
    body = {"destinationId": destination_id, "testNotification": {"payloadVersion": "1.0"}}
    assert desk.app.call("POST", path, body).status_code == 200
    (document,) = desk.arrived()
    assert document["NotificationType"] == "ORDER_CHANGE"
    assert desk.app.call("POST", path, {**body, "destinationId": "nobody"}).status_code == 404
    assert desk.app.call("POST", path, {**body, "testNotification": {}}).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "hint"),
    [
        ("POST", "/sandbox/event-rules", {"event_source": "x", "queue_arn": "y"}, "createDestination"),
        ("POST", "/sandbox/notification-faults", {"kind": "explode"}, "explode"),
        ("POST", "/sandbox/notification-faults", {"kind": "lose", "count": 0}, "count"),
        ("POST", "/sandbox/notification-faults", {"kind": "lose", "notification_type": "X"}, "ORDER_CHANGE"),
        ("POST", "/sandbox/notification-faults", {"kind": "delay", "seconds": -1}, "seconds"),
    ],
)
def test_notification_dials_used_wrongly_say_how(
    amazon: LocalAmazon, method: str, path: str, body: object, hint: str
) -> None:
    answer = amazon.http.request(method, amazon.urls["dials"] + path, json=body)
    assert answer.status_code == 400
    assert hint in answer.json()["error"]
