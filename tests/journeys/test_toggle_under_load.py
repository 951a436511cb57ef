"""A toggle goes off and on again while orders stream in and two replicas of orders and of compliance work: once orders
has consumed the change nothing is released to that source, and no unit is lost or counted twice."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from common import clock, topics
from common.bulk import run
from common.contracts.compliance import Allocation, OrderRouted
from common.contracts.event import Event, Money
from common.contracts.orders import FulfillmentLine, OrderImported
from common.contracts.orders import OrderLine as LineTold
from common.contracts.shipments import ShipmentCreated, ShippedItem
from common.db import Database
from common.outbox import publish
from common.testing.databases import Databases
from common.testing.plugin import KEY_RING
from compliance_service import attesting
from compliance_service.account_turn import take_turn
from compliance_service.decision_inputs import AVAILABLE
from compliance_service.models import Source
from compliance_service.replaying import replay_all
from compliance_service.schemas import AttestationGiven
from compliance_service.stocking import take_page
from local_stack.broker import Broker
from local_stack.ports import free_port
from local_stack.processes import Child, Program
from orders_service.models import Order, OrderLine

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

SELLER, MARKETPLACE, SKU = "A1LOADSELLER", "ATVPDKIKX0DER", "MUG/1"
ORDERS, AT_ONCE = 300, 10
TOGGLED_STOCK, STEADY_STOCK = 10_000, 20
PAGES_WHILE_OFF = 3
ROUNDS = 3
REPLICAS = (0, 1)


class Market:
    """One account, its orders as orders has them and its sources as compliance has them."""

    def __init__(self, orders: Database, compliance: Database) -> None:
        self.orders, self.compliance = orders, compliance
        self.account_id, self.connection_id, self.channel_id = uuid4(), uuid4(), uuid4()
        self.placed: dict[str, int] = {}

    async def source(self, name: str, stock: int, priority: int) -> UUID:
        now = clock.now()
        async with self.compliance.transaction() as session:
            await take_turn(session, [self.account_id])
            source = Source(
                account_id=self.account_id,
                name=name,
                kind="supplier",
                priority=priority,
                created_at=now,
                updated_at=now,
            )
            session.add(source)
            await session.flush()
            rows = [{"sku": SKU, "quantity": stock}]
            await take_page(session, self.account_id, source.id, enumerate(rows), reroute_delay_seconds=0)
        await self.toggle(source.id, on=True)
        return source.id

    async def toggle(self, source_id: UUID, *, on: bool) -> int:
        """Switches it as the API does; the attestation's version."""
        async with self.compliance.transaction() as session:
            await take_turn(session, [self.account_id])
            source = await session.get_one(Source, source_id, with_for_update=True)
            if on:
                given = AttestationGiven(agreement_version="2026-01", attested_by="Officer")
                entry = await attesting.give(session, source, given, recorded_by="test")
            else:
                entry = await attesting.withdraw(session, source, withdrawn_by="Officer", recorded_by="test")
        return entry.version

    async def place(self) -> None:
        """A page of orders, as the import stores and announces it."""
        async with self.orders.transaction() as session:
            events: list[Event] = []
            for _ in range(AT_ONCE):
                order_id, units = f"111-{len(self.placed):07}", len(self.placed) % 2 + 1
                self.placed[order_id] = units
                order = self._order(order_id)
                session.add(order)
                await session.flush()
                session.add(self._line(order, units))
                price = Money(amount=Decimal("9.99"), currency="USD")
                events.append(
                    OrderImported(
                        account_id=self.account_id,
                        selling_partner_id=SELLER,
                        amazon_order_id=order_id,
                        channel_id=self.channel_id,
                        marketplace_id=MARKETPLACE,
                        status="UNSHIPPED",
                        fulfilled_by="MERCHANT",
                        purchased_at=order.purchased_at,
                        lines=(LineTold(order_item_id=f"{order_id}-0", sku=SKU, quantity=units, unit_price=price),),
                        shipping_policy="Standard",
                        version=1,
                    )
                )
            await session.flush()
            await publish(session, *events)

    async def route_as_before(self, source_id: UUID, version: int, number: int) -> str:
        """A decision that was made with this attestation and is on its way; the order's id, which compliance does not
        know: its answer changes nothing there."""
        order_id = f"222-{number:07}"
        async with self.orders.transaction() as session:
            order = self._order(order_id)
            session.add(order)
            await session.flush()
            line = self._line(order, 1)
            session.add(line)
            planned = FulfillmentLine(order_item_id=line.order_item_id, sku=SKU, quantity=1)
        allocation = Allocation(
            source_id=source_id, attestation_version=version, source_name="Toggled", lines=(planned,)
        )
        routed = OrderRouted(
            account_id=self.account_id,
            selling_partner_id=SELLER,
            amazon_order_id=order_id,
            decision_version=1,
            order_version=1,
            allocations=(allocation,),
        )
        async with self.compliance.transaction() as session:
            await publish(session, routed)
        return order_id

    async def answer_to(self, order_id: str) -> list[tuple[str, str | None]]:
        """Status and reason of the requests that came of it."""
        sql = (
            "select r.status, r.reason from fulfillment_request r join orders o on o.id = r.order_id "
            "where o.amazon_order_id = $1"
        )
        return [(row[0], row[1]) for row in await self.in_orders(sql, order_id)]

    def _order(self, order_id: str) -> Order:
        now = datetime.now(UTC)
        return Order(
            id=uuid4(),
            account_id=self.account_id,
            connection_id=self.connection_id,
            channel_id=self.channel_id,
            selling_partner_id=SELLER,
            amazon_order_id=order_id,
            marketplace_id=MARKETPLACE,
            status="UNSHIPPED",
            fulfilled_by="MERCHANT",
            purchased_at=now,
            last_updated_at=now,
            shipping_policy="Standard",
            version=1,
            imported_at=now,
        )

    def _line(self, order: Order, units: int) -> OrderLine:
        return OrderLine(
            order_id=order.id,
            order_item_id=f"{order.amazon_order_id}-0",
            account_id=self.account_id,
            position=0,
            sku=SKU,
            quantity=units,
            quantity_fulfilled=0,
            unit_price=Decimal("9.99"),
            cancelled=False,
            cancel_requested=False,
        )

    async def released(self, source_id: UUID) -> set[UUID]:
        """The requests that this source was ever asked for."""
        rows = await self.in_orders(
            "select id from fulfillment_request where source_id = $1 and released_at is not null", source_id
        )
        return {row[0] for row in rows}

    async def in_orders(self, sql: str, *parameters: Any) -> list[Any]:
        async with self.orders.transaction() as session:
            return list(await run(session, sql, *parameters))

    async def in_compliance(self, sql: str, *parameters: Any) -> list[Any]:
        async with self.compliance.transaction() as session:
            return list(await run(session, sql, *parameters))

    async def orders_knows(self, source_id: UUID, version: int) -> bool:
        sql = "select 1 from source_compliance where source_id = $1 and attestation_version >= $2"
        return bool(await self.in_orders(sql, source_id, version))

    async def units_released(self) -> dict[str, int]:
        """Units per order that sources were asked for and have not given back."""
        rows = await self.in_orders(
            "select o.amazon_order_id, (l->>'quantity')::int from fulfillment_request r "
            "join orders o on o.id = r.order_id, jsonb_array_elements(r.lines) l "
            "where r.status in ('released', 'acknowledged', 'shipped')"
        )
        units: dict[str, int] = {}
        for order_id, quantity in rows:
            units[order_id] = units.get(order_id, 0) + quantity
        return units

    async def available(self) -> dict[UUID, int]:
        rows = await self.in_compliance(
            f"select s.source_id, {AVAILABLE} from source_stock s where s.account_id = $1", self.account_id
        )
        return {row[0]: row[1] for row in rows}


@asynccontextmanager
async def replicas(market: Market, bootstrap_servers: str, logs: Path) -> AsyncIterator[list[Child]]:
    """Two worker processes of each service on one database each and one broker."""
    children: list[Child] = []
    try:
        for package, database in (("compliance_service", market.compliance), ("orders_service", market.orders)):
            for replica in REPLICAS:
                environment = dict(os.environ) | {
                    "ENVIRONMENT": "test",
                    "ROLES": "worker",
                    "REPLICA": str(replica),
                    "PORT": str(free_port()),
                    "DATABASE_URL": database.url,
                    "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
                    "CONSUMER_REST_SECONDS": "0.03",
                    "AUTH_URL": "http://127.0.0.1:1",
                    "SERVICE_KEY": "none",
                    "KEY_RING": KEY_RING,
                    "RESTOCK_REROUTE_DELAY_SECONDS": "0.2",
                }
                program = Program(
                    name=f"{package}-{replica}", argv=(sys.executable, "-m", package, "serve"), env=environment
                )
                children.append(Child(program, logs / f"{package}-{replica}.log"))
        yield children
        for child in children:
            child.check()
    finally:
        for child in children:
            child.stop()


async def until(what: str, holds: Any, seconds: float = 150) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not await holds():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited {seconds:g} s for {what}") from None


@pytest.mark.row("D5", "C6")
@pytest.mark.edge(24)
@pytest.mark.fault("F17")
async def test_a_toggle_that_flips_under_load_releases_nothing_while_off_and_loses_no_unit(
    databases: Databases, tmp_path: Path
) -> None:
    broker = Broker(tmp_path / "broker")
    broker.start()
    await topics.create(broker.bootstrap_servers)
    orders = Database(await databases.new("orders_service"), service="orders")
    compliance = Database(await databases.new("compliance_service"), service="compliance")
    market = Market(orders, compliance)
    toggled = await market.source("Toggled", TOGGLED_STOCK, priority=1)
    steady = await market.source("Steady", STEADY_STOCK, priority=2)

    async def load() -> None:
        for _ in range(ORDERS // AT_ONCE):
            await market.place()
            await asyncio.sleep(0.1)

    try:
        async with replicas(market, broker.bootstrap_servers, tmp_path):
            loading = asyncio.create_task(load())
            before: set[UUID] = set()
            for number in range(ROUNDS):
                await until("releases to the source", lambda known=before: _grown(market, toggled, known))
                off = await market.toggle(toggled, on=False)
                await until("orders to hear of it", lambda version=off: market.orders_knows(toggled, version))
                frozen = await market.released(toggled)
                late = await market.route_as_before(toggled, off - 1, number)
                # More than the other source has, however far the load has come meanwhile.
                for _ in range(PAGES_WHILE_OFF):
                    await market.place()
                await until("the toggle to hold orders up", lambda: _holds(market))
                await until("an answer to the late route", lambda order_id=late: market.answer_to(order_id))
                assert await market.answer_to(late) == [("withdrawn", "source_not_compliant")]
                await asyncio.sleep(0.5)  # routes that were on their way arrive
                assert await market.released(toggled) == frozen, "released while the toggle was off"
                before = frozen  # of before it is on again: by the next look all may be routed
                await market.toggle(toggled, on=True)
            await loading

            async def all_released() -> bool:
                return not await _missing(market)

            await until("every order to be released", all_released)
            assert await market.units_released() == market.placed
            held = await market.in_compliance(
                "select source_id, sum(quantity) from stock_reservation where state = 'held' group by 1"
            )
            promised = {source_id: int(units) for source_id, units in held}
            assert sum(promised.values()) == sum(market.placed.values())
            stock = {toggled: TOGGLED_STOCK, steady: STEADY_STOCK}
            assert await market.available() == {key: units - promised.get(key, 0) for key, units in stock.items()}
            await _ship_everything(market, broker.bootstrap_servers)

            async def all_shipped() -> bool:
                rows = await market.in_compliance("select 1 from stock_reservation where state = 'held' limit 1")
                return not rows

            await until("every promise to end as shipped", all_shipped)
            assert await market.available() == {key: units - promised.get(key, 0) for key, units in stock.items()}
        await _assert_explained(market)
    finally:
        await orders.close()
        await compliance.close()
        broker.stop()


async def _grown(market: Market, source_id: UUID, known: set[UUID]) -> bool:
    return await market.released(source_id) > known


async def _holds(market: Market) -> bool:
    sql = "select 1 from routed_order where state = 'held' and hold->>'code' = 'none_compliant' limit 1"
    return bool(await market.in_compliance(sql))


async def _missing(market: Market) -> bool:
    return await market.units_released() != market.placed


async def _ship_everything(market: Market, bootstrap_servers: str) -> None:
    """Every source tells of its parcels, through a topic as other systems do."""
    rows = await market.in_orders(
        "select o.amazon_order_id, r.source_id, (l->>'quantity')::int from fulfillment_request r "
        "join orders o on o.id = r.order_id, jsonb_array_elements(r.lines) l where r.status = 'released'"
    )
    told = [
        ShipmentCreated(
            account_id=market.account_id,
            selling_partner_id=SELLER,
            amazon_order_id=order_id,
            shipment_id=uuid4(),
            source_id=source_id,
            carrier="UPS",
            method="UPS Ground",
            tracking_number=f"1Z{number:010}",
            shipped_at=datetime.now(UTC),
            items=(ShippedItem(sku=SKU, quantity=units),),
        )
        for number, (order_id, source_id, units) in enumerate(rows)
    ]
    # The replicas' relays take whatever stands in an outbox.
    async with market.orders.transaction() as session:
        await publish(session, *told)
        await publish(session, *told)


async def _assert_explained(market: Market) -> None:
    """Nothing was set aside, every withdrawal names the source, every decision can be taken again."""
    for look in (market.in_orders, market.in_compliance):
        assert await look("select key from parked_key") == []
        assert await look("select count(*) from dead_letter") == [(0,)]
    withdrawn = await market.in_orders(
        "select distinct reason, detail from fulfillment_request where status='withdrawn'"
    )
    assert [tuple(row) for row in withdrawn] == [
        ("source_not_compliant", "Toggled has no attestation to the Amazon agreement")
    ]
    tally = await replay_all(market.compliance)
    assert tally.different == 0
    assert tally.same >= len(market.placed)
    held = await market.in_compliance("select count(*) from routing_decision where code = 'none_compliant'")
    assert held[0][0] >= ROUNDS
