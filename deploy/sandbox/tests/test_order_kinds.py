"""Orders of every kind, orders that search does not find, and the age at which Amazon forgets them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US, CA, JP = "ATVPDKIKX0DER", "A2EUQ1WTGCTBG2", "A1VC38T7YXB528"
EVERYTHING = (
    "BUYER,RECIPIENT,PROCEEDS,EXPENSE,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES,TAX,PAYMENT,FULFILLMENT_ORDERS"
)
LONG_AGO = "2001-01-01T00:00:00Z"


def place(seller: SellingPartner, *orders: dict[str, Any], marketplace_id: str = US) -> list[str]:
    filled = [{"lines": [{"sku": "S", "quantity": 2, "unit_price": 10.5}], **order} for order in orders]
    body = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": marketplace_id, "orders": filled}
    return [each["amazon_order_id"] for each in seller.amazon.dial("POST", "/sandbox/orders", body)["orders"]]


def shown(seller: SellingPartner, order_id: str) -> dict[str, Any]:
    order: dict[str, Any] = seller.order(order_id, includedData=EVERYTHING).json()["order"]
    return order


def found(seller: SellingPartner, **query: str) -> list[str]:
    answer = seller.search_orders(**({"lastUpdatedAfter": LONG_AGO} | query))
    assert answer.status_code == 200, answer.text
    return [order["orderId"] for order in answer.json()["orders"]]


def confirmation(order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    detail = {
        "packageReferenceId": "1",
        "carrierCode": "UPS",
        "trackingNumber": "1Z999",
        "shipDate": "2026-11-23T10:00:00.000Z",
        "orderItems": [{"orderItemId": order["orderItems"][0]["orderItemId"], "quantity": 2}],
    }
    return {"marketplaceId": US, "packageDetail": detail | changes}


@pytest.mark.fact("8.2.6")
def test_money_is_broken_down_into_what_it_is_for(seller: SellingPartner) -> None:
    line = {"sku": "S", "quantity": 2, "unit_price": 10.5, "shipping": 4, "gift_wrap": 3, "tax": 1.5, "discount": 2}
    (order_id,) = place(seller, {"lines": [line]})
    order = shown(seller, order_id)
    (item,) = order["orderItems"]
    amounts = {each["type"]: each["subtotal"]["amount"] for each in item["proceeds"]["breakdowns"]}
    assert amounts == {"ITEM": "21.00", "SHIPPING": "4.00", "GIFT_WRAP": "3.00", "TAX": "1.50", "DISCOUNT": "2.00"}
    assert item["proceeds"]["proceedsTotal"] == order["proceeds"]["grandTotal"]
    assert order["proceeds"]["grandTotal"] == {"amount": "27.50", "currencyCode": "USD"}
    details = {each["type"]: each.get("detailedBreakdowns") for each in item["proceeds"]["breakdowns"]}
    assert details["TAX"] == [{"subtype": "ITEM", "value": {"amount": "1.50", "currencyCode": "USD"}}]
    assert details["SHIPPING"] is None


@pytest.mark.fact("8.2.7")
def test_programs_stand_on_orders_and_on_items(seller: SellingPartner) -> None:
    line = {"sku": "S", "quantity": 1, "unit_price": 9, "programs": ["TRANSPARENCY", "SUBSCRIBE_AND_SAVE"]}
    wish = {
        "lines": [line],
        "programs": ["PRIME", "AMAZON_BUSINESS", "SOMETHING_NEW"],
        "buyer_company_name": "Canary Works",
        "purchase_order_number": "PO-1",
        "seller_order_id": "OURS-1",
    }
    order = shown(seller, place(seller, wish)[0])
    assert order["programs"] == ["PRIME", "AMAZON_BUSINESS", "SOMETHING_NEW"]
    assert order["orderItems"][0]["programs"] == ["TRANSPARENCY", "SUBSCRIBE_AND_SAVE"]
    assert order["orderItems"][0]["product"]["price"]["priceDesignation"] == "BUSINESS_PRICE"
    assert order["buyer"]["buyerCompanyName"] == "Canary Works"
    assert order["orderAliases"] == [{"aliasId": "OURS-1", "aliasType": "SELLER_ORDER_ID"}]


@pytest.mark.fact("8.2.8")
@pytest.mark.parametrize(
    "level",
    ["EXPEDITED", "FREE_ECONOMY", "NEXT_DAY", "PRIORITY", "SAME_DAY", "SECOND_DAY", "SCHEDULED", "STANDARD"],
)
def test_every_service_level_promises_a_window(seller: SellingPartner, level: str) -> None:
    fulfillment = shown(seller, place(seller, {"service_level": level})[0])["fulfillment"]
    assert fulfillment["fulfillmentServiceLevel"] == level
    assert fulfillment["shipByWindow"]["latestDateTime"] < fulfillment["deliverByWindow"]["latestDateTime"]


def test_a_replacement_is_free_and_names_what_it_replaces(seller: SellingPartner) -> None:
    (first,) = place(seller, {})
    (second,) = place(seller, {"replaces": first, "lines": [{"sku": "S", "quantity": 2, "unit_price": 0}]})
    order = shown(seller, second)
    assert order["associatedOrders"] == [{"orderId": first, "associationType": "REPLACEMENT_ORIGINAL_ID"}]
    assert order["proceeds"]["grandTotal"]["amount"] == "0.00"
    assert order["orderItems"][0]["product"]["price"]["unitPrice"]["amount"] == "0.00"


def test_gifts_and_made_to_order_items_say_so(seller: SellingPartner) -> None:
    line = {"sku": "S", "quantity": 1, "unit_price": 9, "customized_url": "https://canary.example/1.zip"}
    wish = {"lines": [line], "gift_message": "Canary greetings", "gift_wrap_level": "STANDARD"}
    (item,) = shown(seller, place(seller, wish)[0])["orderItems"]
    gift = {"giftMessage": "Canary greetings", "giftWrapLevel": "STANDARD"}
    assert item["fulfillment"]["packing"]["giftOption"] == gift
    assert item["product"]["customization"] == {"customizedUrl": "https://canary.example/1.zip"}


def test_one_seller_is_paid_in_the_currency_of_each_store(amazon: LocalAmazon) -> None:
    amazon.create_seller("A6NA", "NA", US, CA)
    seller = amazon.connect("A6NA", "NA")
    place(seller, {})
    place(seller, {}, marketplace_id=CA)
    orders = seller.search_orders(lastUpdatedAfter=LONG_AGO, includedData="PROCEEDS").json()["orders"]
    paid = {order["salesChannel"]["marketplaceId"]: order["proceeds"]["grandTotal"]["currencyCode"] for order in orders}
    assert paid == {US: "USD", CA: "CAD"}


@pytest.mark.pain("8")
@pytest.mark.fault("F19")
def test_an_order_can_be_late_in_search_and_known_by_its_id(amazon: LocalAmazon, seller: SellingPartner) -> None:
    late, prompt = place(seller, {"search_delay_s": 12 * 3600}, {})
    assert shown(seller, late)["orderId"] == late
    assert found(seller) == [prompt]
    assert found(seller, fulfillmentStatuses="UNSHIPPED") == [prompt]
    created = datetime.now(UTC)
    amazon.advance(12 * 3600)
    refreshed = amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token).json()
    seller.access_token = refreshed["access_token"]
    assert found(seller) == [late, prompt]
    assert found(seller, lastUpdatedAfter=(created + timedelta(hours=6)).isoformat()) == []


@pytest.mark.pain("8")
def test_an_order_can_be_missing_from_search_for_good(amazon: LocalAmazon, seller: SellingPartner) -> None:
    (order_id,) = place(seller, {})
    assert found(seller) == [order_id]
    amazon.dial("POST", f"/sandbox/orders/{order_id}/hide")
    assert found(seller) == []
    assert seller.order(order_id).status_code == 200
    amazon.dial("POST", f"/sandbox/orders/{order_id}/hide", {"seconds": 0})
    assert found(seller) == [order_id]


@pytest.mark.fault("F19")
def test_an_order_that_changes_while_one_pages_moves_behind_and_none_is_skipped(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    placed = place(seller, *({} for _ in range(6)))
    amazon.advance(1)  # or the first search may stand in the millisecond of the placing, which both ends include
    query = {"lastUpdatedAfter": LONG_AGO, "maxResultsPerPage": "3"}
    first = seller.search_orders(**query).json()
    amazon.advance(5)
    amazon.dial("POST", f"/sandbox/orders/{placed[0]}/request-cancel")
    amazon.dial("POST", f"/sandbox/orders/{placed[3]}/request-cancel")
    second = seller.search_orders(**query, paginationToken=first["pagination"]["nextToken"]).json()
    assert [order["orderId"] for order in second["orders"]] == placed[4:]
    since = first["lastUpdatedBefore"]
    assert sorted(found(seller, lastUpdatedAfter=since)) == sorted([placed[0], placed[3]])


@pytest.mark.fact("8.1.3")
def test_orders_older_than_two_years_are_not_served(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.create_seller("A7JP", "FE", JP)
    japanese = amazon.connect("A7JP", "FE")
    old = (datetime.now(UTC) - timedelta(days=740)).isoformat()
    recent = (datetime.now(UTC) - timedelta(days=720)).isoformat()
    gone, kept = place(seller, {"created_time": old}, {"created_time": recent})
    assert seller.order(gone).status_code == 404
    assert found(seller) == [kept]
    wishes = ({"created_time": "2015-12-31T00:00:00Z"}, {"created_time": "2016-01-02T00:00:00Z"})
    before_2016, after_2016 = place(japanese, *wishes, marketplace_id=JP)
    assert japanese.order(before_2016).status_code == 404
    assert found(japanese) == [after_2016]


@pytest.mark.fact("8.1.2")
def test_there_is_no_public_cancel_operation(seller: SellingPartner) -> None:
    (order_id,) = place(seller, {})
    seller.amazon.check = None
    path = f"/orders/2026-01-01/orders/{order_id}/cancellation"
    assert seller.call("PUT", path, {"cancelReasonCode": "NO_INVENTORY"}).status_code == 404


@pytest.mark.fact("8.2.4")
def test_search_takes_no_order_id(seller: SellingPartner) -> None:
    first, second = place(seller, {}, {})
    assert found(seller, orderIds=first, amazonOrderIds=first) == [first, second]


@pytest.mark.fact("8.2.5")
def test_times_are_utc_with_milliseconds(seller: SellingPartner) -> None:
    order = shown(seller, place(seller, {"created_time": "2026-01-02T03:04:05.678+02:00"})[0])
    assert order["createdTime"] == "2026-01-02T01:04:05.678Z"


@pytest.mark.fact("8.2.10")
def test_a_package_is_followed_to_the_door(amazon: LocalAmazon, seller: SellingPartner) -> None:
    (order_id,) = place(seller, {})
    seller.confirm_shipment(order_id, confirmation(shown(seller, order_id), shippingMethod="UPS Ground"))
    wish = {"package_reference_id": "1", "status": "DELIVERED"}
    (before,) = shown(seller, order_id)["packages"]
    assert before["packageStatus"] == {"status": "SHIPPED"}
    assert set(before) >= {"packageReferenceId", "carrier", "shippingService", "trackingNumber", "shipTime"}
    amazon.dial("POST", f"/sandbox/orders/{order_id}/track", wish)
    assert shown(seller, order_id)["packages"][0]["packageStatus"] == {"status": "DELIVERED"}
    with pytest.raises(RuntimeError, match="404"):
        amazon.dial("POST", f"/sandbox/orders/{order_id}/track", {**wish, "package_reference_id": "2"})


@pytest.mark.fact("8.4.2")
@pytest.mark.parametrize("missing", ["packageReferenceId", "carrierCode", "trackingNumber", "shipDate", "orderItems"])
def test_a_confirmation_lacks_nothing_that_is_required(seller: SellingPartner, missing: str) -> None:
    (order_id,) = place(seller, {})
    whole = confirmation(shown(seller, order_id))
    detail = {name: value for name, value in whole["packageDetail"].items() if name != missing}
    assert seller.confirm_shipment(order_id, {**whole, "packageDetail": detail}).status_code == 400
    assert seller.confirm_shipment(order_id, {"packageDetail": whole["packageDetail"]}).status_code == 400


@pytest.mark.fact("8.4.4")
def test_what_amazons_own_labels_ship_is_not_confirmed(seller: SellingPartner) -> None:
    order_id, unfulfillable = place(seller, {"programs": ["FBM_SHIP_PLUS"]}, {"status": "UNFULFILLABLE"})
    for each in (order_id, unfulfillable):
        assert seller.confirm_shipment(each, confirmation(shown(seller, each))).status_code == 400


@pytest.mark.fact("8.4.5")
def test_ship_dates_are_checked_when_asked_to(amazon: LocalAmazon, seller: SellingPartner) -> None:
    (order_id,) = place(seller, {"created_time": "2026-01-02T00:00:00Z"})
    order = shown(seller, order_id)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    amazon.settings(check_ship_dates=True)
    for wrong in ("2026-01-01T00:00:00Z", tomorrow):
        assert seller.confirm_shipment(order_id, confirmation(order, shipDate=wrong)).status_code == 400
    amazon.settings(check_ship_dates=False)
    assert seller.confirm_shipment(order_id, confirmation(order, shipDate=tomorrow)).status_code == 204


@pytest.mark.fact("8.1.1")
def test_both_versions_of_the_orders_api_show_the_same_order(seller: SellingPartner) -> None:
    (order_id,) = place(seller, {})
    new = shown(seller, order_id)
    old = seller.call("GET", f"/orders/v0/orders/{order_id}").json()["payload"]
    assert (old["AmazonOrderId"], old["PurchaseDate"]) == (new["orderId"], new["createdTime"])
    assert old["OrderTotal"]["Amount"] == new["proceeds"]["grandTotal"]["amount"]
    assert seller.confirm_shipment(order_id, confirmation(new)).status_code == 204
