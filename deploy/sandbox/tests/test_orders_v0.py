"""The deprecated reads of Orders v0 and its two rarer writes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
LONG_AGO = "2020-01-01T00:00:00Z"
ORDERS = "/orders/v0/orders"


def place(seller: SellingPartner, *orders: dict[str, Any]) -> list[str]:
    wishes = [{"lines": [{"sku": "S", "quantity": 2, "unit_price": 19.5}], **order} for order in orders]
    wish = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": US, "orders": wishes}
    return [each["amazon_order_id"] for each in seller.amazon.dial("POST", "/sandbox/orders", wish)["orders"]]


def get_orders(seller: SellingPartner, **query: str) -> dict[str, Any]:
    answer = seller.call("GET", ORDERS, **{"MarketplaceIds": US, **query})
    assert answer.status_code == 200, answer.text
    payload: dict[str, Any] = answer.json()["payload"]
    return payload


def ids(payload: dict[str, Any]) -> list[str]:
    return [order["AmazonOrderId"] for order in payload["Orders"]]


@pytest.mark.fact("8.3")
@pytest.mark.fact("3.7")
@pytest.mark.fact("8.2.6")
def test_v0_speaks_its_own_vocabulary_in_a_payload(amazon: LocalAmazon, seller: SellingPartner) -> None:
    (order_id,) = place(seller, {"service_level": "EXPEDITED"})
    order = seller.call("GET", f"{ORDERS}/{order_id}").json()["payload"]
    assert order["AmazonOrderId"] == order["SellerOrderId"] == order_id
    assert (order["OrderStatus"], order["FulfillmentChannel"]) == ("Unshipped", "MFN")
    assert order["OrderTotal"] == {"CurrencyCode": "USD", "Amount": "39.00"}
    assert (order["MarketplaceId"], order["SalesChannel"]) == (US, "Amazon.com")
    assert order["ShipmentServiceLevelCategory"] == "Expedited"
    assert (order["NumberOfItemsShipped"], order["NumberOfItemsUnshipped"]) == (0, 2)
    assert {"EarliestShipDate", "LatestShipDate", "EarliestDeliveryDate", "LatestDeliveryDate"} <= set(order)
    (item,) = seller.call("GET", f"{ORDERS}/{order_id}/orderItems").json()["payload"]["OrderItems"]
    assert item["ItemPrice"] == {"CurrencyCode": "USD", "Amount": "39.00"}, "unit price times quantity"
    assert (item["SellerSKU"], item["QuantityOrdered"], item["QuantityShipped"]) == ("S", 2, 0)
    new = seller.order(order_id, includedData="FULFILLMENT,PROCEEDS").json()["order"]
    assert new["orderItems"][0]["product"]["price"]["unitPrice"]["amount"] == "19.50"
    assert (new["createdTime"], new["lastUpdatedTime"]) == (order["PurchaseDate"], order["LastUpdateDate"])
    amazon.dial("POST", f"/sandbox/orders/{order_id}/cancel")
    assert seller.call("GET", f"{ORDERS}/{order_id}").json()["payload"]["OrderStatus"] == "Canceled"


@pytest.mark.fact("8.3")
@pytest.mark.fact("8.2.7")
def test_the_same_order_in_both_versions_maps_field_by_field(amazon: LocalAmazon, seller: SellingPartner) -> None:
    (order_id,) = place(seller, {"in_store_pickup": True, "gift_message": "Canary wish"})
    amazon.dial("POST", f"/sandbox/orders/{order_id}/request-cancel", {"reason": "Too late"})
    path = f"{ORDERS}/{order_id}"
    old = seller.restricted(path, "buyerInfo", "shippingAddress").call("GET", path).json()["payload"]
    items = seller.restricted(f"{path}/orderItems", "buyerInfo").call("GET", f"{path}/orderItems").json()["payload"]
    (old_item,) = items["OrderItems"]
    datasets = "BUYER,RECIPIENT,PROCEEDS,CANCELLATION,FULFILLMENT"
    new = seller.order(order_id, includedData=datasets).json()["order"]
    (item,) = new["orderItems"]
    fulfillment, address = new["fulfillment"], new["recipient"]["deliveryAddress"]
    for before, after in (
        (old["PurchaseDate"], new["createdTime"]),
        (old["LastUpdateDate"], new["lastUpdatedTime"]),
        (old["MarketplaceId"], new["salesChannel"]["marketplaceId"]),
        (old["SalesChannel"], new["salesChannel"]["marketplaceName"]),
        (old["OrderStatus"].upper(), fulfillment["fulfillmentStatus"]),
        (old["OrderTotal"]["Amount"], new["proceeds"]["grandTotal"]["amount"]),
        (old["ShipmentServiceLevelCategory"].upper(), fulfillment["fulfillmentServiceLevel"]),
        (old["EarliestShipDate"], fulfillment["shipByWindow"]["earliestDateTime"]),
        (old["LatestShipDate"], fulfillment["shipByWindow"]["latestDateTime"]),
        (old["EarliestDeliveryDate"], fulfillment["deliverByWindow"]["earliestDateTime"]),
        (old["LatestDeliveryDate"], fulfillment["deliverByWindow"]["latestDateTime"]),
        (old["ShippingAddress"]["Name"], address["name"]),
        (old["ShippingAddress"]["PostalCode"], address["postalCode"]),
        (old["BuyerInfo"]["BuyerEmail"], new["buyer"]["buyerEmail"]),
        (old["BuyerInfo"]["BuyerName"], new["buyer"]["buyerName"]),
        (old["IsISPU"], "IN_STORE_PICK_UP" in new["programs"]),
        (old_item["OrderItemId"], item["orderItemId"]),
        (old_item["ASIN"], item["product"]["asin"]),
        (old_item["SellerSKU"], item["product"]["sellerSku"]),
        (old_item["Title"], item["product"]["title"]),
        (old_item["QuantityOrdered"], item["quantityOrdered"]),
        (old_item["QuantityShipped"], item["fulfillment"]["quantityFulfilled"]),
        (old_item["ItemPrice"]["Amount"], item["proceeds"]["breakdowns"][0]["subtotal"]["amount"]),
        (old_item["BuyerInfo"]["GiftMessageText"], item["fulfillment"]["packing"]["giftOption"]["giftMessage"]),
        (
            old_item["BuyerRequestedCancel"]["BuyerCancelReason"],
            item["cancellation"]["cancellationRequest"]["cancelReason"],
        ),
    ):
        assert before == after


@pytest.mark.fact("8.3")
def test_a_pending_order_has_no_price_and_no_address_in_v0(seller: SellingPartner) -> None:
    (order_id,) = place(seller, {"status": "PENDING"})
    rdt = seller.restricted(f"{ORDERS}/{order_id}", "buyerInfo", "shippingAddress")
    order = rdt.call("GET", f"{ORDERS}/{order_id}").json()["payload"]
    assert order["OrderStatus"] == "Pending"
    assert not {"OrderTotal", "ShippingAddress", "BuyerInfo"} & set(order)
    (item,) = seller.call("GET", f"{ORDERS}/{order_id}/orderItems").json()["payload"]["OrderItems"]
    assert not {"ItemPrice", "ItemTax"} & set(item)


@pytest.mark.fact("4.8")
def test_an_order_that_cannot_be_fulfilled_has_no_address(seller: SellingPartner) -> None:
    (order_id,) = place(seller, {"status": "UNFULFILLABLE"})
    assert "recipient" not in seller.order(order_id, includedData="RECIPIENT").json()["order"]
    rdt = seller.restricted(f"{ORDERS}/{order_id}", "shippingAddress")
    for each in (rdt, seller):
        assert "ShippingAddress" not in each.call("GET", f"{ORDERS}/{order_id}").json()["payload"]
    address = f"{ORDERS}/{order_id}/address"
    shown = seller.restricted(address).call("GET", address).json()["payload"]
    assert shown == {"AmazonOrderId": order_id}


@pytest.mark.fact("8.1.3")
def test_orders_older_than_two_years_are_in_no_v0_read(seller: SellingPartner) -> None:
    old, recent = ((datetime.now(UTC) - timedelta(days=days)).isoformat() for days in (740, 720))
    gone, kept = place(seller, {"created_time": old}, {"created_time": recent})
    assert ids(get_orders(seller, CreatedAfter=LONG_AGO)) == [kept]
    for path in ("", "/orderItems"):
        assert seller.call("GET", f"{ORDERS}/{gone}{path}").status_code == 404
        assert seller.call("GET", f"{ORDERS}/{kept}{path}").status_code == 200
    for path in (f"{ORDERS}/{gone}/address", f"{ORDERS}/{gone}/buyerInfo"):
        assert seller.restricted(path).call("GET", path).status_code == 404


@pytest.mark.fact("8.3")
def test_v0_search_filters_by_what_v0_knows(amazon: LocalAmazon, seller: SellingPartner) -> None:
    unshipped, pending, by_amazon, pickup, cancelled = place(
        seller, {}, {"status": "PENDING"}, {"fulfilled_by": "AMAZON"}, {"in_store_pickup": True}, {}
    )
    amazon.dial("POST", f"/sandbox/orders/{cancelled}/cancel")
    assert sorted(ids(get_orders(seller, CreatedAfter=LONG_AGO))) == sorted(
        [unshipped, pending, by_amazon, pickup, cancelled]
    )
    for query, expected in (
        ({"OrderStatuses": "Canceled"}, [cancelled]),
        ({"OrderStatuses": "Pending,Canceled"}, [pending, cancelled]),
        ({"FulfillmentChannels": "AFN"}, [by_amazon]),
        ({"AmazonOrderIds": f"{unshipped},{pickup}"}, [unshipped, pickup]),
        ({"IsISPU": "true"}, [pickup]),
        ({"PaymentMethods": "COD,CVS"}, []),
        ({"PaymentMethods": "Other"}, [unshipped, pending, by_amazon, pickup, cancelled]),
        ({"EarliestDeliveryDateAfter": "2099-01-01T00:00:00Z"}, []),
        ({"StoreChainStoreId": "1"}, []),
    ):
        assert sorted(ids(get_orders(seller, LastUpdatedAfter=LONG_AGO, **query))) == sorted(expected), query
    assert ids(get_orders(seller, CreatedAfter=LONG_AGO, SellerOrderId=pending)) == [pending]
    rdt = seller.restricted(ORDERS, "buyerInfo")
    email = get_orders(rdt, CreatedAfter=LONG_AGO, AmazonOrderIds=unshipped)["Orders"][0]["BuyerInfo"]["BuyerEmail"]
    assert ids(get_orders(seller, CreatedAfter=LONG_AGO, BuyerEmail=email)) == [unshipped]


@pytest.mark.fact("8.3")
@pytest.mark.parametrize(
    "query",
    [
        {"CreatedAfter": LONG_AGO, "MarketplaceIds": ""},
        {"CreatedAfter": LONG_AGO, "MarketplaceIds": "A1F83G8C2ARO7P"},
        {"CreatedAfter": LONG_AGO, "MarketplaceIds": ",".join([US] * 51)},
        {},
        {"CreatedAfter": LONG_AGO, "LastUpdatedAfter": LONG_AGO},
        {"CreatedAfter": LONG_AGO, "LastUpdatedBefore": LONG_AGO},
        {"CreatedAfter": LONG_AGO, "CreatedBefore": "2019-01-01T00:00:00Z"},
        {"CreatedAfter": "TEST_CASE_400"},
        {"CreatedAfter": LONG_AGO, "OrderStatuses": "UNSHIPPED"},
        {"CreatedAfter": LONG_AGO, "MaxResultsPerPage": "101"},
        {"CreatedAfter": LONG_AGO, "AmazonOrderIds": ",".join("1" * 51)},
        {"CreatedAfter": LONG_AGO, "PaymentMethods": "None"},
        {"NextToken": "nonsense"},
        {"LastUpdatedAfter": LONG_AGO, "SellerOrderId": "1"},
        *(
            {"CreatedAfter": LONG_AGO, "SellerOrderId": "1", **beside}
            for beside in (
                {"FulfillmentChannels": "MFN"},
                {"OrderStatuses": "Unshipped"},
                {"PaymentMethods": "Other"},
                {"BuyerEmail": "a@b.example"},
            )
        ),
    ],
)
def test_a_wrong_v0_search_is_400(seller: SellingPartner, query: dict[str, str]) -> None:
    answer = seller.call("GET", ORDERS, **{"MarketplaceIds": US, **query})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "InvalidInput")


@pytest.mark.fact("8.3")
@pytest.mark.pain("9")
def test_v0_has_the_two_minute_rule_as_well(seller: SellingPartner) -> None:
    recent, older = ((datetime.now(UTC) - timedelta(seconds=ago)).isoformat() for ago in (60, 180))
    query = {"MarketplaceIds": US, "LastUpdatedAfter": LONG_AGO}
    assert seller.call("GET", ORDERS, **query, LastUpdatedBefore=recent).status_code == 400
    assert seller.call("GET", ORDERS, **query, LastUpdatedBefore=older).status_code == 200


@pytest.mark.pain("10")
@pytest.mark.fact("8.3")
def test_a_v0_token_wants_to_be_encoded_once_and_forgets_the_filters(seller: SellingPartner) -> None:
    placed = place(seller, {}, {"status": "PENDING"}, {}, {"status": "PENDING"}, {})
    query = {"CreatedAfter": LONG_AGO, "OrderStatuses": "Unshipped", "MaxResultsPerPage": "1"}
    token = get_orders(seller, **query)["NextToken"]
    url = f"{seller.amazon.urls['na']}{ORDERS}?MarketplaceIds={US}&NextToken="
    headers = {"x-amz-access-token": seller.access_token}
    assert seller.amazon.http.get(url + token, headers=headers).status_code == 400, "not encoded"
    double = token.replace("+", "%252B").replace("=", "%253D")
    assert seller.amazon.http.get(url + double, headers=headers).status_code == 400, "encoded twice"
    with_filters = get_orders(seller, **query, NextToken=token)
    assert ids(with_filters) == [placed[2]]
    without = get_orders(seller, NextToken=token)
    assert ids(without) == placed[2:], "the pending one slips in when the filters are left out"


@pytest.mark.fact("8.3")
def test_order_items_come_in_pages(seller: SellingPartner) -> None:
    lines = [{"sku": f"S{number}", "quantity": 1, "unit_price": 1} for number in range(120)]
    order_id, other_id = place(seller, {"lines": lines}, {})
    path = f"{ORDERS}/{order_id}/orderItems"
    first = seller.call("GET", path).json()["payload"]
    second = seller.call("GET", path, NextToken=first["NextToken"]).json()["payload"]
    assert (len(first["OrderItems"]), len(second["OrderItems"]), "NextToken" in second) == (100, 20, False)
    other = seller.call("GET", f"{ORDERS}/{other_id}/orderItems", NextToken=first["NextToken"])
    assert other.status_code == 400


@pytest.mark.pain("17")
@pytest.mark.fact("8.4")
def test_update_shipment_status_is_for_orders_picked_up_in_a_store(seller: SellingPartner) -> None:
    ordinary, pickup = place(seller, {}, {"in_store_pickup": True})
    body = {"marketplaceId": US, "shipmentStatus": "PickedUp"}
    refused = seller.call("POST", f"{ORDERS}/{ordinary}/shipment", body)
    assert (refused.status_code, refused.json()["errors"][0]["message"]) == (400, "Unsupported ShipmentStatus passed")
    path = f"{ORDERS}/{pickup}/shipment"
    assert seller.call("POST", path, {**body, "shipmentStatus": "Flown"}).status_code == 400
    assert seller.call("POST", path, {**body, "orderItems": [{"orderItemId": "1"}]}).status_code == 400
    assert seller.call("POST", path, {**body, "orderItems": [{"orderItemId": []}]}).status_code == 400
    assert seller.call("POST", path, {**body, "marketplaceId": "A2EUQ1WTGCTBG2"}).status_code == 400
    assert seller.call("POST", path, {**body, "shipmentStatus": "ReadyForPickup"}).status_code == 204
    assert seller.call("POST", path, body).status_code == 204
    assert seller.call("GET", f"{ORDERS}/{pickup}").json()["payload"]["OrderStatus"] == "Shipped"


@pytest.mark.fact("8.4")
def test_what_was_picked_up_is_fulfilled_and_cannot_be_shipped_as_well(seller: SellingPartner) -> None:
    (order_id,) = place(seller, {"in_store_pickup": True})
    path, body = f"{ORDERS}/{order_id}/shipment", {"marketplaceId": US, "shipmentStatus": "PickedUp"}

    def shown() -> tuple[str, int, int]:
        order = seller.order(order_id, includedData="FULFILLMENT,PACKAGES").json()["order"]
        assert "packages" not in order
        old = seller.call("GET", f"{ORDERS}/{order_id}").json()["payload"]
        assert old["NumberOfItemsShipped"] == order["orderItems"][0]["fulfillment"]["quantityFulfilled"]
        status = order["fulfillment"]["fulfillmentStatus"]
        return status, old["NumberOfItemsShipped"], old["NumberOfItemsUnshipped"]

    item_id = seller.order(order_id).json()["order"]["orderItems"][0]["orderItemId"]
    for quantity in (0, "1", True):
        wrong = {**body, "orderItems": [{"orderItemId": item_id, "quantity": quantity}]}
        assert seller.call("POST", path, wrong).status_code == 400
    one = {**body, "orderItems": [{"orderItemId": item_id, "quantity": 1}]}
    assert seller.call("POST", path, one).status_code == 204
    assert shown() == ("PARTIALLY_SHIPPED", 1, 1)
    assert seller.call("POST", path, body).status_code == 204
    assert shown() == ("SHIPPED", 2, 0)
    detail = {
        "packageReferenceId": "1",
        "carrierCode": "UPS",
        "trackingNumber": "1Z",
        "shipDate": "2026-11-23T10:00:00Z",
        "orderItems": [{"orderItemId": item_id, "quantity": 1}],
    }
    refused = seller.confirm_shipment(order_id, {"marketplaceId": US, "packageDetail": detail})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "PackageToUpdateNotFound")
    assert shown() == ("SHIPPED", 2, 0)


@pytest.mark.fact("8.3")
def test_a_regulated_order_is_verified_once(seller: SellingPartner) -> None:
    order_id, ordinary = place(seller, {"regulated": True}, {})
    path = f"{ORDERS}/{order_id}/regulatedInfo"

    def info() -> Any:
        return seller.restricted(path).call("GET", path).json()["payload"]["RegulatedOrderVerificationStatus"]

    def verify(order: str = order_id, **status: object) -> int:
        body = {"regulatedOrderVerificationStatus": status}
        return seller.call("PATCH", f"{ORDERS}/{order}/regulatedInfo", body).status_code

    assert (info()["Status"], info()["RequiresMerchantAction"]) == ("Pending", True)
    reason = info()["ValidRejectionReasons"][0]["RejectionReasonId"]
    assert verify(status="Rejected", externalReviewerId="vet") == 400
    assert verify(status="Rejected", rejectionReasonId=reason) == 400
    assert verify(status="Cancelled", externalReviewerId="vet") == 400
    assert verify(ordinary, status="Approved", externalReviewerId="vet") == 400
    assert verify(externalReviewerId="vet", verificationDetails={"prescriptionDetail": {}}) == 400
    assert verify(status="Rejected", externalReviewerId="vet", rejectionReasonId=reason) == 204
    assert (info()["Status"], info()["RejectionReason"]["RejectionReasonId"]) == ("Rejected", reason)
    assert verify(status="Approved", externalReviewerId="vet") == 400


def test_an_unknown_order_is_404_in_every_v0_read(seller: SellingPartner) -> None:
    nobody = f"{ORDERS}/111-1111111-1111111"
    for path in ("", "/orderItems"):
        assert seller.call("GET", nobody + path).status_code == 404
    for path in ("/address", "/buyerInfo", "/regulatedInfo", "/orderItems/buyerInfo"):
        assert seller.restricted(nobody + path).call("GET", nobody + path).status_code == 404
