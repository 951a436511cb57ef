"""The main job, step by step. What a step says was read back from Amazon's books or from Kafka, not our tables."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from local_stack.demo import world
from local_stack.demo.foreign import ForeignSystem
from local_stack.demo.hands import Amazon, Merchant, StepFailed, until
from local_stack.demo.report import Report
from local_stack.demo.world import Seller

T = TypeVar("T")

# Nothing of a buyer's may be on a topic; every buyer of the local Amazon carries this mark.
BUYER_MARK = b"Canary"


class Story:
    """One run of the demo over a started stack."""

    # Seconds to look for something before the step fails: a busy machine is slow, not wrong.
    patience = 90.0

    def __init__(
        self, merchant: Merchant, amazon: Amazon, other: ForeignSystem, account_id: str, report: Report
    ) -> None:
        self.merchant = merchant
        self.amazon = amazon
        self.other = other
        self.account_id = account_id
        self.report = report
        self.products = world.products()
        self.connections: dict[Seller, str] = {}
        self.channels: dict[Seller, str] = {}
        self.sources: dict[str, str] = {}
        self.order_ids: list[str] = []

    async def run(self) -> None:
        """All steps in order; StepFailed from the first that does not see what it must."""
        for title, method in STEPS:
            await self.report.step(title, getattr(self, method))

    async def connect_sellers(self) -> str:
        for seller in world.SELLERS:
            await self.amazon.dial(
                "POST",
                "/sellers",
                {
                    "selling_partner_id": seller.selling_partner_id,
                    "region": seller.region,
                    "name": seller.name,
                    "marketplaces": [seller.marketplace_id],
                },
            )
            pending = await self.merchant.call(
                "auth",
                "POST",
                "/v1/connections",
                {
                    "name": seller.name,
                    "selling_partner_id": seller.selling_partner_id,
                    "marketplace_id": seller.marketplace_id,
                },
            )
            await self.merchant.visit(pending["consent_url"])
            self.connections[seller] = pending["id"]
        await self._seen("ConnectionAuthorized", len(world.SELLERS))
        tokens = await self.amazon.dial("GET", "/books/tokens")
        authorised = {event["selling_partner_id"] for event in self.other.of_type("ConnectionAuthorized")}
        self._expect({seller.selling_partner_id for seller in world.SELLERS}, authorised, "authorised sellers")
        self.report.counts["connections"] = len(authorised)
        return f"ConnectionAuthorized on Kafka for {len(authorised)} sellers; Amazon's books: {_short(tokens)}"

    async def open_channels(self) -> str:
        for seller, connection_id in self.connections.items():
            channel = await self.merchant.call(
                "auth",
                "POST",
                "/v1/channels",
                {
                    "name": seller.name,
                    "connection_id": connection_id,
                    "marketplace_id": seller.marketplace_id,
                    "seller_of_record": seller.name,
                    "return_address": {
                        "name": seller.name,
                        "line_1": "1 Warehouse Road",
                        "city": "Springfield",
                        "postal_code": "12345",
                        "country_code": "US" if seller.marketplace_id == world.US else "GB",
                    },
                },
            )
            self.channels[seller] = channel["id"]
        for seller, channel_id in self.channels.items():
            await self._until(f"channel {seller.name} in orders and listings", partial(self._known, channel_id))
            if seller.marketplace_id == world.US:
                await self.merchant.call("orders", "POST", f"/v1/channels/{channel_id}/shipping-mappings/defaults")
            else:
                await self.merchant.call("orders", "POST", "/v1/shipping-policies", {"name": "Royal Mail bag"})
                await self.merchant.call(
                    "orders",
                    "PUT",
                    f"/v1/channels/{channel_id}/shipping-mappings",
                    {"mappings": [{"service_level": "STANDARD", "policy": "Royal Mail bag"}]},
                )
        open_now = {c["channel_id"] for e in self.other.of_type("ConnectionChanged") for c in e["channels"]}
        self._expect(set(self.channels.values()), open_now, "channels on entrepot.connections")
        self.report.counts["channels"] = len(open_now)
        return f"{len(open_now)} channels on entrepot.connections; shipping mapped: 4 US defaults, 1 UK"

    async def import_sources(self) -> str:
        stock = {"Compliant Supply": (world.COMPLIANT_SKUS, 2), "Grey Wholesale": (world.OTHER_SKUS, 1)}
        for priority, (name, (indexes, cost)) in enumerate(stock.items(), 1):
            source = await self.merchant.call(
                "compliance", "POST", "/v1/sources", {"name": name, "kind": "supplier", "priority": priority}
            )
            self.sources[name] = source["id"]
            rows = [
                {"sku": p.sku, "quantity": 100, "cost": {"amount": str(cost), "currency": "USD"}}
                for p in self.products
                if p.index in indexes
            ]
            answer = await self.merchant.call(
                "compliance", "PUT", f"/v1/sources/{source['id']}/inventory", {"rows": rows}
            )
            self._expect(len(indexes), answer["created"], f"stock rows of {name}")
        await self._attest("Compliant Supply")
        attested = await self._seen("SourceComplianceChanged", 1)
        both = len(set(world.COMPLIANT_SKUS) & set(world.OTHER_SKUS))
        self._expect([self.sources["Compliant Supply"]], [e["source_id"] for e in attested], "attested sources")
        self.report.counts["sources"] = len(self.sources)
        return f"2 sources, {both} SKUs at both; SourceComplianceChanged on Kafka for Compliant Supply alone"

    async def upsert_and_link(self) -> str:
        for seller in world.SELLERS:
            theirs = [p for p in self.products if p.seller is seller and p.at_amazon]
            await self.amazon.dial(
                "POST",
                "/listings",
                {
                    "selling_partner_id": seller.selling_partner_id,
                    "marketplace_id": seller.marketplace_id,
                    "listings": [
                        {
                            "sku": p.sku,
                            "title": f"Product {p.index}",
                            "price": float(p.price),
                            "quantity": p.quantity,
                            "lead_time_to_ship_max_days": 2,
                        }
                        for p in theirs
                    ],
                },
            )
        rows = [
            {
                "channel_id": self.channels[p.seller],
                "sku": p.sku,
                "title": f"Product {p.index}",
                "quantity": p.quantity,
                "price": {"amount": str(p.price), "currency": world.CURRENCY[p.seller.marketplace_id]},
            }
            for p in self.products
        ]
        answer = await self.merchant.call("listings", "POST", "/v1/listings", {"listings": rows})
        self._expect((world.LISTINGS, []), (answer["created"], answer["errors"]), "listings created")
        for channel_id in self.channels.values():
            body = {"operation": "link", "channel_id": channel_id}
            run = await self.merchant.call("listings", "POST", "/v1/operations", body)
            await self.merchant.finished("listings", run, within=self.patience)
        expected = {p.sku for p in self.products if p.at_amazon}
        linked = await self._seen("ListingLinked", len(expected))
        self._expect(expected, {event["sku"] for event in linked}, "linked SKUs")
        self.report.counts |= {"listings": answer["created"], "linked": len(expected)}
        self.report.counts["not_at_amazon"] = world.LISTINGS - len(expected)
        return (
            f"{world.LISTINGS} listings; ListingLinked on Kafka for {len(expected)}, "
            f"{world.LISTINGS - len(expected)} not at Amazon; SKUs such as {self.products[0].sku!r} byte for byte"
        )

    async def change_and_sync(self) -> str:
        wanted = world.changes(self.products)
        by_event, by_api = list(wanted)[::2], list(wanted)[1::2]
        await self.merchant.call(
            "listings", "POST", "/v1/listings/changes", {"changes": [self._change(i) for i in by_api]}
        )
        for index in by_event:
            product = self.products[index]
            data = self._change(index) | {"account_id": self.account_id, "as_of": datetime.now(UTC).isoformat()}
            await self.other.send("entrepot.inventory", f"{self.account_id}:{product.sku}", "InventoryChanged", data)
        await self.other.flush()
        await self._until("all changes synced", lambda: self._synced({self.products[i].sku for i in wanted}))
        written = await self._writes()
        self._expect({self.products[i].sku for i in wanted}, set(written), "SKUs written at Amazon")
        for index, (quantity, price) in wanted.items():
            product = self.products[index]
            book = written[product.sku]
            self._expect(
                product.quantity if quantity is None else quantity, book["quantity"], f"quantity of {product.sku}"
            )
            self._expect(
                float(product.price if price is None else price), float(book["price"]), f"price of {product.sku}"
            )
            self._expect(2, book["lead_time_to_ship_max_days"], f"lead time of {product.sku}, which no change named")
        self.report.counts["changes"] = len(written)
        return f"Amazon's books: exactly {len(written)} SKUs written, values as desired, lead times kept"

    async def import_orders(self) -> str:
        placed: Counter[Seller] = Counter()
        for seller in world.SELLERS:
            orders = [
                {"lines": [{"sku": product.sku, "quantity": quantity, "unit_price": float(product.price)}]}
                for product, quantity in world.ordered(self.products)
                if product.seller is seller
            ]
            answer = await self.amazon.dial(
                "POST",
                "/orders",
                {
                    "selling_partner_id": seller.selling_partner_id,
                    "marketplace_id": seller.marketplace_id,
                    "orders": orders,
                },
            )
            self.order_ids += [order["amazon_order_id"] for order in answer["orders"]]
            placed[seller] += len(orders)
        for _ in range(2):
            for connection_id in self.connections.values():
                body = {"operation": "get_orders", "connection_id": connection_id}
                run = await self.merchant.call("orders", "POST", "/v1/operations", body)
                await self.merchant.finished("orders", run, within=self.patience)
        imported = await self._seen("OrderImported", world.ORDERS)
        ids = Counter(event["amazon_order_id"] for event in imported)
        self._expect(set(self.order_ids), set(ids), "imported orders")
        self.report.counts |= {"orders": len(ids), "duplicates": sum(ids.values()) - len(ids)}
        self._expect(0, self.report.counts["duplicates"], "orders imported twice")
        return f"Get Orders ran twice; an independent consumer saw OrderImported once for each of {len(ids)} orders"

    async def route(self) -> str:
        await self._until(
            "a decision for every order",
            lambda: self._decided(world.ORDERS),
        )
        routed, held = self.other.of_type("OrderRouted"), self.other.of_type("OrderHeld")
        chosen = {allocation["source_id"] for event in routed for allocation in event["allocations"]}
        self._expect({self.sources["Compliant Supply"]}, chosen, "sources chosen")
        self._expect({"none_compliant"}, {event["code"] for event in held}, "reasons of held orders")
        self._expect(world.HELD_ORDERS, len({event["amazon_order_id"] for event in held}), "held orders")
        self.report.counts |= {"routed_at_first": len(routed), "held": len(held)}
        return f"{len(routed)} routed, none to Grey Wholesale; {len(held)} held: {held[0]['detail']}"

    async def attest_and_reroute(self) -> str:
        held = {event["amazon_order_id"] for event in self.other.of_type("OrderHeld")}
        await self._attest("Grey Wholesale")
        await self._until("the held orders routed", lambda: self._routed_orders(world.ORDERS))
        requested = await self._seen("FulfillmentRequested", world.ORDERS)
        grey = {e["amazon_order_id"] for e in requested if e["source_id"] == self.sources["Grey Wholesale"]}
        self._expect(held, grey, "orders requested of Grey Wholesale")
        self.report.counts["routed"] = len({event["amazon_order_id"] for event in requested})
        return f"toggle on: the {len(grey)} held orders routed; FulfillmentRequested for all {len(requested)}"

    async def ship_and_confirm(self) -> str:
        await self._ship()
        rejected = await self._seen("TrackingRejected", 1)
        self._expect("UPS Ground", rejected[0]["suggestion"], "suggestion for 'UP Ground'")
        await self._until("39 shipments confirmed", lambda: self._confirmed(world.ORDERS - 1))
        books = await self._packages()
        self._expect(world.ORDERS - 1, len(books), "orders with a package at Amazon")
        self.report.counts["tracking_rejected"] = len(rejected)
        return f"Amazon's books: {len(books)} orders with their tracking; 1 held: {rejected[0]['detail']}"

    async def edit_and_confirm(self) -> str:
        (rejected,) = self.other.of_type("TrackingRejected")
        await self.merchant.call(
            "orders", "PATCH", f"/v1/shipments/{rejected['shipment_id']}", {"method": rejected["suggestion"]}
        )
        await self._until("all shipments confirmed", lambda: self._confirmed(world.ORDERS))
        books = await self._packages()
        self._expect(set(self.order_ids), set(books), "orders with a package at Amazon")
        self._expect({1}, {len(packages) for packages in books.values()}, "packages per order")
        self.report.counts["confirmed"] = len(books)
        return (
            f"edited to {rejected['suggestion']!r}, read back: {len(books)} of {world.ORDERS} orders have one package"
        )

    async def look_back(self) -> str:
        if BUYER_MARK in self.other.raw:
            raise StepFailed("a buyer's data is on a topic")
        written = await self._writes()
        self._expect(world.CHANGES, len(written), "SKUs written at Amazon at the end")
        calls = await self.amazon.dial("GET", "/books/calls")
        doubled = Counter(event["amazon_order_id"] for event in self.other.of_type("OrderImported"))
        self._expect(1, max(doubled.values()), "OrderImported per order at the end")
        self.report.counts["events_read"] = len(self.other.read)
        return f"{len(self.other.read)} events on Kafka without any buyer's data; Amazon's books: {_short(calls)}"

    async def _attest(self, source: str) -> None:
        await self.merchant.call(
            "compliance",
            "PUT",
            f"/v1/sources/{self.sources[source]}/attestation",
            {"agreement_version": "2022-09-22", "attested_by": "the merchant"},
        )

    async def _ship(self) -> None:
        """Every source tells that its parcel left; one of them misspells the method."""
        requests = self.other.of_type("FulfillmentRequested")
        for number, request in enumerate(requests):
            data: dict[str, Any] = {
                "account_id": self.account_id,
                "selling_partner_id": request["selling_partner_id"],
                "amazon_order_id": request["amazon_order_id"],
                "shipment_id": str(uuid4()),
                "source_id": request["source_id"],
                "carrier": "UPS",
                "method": "UP Ground" if number == 0 else "UPS Ground",
                "tracking_number": f"1Z{number:016}",
                "shipped_at": datetime.now(UTC).isoformat(),
                "items": [{"order_item_id": i["order_item_id"], "quantity": i["quantity"]} for i in request["lines"]],
            }
            key = f"{self.account_id}:{request['selling_partner_id']}:{request['amazon_order_id']}"
            await self.other.send("entrepot.shipments", key, "ShipmentCreated", data)
        await self.other.flush()

    def _change(self, index: int) -> dict[str, Any]:
        product = self.products[index]
        quantity, price = world.changes(self.products)[index]
        change: dict[str, Any] = {"channel_id": self.channels[product.seller], "sku": product.sku}
        if quantity is not None:
            change["quantity"] = quantity
        if price is not None:
            change["price"] = {"amount": str(price), "currency": world.CURRENCY[product.seller.marketplace_id]}
        return change

    async def _seen(self, event_type: str, at_least: int) -> list[dict[str, Any]]:
        async def look() -> list[dict[str, Any]]:
            found = self.other.of_type(event_type)
            return found if len(found) >= at_least else []

        return await self._until(f"{at_least} {event_type} on Kafka", look)

    async def _until(self, what: str, look: Callable[[], Awaitable[T]]) -> T:
        return await until(what, look, within=self.patience)

    async def _known(self, channel_id: str) -> bool:
        channels = {c["channel_id"] for e in self.other.of_type("ConnectionChanged") for c in e["channels"]}
        if channel_id not in channels:
            return False
        try:
            await self.merchant.call("orders", "GET", f"/v1/channels/{channel_id}/order-settings")
            await self.merchant.call("listings", "GET", f"/v1/operations?channel_id={channel_id}")
        except StepFailed:
            return False
        return True

    async def _synced(self, skus: set[str]) -> bool:
        return skus <= {event["sku"] for event in self.other.of_type("ListingSynced")}

    async def _decided(self, orders: int) -> bool:
        decided = self.other.of_type("OrderRouted", "OrderHeld")
        return len({event["amazon_order_id"] for event in decided}) >= orders

    async def _routed_orders(self, orders: int) -> bool:
        return len({event["amazon_order_id"] for event in self.other.of_type("OrderRouted")}) >= orders

    async def _confirmed(self, orders: int) -> bool:
        return len({event["amazon_order_id"] for event in self.other.of_type("TrackingConfirmed")}) >= orders

    async def _writes(self) -> dict[str, dict[str, Any]]:
        """Amazon's books of every SKU that was written since it was seeded."""
        written: dict[str, dict[str, Any]] = {}
        for seller in world.SELLERS:
            books = await self.amazon.dial(
                "GET",
                "/books/listings",
                selling_partner_id=seller.selling_partner_id,
                marketplace_id=seller.marketplace_id,
            )
            written |= {book["sku"]: book for book in books["listings"] if book["writes"]}
        return written

    async def _packages(self) -> dict[str, list[Any]]:
        """Amazon's books: the packages of every order that has one."""
        packages: dict[str, list[Any]] = {}
        for seller in world.SELLERS:
            books = await self.amazon.dial("GET", "/books/orders", selling_partner_id=seller.selling_partner_id)
            packages |= {o["amazon_order_id"]: o["packages"] for o in books["orders"] if o["packages"]}
        return packages

    def _expect(self, wanted: Any, seen: Any, what: str) -> None:
        if wanted != seen:
            raise StepFailed(f"{what}: wanted {_short(wanted)}, saw {_short(seen)}")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else text[:200] + "..."


STEPS = (
    ("connect two sellers by the consent round trip", "connect_sellers"),
    ("open a channel per seller and map shipping", "open_channels"),
    ("import two sources, one of them compliant", "import_sources"),
    ("upsert 200 listings and link them by SKU", "upsert_and_link"),
    ("change 30 prices and quantities by API and by events, sync", "change_and_sync"),
    ("import 40 orders, with Get Orders run twice", "import_orders"),
    ("route them: a source that did not attest is never chosen", "route"),
    ("switch its toggle on: held orders route", "attest_and_reroute"),
    ("confirm tracking to Amazon; a wrong method is held with a suggestion", "ship_and_confirm"),
    ("edit it and confirm", "edit_and_confirm"),
    ("look back: nothing doubled, no buyer's data on Kafka", "look_back"),
)
