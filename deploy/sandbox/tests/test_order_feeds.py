"""Order feeds in XML, and the rules they share with confirmShipment (FACTS 6.8 and 8.4)."""

from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
CA = "A2EUQ1WTGCTBG2"
ACKNOWLEDGEMENT = "POST_ORDER_ACKNOWLEDGEMENT_DATA"
FULFILLMENT = "POST_ORDER_FULFILLMENT_DATA"


def place(seller: SellingPartner, *quantities: int, **fields: Any) -> tuple[str, list[str]]:
    lines = [{"sku": f"S-{n}", "quantity": quantity, "unit_price": 10} for n, quantity in enumerate(quantities)]
    wish = {"selling_partner_id": "A1US", "marketplace_id": US, "orders": [{"lines": lines, **fields}]}
    (placed,) = seller.amazon.dial("POST", "/sandbox/orders", wish)["orders"]
    return placed["amazon_order_id"], placed["order_item_ids"]


def envelope(message_type: str, *bodies: str) -> bytes:
    messages = "".join(f"<Message><MessageID>{n}</MessageID>{body}</Message>" for n, body in enumerate(bodies, start=1))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><AmazonEnvelope>'
        "<Header><DocumentVersion>1.01</DocumentVersion><MerchantIdentifier>A1US</MerchantIdentifier></Header>"
        f"<MessageType>{message_type}</MessageType>{messages}</AmazonEnvelope>"
    ).encode()


def acknowledgement(order_id: str, status: str, *items: str, merchant: str = "") -> str:
    named = f"<MerchantOrderID>{merchant}</MerchantOrderID>" if merchant else ""
    return (
        f"<OrderAcknowledgement><AmazonOrderID>{order_id}</AmazonOrderID>{named}"
        f"<StatusCode>{status}</StatusCode>{''.join(items)}</OrderAcknowledgement>"
    )


def item(code: str, reason: str | None = None, quantity: object = None) -> str:
    parts = f"<AmazonOrderItemCode>{code}</AmazonOrderItemCode>"
    parts += f"<CancelReason>{reason}</CancelReason>" if reason is not None else ""
    parts += f"<Quantity>{quantity}</Quantity>" if quantity is not None else ""
    return f"<Item>{parts}</Item>"


def fulfillment(
    order_id: str, *items: str, tracking: str = "1Z", carrier: str = "<CarrierCode>UPS</CarrierCode>"
) -> str:
    return (
        f"<OrderFulfillment><AmazonOrderID>{order_id}</AmazonOrderID>"
        "<FulfillmentDate>2026-11-23T10:00:00Z</FulfillmentDate>"
        f"<FulfillmentData>{carrier}<ShippingMethod>UPS Ground</ShippingMethod>"
        f"<ShipperTrackingNumber>{tracking}</ShipperTrackingNumber></FulfillmentData>"
        f"{''.join(items)}</OrderFulfillment>"
    )


def submit(seller: SellingPartner, feed_type: str, *bodies: str) -> Element:
    """The ProcessingReport element."""
    kind = {ACKNOWLEDGEMENT: "OrderAcknowledgement", FULFILLMENT: "OrderFulfillment"}[feed_type]
    feed_id = seller.submit_feed(feed_type, envelope(kind, *bodies), US)
    report = fromstring(seller.feed_result(feed_id)).find("Message/ProcessingReport")
    assert report is not None
    assert report.findtext("DocumentTransactionID") == feed_id
    return report


def problems(report: Element) -> list[str]:
    return [result.findtext("ResultDescription") or "" for result in report.iterfind("Result")]


def order(seller: SellingPartner, order_id: str) -> dict[str, Any]:
    found: dict[str, Any] = seller.order(order_id, includedData="FULFILLMENT,CANCELLATION,PACKAGES").json()["order"]
    return found


def quantities(shown: dict[str, Any]) -> list[int]:
    return [one["quantityOrdered"] for one in shown["orderItems"]]


@pytest.mark.fact("6.8")
def test_an_acknowledgement_gives_the_order_the_sellers_own_id(seller: SellingPartner) -> None:
    order_id, (code,) = place(seller, 1)
    report = submit(seller, ACKNOWLEDGEMENT, acknowledgement(order_id, "Success", item(code), merchant="M-1"))
    assert problems(report) == []
    assert report.findtext("StatusCode") == "Complete"
    assert report.findtext("ProcessingSummary/MessagesSuccessful") == "1"
    assert order(seller, order_id)["orderAliases"] == [{"aliasId": "M-1", "aliasType": "SELLER_ORDER_ID"}]


@pytest.mark.row("E1")
@pytest.mark.fact("6.8")
def test_failure_with_item_reasons_cancels_the_items(seller: SellingPartner) -> None:
    order_id, (first, second) = place(seller, 2, 3)
    submit(seller, ACKNOWLEDGEMENT, acknowledgement(order_id, "Failure", item(first, "NoInventory")))
    part = order(seller, order_id)
    assert (part["fulfillment"]["fulfillmentStatus"], quantities(part)) == ("UNSHIPPED", [0, 3])
    execution = part["orderItems"][0]["cancellation"]["cancellationExecution"]
    assert execution == {"cancelledBy": "MERCHANT", "cancelReason": "NoInventory"}
    assert "cancellation" not in part["orderItems"][1]
    submit(seller, ACKNOWLEDGEMENT, acknowledgement(order_id, "Failure", item(second, "PricingError", 1)))
    assert quantities(order(seller, order_id)) == [0, 2]
    submit(seller, ACKNOWLEDGEMENT, acknowledgement(order_id, "Failure", item(second, "PricingError")))
    whole = order(seller, order_id)
    assert (whole["fulfillment"]["fulfillmentStatus"], quantities(whole)) == ("CANCELLED", [0, 0])


def test_what_has_shipped_is_not_cancelled_and_the_rest_makes_the_order_complete(seller: SellingPartner) -> None:
    order_id, (first, second) = place(seller, 2, 1)
    submit(seller, FULFILLMENT, fulfillment(order_id, item(first, quantity=1)))
    too_many = submit(seller, ACKNOWLEDGEMENT, acknowledgement(order_id, "Failure", item(first, "NoInventory", 2)))
    assert problems(too_many) == [f"Only 1 of order item {first} can still be cancelled."]
    rest = acknowledgement(order_id, "Failure", item(first, "NoInventory"), item(second, "NoInventory"))
    assert problems(submit(seller, ACKNOWLEDGEMENT, rest)) == []
    shown = order(seller, order_id)
    assert (shown["fulfillment"]["fulfillmentStatus"], quantities(shown)) == ("SHIPPED", [1, 0])


@pytest.mark.parametrize(
    ("fields", "body", "why"),
    [
        ({}, ("Failure",), "names its items"),
        ({}, ("Failure", item("{code}", "BecauseISaySo")), "CancelReason 'BecauseISaySo'"),
        ({}, ("Failure", item("{code}")), "CancelReason ''"),
        ({}, ("Failure", item("nobody", "NoInventory")), "not of this order"),
        ({}, ("Failure", item("{code}", "NoInventory", "many")), "Quantity is a whole number"),
        ({}, ("Success", item("{code}", "NoInventory")), "goes with StatusCode Failure"),
        ({}, ("Perhaps",), "StatusCode is Success or Failure"),
        ({"status": "PENDING"}, ("Failure", item("{code}", "NoInventory")), "pending"),
        ({"fulfilled_by": "AMAZON"}, ("Failure", item("{code}", "NoInventory")), "fulfilled by Amazon"),
    ],
)
def test_an_acknowledgement_that_makes_no_sense_is_a_result_with_the_reason(
    seller: SellingPartner, fields: dict[str, Any], body: tuple[str, ...], why: str
) -> None:
    order_id, (code,) = place(seller, 1, **fields)
    status, *items = (part.replace("{code}", code) for part in body)
    good_id, _ = place(seller, 1)
    report = submit(
        seller,
        ACKNOWLEDGEMENT,
        acknowledgement(order_id, status, *items),
        acknowledgement("000-0000000-0000000", "Success"),
        acknowledgement(good_id, "Success", merchant="M"),
    )
    assert why in problems(report)[0]
    assert "was not found" in problems(report)[1]
    assert report.findtext("Result/AdditionalInfo/AmazonOrderID") == order_id
    counts = [report.findtext(f"ProcessingSummary/Messages{name}") for name in ("Processed", "Successful", "WithError")]
    assert counts == ["3", "1", "2"]
    assert quantities(order(seller, order_id)) == [1]


@pytest.mark.row("E1")
@pytest.mark.fact("6.8")
def test_a_fulfillment_without_items_ships_the_whole_order(seller: SellingPartner) -> None:
    order_id, codes = place(seller, 2, 1)
    assert problems(submit(seller, FULFILLMENT, fulfillment(order_id))) == []
    shown = order(seller, order_id)
    assert shown["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    (package,) = shown["packages"]
    assert (package["carrier"], package["trackingNumber"], package["shippingService"]) == ("UPS", "1Z", "UPS Ground")
    assert [one["quantity"] for one in package["packageItems"]] == [2, 1]
    assert [one["orderItemId"] for one in package["packageItems"]] == codes


def test_a_fulfillment_by_items_gives_each_tracking_number_its_own_package(seller: SellingPartner) -> None:
    order_id, (first, second) = place(seller, 2, 1)
    report = submit(
        seller,
        FULFILLMENT,
        fulfillment(order_id, item(first, quantity=1), tracking="T1"),
        fulfillment(order_id, item(first, quantity=1), item(second), tracking="T2"),
        fulfillment(order_id, item(first, quantity=1), tracking="T1", carrier="<CarrierName>Bike</CarrierName>"),
    )
    assert problems(report) == []
    packages = order(seller, order_id)["packages"]
    assert [(one["packageReferenceId"], one["trackingNumber"], one["carrier"]) for one in packages] == [
        ("1", "T1", "Bike"),
        ("2", "T2", "UPS"),
    ]


@pytest.mark.pain("2")
@pytest.mark.fact("8.4.6")
def test_a_fulfillment_is_refused_by_the_rules_of_confirm_shipment(seller: SellingPartner) -> None:
    order_id, (code,) = place(seller, 1)
    pending, _ = place(seller, 1, status="PENDING")
    by_amazon, _ = place(seller, 1, fulfilled_by="AMAZON")
    report = submit(
        seller,
        FULFILLMENT,
        fulfillment(order_id, carrier="<CarrierCode>ups</CarrierCode>"),
        fulfillment(order_id, carrier=""),
        fulfillment(order_id, item(code, quantity=2)),
        fulfillment(pending),
        fulfillment(by_amazon),
        fulfillment(order_id, tracking=""),
        fulfillment(order_id),
        fulfillment(order_id, tracking="ANOTHER"),
        "",
    )
    reasons = problems(report)
    assert len(reasons) == 8
    for reason, part in zip(
        reasons,
        ("'ups' is not a known", "'' is not a known", "Only 1 of", "pending", "fulfilled by Amazon"),
        strict=False,
    ):
        assert part in reason
    assert "needs ShipperTrackingNumber" in reasons[5]
    assert "Unable to find package to update" in reasons[6]
    assert "has no OrderFulfillment" in reasons[7]


def test_a_fulfillment_finds_the_order_by_the_merchants_id(seller: SellingPartner) -> None:
    order_id, _ = place(seller, 1)
    submit(seller, ACKNOWLEDGEMENT, acknowledgement(order_id, "Success", merchant="M-7"))
    body = fulfillment(order_id).replace(
        f"<AmazonOrderID>{order_id}</AmazonOrderID>", "<MerchantOrderID>M-7</MerchantOrderID>"
    )
    assert problems(submit(seller, FULFILLMENT, body)) == []
    assert order(seller, order_id)["fulfillment"]["fulfillmentStatus"] == "SHIPPED"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<AmazonEnvelope>",
        b"<Other/>",
        envelope("OrderAcknowledgement", "<OrderAcknowledgement/>"),
        envelope("OrderFulfillment"),
        b'<?xml version="1.0" encoding="no-such-encoding"?><AmazonEnvelope/>',
        b'<!DOCTYPE a [<!ENTITY x "xxxx"><!ENTITY y "&x;&x;&x;">]><AmazonEnvelope>&y;</AmazonEnvelope>',
        b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><AmazonEnvelope>&f;</AmazonEnvelope>',
        b"<a>" * 200_000,
    ],
)
def test_a_file_that_cannot_be_read_is_fatal_and_nothing_is_expanded(seller: SellingPartner, content: bytes) -> None:
    feed_id = seller.submit_feed(FULFILLMENT, content, US)
    assert seller.feed(feed_id)["processingStatus"] == "FATAL"
    report = fromstring(seller.feed_result(feed_id)).find("Message/ProcessingReport")
    assert report is not None
    assert report.findtext("StatusCode") == "Rejected"
    assert report.findtext("ProcessingSummary/MessagesProcessed") == "0"
    assert len(problems(report)) == 1


def test_a_feed_for_another_marketplace_does_not_find_the_order(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US, CA)
    seller = amazon.connect("A1US", "NA")
    order_id, _ = place(seller, 1)
    feed_id = seller.submit_feed(FULFILLMENT, envelope("OrderFulfillment", fulfillment(order_id)), CA)
    assert b"was not found" in seller.feed_result(feed_id)


def test_dials_refuse_messages_of_order_feeds_too(amazon: LocalAmazon, seller: SellingPartner) -> None:
    order_id, _ = place(seller, 1)
    amazon.dial("POST", "/sandbox/feeds/next", {"selling_partner_id": "A1US", "fail_every": 1})
    assert "a dial asked" in problems(submit(seller, FULFILLMENT, fulfillment(order_id)))[0]
    amazon.dial("POST", "/sandbox/feeds/next", {"selling_partner_id": "A1US", "end": "FATAL", "fatal_after": 0})
    assert problems(submit(seller, FULFILLMENT, fulfillment(order_id))) == []
    assert order(seller, order_id)["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"


@pytest.mark.pain("1")
@pytest.mark.fact("8.4.1")
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (1, "fields with invalid type [packageDetail.packageReferenceId]"),
        ("one", "must be a positive numeric value"),
        ("0", "must be a positive numeric value"),
        ("1" * 21, "must be a positive numeric value"),
        (None, "must be a positive numeric value"),
    ],
)
def test_a_package_reference_is_a_quoted_positive_number(
    seller: SellingPartner, reference: object, message: str
) -> None:
    order_id, (code,) = place(seller, 1)
    answer = seller.confirm_shipment(order_id, confirmation(code, packageReferenceId=reference))
    assert answer.status_code == 400
    assert message in answer.json()["errors"][0]["message"]
    assert seller.confirm_shipment(order_id, confirmation(code)).status_code == 204


def test_a_shipment_by_feed_follows_the_longest_reference_there_may_be(seller: SellingPartner) -> None:
    order_id, (code,) = place(seller, 2)
    assert seller.confirm_shipment(order_id, confirmation(code, packageReferenceId="9" * 20)).status_code == 204
    assert problems(submit(seller, FULFILLMENT, fulfillment(order_id, item(code, quantity=1), tracking="2Z"))) == []
    references = [package["packageReferenceId"] for package in order(seller, order_id)["packages"]]
    assert references == ["9" * 20, "1" + "0" * 20]


@pytest.mark.pain("2")
@pytest.mark.fact("8.4.6")
def test_a_new_reference_for_an_order_that_has_shipped_finds_no_package(seller: SellingPartner) -> None:
    order_id, (code,) = place(seller, 1)
    assert seller.confirm_shipment(order_id, confirmation(code)).status_code == 204
    again = seller.confirm_shipment(order_id, confirmation(code, packageReferenceId="2"))
    assert again.status_code == 400
    (error,) = again.json()["errors"]
    assert error["code"] == "PackageToUpdateNotFound"
    assert error["message"] == "Unable to find package to update for order"
    assert seller.confirm_shipment(order_id, confirmation(code, trackingNumber="NEW")).status_code == 204
    assert order(seller, order_id)["packages"][0]["trackingNumber"] == "NEW"


@pytest.mark.fact("8.4.2")
@pytest.mark.parametrize(
    "missing", ["packageReferenceId", "carrierCode", "trackingNumber", "shipDate", "orderItems", "marketplaceId"]
)
def test_what_a_confirmation_needs(seller: SellingPartner, missing: str) -> None:
    order_id, (code,) = place(seller, 1)
    body = confirmation(code)
    (body if missing == "marketplaceId" else body["packageDetail"]).pop(missing)
    assert seller.confirm_shipment(order_id, body).status_code == 400
    if missing == "orderItems":
        assert seller.confirm_shipment(order_id, confirmation(code, orderItems=[])).status_code == 400


@pytest.mark.fact("8.4.3")
def test_carriers_are_amazons_names_and_other_needs_a_name(seller: SellingPartner) -> None:
    order_id, (code,) = place(seller, 1)

    def status(**fields: Any) -> int:
        return seller.confirm_shipment(order_id, confirmation(code, **fields)).status_code

    assert status(carrierCode="fedex") == 400
    assert status(carrierCode="Other") == 400
    assert status(carrierCode="Other", carrierName="x" * 51) == 400
    assert status(carrierCode="Other", carrierName="Bike") == 204
    assert status(carrierCode="FedEx") == 204


@pytest.mark.fact("8.4.4")
def test_a_ship_plus_order_is_not_confirmed(seller: SellingPartner) -> None:
    order_id, (code,) = place(seller, 1, programs=["FBM_SHIP_PLUS"])
    answer = seller.confirm_shipment(order_id, confirmation(code))
    assert answer.status_code == 400
    assert "Ship+" in answer.json()["errors"][0]["message"]
    ordinary, (other,) = place(seller, 1)
    assert seller.confirm_shipment(ordinary, confirmation(other, shippingMethod="x" * 51)).status_code == 400
    assert seller.confirm_shipment(ordinary, confirmation(other, shippingMethod="any text")).status_code == 204


@pytest.mark.fact("8.4.7")
def test_a_shipment_by_feed_shows_after_the_shipment_delay(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(shipment_delay_s=180)
    order_id, _ = place(seller, 1)
    submit(seller, FULFILLMENT, fulfillment(order_id))
    assert order(seller, order_id)["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"
    amazon.advance(181)
    assert order(seller, order_id)["fulfillment"]["fulfillmentStatus"] == "SHIPPED"


@pytest.mark.pain("17")
def test_update_shipment_status_is_for_in_store_pickup_only(seller: SellingPartner) -> None:
    ordinary, _ = place(seller, 1)
    pickup, _ = place(seller, 1, programs=["IN_STORE_PICK_UP"])
    body = {"marketplaceId": US, "shipmentStatus": "ReadyForPickup"}
    refused = seller.update_shipment_status(ordinary, body)
    assert refused.status_code == 400
    assert "Unsupported ShipmentStatus passed" in refused.json()["errors"][0]["message"]
    assert seller.update_shipment_status(pickup, {**body, "shipmentStatus": "Shipped"}).status_code == 400
    assert seller.update_shipment_status(pickup, {**body, "marketplaceId": CA}).status_code == 400
    assert seller.update_shipment_status("000-0000000-0000000", body).status_code == 404
    assert seller.update_shipment_status(pickup, body).status_code == 204
    assert order(seller, pickup)["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"
    assert seller.update_shipment_status(pickup, {**body, "shipmentStatus": "PickedUp"}).status_code == 204
    assert order(seller, pickup)["fulfillment"]["fulfillmentStatus"] == "SHIPPED"


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["cancel", "ship", "confirm"]),
        st.integers(0, 1),
        st.integers(1, 4) | st.none(),
        st.integers(1, 3),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS, delayed=st.booleans())
def test_whatever_is_shipped_and_cancelled_an_order_adds_up(
    amazon: LocalAmazon, seller: SellingPartner, steps: list[tuple[str, int, int | None, int]], delayed: bool
) -> None:
    amazon.settings(shipment_delay_s=5 if delayed else 0)
    order_id, codes = place(seller, 3, 2)
    for kind, line, units, number in steps:
        if kind == "cancel":
            failed = acknowledgement(order_id, "Failure", item(codes[line], "NoInventory", units))
            submit(seller, ACKNOWLEDGEMENT, failed)
        elif kind == "ship":
            submit(seller, FULFILLMENT, fulfillment(order_id, item(codes[line], quantity=units), tracking=f"T{number}"))
        else:
            packed = [{"orderItemId": codes[line], "quantity": units or 1}]
            seller.confirm_shipment(
                order_id, confirmation(codes[line], packageReferenceId=str(number), orderItems=packed)
            )
    amazon.advance(6)
    shown = order(seller, order_id)
    status, items = shown["fulfillment"]["fulfillmentStatus"], shown["orderItems"]
    shipped = [one["fulfillment"]["quantityFulfilled"] for one in items]
    for ordered, sent, at_first in zip(quantities(shown), shipped, (3, 2), strict=True):
        assert 0 <= sent <= ordered <= at_first or status == "CANCELLED"
    packed_units = sum(one["quantity"] for package in shown.get("packages", ()) for one in package["packageItems"])
    assert packed_units == sum(shipped)
    if status == "SHIPPED":
        assert shipped == quantities(shown)
    elif status == "CANCELLED":
        assert sum(shipped) == 0
    else:
        assert (status == "PARTIALLY_SHIPPED") == (sum(shipped) > 0)


def confirmation(code: str, **fields: Any) -> dict[str, Any]:
    detail = {
        "packageReferenceId": "1",
        "carrierCode": "UPS",
        "trackingNumber": "1Z",
        "shipDate": "2026-11-23T10:00:00Z",
        "orderItems": [{"orderItemId": code, "quantity": 1}],
        **fields,
    }
    return {
        "marketplaceId": US,
        "packageDetail": {name: value for name, value in detail.items() if value is not None},
    }
