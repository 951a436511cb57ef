"""What arrives on the queues of those who subscribed, and what does not (FACTS section 9)."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner, app_of
from amazon_sandbox.testing_notifications import NOTIFIER, OPEN, SUBSCRIPTIONS, Desk, policy

US = "ATVPDKIKX0DER"
STATUS, ISSUES = "LISTINGS_ITEM_STATUS_CHANGE", "LISTINGS_ITEM_ISSUES_CHANGE"
QUANTITY = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"

Schema = Callable[[str, Any], None]


def place(seller: SellingPartner, count: int = 1, **changes: Any) -> list[str]:
    order = {"lines": [{"sku": "S", "quantity": 2, "unit_price": 20}], **changes}
    body = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": US, "orders": [order] * count}
    return [each["amazon_order_id"] for each in seller.amazon.dial("POST", "/sandbox/orders", body)["orders"]]


def seed(seller: SellingPartner, **changes: Any) -> None:
    listing = {"sku": "S", "price": 20, "quantity": 5, **changes}
    body = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": US, "listings": [listing]}
    seller.amazon.dial("POST", "/sandbox/listings", body)


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


@pytest.mark.parametrize(
    ("kind", "wanted", "payload"),
    [
        ("ORDER_CHANGE", {"orderChangeTypes": ["OrderStatusChange"]}, {"OrderChangeNotification": 5}),
        ("ANY_OFFER_CHANGED", {"marketplaceIds": [US]}, {"AnyOfferChangedNotification": {"OfferChangeTrigger": 5}}),
    ],
)
def test_a_filter_lets_nothing_through_that_does_not_say_what_it_is(
    desk: Desk, seller: SellingPartner, kind: str, wanted: dict[str, Any], payload: dict[str, Any]
) -> None:
    directive = {"eventFilter": {"eventFilterType": kind, **wanted}}
    desk.subscribe(seller, kind, desk.destination()["destinationId"], processingDirective=directive)
    told = {"selling_partner_id": "A1US", "notification_type": kind, "payload": payload}
    assert desk.amazon.dial("POST", "/sandbox/notifications", told) == {"outcomes": {}}


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


@pytest.mark.fact("9.3")
def test_a_subscription_ends_when_the_authorisation_runs_out_and_the_next_consent_does_not_bring_it_back(
    desk: Desk, seller: SellingPartner
) -> None:
    desk.amazon.settings(access_token_ttl_s=3600, authorization_life_days=365)
    made = desk.subscribe(seller, "ORDER_CHANGE", desk.destination()["destinationId"])
    desk.amazon.advance(300 * 86400)
    seller = desk.amazon.connect("A1US", "NA")
    desk.amazon.advance(300 * 86400)
    place(seller)
    assert len(desk.arrived()) == 1, "a renewal in time keeps it"
    desk.amazon.advance(66 * 86400)
    place(seller)
    assert desk.arrived() == []
    desk.app = desk.amazon.grantless()
    by_id = f"{SUBSCRIPTIONS}/ORDER_CHANGE/{made['subscriptionId']}"
    assert desk.app.call("GET", by_id).status_code == 404
    place(desk.amazon.connect("A1US", "NA"))
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
