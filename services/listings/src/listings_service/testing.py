"""A merchant's shop for tests: the listings service, a seller at the local Amazon, and hands on every door. Never
imported by product code."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from common import clock
from common.bulk import run
from common.contracts.connections import Channel, ConnectionAuthorized, ConnectionEvent, Region
from common.contracts.event import Event
from common.contracts.inventory import InventoryChanged
from common.contracts.orders import OrderCancelled, OrderChanged, OrderEvent, OrderImported, OrderLine
from common.db import Database
from common.testing.amazon import Amazon
from common.testing.events import deliver, published
from common.testing.plugin import Running

US, CA, UK, DE, JP = "ATVPDKIKX0DER", "A2EUQ1WTGCTBG2", "A1F83G8C2ARO7P", "A1PA6795UKMFR9", "A1VC38T7YXB528"
SCOPES = ("listings:read", "listings:write", "operations:read", "operations:write")


OpenShop = Callable[..., Awaitable["Shop"]]


@dataclass
class Shop:
    """One account with one connection; `channels` by marketplace."""

    service: Running
    amazon: Amazon
    headers: dict[str, str]
    account_id: UUID
    selling_partner_id: str
    region: Region
    connection_id: UUID = field(default_factory=uuid4)
    channels: dict[str, UUID] = field(default_factory=dict)
    version: int = 0

    @property
    def db(self) -> Database:
        db: Database = self.service.runtime.db
        return db

    @property
    def channel_id(self) -> UUID:
        return next(iter(self.channels.values()))

    @property
    def marketplace_id(self) -> str:
        return next(iter(self.channels))

    async def deliver(self, *events: Event, event_id: UUID | None = None) -> None:
        consumer = self.service.runtime.consumer()
        assert consumer is not None
        await deliver(consumer, *events, event_id=event_id)

    async def connect(
        self, event_type: type[ConnectionEvent] = ConnectionAuthorized, *, status: str = "active", paused: bool = False
    ) -> None:
        """Tells listings of the connection as auth would, one version further."""
        self.version += 1
        channels = [
            {
                "channel_id": channel_id,
                "name": marketplace_id,
                "marketplace_id": marketplace_id,
                "paused": paused,
                "seller_of_record": "Acme",
            }
            for marketplace_id, channel_id in self.channels.items()
        ]
        await self.deliver(
            event_type.model_validate(
                {
                    "account_id": self.account_id,
                    "connection_id": self.connection_id,
                    "version": self.version,
                    "name": "Acme",
                    "status": status,
                    "selling_partner_id": self.selling_partner_id,
                    "region": self.region,
                    "home_marketplace_id": self.marketplace_id,
                    "channels": [Channel.model_validate(channel) for channel in channels],
                }
            )
        )

    async def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **options: Any) -> Any:
        headers = self.headers | options.pop("headers", {})
        answer = await self.service.http.request(method, path, json=body, headers=headers, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def row(self, sku: str, *, price: str | None = None, currency: str = "USD", **fields: Any) -> dict[str, Any]:
        priced = {"price": {"amount": price, "currency": currency}} if price is not None else {}
        return {"channel_id": str(self.channel_id), "sku": sku} | priced | fields

    async def upsert(self, *rows: dict[str, Any]) -> Any:
        return await self.call("POST", "/v1/listings", {"listings": rows})

    async def change(self, *rows: dict[str, Any]) -> Any:
        return await self.call("POST", "/v1/listings/changes", {"changes": rows})

    async def listing(self, sku: str, channel_id: UUID | None = None) -> Any:
        query = {"sku": sku, "channel_id": str(channel_id or self.channel_id)}
        (found,) = (await self.call("GET", "/v1/listings", params=query))["items"]
        return found

    async def seed(self, *listings: dict[str, Any], marketplace_id: str | None = None) -> None:
        """Puts listings into the seller's Amazon catalogue."""
        await self.amazon.dial(
            "POST",
            "/sandbox/listings",
            {
                "selling_partner_id": self.selling_partner_id,
                "marketplace_id": marketplace_id or self.marketplace_id,
                "listings": listings,
            },
        )

    async def at_amazon(self, sku: str, marketplace_id: str | None = None) -> Any:
        """What Amazon's own books say of the SKU."""
        return (await self.books(marketplace_id))[sku]

    async def books(self, marketplace_id: str | None = None) -> dict[str, Any]:
        path = (
            f"/sandbox/books/listings?selling_partner_id={self.selling_partner_id}"
            f"&marketplace_id={marketplace_id or self.marketplace_id}"
        )
        return {one["sku"]: one for one in (await self.amazon.dial("GET", path))["listings"]}

    async def until_at_amazon(self, sku: str, **expected: Any) -> None:
        """Returns when Amazon's books say so; the test's own timeout is the limit."""
        await until(lambda: self._shows(sku, expected))

    async def _shows(self, sku: str, expected: Mapping[str, Any]) -> bool:
        shown: dict[str, Any] = await self.at_amazon(sku)
        return expected.items() <= shown.items()

    async def calls(self) -> Mapping[str, Mapping[str, int]]:
        found: Mapping[str, Mapping[str, int]] = (await self.amazon.dial("GET", "/sandbox/books/calls"))["calls"]
        return found

    async def start(self, operation: str, *, channel_id: UUID | None = None, status: int = 202) -> Any:
        """Asks the API for an operation and leaves it queued; what it answers."""
        body = {"operation": operation, "channel_id": str(channel_id or self.channel_id)}
        return await self.call("POST", "/v1/operations", body, status=status)

    async def operate(self, operation: str, *, channel_id: UUID | None = None, succeed: bool = True) -> Any:
        """Starts an operation by the API, executes what is due, and answers the run."""
        started = await self.start(operation, channel_id=channel_id)
        await self.work()
        ended = await self.call("GET", f"/v1/operations/{started['id']}")
        assert not succeed or ended["status"] == "succeeded", ended
        return ended

    async def link(self) -> Any:
        return await self.operate("link")

    async def sync(self) -> Any:
        return await self.operate("sync")

    async def work(self) -> None:
        await self.service.runtime.worker().run_due()

    async def sql(self, statement: str, *parameters: Any) -> Sequence[Any]:
        async with self.db.transaction() as session:
            return await run(session, statement, *parameters)

    async def events(self, event_type: type[Event]) -> list[Any]:
        return [event for event in await published(self.db) if type(event) is event_type]

    def inventory(self, sku: str, *, as_of: datetime | None = None, **fields: Any) -> InventoryChanged:
        named = {"account_id": self.account_id, "channel_id": self.channel_id, "sku": sku}
        return InventoryChanged.model_validate(named | {"as_of": as_of or clock.now()} | fields)

    async def sell(self, sku: str, quantity: int = 1, *, status: str = "UNSHIPPED") -> str:
        """Places an order at Amazon, which lowers Amazon's quantity; answers its id."""
        order = {"lines": [{"sku": sku, "quantity": quantity, "unit_price": "9.99"}], "status": status}
        placed = await self.amazon.dial(
            "POST",
            "/sandbox/orders",
            {
                "selling_partner_id": self.selling_partner_id,
                "marketplace_id": self.marketplace_id,
                "orders": [order],
            },
        )
        order_id: str = placed["orders"][0]["amazon_order_id"]
        return order_id

    def order(
        self,
        event_type: type[OrderEvent],
        order_id: str,
        *lines: tuple[str, int],
        version: int = 1,
        status: str | None = None,
        purchased_at: datetime | None = None,
        fulfilled_by: str = "MERCHANT",
    ) -> OrderEvent:
        """The order as the orders service tells of it."""
        usual = {OrderImported: "UNSHIPPED", OrderChanged: "UNSHIPPED", OrderCancelled: "CANCELLED"}
        return event_type(
            account_id=self.account_id,
            selling_partner_id=self.selling_partner_id,
            amazon_order_id=order_id,
            channel_id=self.channel_id,
            marketplace_id=self.marketplace_id,
            status=status or usual[event_type],
            fulfilled_by=fulfilled_by,
            purchased_at=purchased_at or clock.now() + timedelta(milliseconds=1),
            lines=tuple(
                OrderLine(order_item_id=str(number), sku=sku, quantity=quantity)
                for number, (sku, quantity) in enumerate(lines)
            ),
            version=version,
        )

    async def die_while_syncing(self, when: Callable[[], Awaitable[None]]) -> None:
        """Starts a sync and ends it when `when` returns, as `kill -9` would: nothing of it is written any more."""
        await self.start("sync")
        working = asyncio.create_task(self.work())
        await when()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await self.expire_lease()

    async def expire_lease(self) -> None:
        """As if the worker had been dead for a while: its runs may be resumed."""
        earlier = "heartbeat_at - interval '1 minute'"
        await self.sql(f"update operation_run set heartbeat_at = {earlier} where status = 'running'")  # noqa: S608

    async def forward(self) -> None:
        """As if the pauses of paused runs and of open writes were over."""
        await self.sql("update operation_run set due_at = now() where status = 'queued'")
        await self.sql("update variant set read_back_at = now() where write_state is not null")


def offer(sku: str, price: str = "10.00", quantity: int | None = 5, **fields: Any) -> dict[str, Any]:
    """A listing of the seller's at Amazon."""
    return {"sku": sku, "price": Decimal(price).__float__(), "quantity": quantity} | fields


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Returns when the condition holds; the test's own timeout is the limit."""
    while not await condition():  # noqa: ASYNC110 - the other side is another process
        await asyncio.sleep(0.01)
