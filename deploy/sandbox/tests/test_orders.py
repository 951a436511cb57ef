"""searchOrders, getOrder and confirmShipment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
EVERYTHING = (
    "BUYER,RECIPIENT,PROCEEDS,EXPENSE,PROMOTION,CANCELLATION,FULFILLMENT,PACKAGES,TAX,PAYMENT,FULFILLMENT_ORDERS"
)
LONG_AGO = "2020-01-01T00:00:00Z"


def place(seller: SellingPartner, *orders: dict[str, Any]) -> list[dict[str, Any]]:
    """The placed orders: their ids and the ids of their items."""
    filled = [{"lines": [{"sku": "S", "quantity": 2, "unit_price": 10.5}], **order} for order in orders]
    body = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": US, "orders": filled}
    placed: list[dict[str, Any]] = seller.amazon.dial("POST", "/sandbox/orders", body)["orders"]
    return placed


def shown(seller: SellingPartner, order_id: str) -> dict[str, Any]:
    order: dict[str, Any] = seller.order(order_id, includedData=EVERYTHING).json()["order"]
    return order


def found(seller: SellingPartner, **query: str) -> list[str]:
    answer = seller.search_orders(**({"lastUpdatedAfter": LONG_AGO} | query))
    assert answer.status_code == 200, answer.text
    return [order["orderId"] for order in answer.json()["orders"]]


@pytest.mark.row("E1")
@pytest.mark.fact("8.2.3")
def test_an_order_shows_only_the_datasets_that_were_asked_for(seller: SellingPartner) -> None:
    (order,) = place(seller, {"gift_message": "Canary greetings"})
    bare = seller.order(order["amazon_order_id"]).json()["order"]
    assert set(bare) == {"orderId", "createdTime", "lastUpdatedTime", "salesChannel", "orderItems"}
    assert set(bare["orderItems"][0]) == {"orderItemId", "quantityOrdered", "product"}
    whole = shown(seller, order["amazon_order_id"])
    assert {"buyer", "recipient", "proceeds", "fulfillment"} <= set(whole)
    assert whole["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"
    gift = whole["orderItems"][0]["fulfillment"]["packing"]["giftOption"]
    assert gift == {"giftMessage": "Canary greetings"}


@pytest.mark.fact("8.2.6")
@pytest.mark.edge(10)
def test_the_unit_price_is_for_one_unit_and_the_proceeds_for_all(seller: SellingPartner) -> None:
    (order,) = place(seller, {})
    (item,) = shown(seller, order["amazon_order_id"])["orderItems"]
    assert item["product"]["price"]["unitPrice"] == {"amount": "10.50", "currencyCode": "USD"}
    assert item["proceeds"]["proceedsTotal"] == {"amount": "21.00", "currencyCode": "USD"}


def test_people_are_canaries_and_differ_from_order_to_order(seller: SellingPartner) -> None:
    orders = [shown(seller, each["amazon_order_id"]) for each in place(seller, *({} for _ in range(20)))]
    for order in orders:
        assert order["buyer"]["buyerName"].startswith("Canary ")
        assert "canary" in order["buyer"]["buyerEmail"]
        assert "Canary" in order["recipient"]["deliveryAddress"]["addressLine1"]
    assert len({order["buyer"]["buyerName"] for order in orders}) == 20


@pytest.mark.fact("4.8")
@pytest.mark.edge(1)
def test_a_pending_order_has_no_address_and_no_prices_until_it_is_released(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    (order,) = place(seller, {"status": "PENDING"})
    order_id = order["amazon_order_id"]
    pending = shown(seller, order_id)
    assert pending["fulfillment"]["fulfillmentStatus"] == "PENDING"
    assert not {"recipient", "buyer", "proceeds"} & set(pending)
    assert "price" not in pending["orderItems"][0]["product"]
    amazon.advance(60)
    amazon.dial("POST", f"/sandbox/orders/{order_id}/release")
    released = shown(seller, order_id)
    assert released["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"
    assert {"recipient", "buyer", "proceeds"} <= set(released)
    assert released["lastUpdatedTime"] > pending["lastUpdatedTime"]


@pytest.mark.fact("8.2.9")
@pytest.mark.edge(8)
def test_a_wish_to_cancel_and_a_cancellation_are_two_things(amazon: LocalAmazon, seller: SellingPartner) -> None:
    (order,) = place(seller, {})
    order_id = order["amazon_order_id"]
    amazon.dial("POST", f"/sandbox/orders/{order_id}/request-cancel", {"reason": "Too late"})
    wished = shown(seller, order_id)
    assert wished["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"
    request = wished["orderItems"][0]["cancellation"]["cancellationRequest"]
    assert request == {"requester": "BUYER", "cancelReason": "Too late"}
    amazon.dial("POST", f"/sandbox/orders/{order_id}/cancel")
    cancelled = shown(seller, order_id)
    assert cancelled["fulfillment"]["fulfillmentStatus"] == "CANCELLED"
    assert cancelled["orderItems"][0]["cancellation"]["cancellationExecution"]["cancelledBy"] == "BUYER"
    assert "recipient" not in cancelled


@pytest.mark.fact("8.2.2")
def test_pages_carry_every_order_once_and_the_last_has_no_token(seller: SellingPartner) -> None:
    placed = [each["amazon_order_id"] for each in place(seller, *({} for _ in range(25)))]
    query = {"lastUpdatedAfter": LONG_AGO, "maxResultsPerPage": "10"}
    pages = []
    while True:
        page = seller.search_orders(**query).json()
        pages.append([order["orderId"] for order in page["orders"]])
        if "pagination" not in page:
            break
        query["paginationToken"] = page["pagination"]["nextToken"]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [order_id for page in pages for order_id in page] == placed


@pytest.mark.fact("8.2.2")
@pytest.mark.fault("F19")
def test_a_pagination_token_needs_the_same_filters_and_lives_a_day(amazon: LocalAmazon, seller: SellingPartner) -> None:
    place(seller, {}, {}, {})
    query = {"lastUpdatedAfter": LONG_AGO, "maxResultsPerPage": "1", "fulfillmentStatuses": "UNSHIPPED"}
    token = seller.search_orders(**query).json()["pagination"]["nextToken"]
    assert seller.search_orders(**query, paginationToken=token, includedData="BUYER").status_code == 200
    fewer = {"lastUpdatedAfter": LONG_AGO, "paginationToken": token}
    assert seller.search_orders(**fewer).status_code == 400
    assert seller.search_orders(**query, paginationToken="nonsense").status_code == 400
    amazon.advance(24 * 3600 + 1)
    renewed = amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token).json()
    seller.access_token = renewed["access_token"]
    assert seller.search_orders(**query, paginationToken=token).status_code == 400


@pytest.mark.fact("8.2.1")
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"createdAfter": LONG_AGO, "lastUpdatedAfter": LONG_AGO},
        {"lastUpdatedBefore": LONG_AGO},
        {"lastUpdatedAfter": LONG_AGO, "createdBefore": LONG_AGO},
        {"lastUpdatedAfter": LONG_AGO, "lastUpdatedBefore": "2019-01-01T00:00:00Z"},
        {"lastUpdatedAfter": "TEST_CASE_400"},
        {"lastUpdatedAfter": LONG_AGO, "maxResultsPerPage": "101"},
        {"lastUpdatedAfter": LONG_AGO, "maxResultsPerPage": "0"},
        {"lastUpdatedAfter": LONG_AGO, "fulfillmentStatuses": "Unshipped"},
        {"lastUpdatedAfter": LONG_AGO, "fulfilledBy": "MFN"},
        {"lastUpdatedAfter": LONG_AGO, "includedData": "EVERYTHING"},
    ],
)
def test_a_wrong_search_is_400_in_amazons_shape(seller: SellingPartner, query: dict[str, str]) -> None:
    answer = seller.search_orders(**query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "InvalidInput"


@pytest.mark.fact("8.2.1")
def test_before_must_lie_two_minutes_back(seller: SellingPartner) -> None:
    now = datetime.now(UTC)
    recent, older = ((now - timedelta(seconds=ago)).isoformat() for ago in (60, 180))
    assert seller.search_orders(lastUpdatedAfter=LONG_AGO, lastUpdatedBefore=recent).status_code == 400
    assert seller.search_orders(lastUpdatedAfter=LONG_AGO, lastUpdatedBefore=older).status_code == 200


@pytest.mark.fact("8.2.1")
@pytest.mark.edge(5)
def test_search_leaves_out_the_last_two_minutes_and_says_so(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(search_lag_s=120)
    (order,) = place(seller, {})
    answer = seller.search_orders(lastUpdatedAfter=LONG_AGO).json()
    assert answer["orders"] == []
    placed_time = shown(seller, order["amazon_order_id"])["lastUpdatedTime"]
    assert answer["lastUpdatedBefore"] < placed_time
    amazon.advance(121)
    assert found(seller) == [order["amazon_order_id"]]


def test_filters_choose_by_status_channel_and_marketplace(seller: SellingPartner) -> None:
    unshipped, pending, by_amazon = (
        each["amazon_order_id"] for each in place(seller, {}, {"status": "PENDING"}, {"fulfilled_by": "AMAZON"})
    )
    assert found(seller, fulfillmentStatuses="PENDING") == [pending]
    assert found(seller, fulfilledBy="AMAZON") == [by_amazon]
    assert found(seller, marketplaceIds=US, fulfilledBy="MERCHANT") == [unshipped, pending]
    assert found(seller, marketplaceIds="A2EUQ1WTGCTBG2") == []
    by_creation = seller.search_orders(createdAfter=LONG_AGO).json()
    assert [order["orderId"] for order in by_creation["orders"]] == [unshipped, pending, by_amazon]
    assert "createdBefore" in by_creation


@pytest.mark.fact("4.2")
def test_of_an_order_amazon_fulfils_the_seller_learns_no_person(seller: SellingPartner) -> None:
    (order,) = place(seller, {"fulfilled_by": "AMAZON"})
    whole = shown(seller, order["amazon_order_id"])
    assert "Canary" not in str(whole)
    assert whole["recipient"]["deliveryAddress"]["countryCode"] == "US"


def confirmation(order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    detail = {
        "packageReferenceId": "1",
        "carrierCode": "UPS",
        "shippingMethod": "UPS Ground",
        "trackingNumber": "1Z999",
        "shipDate": "2026-11-23T10:00:00.000Z",
        "orderItems": [{"orderItemId": order["order_item_ids"][0], "quantity": 2}],
    }
    return {"marketplaceId": US, "packageDetail": detail | changes}


@pytest.mark.fact("8.4.7")
@pytest.mark.edge(14)
def test_a_confirmed_package_shows_after_the_delay(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(shipment_delay_s=180)
    (order,) = place(seller, {})
    answer = seller.confirm_shipment(order["amazon_order_id"], confirmation(order))
    assert (answer.status_code, answer.content) == (204, b"")
    assert "packages" not in shown(seller, order["amazon_order_id"])
    amazon.advance(181)
    shipped = shown(seller, order["amazon_order_id"])
    assert shipped["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    (package,) = shipped["packages"]
    assert (package["carrier"], package["shippingService"], package["trackingNumber"]) == ("UPS", "UPS Ground", "1Z999")
    assert shipped["orderItems"][0]["fulfillment"] == {"quantityFulfilled": 2, "quantityUnfulfilled": 0}


@pytest.mark.fact("8.4.1")
@pytest.mark.parametrize("reference", [1, None, "", "0", "PKG-1", "-1", "1.5"])
def test_a_package_reference_is_a_string_of_a_positive_number(seller: SellingPartner, reference: object) -> None:
    (order,) = place(seller, {})
    answer = seller.confirm_shipment(order["amazon_order_id"], confirmation(order, packageReferenceId=reference))
    assert answer.status_code == 400
    assert "packagereferenceid" in answer.json()["errors"][0]["message"].lower()


@pytest.mark.fact("8.4.1")
def test_the_same_reference_edits_its_package(amazon: LocalAmazon, seller: SellingPartner) -> None:
    (order,) = place(seller, {})
    order_id = order["amazon_order_id"]
    seller.confirm_shipment(order_id, confirmation(order))
    assert seller.confirm_shipment(order_id, confirmation(order, trackingNumber="1Z000")).status_code == 204
    (package,) = shown(seller, order_id)["packages"]
    assert package["trackingNumber"] == "1Z000"
    (books,) = amazon.dial("GET", "/sandbox/books/orders", selling_partner_id="A1US")["orders"]
    assert (books["confirmations"], len(books["packages"])) == (2, 1)


@pytest.mark.fact("8.4.6")
@pytest.mark.edge(12)
def test_packages_fill_the_order_and_nothing_ships_beyond_it(seller: SellingPartner) -> None:
    (order,) = place(seller, {})
    order_id, item_id = order["amazon_order_id"], order["order_item_ids"][0]
    one = [{"orderItemId": item_id, "quantity": 1}]
    assert seller.confirm_shipment(order_id, confirmation(order, orderItems=one)).status_code == 204
    assert shown(seller, order_id)["fulfillment"]["fulfillmentStatus"] == "PARTIALLY_SHIPPED"
    over = seller.confirm_shipment(order_id, confirmation(order, packageReferenceId="2"))
    assert over.status_code == 400
    rest = confirmation(order, packageReferenceId="2", orderItems=one)
    assert seller.confirm_shipment(order_id, rest).status_code == 204
    assert shown(seller, order_id)["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    third = seller.confirm_shipment(order_id, confirmation(order, packageReferenceId="3", orderItems=one))
    assert (third.status_code, third.json()["errors"][0]["code"]) == (400, "PackageToUpdateNotFound")


@pytest.mark.fact("8.4.3")
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"carrierCode": "Royal Mail"}, 204),
        ({"carrierCode": "royal mail"}, 400),
        ({"carrierCode": "Pigeon Post"}, 400),
        ({"carrierCode": "Other"}, 400),
        ({"carrierCode": "Other", "carrierName": "Pigeon Post"}, 204),
        ({"shippingMethod": "UP Ground"}, 204),
        ({"shippingMethod": "x" * 51}, 400),
        ({"shipDate": "02/21/2022"}, 400),
        ({"orderItems": []}, 400),
        ({"orderItems": [{"orderItemId": "1", "quantity": 1}]}, 400),
        ({"trackingNumber": ""}, 400),
    ],
)
def test_amazon_takes_or_refuses_a_package_detail(seller: SellingPartner, changes: dict[str, Any], status: int) -> None:
    (order,) = place(seller, {})
    assert seller.confirm_shipment(order["amazon_order_id"], confirmation(order, **changes)).status_code == status


@pytest.mark.fact("8.4.6")
def test_orders_that_cannot_ship_are_refused(amazon: LocalAmazon, seller: SellingPartner) -> None:
    by_amazon, pending, cancelled = place(seller, {"fulfilled_by": "AMAZON"}, {"status": "PENDING"}, {})
    amazon.dial("POST", f"/sandbox/orders/{cancelled['amazon_order_id']}/cancel")
    for order in (by_amazon, pending, cancelled):
        assert seller.confirm_shipment(order["amazon_order_id"], confirmation(order)).status_code == 400
    assert seller.confirm_shipment("113-0000000-0000000", confirmation(pending)).status_code == 404
    assert seller.order("113-0000000-0000000").status_code == 404


@pytest.mark.edge(30)
def test_amazon_lowers_its_own_quantity_when_it_sells(amazon: LocalAmazon, seller: SellingPartner) -> None:
    listing = {"sku": "S", "price": 20, "quantity": 5, "lead_time_to_ship_max_days": 3}
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "listings": [listing]}
    amazon.dial("POST", "/sandbox/listings", body)
    amazon.settings(listing_delay_s=60)
    merge = {
        "op": "merge",
        "path": "/attributes/fulfillment_availability",
        "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 7}],
    }
    patches = {"productType": "PRODUCT", "patches": [merge]}
    assert seller.listings_item("PATCH", "S", patches, marketplaceIds=US).json()["status"] == "ACCEPTED"
    (order,) = place(seller, {"status": "PENDING"})

    def quantity() -> int:
        query = {"marketplaceIds": US, "includedData": "fulfillmentAvailability"}
        shown_quantity: int = seller.listings_item("GET", "S", **query).json()["fulfillmentAvailability"][0]["quantity"]
        return shown_quantity

    assert quantity() == 3
    amazon.advance(61)
    assert quantity() == 5
    amazon.dial("POST", f"/sandbox/orders/{order['amazon_order_id']}/cancel")
    assert quantity() == 7
