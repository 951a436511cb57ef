"""The other operations against Amazon's published models, and rubbish against them."""

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amazon_sandbox.lwa import ROTATION_SCOPE
from amazon_sandbox.sp_api import OPERATIONS, Operation
from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"
ORDERS = "/orders/v0/orders"
DESTINATIONS = "/notifications/v1/destinations"
SUBSCRIPTIONS = "/notifications/v1/subscriptions"
APIS = (
    "sellers/v1/account",
    "orders/v0/",
    "tokens/",
    "notifications/",
    "catalog/",
    "definitions/",
    "listings/2021-08-01/restrictions",
    "fba/",
    "applications/",
)
MORE = [operation for operation in OPERATIONS if operation.path.startswith(APIS)]


def orders_round(seller: SellingPartner) -> None:
    order = {"lines": [{"sku": "S", "quantity": 1, "unit_price": 1}], "regulated": True, "in_store_pickup": True}
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "orders": [{**order, "gift_message": "Canary"}]}
    (placed,) = seller.amazon.dial("POST", "/sandbox/orders", body)["orders"]
    path = f"{ORDERS}/{placed['amazon_order_id']}"
    elements = ("buyerInfo", "shippingAddress")
    everything = {"MarketplaceIds": US, "LastUpdatedAfter": "2020-01-01T00:00:00Z"}
    seller.restricted(ORDERS, *elements).call("GET", ORDERS, **everything)
    seller.restricted(path, *elements).call("GET", path)
    seller.restricted(f"{path}/orderItems", "buyerInfo").call("GET", f"{path}/orderItems")
    for part in ("/address", "/buyerInfo", "/orderItems/buyerInfo", "/regulatedInfo"):
        seller.restricted(path + part).call("GET", path + part)
    seller.call("POST", f"{path}/shipment", {"marketplaceId": US, "shipmentStatus": "ReadyForPickup"})
    status = {"status": "Approved", "externalReviewerId": "vet"}
    seller.call("PATCH", f"{path}/regulatedInfo", {"regulatedOrderVerificationStatus": status})
    detail: dict[str, Any] = {"packageReferenceId": "1", "carrierCode": "UPS", "trackingNumber": "1Z"}
    items = [{"orderItemId": placed["order_item_ids"][0], "quantity": 1}]
    detail |= {"shipDate": "2026-11-23T10:00:00Z", "orderItems": items}
    seller.confirm_shipment(placed["amazon_order_id"], {"marketplaceId": US, "packageDetail": detail})


def notifications_round(seller: SellingPartner, arn: str) -> None:
    app = seller.amazon.grantless()
    made = app.call("POST", DESTINATIONS, {"name": "ours", "resourceSpecification": {"sqs": {"arn": arn}}}).json()
    bridge = {"eventBridge": {"region": "us-east-1", "accountId": "123456789012"}}
    app.call("POST", DESTINATIONS, {"name": "bus", "resourceSpecification": bridge})
    destination_id = made["payload"]["destinationId"]
    app.call("GET", DESTINATIONS)
    app.call("GET", f"{DESTINATIONS}/{destination_id}")
    path = f"{SUBSCRIPTIONS}/ORDER_CHANGE"
    event_filter = {"eventFilterType": "ORDER_CHANGE", "orderChangeTypes": ["OrderStatusChange"]}
    body = {"payloadVersion": "1.0", "destinationId": destination_id}
    made = seller.call("POST", path, {**body, "processingDirective": {"eventFilter": event_filter}}).json()
    seller.call("GET", path)
    seller.call("GET", SUBSCRIPTIONS, notificationTypes="ORDER_CHANGE")
    by_id = f"{path}/{made['payload']['subscriptionId']}"
    app.call("GET", by_id)
    test = {"payloadVersion": "1.0"}
    app.call("POST", f"{path}/testNotification", {"destinationId": destination_id, "testNotification": test})
    app.call("DELETE", by_id)
    app.call("DELETE", f"{DESTINATIONS}/{destination_id}")


def catalogue_round(seller: SellingPartner) -> None:
    product = {
        "asin": "B000TEAPOT",
        "title": "Teapot",
        "brand": "Kettle",
        "classification_id": "7",
        "image": "https://i",
    }
    seller.amazon.dial("POST", "/sandbox/products", {"marketplace_id": US, "products": [product]})
    wish = {"selling_partner_id": "A1US", "marketplace_id": US, "asin": "B000TEAPOT", "condition_type": "new_new"}
    seller.amazon.dial("POST", "/sandbox/restrictions", wish)
    everything = "attributes,classifications,dimensions,identifiers,images,productTypes,relationships,summaries"
    where = {"marketplaceIds": US}
    seller.call("GET", "/sellers/v1/account")
    seller.call("GET", "/catalog/2022-04-01/items", **where, keywords="teapot", includedData=everything)
    seller.call("GET", "/catalog/2022-04-01/items/B000TEAPOT", **where, includedData=everything)
    seller.call("GET", "/listings/2021-08-01/restrictions", **where, asin="B000TEAPOT", sellerId="A1US")
    seller.call("GET", "/definitions/2020-09-01/productTypes", **where)
    seller.call("GET", "/definitions/2020-09-01/productTypes/PRODUCT", **where)
    item = {"sellerSku": "S", "marketplaceId": US, "productName": "Teapot"}
    seller.call("POST", "/fba/inventory/v1/items", item)
    headers = {"x-amz-access-token": seller.access_token, "x-amzn-idempotency-token": "1"}
    url = seller.amazon.urls["na"] + "/fba/inventory/v1/items/inventory"
    added = [{"sellerSku": "S", "marketplaceId": US, "quantity": 3}]
    answer = seller.amazon.http.post(url, json={"inventoryItems": added}, headers=headers)
    assert seller.amazon.check is not None
    seller.amazon.check(answer)
    granularity = {"granularityType": "Marketplace", "granularityId": US}
    seller.call("GET", "/fba/inventory/v1/summaries", **where, **granularity, details="true")
    seller.call("DELETE", "/fba/inventory/v1/items/S", marketplaceId=US)


@pytest.mark.row("E1")
@pytest.mark.fact("3.7")
def test_every_other_operation_answers_in_the_shape_of_amazons_model(
    amazon: LocalAmazon, seller: SellingPartner, sqs: Any
) -> None:
    if amazon.check is None:
        pytest.skip("Amazon's models are not beside this checkout")
    check = amazon.check

    def checked(answer: httpx.Response) -> None:
        assert answer.is_success, f"{answer.request.url} {answer.text}"
        check(answer)

    amazon.check = checked
    url = sqs.create_queue(QueueName="contract")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    orders_round(seller)
    notifications_round(seller, arn)
    catalogue_round(seller)
    amazon.app_settings(secret_queue_arn=arn)
    amazon.grantless(ROTATION_SCOPE).call("POST", "/applications/2023-11-30/clientSecret")
    counted = amazon.dial("GET", "/sandbox/books/calls")["calls"]
    assert {operation.name for operation in MORE} <= set(counted)


_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from([US, "ORDER_CHANGE", "1.0", "GET"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.sampled_from(
    [
        "restrictedResources",
        "targetApplication",
        "name",
        "resourceSpecification",
        "payloadVersion",
        "destinationId",
        "processingDirective",
        "testNotification",
        "marketplaceId",
        "shipmentStatus",
        "orderItems",
        "regulatedOrderVerificationStatus",
        "sellerSku",
        "productName",
        "inventoryItems",
    ]
)
_PARAMETERS = st.sampled_from(
    [
        "marketplaceIds",
        "MarketplaceIds",
        "CreatedAfter",
        "LastUpdatedAfter",
        "NextToken",
        "nextToken",
        "pageToken",
        "identifiers",
        "identifiersType",
        "keywords",
        "asin",
        "sellerId",
        "locale",
        "requirements",
        "granularityType",
        "granularityId",
        "notificationTypes",
        "includedData",
    ]
)
_QUERY = st.dictionaries(
    _PARAMETERS,
    st.sampled_from([US, "A1US", "SKU", "ORDER_CHANGE", "Marketplace", "2020-01-01T00:00:00Z", "x+" * 9 + "=", ""])
    | st.text(st.characters(codec="utf-8"), max_size=8),
    max_size=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operation=st.sampled_from(MORE), argument=st.text(min_size=1, max_size=6), query=_QUERY, body=st.data())
def test_no_request_can_break_the_process(
    amazon: LocalAmazon, seller: SellingPartner, operation: Operation, argument: str, query: dict[str, str], body: Any
) -> None:
    amazon.check = None
    caller = seller if operation.scope is None else amazon.grantless(operation.scope)
    path = "/" + operation.path.replace("*", argument.encode("utf-8", "replace").hex())
    document = body.draw(st.dictionaries(_FIELDS, _VALUE, max_size=4) | _VALUE) if operation.method != "GET" else None
    answer = caller.call(operation.method, path, document, **query)
    assert answer.status_code < 500, answer.text
