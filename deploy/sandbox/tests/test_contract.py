"""The answers against Amazon's published models, and rubbish against the process."""

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
    (placed,) = amazon.dial("POST", "/sandbox/orders", {**wish, "orders": [order]})["orders"]
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
    seller.confirm_shipment(placed["amazon_order_id"], {"marketplaceId": US, "packageDetail": detail})
    seller.order(placed["amazon_order_id"], includedData=everything)
    seller.search_orders(lastUpdatedAfter="2020-01-01T00:00:00Z", includedData=everything)
    counted = amazon.dial("GET", "/sandbox/books/calls")["calls"]
    first = ("sellers/v1/market", "listings/2021-08-01/items", "orders/2026", "orders/v0/orders/*/shipmentC")
    assert {operation.name for operation in OPERATIONS if operation.path.startswith(first)} <= set(counted)
    assert held == {"GET", "PUT", "PATCH", "DELETE", "POST"}


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
