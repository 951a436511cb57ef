"""The trade: plays the schedule's orders, changes and attestations, ships what is asked of the sources, and keeps what
is wanted in a ledger."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from tests.faults.our_api import Merchant
from tests.faults.schedule import EAST_ONLY, MUG, ORDERED, PROBE, TRADED, WEST_ONLY, Parcels, Step, corrected, parcels
from tests.faults.world import LOCAL_AMAZON, World

SELLER, US = "A1FAULTS", "ATVPDKIKX0DER"
# Prices are counted in cents from here up.
FIRST_CENTS, FIRST_QUANTITY = 1000, 1000
STOCK = 100_000
_NAMES = UUID("0f7b1d52-4f0e-5d0a-9c77-3f0f2a9d6b11")

Say = Callable[[str], None]


@dataclass
class Ledger:
    """What must be true in the end, and what was done on purpose. Parcels are `ShipmentCreated` as last told, by
    shipment id; `throttled` counts the 429 that were no fault of ours."""

    cents: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*TRADED, *ORDERED, PROBE), FIRST_CENTS))
    quantities: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*TRADED, PROBE), FIRST_QUANTITY))
    orders: dict[str, int] = field(default_factory=dict)
    parcels: dict[str, dict[str, Any]] = field(default_factory=dict)
    released_while_off: set[str] = field(default_factory=set)
    switched_off: int = 0
    consents: int = 1
    throttled: int = 0
    recovery: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


class Trade:
    """One account's trade in a started world."""

    def __init__(self, world: World, seed: int, say: Say) -> None:
        self.world, self.seed, self.say = world, seed, say
        self.ledger = Ledger()
        self.amazon = world.amazon()
        self.merchant = Merchant(world.replicas, world.account["key"])
        self.account_id = world.account["account_id"]
        self.sources: dict[str, str] = {}
        self._producer = AIOKafkaProducer(
            bootstrap_servers=world.bootstrap_servers, enable_idempotence=True, request_timeout_ms=5000
        )
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading: asyncio.Task[None] | None = None
        self._off_since: set[str] | None = None

    async def open(self) -> None:
        """The shop before anything goes wrong: seller, channel, sources, listings."""
        await self.amazon.dial("PUT", "/settings", LOCAL_AMAZON)
        # Else a run of two minutes would hold seven looks for orders.
        await self.amazon.dial("PUT", "/quotas", {"operation": "searchOrders", "rate": 1, "burst": 20})
        seller = {"selling_partner_id": SELLER, "region": "NA", "name": "Shop", "marketplaces": [US]}
        await self.amazon.dial("POST", "/sellers", seller)
        skus = [*TRADED, *ORDERED, PROBE]
        listings = [
            {
                "sku": sku,
                "title": sku,
                "price": FIRST_CENTS / 100,
                "quantity": STOCK if sku in ORDERED else FIRST_QUANTITY,
            }
            for sku in skus
        ]
        await self.amazon.dial(
            "POST", "/listings", {"selling_partner_id": SELLER, "marketplace_id": US, "listings": listings}
        )
        self.connection_id = await self.merchant.seller("Shop", SELLER, US)
        self.channel_id = await self.merchant.channel(self.connection_id, US)
        self.sources = {
            "Toggled": await self.merchant.source("Toggled", 1, {MUG: STOCK}),
            "East": await self.merchant.source("East", 2, {MUG: STOCK, EAST_ONLY: STOCK}),
            "West": await self.merchant.source("West", 3, {WEST_ONLY: STOCK}),
        }
        rows = [
            {"sku": one["sku"], "title": one["sku"], "quantity": one["quantity"], "price": _usd(FIRST_CENTS)}
            for one in listings
        ]
        await self.merchant.list_and_link(self.channel_id, rows)
        await self._producer.start()
        self._reading = asyncio.create_task(self._ship_what_is_asked())

    async def close(self) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            await self._producer.stop()
        await self.merchant.close()
        await self.amazon.close()

    def play(self, step: Step) -> None:
        """Begins one step of the trade; what fails for good is a failure of the run."""
        does: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
            "order": self._order,
            "change": self._change,
            "withdraw": self._withdraw,
            "attest": self._attest,
        }
        self.begin(does[step.action](**step.facts), step.action)

    def begin(self, doing: Coroutine[Any, Any, Any], what: str) -> None:
        async def watched() -> None:
            try:
                await doing
            except Exception as error:
                self.ledger.failures.append(f"{what}: {type(error).__name__}: {error}")

        task = asyncio.create_task(watched())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """All that was begun has been accepted, or has failed."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def raise_price(self, sku: str) -> int:
        """A new price, wanted as soon as it is accepted; in cents."""
        async with self._locks[sku]:
            cents = self.ledger.cents[sku] + 1
            self.ledger.cents[sku] = cents
            await self.merchant.change(self.channel_id, {"sku": sku, "price": _usd(cents)})
        return cents

    async def time_to_amazon(self, what: str) -> None:
        """From now to a new price at Amazon (seconds), noted as the recovery from `what`."""
        began = time.monotonic()
        cents = await self.raise_price(PROBE)
        async with asyncio.timeout(180):
            while await self.price_at_amazon(PROBE) < cents:
                await asyncio.sleep(0.1)
        taken = time.monotonic() - began
        self.ledger.recovery[what] = max(taken, self.ledger.recovery.get(what, 0))
        self.say(f"{what}: a new price was at Amazon after {taken:.1f} s")

    async def price_at_amazon(self, sku: str) -> int:
        books = await self.amazon.dial("GET", "/books/listings", selling_partner_id=SELLER, marketplace_id=US, sku=sku)
        return cents_of(books["listings"][0]["price"])

    async def correct_carriers(self, most: int) -> None:
        """Other carriers for parcels that Amazon shows already, under the same tracking number."""
        rows = await self.world.query(
            "orders", "select id::text from shipment where status = 'confirmed' order by created_at desc limit $1", most
        )
        for number, (shipment_id,) in enumerate(rows):
            self.begin(self.correct(shipment_id, "carrier", number), "correct")

    async def correct(self, shipment_id: str, what: str, number: int) -> None:
        async with self._locks[shipment_id]:
            told = self.ledger.parcels[shipment_id]
            changes = corrected(told, what, number)
            if changes:
                await self.merchant.correct_parcel(shipment_id, changes)
                told |= changes

    async def _order(self, number: int, lines: list[tuple[str, int]]) -> None:
        placed = {"lines": [{"sku": sku, "quantity": units, "unit_price": 9.99} for sku, units in lines]}
        answer = await self.amazon.dial(
            "POST", "/orders", {"selling_partner_id": SELLER, "marketplace_id": US, "orders": [placed]}
        )
        self.ledger.orders[answer["orders"][0]["amazon_order_id"]] = number

    async def _change(self, sku: str, what: str) -> None:
        """Every other SKU is told by API, the rest by events."""
        async with self._locks[sku]:
            change: dict[str, Any] = {"sku": sku}
            if what in ("price", "both"):
                self.ledger.cents[sku] += 1
                change["price"] = _usd(self.ledger.cents[sku])
            if what in ("quantity", "both"):
                self.ledger.quantities[sku] += 1
                change["quantity"] = self.ledger.quantities[sku]
            if TRADED.index(sku) % 2:
                await self.merchant.change(self.channel_id, change)
            else:
                data = change | {"channel_id": self.channel_id, "as_of": datetime.now(UTC).isoformat()}
                await self._tell("entrepot.inventory", f"{self.account_id}:{sku}", "InventoryChanged", data)

    async def _withdraw(self) -> None:
        """From the moment in which orders knows, nothing is released to the source: what is, is noted later."""
        async with self._locks["attestation"]:
            await self.merchant.withdraw(self.sources["Toggled"])
            while not await self._known_as(compliant=False):
                await asyncio.sleep(0.1)
            self._off_since = await self._released()
            self.ledger.switched_off += 1

    async def _attest(self) -> None:
        async with self._locks["attestation"]:
            if self._off_since is not None:
                self.ledger.released_while_off |= await self._released() - self._off_since
            self._off_since = None
            await self.merchant.attest(self.sources["Toggled"])
            while not await self._known_as(compliant=True):
                await asyncio.sleep(0.1)

    async def switch_on(self) -> None:
        """For the end: nothing waits for the attestation."""
        self.begin(self._attest(), "attest")
        await self.settled()

    async def _known_as(self, *, compliant: bool) -> bool:
        """What orders has consumed is what compliance said last."""
        source = UUID(self.sources["Toggled"])
        (said,) = await self.world.query("compliance", "select attestation_version from source where id = $1", source)
        known = await self.world.query(
            "orders", "select compliant, attestation_version from source_compliance where source_id = $1", source
        )
        return bool(known) and known[0][0] is compliant and known[0][1] >= said[0]

    async def _released(self) -> set[str]:
        rows = await self.world.query(
            "orders",
            "select id::text from fulfillment_request where source_id = $1 and released_at is not null",
            UUID(self.sources["Toggled"]),
        )
        return {row[0] for row in rows}

    async def _tell(self, topic: str, key: str, event_type: str, data: dict[str, Any]) -> None:
        """One CloudEvent; the producer repeats it until the broker has it."""
        event = {
            "specversion": "1.0",
            "id": str(uuid5(_NAMES, json.dumps(data))),
            "source": "urn:foreign:warehouse",
            "type": event_type,
            "data": data | {"account_id": self.account_id},
        }
        ends = time.monotonic() + 150
        while True:
            try:
                await self._producer.send_and_wait(topic, json.dumps(event).encode(), key=key.encode())
                return
            except KafkaError:
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(0.5)

    async def _ship_what_is_asked(self) -> None:
        """The sources: each request is shipped once, however often it is told."""
        asked: set[str] = set()
        while True:
            consumer = AIOKafkaConsumer(
                "entrepot.orders", bootstrap_servers=self.world.bootstrap_servers, auto_offset_reset="earliest"
            )
            try:
                await consumer.start()
                async for message in consumer:
                    event = json.loads(message.value)
                    request = event["data"]
                    if event["type"] == "FulfillmentRequested" and request["fulfillment_request_id"] not in asked:
                        asked.add(request["fulfillment_request_id"])
                        self.begin(self._ship(request), "ship")
            except KafkaError:
                await asyncio.sleep(1)
            finally:
                await consumer.stop()

    async def _ship(self, request: dict[str, Any]) -> None:
        number = self.ledger.orders.get(request["amazon_order_id"], 0)
        plan = parcels(self.seed, number)
        await asyncio.sleep(plan.delay)
        items = [{"order_item_id": one["order_item_id"], "quantity": one["quantity"]} for one in request["lines"]]
        boxes = [items]
        if plan.split and items[0]["quantity"] > 1:
            first = items[0] | {"quantity": 1}
            boxes = [[first], [items[0] | {"quantity": items[0]["quantity"] - 1}, *items[1:]]]
        for box, content in enumerate(boxes):
            told = self._told(request, plan, box, content)
            self.ledger.parcels[told["shipment_id"]] = told
            key = f"{self.account_id}:{SELLER}:{request['amazon_order_id']}"
            await self._tell("entrepot.shipments", key, "ShipmentCreated", told.copy())
            if plan.correction:
                await asyncio.sleep(plan.correction_delay)
                await self.correct(told["shipment_id"], plan.correction, number)

    def _told(self, request: dict[str, Any], plan: Parcels, box: int, items: list[dict[str, Any]]) -> dict[str, Any]:
        shipment_id = str(uuid5(_NAMES, f"{request['fulfillment_request_id']}:{box}"))
        return {
            "selling_partner_id": SELLER,
            "amazon_order_id": request["amazon_order_id"],
            "shipment_id": shipment_id,
            "source_id": request["source_id"] if plan.named else None,
            "carrier": plan.carrier,
            "method": plan.method,
            "tracking_number": f"1Z{shipment_id[:12].upper()}",
            "shipped_at": datetime.now(UTC).isoformat(),
            "items": items,
        }


def cents_of(price: Any) -> int:
    return round(Decimal(str(price)) * 100) if price is not None else 0


def _usd(cents: int) -> dict[str, str]:
    return {"amount": str(Decimal(cents) / 100), "currency": "USD"}
