"""Our client against the local Amazon, which throttles, delays and loses answers as Amazon does."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from amazon_sandbox.testing import LocalAmazon, local_amazon
from common import clock, followed_clock, http
from common.amazon import errors, listings, operations, orders, sellers
from common.amazon.access import Seller
from common.amazon.client import AmazonClient
from common.amazon.limits import Limits
from common.amazon.listing import offer_of, quantity_of
from common.amazon.operations import Service

US = "ATVPDKIKX0DER"
SKUS = ("A/B", "A%2FB", "A B", "a+b&c", "ü", "007", "O'Neill", "case", "CASE")
ClientFor = Callable[[Service], AmazonClient]


@pytest.fixture(scope="module")
def amazon() -> Iterator[LocalAmazon]:
    """One local Amazon, its quotas on, its delays off."""
    with local_amazon() as urls, httpx.Client() as dials:
        running = LocalAmazon(dials, urls)
        running.settings(listing_delay_s=0, shipment_delay_s=0, search_lag_s=0)
        yield running


class Granted:
    """The access token of a seller who has consented."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get(self, seller: Seller) -> str:
        return self._token

    async def refused(self, seller: Seller, token: str) -> str:
        return token


@pytest.fixture
def seller(amazon: LocalAmazon) -> Seller:
    """A seller of their own for every test."""
    selling_partner_id = f"A{uuid.uuid4().hex[:12].upper()}"
    amazon.create_seller(selling_partner_id, "NA", US)
    return Seller(uuid.uuid4(), uuid.uuid4(), selling_partner_id, "NA")


@pytest.fixture
def client_for(
    amazon: LocalAmazon, seller: Seller, http_client: http.AsyncClient, bucket_engine: AsyncEngine, app_id: str
) -> ClientFor:
    """The client as a service has it."""
    access = Granted(amazon.connect(seller.selling_partner_id, "NA").access_token)

    def make(service: Service) -> AmazonClient:
        return AmazonClient(
            http_client,
            access,
            Limits(bucket_engine, service),
            app_ids={"NA": app_id},
            endpoints={"NA": amazon.urls["na"]},
            max_wait=30.0,
            backoff=0.01,
        )

    return make


def offer(price: float) -> dict[str, Any]:
    """Attributes of an offer with siblings that an update must not lose."""
    return {
        "merchant_suggested_asin": [{"value": "B000000001", "marketplace_id": US}],
        "condition_type": [{"value": "new_new", "marketplace_id": US}],
        "purchasable_offer": [
            {
                "marketplace_id": US,
                "audience": "ALL",
                "currency": "USD",
                "our_price": [{"schedule": [{"value_with_tax": price}]}],
                "minimum_seller_allowed_price": [{"schedule": [{"value_with_tax": 15.5}]}],
            }
        ],
        "fulfillment_availability": [
            {"fulfillment_channel_code": "DEFAULT", "quantity": 7, "lead_time_to_ship_max_days": 2}
        ],
    }


async def put(client: AmazonClient, seller: Seller, sku: str) -> None:
    submission = await listings.put_listings_item(
        client,
        seller,
        sku,
        marketplace_id=US,
        product_type="PRODUCT",
        requirements="LISTING_OFFER_ONLY",
        attributes=offer(19.99),
    )
    assert submission.status == "ACCEPTED", submission.issues


@pytest.mark.edge(16)
async def test_every_sku_is_found_as_itself_by_path_and_by_search(client_for: ClientFor, seller: Seller) -> None:
    client = client_for("listings")
    for sku in SKUS:
        await put(client, seller, sku)
    read = [await listings.get_listings_item(client, seller, sku, marketplace_id=US) for sku in SKUS]
    found = await listings.search_listings_items(client, seller, marketplace_id=US, skus=SKUS)
    assert [item.sku for item in read] == list(SKUS)
    assert {item.sku for item in found.items} == set(SKUS)
    with pytest.raises(errors.AmazonNotFound):
        await listings.get_listings_item(client, seller, "Case", marketplace_id=US)


@pytest.mark.edge(19)
@pytest.mark.row("B18")
async def test_a_new_quantity_and_a_new_price_leave_their_siblings_alone(client_for: ClientFor, seller: Seller) -> None:
    client = client_for("listings")
    await put(client, seller, "A")
    before = offer_of(await listings.get_listings_item(client, seller, "A", marketplace_id=US), US)
    assert before is not None
    patches = [listings.quantity_patch(0), listings.price_patch(before, Decimal("21.10"))]
    await listings.patch_listings_item(client, seller, "A", marketplace_id=US, product_type="PRODUCT", patches=patches)
    after = await listings.get_listings_item(client, seller, "A", marketplace_id=US)
    changed = offer_of(after, US)
    assert changed is not None
    assert quantity_of(after) == 0
    assert after.attributes["fulfillment_availability"][0]["lead_time_to_ship_max_days"] == 2
    assert changed["our_price"][0]["schedule"][0]["value_with_tax"] == Decimal("21.10")
    assert changed["minimum_seller_allowed_price"] == before["minimum_seller_allowed_price"]


def patches_by_status(amazon: LocalAmazon) -> dict[str, int]:
    counts: dict[str, int] = amazon.dial("GET", "/sandbox/books/calls")["calls"].get("patchListingsItem", {})
    return counts


@pytest.mark.fault("F10")
async def test_many_patches_at_once_never_meet_a_429(
    client_for: ClientFor, seller: Seller, amazon: LocalAmazon
) -> None:
    client = client_for("listings")
    await put(client, seller, "A")
    replicas = [client, client_for("listings")]
    before = patches_by_status(amazon)
    await asyncio.gather(
        *(
            listings.patch_listings_item(
                replicas[number % 2],
                seller,
                "A",
                marketplace_id=US,
                product_type="PRODUCT",
                patches=[listings.quantity_patch(number)],
            )
            for number in range(20)
        )
    )
    after = patches_by_status(amazon)
    assert {status: count - before.get(status, 0) for status, count in after.items()} == {"200": 20}


@pytest.mark.fault("F12")
@pytest.mark.edge(14)
async def test_a_confirmation_whose_answer_was_lost_makes_one_package(
    client_for: ClientFor, seller: Seller, amazon: LocalAmazon
) -> None:
    await put(client_for("listings"), seller, "A")
    placed = {"selling_partner_id": seller.selling_partner_id, "marketplace_id": US}
    amazon.dial("POST", "/sandbox/orders", placed | {"orders": [{"lines": [{"sku": "A", "quantity": 2}]}]})
    client = client_for("orders")
    page = await orders.search_orders(client, seller, last_updated_after=datetime.now(UTC) - timedelta(days=1))
    (order,) = page.orders
    assert (page.malformed, page.next_token) == ((), None)
    assert order.recipient is not None
    fault = {"kind": "drop_after_effect", "count": 1, "selling_partner_id": seller.selling_partner_id}
    amazon.dial("POST", "/sandbox/faults", {"operation": "confirmShipment", **fault})
    package = orders.PackageDetail(
        package_reference_id="1",
        carrier_code="UPS",
        shipping_method="UPS Ground",
        tracking_number="1Z999AA10123456784",
        ship_date=datetime.now(UTC),
        order_items=(orders.ConfirmShipmentOrderItem(order_item_id=order.order_items[0].order_item_id, quantity=2),),
    )
    await orders.confirm_shipment(client, seller, order.order_id, package, marketplace_id=US)
    (stored,) = (await orders.get_order(client, seller, order.order_id)).packages
    assert (stored.package_reference_id, stored.tracking_number) == ("1", "1Z999AA10123456784")


async def test_the_sellers_participations_are_told(client_for: ClientFor, seller: Seller) -> None:
    told = await sellers.get_marketplace_participations(client_for("auth"), seller)
    assert [entry.marketplace.id for entry in told if entry.participation.is_participating] == [US]


@pytest.mark.fault("F11")
@pytest.mark.parametrize("kind", ["empty", "malformed_json", "truncated", "reset", "html"])
async def test_no_fault_is_taken_for_an_empty_page(
    client_for: ClientFor, seller: Seller, amazon: LocalAmazon, kind: str
) -> None:
    fault = {"operation": "searchOrders", "kind": kind, "count": 9, "selling_partner_id": seller.selling_partner_id}
    amazon.dial("POST", "/sandbox/faults", fault | ({"status": 503} if kind == "html" else {}))
    with pytest.raises(errors.AmazonError):
        await orders.search_orders(client_for("orders"), seller, last_updated_after=datetime(2026, 1, 1, tzinfo=UTC))
    amazon.dial("DELETE", "/sandbox/faults")


@pytest.mark.row("E1")
@pytest.mark.fact("3.1")
async def test_quotas_refill_in_milliseconds_on_amazons_clock(
    amazon: LocalAmazon, client_for: ClientFor, seller: Seller, http_client: http.AsyncClient
) -> None:
    client = client_for("auth")
    clock_url = amazon.urls["dials"] + "/sandbox/clock"
    try:
        await followed_clock.adopt(http_client, clock_url)
        with pytest.raises(errors.Throttled):
            for _ in range(16):
                await client.call(operations.GET_MARKETPLACE_PARTICIPATIONS, seller, into=dict[str, Any], max_wait=0.0)
        amazon.advance(3 * 63)
        await followed_clock.adopt(http_client, clock_url)
        for _ in range(2):
            answer = await client.call(
                operations.GET_MARKETPLACE_PARTICIPATIONS, seller, into=dict[str, Any], max_wait=0.0
            )
            assert answer["payload"]
    finally:
        clock.set_ahead(timedelta(0))


async def test_a_clock_that_does_not_answer_changes_nothing(http_client: http.AsyncClient) -> None:
    assert await followed_clock.adopt(http_client, "http://127.0.0.1:1/sandbox/clock") is False
    assert clock.ahead() == timedelta(0)
