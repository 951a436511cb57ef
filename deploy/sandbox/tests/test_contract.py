"""The answers against Amazon's published models, and rubbish against the process."""

import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amazon_sandbox.sp_api import OPERATIONS
from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"


@pytest.mark.row("E1")
def test_every_operation_answers_in_the_shape_of_amazons_model(amazon: LocalAmazon, seller: SellingPartner) -> None:
    if amazon.check is None:
        pytest.skip("Amazon's models are not beside this checkout")
    held: set[str] = set()
    check = amazon.check

    def checked(answer: httpx.Response) -> None:
        assert answer.is_success, answer.text
        check(answer)
        held.add(answer.request.method)

    amazon.check = checked
    everything = "BUYER,RECIPIENT,PROCEEDS,CANCELLATION,FULFILLMENT,PACKAGES"
    data = "summaries,attributes,issues,offers,fulfillmentAvailability,procurement,relationships,productTypes"
    listing = {"sku": "S", "price": 20, "quantity": 5}
    wish = {"selling_partner_id": "A1US", "marketplace_id": US}
    amazon.dial("POST", "/sandbox/listings", {**wish, "listings": [listing]})
    order = {"lines": [{"sku": "S", "quantity": 1}], "gift_message": "Canary"}
    orders = [order, {**order, "programs": ["IN_STORE_PICK_UP"]}]
    placed, for_pickup = amazon.dial("POST", "/sandbox/orders", {**wish, "orders": orders})["orders"]
    detail = {
        "packageReferenceId": "1",
        "carrierCode": "USPS",
        "trackingNumber": "94",
        "shipDate": "2026-11-23T10:00:00Z",
        "orderItems": [{"orderItemId": placed["order_item_ids"][0], "quantity": 1}],
    }
    offer = {"currency": "USD", "our_price": [{"schedule": [{"value_with_tax": 3}]}]}
    replace = {"op": "replace", "path": "/attributes/purchasable_offer", "value": [offer]}
    attributes = {
        "merchant_suggested_asin": [{"value": "B000000001"}],
        "condition_type": [{"value": "new_new"}],
        "purchasable_offer": [offer],
    }
    seller.participations()
    seller.listings_item("GET", "S", marketplaceIds=US, includedData=data)
    seller.search_listings(marketplaceIds=US, includedData=data)
    seller.listings_item("PATCH", "S", {"productType": "PRODUCT", "patches": [replace]}, marketplaceIds=US)
    seller.listings_item("PUT", "T", {"productType": "PRODUCT", "attributes": attributes}, marketplaceIds=US)
    seller.listings_item("DELETE", "S", marketplaceIds=US)
    seller.update_shipment_status(
        for_pickup["amazon_order_id"], {"marketplaceId": US, "shipmentStatus": "ReadyForPickup"}
    )
    seller.confirm_shipment(placed["amazon_order_id"], {"marketplaceId": US, "packageDetail": detail})
    seller.order(placed["amazon_order_id"], includedData=everything)
    seller.search_orders(lastUpdatedAfter="2020-01-01T00:00:00Z", includedData=everything)
    hold_feeds(amazon, seller)
    hold_reports(amazon, seller)
    counted = amazon.dial("GET", "/sandbox/books/calls")["calls"]
    first = ("sellers/v1/market", "listings/2021-08-01/items", "orders/2026", "orders/v0/orders/*/shipmentC")
    assert {operation.name for operation in OPERATIONS if operation.path.startswith(first)} <= set(counted)
    assert held == {"GET", "PUT", "PATCH", "DELETE", "POST"}


def hold_feeds(amazon: LocalAmazon, seller: SellingPartner) -> None:
    """Each feed operation, answered with success."""
    feed_id = seller.submit_feed("POST_PRODUCT_DATA", b"", US)
    seller.feed(feed_id)
    amazon.dial("POST", "/sandbox/feeds/next", {"selling_partner_id": "A1US", "stick": "IN_QUEUE"})
    waiting = seller.submit_feed("JSON_LISTINGS_FEED", b"{}", US)
    seller.feeds("DELETE", f"feeds/{waiting}")
    seller.feeds("GET", feedTypes="POST_PRODUCT_DATA,JSON_LISTINGS_FEED", pageSize="1")
    seller.feed_result(seller.submit_feed("JSON_LISTINGS_FEED", b"{}", US))


def hold_reports(amazon: LocalAmazon, seller: SellingPartner) -> None:
    """Each report operation, answered with success."""
    report = seller.request_report("GET_MERCHANT_LISTINGS_ALL_DATA", US, dataStartTime="2026-01-01T00:00:00Z")
    seller.report_content(report)
    amazon.dial("POST", "/sandbox/reports/next", {"selling_partner_id": "A1US", "stick": "IN_QUEUE"})
    waiting = seller.request_report("GET_MERCHANT_LISTINGS_ALL_DATA", US)
    seller.reports("DELETE", f"reports/{waiting['reportId']}")
    kinds = "GET_MERCHANT_LISTINGS_ALL_DATA"
    seller.reports("GET", reportTypes=kinds, pageSize="1")
    wish = {"reportType": kinds, "marketplaceIds": [US], "period": "P1D"}
    schedule = seller.reports("POST", "schedules", wish).json()["reportScheduleId"]
    seller.reports("GET", f"schedules/{schedule}")
    seller.reports("GET", "schedules", reportTypes=kinds)
    seller.reports("DELETE", f"schedules/{schedule}")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_INSTANCE = st.dictionaries(
    st.sampled_from(
        ["marketplace_id", "currency", "audience", "our_price", "value", "quantity", "fulfillment_channel_code"]
    ),
    _JSON | st.sampled_from([US, "USD", "ALL", "DEFAULT", "new_new"]),
    max_size=4,
)
_ATTRIBUTE = st.sampled_from(["purchasable_offer", "fulfillment_availability", "condition_type", "item_name", "brand"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    op=st.sampled_from(["add", "replace", "merge", "delete"]),
    attribute=_ATTRIBUTE,
    value=st.lists(_INSTANCE, max_size=2) | _JSON,
)
def test_no_patch_can_break_the_process(
    amazon: LocalAmazon, seller: SellingPartner, op: str, attribute: str, value: object
) -> None:
    listing = {"sku": "S", "price": 20, "quantity": 5}
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "listings": [listing]}
    amazon.dial("POST", "/sandbox/listings", body)
    patch = {"op": op, "path": f"/attributes/{attribute}", "value": value}
    answer = seller.listings_item("PATCH", "S", {"productType": "PRODUCT", "patches": [patch]}, marketplaceIds=US)
    assert answer.status_code in (200, 400)
    shown = seller.listings_item(
        "GET", "S", marketplaceIds=US, includedData="summaries,attributes,offers,fulfillmentAvailability,issues"
    )
    assert shown.status_code in (200, 404)


@pytest.mark.parametrize(
    ("path", "query", "body"),
    [
        ("/orders/2026-01-01/orders", "lastUpdatedAfter=%FF", b""),
        ("/orders/2026-01-01/orders", "lastUpdatedAfter=0001-01-01T00:00:00%2B14:00", b""),
        ("/orders/2026-01-01/orders", "lastUpdatedAfter=9999-12-31T23:59:59-14:00", b""),
        ("/orders/2026-01-01/orders", "lastUpdatedAfter=2020-01-01&paginationToken=%F0%9F%98%80", b""),
        ("/listings/2021-08-01/items/A1US/%FF", f"marketplaceIds={US}", b""),
        ("/listings/2021-08-01/items/A1US/", f"marketplaceIds={US}", b""),
        ("/orders/2026-01-01/orders/%00", "includedData=", b""),
        ("/listings/2021-08-01/items/A1US/S", f"marketplaceIds={US}", b"[" * 100_000),
    ],
)
def test_a_request_made_of_rubbish_is_refused_and_nothing_more(
    seller: SellingPartner, path: str, query: str, body: bytes
) -> None:
    answer = seller.amazon.http.request(
        "PUT" if body else "GET",
        f"{seller.amazon.urls['na']}{path}?{query}",
        content=body,
        headers={"x-amz-access-token": seller.access_token},
    )
    assert answer.status_code in (200, 400, 404)
    assert seller.participations().status_code == 200


def test_an_unknown_operation_and_a_port_without_region_are_404(amazon: LocalAmazon) -> None:
    assert amazon.http.get(amazon.urls["na"] + "/vendor/v1/orders").status_code == 404
    assert amazon.http.get(amazon.urls["lwa"] + "/sellers/v1/marketplaceParticipations").status_code == 404


_MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "messageId": st.integers(-2, 3) | _JSON,
        "sku": st.sampled_from(["S", "T", ""]) | _JSON,
        "operationType": st.sampled_from(["UPDATE", "PARTIAL_UPDATE", "PATCH", "DELETE"]) | _JSON,
        "productType": st.just("PRODUCT") | _JSON,
        "requirements": st.just("LISTING") | _JSON,
        "attributes": st.dictionaries(_ATTRIBUTE, st.lists(_INSTANCE, max_size=2) | _JSON, max_size=3) | _JSON,
        "patches": st.lists(
            st.fixed_dictionaries(
                {"op": st.sampled_from(["add", "replace", "merge", "delete"]), "path": st.just("/attributes/brand")},
                optional={"value": st.lists(_INSTANCE, max_size=2) | _JSON},
            ),
            max_size=2,
        )
        | _JSON,
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(_MESSAGE | _JSON, min_size=1, max_size=4))
def test_no_listings_feed_can_break_the_process(
    amazon: LocalAmazon, seller: SellingPartner, messages: list[object]
) -> None:
    content = json.dumps({"header": {"sellerId": "A1US", "version": "2.0"}, "messages": messages}).encode()
    feed_id = seller.submit_feed("JSON_LISTINGS_FEED", content, US)
    assert seller.feed(feed_id)["processingStatus"] == "DONE"
    summary = json.loads(seller.feed_result(feed_id))["summary"]
    assert summary["messagesProcessed"] == len(messages)
    assert summary["messagesAccepted"] + summary["messagesInvalid"] == len(messages)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=64) | st.text(max_size=64).map(lambda text: f"<AmazonEnvelope>{text}".encode()))
def test_no_content_of_a_feed_can_break_the_process(seller: SellingPartner, content: bytes) -> None:
    for feed_type in ("JSON_LISTINGS_FEED", "POST_ORDER_FULFILLMENT_DATA", "POST_ORDER_ACKNOWLEDGEMENT_DATA"):
        feed_id = seller.submit_feed(feed_type, content, US)
        assert seller.feed(feed_id)["processingStatus"] == "FATAL"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wish=st.dictionaries(st.sampled_from(["feedType", "reportType", "marketplaceIds", "period"]), _JSON, max_size=4))
@pytest.mark.parametrize("path", ["/feeds/2021-06-30/feeds", "/reports/2021-06-30/reports"])
def test_no_wish_for_a_feed_or_report_can_break_the_process(
    seller: SellingPartner, path: str, wish: dict[str, object]
) -> None:
    body = {"feedType": "POST_PRODUCT_DATA", "reportType": "GET_MERCHANT_LISTINGS_ALL_DATA", "marketplaceIds": [US]}
    assert seller.call("POST", path, {**body, "inputFeedDocumentId": "nothing", **wish}).status_code in (202, 400)
