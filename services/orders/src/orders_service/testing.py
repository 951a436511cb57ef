"""A merchant's shop for tests: a seller at the local Amazon, and the orders service that works for it. Never
imported by product code."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common.amazon.client import Seller
from common.bulk import run
from common.contracts.compliance import Allocation, OrderRouted
from common.contracts.connections import Address, ConnectionAuthorized, Region
from common.contracts.connections import Channel as ChannelTold
from common.contracts.event import Event
from common.contracts.orders import FulfillmentLine
from common.contracts.shipments import ShipmentCreated, ShippedItem
from common.db import Database
from common.http import Response
from common.jobs import Runner
from common.kafka import Consumer
from common.testing.amazon import Amazon
from common.testing.events import deliver, published
from common.testing.plugin import Running
from common.worker import Worker
from orders_service.confirming import SyncOrders
from orders_service.getting import GetOrders

US, CANADA, UK = "ATVPDKIKX0DER", "A2EUQ1WTGCTBG2", "A1F83G8C2ARO7P"
RETURN_ADDRESS = Address(
    name="Shop Ltd",
    line_1="1 Warehouse Road",
    city="Springfield",
    state_or_region="IL",
    postal_code="62701",
    country_code="US",
)
SCOPES = ("orders:read", "orders:write", "operations:read", "operations:write")

M = TypeVar("M", bound=SQLModel)
E = TypeVar("E", bound=Event)


class InterruptedDatabase(Database):
    """After the first commit that leaves a row for the query `seen`, `act` happens before the run's next step."""

    def __init__(self, url: str, seen: str, act: Callable[[], Awaitable[None]]) -> None:
        super().__init__(url, service="orders")
        self.acted = False
        self._seen = seen
        self._act = act

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        async with super().transaction() as session:
            yield session
        if self.acted:
            return
        async with super().transaction() as session:
            self.acted = bool(await run(session, self._seen))
        if self.acted:
            await self._act()


@dataclass
class Retold:
    """Stands before the local Amazon: `retell` changes each order of an answer before it is given."""

    url: str = ""
    retell: Callable[[dict[str, Any]], None] = lambda order: None


@dataclass
class Shop:
    """One seller, its channels by marketplace, and short ways through the service's three doors."""

    service: Running
    amazon: Amazon
    headers: dict[str, str]
    pii_headers: dict[str, str]
    account_id: UUID
    selling_partner_id: str
    region: Region = "NA"
    connection_id: UUID = field(default_factory=uuid4)
    channels: dict[str, UUID] = field(default_factory=dict)
    return_address: Address | None = RETURN_ADDRESS
    paused: frozenset[str] = frozenset()
    version: int = 0

    @property
    def consumer(self) -> Consumer:
        consumer = self.service.runtime.consumer()
        assert consumer is not None
        return consumer

    async def call(
        self, method: str, path: str, body: Any = None, *, status: int = 0, **query: str | int | None
    ) -> Any:
        """One call as the merchant; `status` is what it must answer (any success when 0)."""
        answer = await self.request(method, path, body, **query)
        expected = answer.status_code == status if status else answer.status_code < 300
        assert expected, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def request(self, method: str, path: str, body: Any = None, **query: str | int | None) -> Response:
        given = {name: value for name, value in query.items() if value is not None}
        return await self.service.http.request(method, path, json=body, params=given, headers=self.headers)

    async def deliver(self, *events: Event) -> None:
        await deliver(self.consumer, *events)

    async def published(self, kind: type[E]) -> list[E]:
        """The events of one kind about this seller's orders, in the order in which they leave."""
        return [
            event
            for event in await published(self.service.runtime.db)
            if isinstance(event, kind) and event.account_id == self.account_id
        ]

    async def rows(self, model: type[M]) -> Sequence[M]:
        async with self.service.runtime.db.transaction() as session:
            return (await session.exec(select(model))).all()

    async def sql(self, statement: str, *parameters: Any) -> Sequence[Any]:
        """A look (or a hand) into the tables that no door gives."""
        async with self.service.runtime.db.transaction() as session:
            return await run(session, statement, *parameters)

    async def connect(self, *, status: Any = "active") -> None:
        """What auth announces of the connection and its channels."""
        self.version += 1
        await self.deliver(
            ConnectionAuthorized(
                account_id=self.account_id,
                connection_id=self.connection_id,
                version=self.version,
                name="Shop",
                status=status,
                selling_partner_id=self.selling_partner_id,
                region=self.region,
                home_marketplace_id=next(iter(self.channels), US),
                channels=tuple(
                    ChannelTold(
                        channel_id=channel_id,
                        name=marketplace_id,
                        marketplace_id=marketplace_id,
                        paused=marketplace_id in self.paused,
                        seller_of_record="Shop Ltd",
                        return_address=self.return_address,
                    )
                    for marketplace_id, channel_id in self.channels.items()
                ),
            )
        )

    async def reconnect(self, *, told_first: bool = False) -> None:
        """The seller's connection is deleted and made anew, as are its channels; `told_first`: the new one is."""
        old, old_version, channels = self.connection_id, self.version, self.channels

        async def delete() -> None:
            new = self.connection_id, self.version, self.channels
            self.connection_id, self.version, self.channels = old, old_version, {}
            await self.connect(status="deleted")
            self.connection_id, self.version, self.channels = new

        if not told_first:
            await delete()
        self.connection_id, self.version = uuid4(), 0
        self.channels = {marketplace_id: uuid4() for marketplace_id in channels}
        self.amazon.access.grant_again(self.connection_id, old)
        await self.connect()
        if told_first:
            await delete()

    async def map_shipping(self, marketplace_id: str = US) -> None:
        await self.call("POST", f"/v1/channels/{self.channels[marketplace_id]}/shipping-mappings/defaults")

    async def map_shipping_as_in_the_us(self, marketplace_id: str) -> None:
        """Standard shipping of another marketplace under the policy that the US has."""
        rows = {"mappings": [{"service_level": "STANDARD", "policy": "Standard"}]}
        await self.call("PUT", f"/v1/channels/{self.channels[marketplace_id]}/shipping-mappings", rows)

    async def place(self, *orders: dict[str, Any], marketplace_id: str = US) -> list[str]:
        """Orders at Amazon, each of two of one SKU unless said otherwise; their ids."""
        line = {"sku": "MUG-1", "quantity": 2, "unit_price": 9.99}
        placed = {
            "selling_partner_id": self.selling_partner_id,
            "marketplace_id": marketplace_id,
            "orders": [{"lines": [line]} | order for order in orders],
        }
        answer = await self.amazon.dial("POST", "/sandbox/orders", placed)
        return [order["amazon_order_id"] for order in answer["orders"]]

    async def run(self, operation: str, **body: Any) -> Any:
        """Starts an operation by hand and works until nothing is due; the run as the API shows it."""
        run_id = await self.start(operation, **body)
        await self.service.runtime.worker().run_due()
        return await self.operation(run_id)

    async def operation(self, run_id: str) -> Any:
        return await self.call("GET", f"/v1/operations/{run_id}")

    async def start(self, operation: str, **body: Any) -> str:
        """Starts an operation by hand and leaves it queued; the run's id."""
        await self.refill_buckets()
        return str((await self.call("POST", "/v1/operations", self.asked(operation, **body)))["id"])

    def asked(self, operation: str, **body: Any) -> dict[str, Any]:
        """The body that starts an operation of this connection."""
        return {"operation": operation, "connection_id": str(self.connection_id)} | body

    async def work_interrupted(self, seen: str, act: Callable[[], Awaitable[None]]) -> None:
        """Works until nothing is due; in the middle, when `seen` finds its first row, `act` happens."""
        runtime = self.service.runtime
        db = InterruptedDatabase(runtime.db.url, seen, act)
        runners: dict[str, Runner] = {
            "get_orders": GetOrders(db, runtime.amazon, runtime.key_ring),
            "sync_orders": SyncOrders(db, runtime.amazon, (0.0,)),
        }
        await Worker(runtime.db, runners).run_due()
        await db.close()
        assert db.acted, f"no row for {seen}"

    async def calls(self, operation: str) -> int:
        """How often Amazon was called so far, whatever it answered."""
        calls = (await self.amazon.dial("GET", "/sandbox/books/calls"))["calls"]
        return sum(calls.get(operation, {}).values())

    async def refill_buckets(self) -> None:
        """Amazon's allowance as after a long pause: what is tested is not how fast one may call."""
        await self.sql("update amazon_bucket set tokens = 1000")

    async def get_orders(self) -> Any:
        return await self.run("get_orders")

    async def sync_orders(self) -> Any:
        return await self.run("sync_orders")

    async def order(self, amazon_order_id: str) -> Any:
        page = await self.call("GET", "/v1/orders", amazon_order_id=amazon_order_id)
        assert len(page["items"]) == 1, f"{len(page['items'])} orders {amazon_order_id}"
        return page["items"][0]

    async def orders(self) -> list[Any]:
        items: list[Any] = (await self.call("GET", "/v1/orders", limit=500))["items"]
        return items

    async def explain(self, amazon_order_id: str) -> list[str]:
        return [reason["code"] for reason in await self.reasons(amazon_order_id)]

    async def reasons(self, amazon_order_id: str) -> list[dict[str, str]]:
        """All that stands in the order's way."""
        path = f"/v1/sellers/{self.selling_partner_id}/orders/{amazon_order_id}/explanation"
        found: list[dict[str, str]] = (await self.call("GET", path))["reasons"]
        return found

    async def at_amazon(self, amazon_order_id: str) -> Any:
        """The order in Amazon's own books."""
        path = f"/sandbox/books/orders?selling_partner_id={self.selling_partner_id}"
        books = await self.amazon.dial("GET", path)
        return next(order for order in books["orders"] if order["amazon_order_id"] == amazon_order_id)

    async def access_token(self) -> str:
        """A token of this seller, for calls that go past our service."""
        seller = Seller(self.account_id, self.connection_id, self.selling_partner_id, self.region)
        return await self.amazon.access.get(seller)

    async def routed(
        self, order: Any, *sources: tuple[UUID, int], decision_version: int = 1, attestation_version: int = 1
    ) -> OrderRouted:
        """A decision of compliance: each source ships so many of the order's first line."""
        line = order["lines"][0]
        return OrderRouted(
            account_id=self.account_id,
            selling_partner_id=self.selling_partner_id,
            amazon_order_id=order["amazon_order_id"],
            decision_version=decision_version,
            order_version=order["version"],
            allocations=tuple(
                Allocation(
                    source_id=source_id,
                    attestation_version=attestation_version,
                    lines=(FulfillmentLine(order_item_id=line["order_item_id"], sku=line["sku"], quantity=quantity),),
                )
                for source_id, quantity in sources
            ),
        )

    def shipped(self, amazon_order_id: str, quantity: int = 2, **changes: Any) -> ShipmentCreated:
        """A parcel of so many MUG-1, told by a source."""
        told: dict[str, Any] = {
            "account_id": self.account_id,
            "selling_partner_id": self.selling_partner_id,
            "amazon_order_id": amazon_order_id,
            "shipment_id": uuid4(),
            "carrier": "UPS",
            "method": "UPS Ground",
            "tracking_number": f"1Z{uuid4().hex[:12]}",
            "shipped_at": datetime.now(UTC),
            "items": (ShippedItem(sku="MUG-1", quantity=quantity),),
        }
        return ShipmentCreated(**told | changes)

    async def shipment(self, told: ShipmentCreated) -> Any:
        return await self.call("GET", f"/v1/shipments/{told.shipment_id}")


OpenShop = Callable[..., Awaitable[Shop]]


@dataclass
class Spoiler:
    """Stands before the local Amazon and spoils what it answers about some orders.

    `odd` says what is odd about an order wherever it is shown (`ODDITIES`), `failing` which orders getOrder answers 500
    for, `cut` how many answers of searchOrders to come are cut off. No page holds more than `largest_page` orders.
    """

    url: str = ""
    odd: dict[str, str] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    cut: int = 0
    largest_page: int = 100
    refuse_tokens: bool = False
    page_sizes: list[int] = field(default_factory=list)

    def spoilt(self, path: str, query: str, answer: Response) -> tuple[int, bytes]:
        """Status and body in place of Amazon's answer."""
        if path.rpartition("/")[2] in self.failing:
            return 500, b""
        if "paginationToken" in query and self.refuse_tokens:
            return 400, b'{"errors": [{"code": "InvalidInput", "message": "token expired"}]}'
        if answer.status_code != 200:
            return answer.status_code, answer.content
        document = answer.json()
        if "orders" in document:
            self.page_sizes.append(len(document["orders"]))
        for order in document.get("orders", [document.get("order")]):
            if order["orderId"] in self.odd:
                order["orderItems"][0]["product"] = {"sellerSku": "MUG-1", "ODD": self.odd[order["orderId"]]}
        body = json.dumps(document).encode()
        for name, text in ODDITIES.items():
            body = body.replace(b'"ODD": "' + name.encode() + b'"', text)
        if "orders" in document and self.cut:
            self.cut -= 1
            body = body[: len(body) * 9 // 10]
        return answer.status_code, body


# What is odd about an order, as it stands among the fields of its first item's product.
ODDITIES = {
    "shape": b'"title": ["a list"]',
    "nul": b'"title": "Mug\\u0000"',
    "amount": b'"price": {"unitPrice": {"amount": "123456789012345.00", "currencyCode": "USD"}}',
    "currency": b'"price": {"unitPrice": {"amount": "1.00", "currencyCode": "BUX"}}',
    "bare word": b'"deemedResellerCategory": UOSS',
    "surrogate": b'"title": "\\ud800"',
    "quote": b'"title": "27" monitor"',
}
