"""Random operations one after another: whatever is done in whatever order, the world's invariants hold."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US, CA = "ATVPDKIKX0DER", "A2EUQ1WTGCTBG2"
CURRENCY = {US: "USD", CA: "CAD"}
SKUS = ("A/B", "a b", "007")
WAREHOUSE = 6  # units of each SKU that Amazon holds in the US when the trade begins
LONG_AGO = "2020-01-01T00:00:00Z"

skus, stores = st.sampled_from(SKUS), st.sampled_from((US, CA))
quantities, prices = st.integers(0, 9), st.integers(1, 9999)


class Trade(RuleBasedStateMachine):
    """A seller in two stores of a region, buyers, carriers, and a clock."""

    orders = Bundle("orders")

    amazon: LocalAmazon

    def __init__(self) -> None:
        super().__init__()
        self.placed = 0
        self.confirmed = 0
        self.listed: set[tuple[str, str]] = set()
        self.stock: dict[str, int] = {}  # by SKU: last written, less sold, plus given back
        self.warehouse = dict.fromkeys(SKUS, WAREHOUSE)
        self.pending: dict[str, list[tuple[dict[str, int], str, int]]] = {}  # what each pending order has taken

    @initialize(delay=st.sampled_from((0, 60)))
    def opens(self, delay: int) -> None:
        self.amazon.dial("DELETE", "/sandbox/world")
        self.amazon.settings(listing_delay_s=delay, shipment_delay_s=delay, search_lag_s=0, quotas={"enabled": False})
        self.amazon.create_seller("A1US", "NA", US, CA)
        self.seller: SellingPartner = self.amazon.connect("A1US", "NA")
        for sku in SKUS:
            item = {"sellerSku": sku, "marketplaceId": US, "productName": "A product"}
            assert self.seller.call("POST", "/fba/inventory/v1/items", item).status_code == 200
        items = [{"sellerSku": sku, "marketplaceId": US, "quantity": WAREHOUSE} for sku in SKUS]
        self.amazon.http.post(
            self.amazon.urls["na"] + "/fba/inventory/v1/items/inventory",
            json={"inventoryItems": items},
            headers={"x-amz-access-token": self.seller.access_token, "x-amzn-idempotency-token": "once"},
        ).raise_for_status()

    @rule(sku=skus, store=stores, quantity=quantities, price=prices)
    def puts(self, sku: str, store: str, quantity: int, price: int) -> None:
        offer = {"marketplace_id": store, "currency": CURRENCY[store], "our_price": _schedule(price)}
        attributes = {
            "merchant_suggested_asin": [{"value": "B000000001", "marketplace_id": store}],
            "condition_type": [{"value": "new_new", "marketplace_id": store}],
            "purchasable_offer": [offer],
            "fulfillment_availability": [{"fulfillment_channel_code": "DEFAULT", "quantity": quantity}],
        }
        body = {"productType": "PRODUCT", "requirements": "LISTING_OFFER_ONLY", "attributes": attributes}
        assert self.seller.listings_item("PUT", sku, body, marketplaceIds=store).json()["status"] == "ACCEPTED"
        self.listed.add((sku, store))
        self.stock[sku] = quantity

    @rule(
        sku=skus,
        store=stores,
        op=st.sampled_from(("add", "replace", "merge", "delete")),
        attribute=st.sampled_from(("purchasable_offer", "fulfillment_availability")),
        quantity=quantities,
        price=prices,
        audience=st.sampled_from(("ALL", "B2B", None)),
        channel=st.sampled_from(("DEFAULT", "AMAZON_NA")),
    )
    def patches(
        self, sku: str, store: str, op: str, attribute: str, quantity: int, price: int, audience: Any, channel: str
    ) -> None:
        value: dict[str, Any] = {"marketplace_id": store, "currency": CURRENCY[store], "our_price": _schedule(price)}
        if audience is not None:
            value["audience"] = audience
        if attribute == "fulfillment_availability":
            value = {"fulfillment_channel_code": channel}
            if channel == "DEFAULT":
                value["quantity"] = quantity
        patch = {"op": op, "path": f"/attributes/{attribute}", "value": [value]}
        body = {"productType": "PRODUCT", "patches": [patch]}
        answer = self.seller.listings_item("PATCH", sku, body, marketplaceIds=store).json()
        assert answer["status"] in ("ACCEPTED", "INVALID")
        if answer["status"] == "ACCEPTED" and value.get("fulfillment_channel_code") == "DEFAULT":
            self.stock[sku] = quantity
            if op == "delete":
                del self.stock[sku]

    @rule(sku=skus, store=stores)
    def deletes(self, sku: str, store: str) -> None:
        assert self.seller.listings_item("DELETE", sku, marketplaceIds=store).json()["status"] == "ACCEPTED"
        self.listed.discard((sku, store))
        if not any((sku, other) in self.listed for other in (US, CA)):
            self.stock.pop(sku, None)

    @rule(
        target=orders,
        store=stores,
        lines=st.lists(st.tuples(skus, st.integers(1, 7)), min_size=1, max_size=2),
        status=st.sampled_from(("UNSHIPPED", "PENDING")),
        by=st.sampled_from(("MERCHANT", "AMAZON")),
    )
    def buys(self, store: str, lines: list[tuple[str, int]], status: str, by: str) -> dict[str, Any]:
        bought = [{"sku": sku, "quantity": quantity, "unit_price": 5} for sku, quantity in lines]
        order = {"lines": bought, "status": status, "fulfilled_by": by}
        wish = {"selling_partner_id": "A1US", "marketplace_id": store, "orders": [order]}
        (placed,) = self.amazon.dial("POST", "/sandbox/orders", wish)["orders"]
        self.placed += 1
        shelf = self.stock if by == "MERCHANT" else self.warehouse if store == US else {}
        taken = []
        for sku, quantity in lines:
            units = min(shelf.get(sku, 0), quantity)
            taken.append((shelf, sku, units))
            if sku in shelf:
                shelf[sku] -= units
        if status == "PENDING":
            self.pending[placed["amazon_order_id"]] = taken
        return {**placed, "store": store}

    @rule(order=orders, what=st.sampled_from(("release", "cancel", "request-cancel", "hide")))
    def happens(self, order: dict[str, Any], what: str) -> None:
        body = {"seconds": 0} if what == "hide" else None
        path = f"/sandbox/orders/{order['amazon_order_id']}/{what}"
        answer = self.amazon.http.post(self.amazon.urls["dials"] + path, json=body)
        assert answer.status_code in (200, 409)
        if answer.status_code == 200 and what in ("release", "cancel"):
            for shelf, sku, units in self.pending.pop(order["amazon_order_id"], ()):
                if what == "cancel" and sku in shelf:
                    shelf[sku] += units

    @rule(
        order=orders,
        reference=st.sampled_from(("1", "2", "3")),
        amounts=st.lists(st.integers(1, 4), min_size=2, max_size=2),
    )
    def ships(self, order: dict[str, Any], reference: str, amounts: list[int]) -> None:
        items = [
            {"orderItemId": item_id, "quantity": amount}
            for item_id, amount in zip(order["order_item_ids"], amounts, strict=False)
        ]
        detail = {
            "packageReferenceId": reference,
            "carrierCode": "UPS",
            "trackingNumber": "1Z",
            "shipDate": "2026-11-23T10:00:00Z",
            "orderItems": items,
        }
        body = {"marketplaceId": order["store"], "packageDetail": detail}
        answer = self.seller.confirm_shipment(order["amazon_order_id"], body)
        assert answer.status_code in (204, 400)
        self.confirmed += answer.status_code == 204

    @rule(seconds=st.sampled_from((1, 30, 61)))
    def time_passes(self, seconds: int) -> None:
        self.amazon.advance(seconds)

    @invariant()
    def quantities_are_never_negative_and_offers_are_one_for_each_audience(self) -> None:
        for store in (US, CA):
            for sku in SKUS:
                data = "attributes,fulfillmentAvailability"
                answer = self.seller.listings_item("GET", sku, marketplaceIds=store, includedData=data)
                if answer.status_code == 404:
                    continue
                item = answer.json()
                assert all(each.get("quantity", 0) >= 0 for each in item["fulfillmentAvailability"])
                channels = [each["fulfillmentChannelCode"] for each in item["fulfillmentAvailability"]]
                assert len(set(channels)) == len(channels)
                audiences = [each.get("audience", "ALL") for each in item["attributes"].get("purchasable_offer", ())]
                assert len(set(audiences)) == len(audiences)

    @invariant()
    def a_quantity_is_what_was_written_less_what_was_sold_plus_what_came_back(self) -> None:
        everything_shows = not self.amazon.dial("GET", "/sandbox/clock")["effects_outstanding"]
        for sku, store in self.listed:
            query = {"selling_partner_id": "A1US", "marketplace_id": store, "sku": sku}
            (listing,) = self.amazon.dial("GET", "/sandbox/books/listings", **query)["listings"]
            assert listing["quantity"] == self.stock.get(sku)
            if everything_shows:
                data = {"marketplaceIds": store, "includedData": "fulfillmentAvailability"}
                shown = self.seller.listings_item("GET", sku, **data).json()["fulfillmentAvailability"]
                quantities = {one["fulfillmentChannelCode"]: one.get("quantity") for one in shown}
                assert quantities.get("DEFAULT") == self.stock.get(sku)
        where = {"granularityType": "Marketplace", "granularityId": US, "marketplaceIds": US}
        answer = self.seller.call("GET", "/fba/inventory/v1/summaries", **where)
        summaries = answer.json()["payload"]["inventorySummaries"]
        assert {one["sellerSku"]: one["totalQuantity"] for one in summaries} == self.warehouse

    @invariant()
    def no_more_is_shipped_than_was_ordered_and_what_shows_was_accepted(self) -> None:
        books = self.amazon.dial("GET", "/sandbox/books/orders", selling_partner_id="A1US")["orders"]
        assert len(books) == self.placed
        assert sum(order["confirmations"] for order in books) == self.confirmed
        for order in books:
            assert all(0 <= line["shipped"] <= line["quantity"] for line in order["lines"])
            assert len(order["packages"]) <= order["confirmations"]
            shown = sum(sum(package["quantities"].values()) for package in order["packages"] if package["in_sight"])
            ordered = sum(line["quantity"] for line in order["lines"])
            if order["status"] == "SHIPPED":
                assert shown <= ordered
            if order["status"] in ("PENDING", "CANCELLED"):
                assert shown == 0

    @invariant()
    def search_finds_every_order_once_and_the_books_agree(self) -> None:
        query = {"lastUpdatedAfter": LONG_AGO, "maxResultsPerPage": "3", "includedData": "FULFILLMENT"}
        found: dict[str, str] = {}
        while True:
            page = self.seller.search_orders(**query).json()
            for order in page["orders"]:
                assert order["orderId"] not in found
                found[order["orderId"]] = order["fulfillment"]["fulfillmentStatus"]
            if "pagination" not in page:
                break
            query["paginationToken"] = page["pagination"]["nextToken"]
        books = self.amazon.dial("GET", "/sandbox/books/orders", selling_partner_id="A1US")["orders"]
        assert found == {order["amazon_order_id"]: order["status"] for order in books}

    @invariant()
    def the_books_count_what_search_counts(self) -> None:
        if self.amazon.dial("GET", "/sandbox/clock")["effects_outstanding"]:
            return
        for store in (US, CA):
            total = self.seller.search_listings(marketplaceIds=store).json()["numberOfResults"]
            query = {"selling_partner_id": "A1US", "marketplace_id": store}
            books = self.amazon.dial("GET", "/sandbox/books/listings", **query)["listings"]
            assert total == sum(listing["listed"] for listing in books)
            assert all(listing["listed"] == listing["in_sight"] for listing in books)


def _schedule(price: int) -> list[dict[str, Any]]:
    return [{"schedule": [{"value_with_tax": price / 100}]}]


@pytest.mark.row("E1")
@pytest.mark.timeout(300)
def test_the_invariants_hold_whatever_is_done_in_whatever_order(amazon: LocalAmazon) -> None:
    run_state_machine_as_test(
        type("Trade", (Trade,), {"amazon": amazon}),
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
