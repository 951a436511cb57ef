"""The whole round with two published clients as they are: Amazon's own SDK, and the most used one (E1).

Neither is changed; each is told where Amazon is by its own settings. Amazon's SDK takes the two endpoints as arguments
of `SPAPIClient`. python-amazon-sp-api takes a token client class, here with another host and scheme, and its
`endpoint` attribute. Both leave the upload and the download of documents to the caller, or do them by the URL.
"""

import gzip
import io
import json
from typing import Any

import pytest

from amazon_sandbox.testing import (
    LocalAmazon,
    SellingPartner,
    app_of,
    listings_feed,
    offer,
    offer_attributes,
    update_message,
)

US = "ATVPDKIKX0DER"
LISTINGS_FEED = "JSON_LISTINGS_FEED"
LISTINGS_REPORT = "GET_MERCHANT_LISTINGS_ALL_DATA"
JSON = "application/json; charset=UTF-8"


PUT = {"productType": "PRODUCT", "requirements": "LISTING_OFFER_ONLY", "attributes": offer_attributes(20, 5)}
PATCH = {
    "productType": "PRODUCT",
    "patches": [{"op": "replace", "path": "/attributes/purchasable_offer", "value": [offer(21)]}],
}
FEED = listings_feed(update_message(1, "FED", attributes=offer_attributes(9, 9)))


def confirmation(order_item_id: str) -> dict[str, Any]:
    return {
        "marketplaceId": US,
        "packageDetail": {
            "packageReferenceId": "1",
            "carrierCode": "UPS",
            "trackingNumber": "1Z",
            "shipDate": "2026-11-23T10:00:00Z",
            "orderItems": [{"orderItemId": order_item_id, "quantity": 1}],
        },
    }


@pytest.fixture
def order(amazon: LocalAmazon, seller: SellingPartner) -> dict[str, Any]:
    """An order that waits to be shipped."""
    line = {"sku": "A/B", "quantity": 1, "unit_price": 20}
    wish = {"selling_partner_id": "A1US", "marketplace_id": US, "orders": [{"lines": [line]}]}
    placed: dict[str, Any] = amazon.dial("POST", "/sandbox/orders", wish)["orders"][0]
    return placed


@pytest.mark.row("E1")
def test_amazons_own_sdk_does_the_whole_round(
    amazon: LocalAmazon, seller: SellingPartner, order: dict[str, Any]
) -> None:
    from spapi.api.feeds_v2021_06_30.feeds_api import FeedsApi
    from spapi.api.listings_items_v2021_08_01.listings_api import ListingsApi
    from spapi.api.orders_v0.orders_v0_api import OrdersV0Api
    from spapi.api.orders_v2026_01_01.get_order_api import GetOrderApi
    from spapi.api.orders_v2026_01_01.search_orders_api import SearchOrdersApi
    from spapi.api.reports_v2021_06_30.reports_api import ReportsApi
    from spapi.api.sellers_v1.sellers_api import SellersApi
    from spapi.auth.credentials import SPAPIConfig
    from spapi.client import SPAPIClient
    from spapi.models.feeds_v2021_06_30 import CreateFeedDocumentSpecification, CreateFeedSpecification
    from spapi.models.reports_v2021_06_30 import CreateReportSpecification
    from spapi.rest import ApiException

    app = app_of("NA")
    config = SPAPIConfig(
        client_id=app.client_id, client_secret=app.client_secret, refresh_token=seller.refresh_token, region="NA"
    )
    client = SPAPIClient(
        config, oauth_endpoint=amazon.urls["lwa"] + "/auth/o2/token", endpoint=amazon.urls["na"]
    ).api_client

    (participation,) = SellersApi(client).get_marketplace_participations().payload
    assert (participation.marketplace.id, participation.store_name) == (US, "Shop A1US")

    listings = ListingsApi(client)
    assert listings.put_listings_item("A1US", "A/B", [US], PUT).status == "ACCEPTED"
    assert listings.patch_listings_item("A1US", "A/B", [US], PATCH).status == "ACCEPTED"
    found = listings.get_listings_item("A1US", "A/B", [US], included_data=["summaries", "offers"])
    assert (found.sku, found.offers[0].price.amount) == ("A/B", "21.00")
    searched = listings.search_listings_items("A1US", [US], identifiers=["A/B"], identifiers_type="SKU")
    assert [item.sku for item in searched.items] == ["A/B"]

    feeds = FeedsApi(client)
    document = feeds.create_feed_document(CreateFeedDocumentSpecification(content_type=JSON))
    uploaded = amazon.http.put(document.url, content=FEED, headers={"Content-Type": JSON})
    assert uploaded.status_code == 200
    wish = CreateFeedSpecification(
        feed_type=LISTINGS_FEED, marketplace_ids=[US], input_feed_document_id=document.feed_document_id
    )
    feed = feeds.get_feed(feeds.create_feed(wish).feed_id)
    assert feed.processing_status == "DONE"
    result = feeds.get_feed_document(feed.result_feed_document_id)
    assert result.compression_algorithm == "GZIP"
    report = json.loads(gzip.decompress(amazon.http.get(result.url).content))
    assert report["summary"]["messagesAccepted"] == 1
    assert feeds.get_feeds(feed_types=[LISTINGS_FEED]).feeds[0].feed_id == feed.feed_id

    reports = ReportsApi(client)
    specification = CreateReportSpecification(report_type=LISTINGS_REPORT, marketplace_ids=[US])
    made = reports.get_report(reports.create_report(specification).report_id)
    assert made.processing_status == "DONE"
    listed = reports.get_report_document(made.report_document_id)
    text = gzip.decompress(amazon.http.get(listed.url).content).decode("cp1252")
    assert [line.split("\t")[3] for line in text.splitlines()] == ["seller-sku", "A/B", "FED"]

    order_id, (code,) = order["amazon_order_id"], order["order_item_ids"]
    page = SearchOrdersApi(client).search_orders(
        last_updated_after="2020-01-01T00:00:00Z", included_data=["FULFILLMENT", "BUYER"]
    )
    assert [one.order_id for one in page.orders] == [order_id]
    OrdersV0Api(client).confirm_shipment(order_id, confirmation(code))
    shipped = GetOrderApi(client).get_order(order_id, included_data=["FULFILLMENT", "PACKAGES"]).order
    assert (shipped.fulfillment.fulfillment_status, shipped.packages[0].tracking_number) == ("SHIPPED", "1Z")

    assert listings.delete_listings_item("A1US", "A/B", [US]).status == "ACCEPTED"
    with pytest.raises(ApiException) as gone:
        listings.get_listings_item("A1US", "A/B", [US])
    assert gone.value.status == 404


@pytest.mark.row("E1")
def test_python_amazon_sp_api_does_the_whole_round(
    amazon: LocalAmazon, seller: SellingPartner, order: dict[str, Any]
) -> None:
    from sp_api.api import FeedsV20210630, ListingsItemsV20210801, OrdersV0, OrdersV20260101, ReportsV2, Sellers
    from sp_api.auth import AccessTokenClient
    from sp_api.base import SellingApiNotFoundException

    lwa = amazon.urls["lwa"].removeprefix("http://")
    local_login = type("LocalLogin", (AccessTokenClient,), {"scheme": "http://", "host": lwa})
    app = app_of("NA")
    credentials = {
        "refresh_token": seller.refresh_token,
        "lwa_app_id": app.client_id,
        "lwa_client_secret": app.client_secret,
    }

    def pointed(client_class: Any) -> Any:
        client = client_class(credentials=credentials, auth_token_client_class=local_login)
        client.endpoint = amazon.urls["na"]
        return client

    (participation,) = pointed(Sellers).get_marketplace_participation().payload
    assert participation["marketplace"]["id"] == US

    listings = pointed(ListingsItemsV20210801)
    assert listings.put_listings_item("A1US", "A/B", marketplaceIds=[US], body=PUT).payload["status"] == "ACCEPTED"
    assert listings.patch_listings_item("A1US", "A/B", marketplaceIds=[US], body=PATCH).payload["status"] == "ACCEPTED"
    found = listings.get_listings_item("A1US", "A/B", marketplaceIds=[US], includedData=["offers"]).payload
    assert found["offers"][0]["price"]["amount"] == "21.00"
    searched = listings.search_listings_items("A1US", marketplaceIds=[US], identifiers=["A/B"], identifiersType="SKU")
    assert [item["sku"] for item in searched.payload["items"]] == ["A/B"]

    feeds = pointed(FeedsV20210630)
    document, created = feeds.submit_feed(LISTINGS_FEED, io.BytesIO(FEED), JSON, marketplaceIds=[US])
    assert document.payload["feedDocumentId"]
    feed = feeds.get_feed(created.payload["feedId"]).payload
    assert feed["processingStatus"] == "DONE"
    report = json.loads(feeds.get_feed_document(feed["resultFeedDocumentId"]))
    assert report["summary"]["messagesAccepted"] == 1

    reports = pointed(ReportsV2)
    made = reports.create_report(reportType=LISTINGS_REPORT, marketplaceIds=[US]).payload
    done = reports.get_report(made["reportId"]).payload
    assert done["processingStatus"] == "DONE"
    listed = reports.get_report_document(done["reportDocumentId"], download=True).payload["document"]
    assert [line.split("\t")[3] for line in listed.splitlines()] == ["seller-sku", "A/B", "FED"]

    order_id, (code,) = order["amazon_order_id"], order["order_item_ids"]
    orders = pointed(OrdersV20260101)
    page = orders.search_orders(lastUpdatedAfter="2020-01-01T00:00:00Z", includedData=["FULFILLMENT"]).payload
    assert [one["orderId"] for one in page["orders"]] == [order_id]
    pointed(OrdersV0).confirm_shipment(order_id, **confirmation(code))
    shipped = orders.get_order(order_id, includedData=["FULFILLMENT", "PACKAGES"]).payload["order"]
    assert shipped["fulfillment"]["fulfillmentStatus"] == "SHIPPED"

    assert listings.delete_listings_item("A1US", "A/B", marketplaceIds=[US]).payload["status"] == "ACCEPTED"
    with pytest.raises(SellingApiNotFoundException):
        listings.get_listings_item("A1US", "A/B", marketplaceIds=[US])
