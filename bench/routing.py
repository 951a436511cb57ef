"""Routing: one decision beside a bare loop, orders through the handler beside bare asyncpg inserting the same rows, and
ten thousand held orders decided again after one toggle while new ones keep coming."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from common.bulk import run as run_sql
from common.cli import freeze_startup
from common.contracts.event import Event, Money
from common.contracts.orders import OrderImported, OrderLine
from common.crypto import KeyRing
from common.db import Database
from common.kafka import BATCH, Consumer
from common.testing.events import deliver
from common.worker import Worker
from compliance_service import attesting, reroute_queue, rerouting
from compliance_service.account_turn import take_turn
from compliance_service.events import TOPICS, handler
from compliance_service.models import Source
from compliance_service.routing import DEFAULT_GROUP, Line, OpenOrder, Shelf, SourceFacts, StockLine, decide
from compliance_service.schemas import AttestationGiven
from compliance_service.stocking import take_page

SOURCES = 50
LINES = 5
DECISIONS = 2000
ORDERS = 5000
LINES_PER_ORDER = 4
SKUS = 500
HELD = 10_000
NEW_AT_ONCE = 20
NOW = datetime(2026, 11, 23, tzinfo=UTC)

# What one batch of routed orders leaves in the database.
WRITTEN = ("inbox", "routed_order", "routing_decision", "stock_reservation", "outbox")


async def run(database_url: str) -> list[dict[str, Any]]:
    """Rows for issue 5's `decide` figure, the handler's rate, and the re-routing after a toggle."""
    freeze_startup()  # as the service does
    database = Database(database_url, service="compliance")
    try:
        return [*_decisions(), *await _handler(database), *await _toggle(database)]
    finally:
        await database.close()


def _decisions() -> list[dict[str, Any]]:
    """`decide` for 5 lines x 50 sources: from one source, and split over several."""
    sources = [
        SourceFacts(uuid4(), f"Source {n}", n % 7, ("Standard",) if n % 3 else (), n % 11 != 0, n % 5 != 0, 1)
        for n in range(SOURCES)
    ]
    lines = tuple(Line(f"item-{n}", f"SKU-{n}", 2) for n in range(LINES))
    order = OpenOrder("amazon", NOW, "Standard", "USD", lines)
    rows = []
    cases = (
        ("from one source", 10, lambda n: n % 9 + 1),
        ("all sources tied", 10, lambda _: 1),
        ("split over several", 1, lambda n: n % 9 + 1),
    )
    for what, available, cost in cases:
        lists = {line.sku: [StockLine(available, Decimal(cost(n)), "USD") for n in range(SOURCES)] for line in lines}
        stock = {sku: Shelf.of(on_shelf) for sku, on_shelf in lists.items()}
        assert decide(order, sources, stock, DEFAULT_GROUP).hold is None
        ours, bare = [], []
        for _ in range(DECISIONS):
            began = time.perf_counter()
            decide(order, sources, stock, DEFAULT_GROUP)
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            _bare_loop(order, sources, lists)
            bare.append(time.perf_counter() - began)
        value, ceiling = statistics.median(ours) * 1e6, statistics.median(bare) * 1e6
        rows.append(
            {
                "goal": "routing",
                "what": f"decide(), {LINES} lines x {SOURCES} sources, {what}: median us beside a bare loop",
                "value": value,
                "ceiling": ceiling,
                "ratio": value / ceiling,
                "target": "< 200 us",
                "met": value < 200,
            }
        )
    return rows


def _bare_loop(order: OpenOrder, sources: Sequence[SourceFacts], stock: dict[str, list[StockLine]]) -> int:
    """Looks at every line's stock at every source that may ship, and does nothing with it."""
    seen = 0
    for position, source in enumerate(sources):
        if source.enabled and source.compliant:
            for line in order.lines:
                if stock[line.sku][position].available >= line.quantity:
                    seen += 1
    return seen


async def _stocked_account(database: Database, *, attested: bool) -> tuple[UUID, list[UUID]]:
    """An account with ten sources that have every SKU."""
    account_id = uuid4()
    source_ids = []
    for n in range(10):
        async with database.transaction() as session:
            source = Source(
                account_id=account_id, name=f"Source {n}", kind="supplier", priority=n, created_at=NOW, updated_at=NOW
            )
            session.add(source)
            await session.flush()
            source_ids.append(source.id)
            rows = [
                {"sku": f"SKU-{sku}", "quantity": 1_000_000, "cost": {"amount": str(n + 1), "currency": "USD"}}
                for sku in range(SKUS)
            ]
            result = await take_page(session, account_id, source.id, enumerate(rows), reroute_delay_seconds=0)
            assert result.created == SKUS
            if attested:
                await attesting.give(session, source, _given(), recorded_by="bench")
    return account_id, source_ids


def _given() -> AttestationGiven:
    return AttestationGiven(agreement_version="1", attested_by="bench")


def _orders(account_id: UUID, count: int, first: int = 0) -> list[Event]:
    price = Money(amount=Decimal("9.99"), currency="USD")
    return [
        OrderImported(
            account_id=account_id,
            selling_partner_id="A1SELLER",
            amazon_order_id=f"111-{n:07}-{n:07}",
            channel_id=None,
            marketplace_id="ATVPDKIKX0DER",
            status="UNSHIPPED",
            fulfilled_by="MERCHANT",
            purchased_at=NOW + timedelta(seconds=n),
            lines=tuple(
                OrderLine(order_item_id=f"{n}-{line}", sku=f"SKU-{(n * 7 + line) % SKUS}", quantity=1, unit_price=price)
                for line in range(LINES_PER_ORDER)
            ),
            shipping_policy="Standard",
            version=1,
        )
        for n in range(first, first + count)
    ]


async def _through_the_handler(database: Database, events: Sequence[Event]) -> float:
    consumer = Consumer(
        database,
        "",
        name="compliance",
        topics=TOPICS,
        handler=handler(restock_reroute_delay_seconds=0),
        key_ring=KeyRing({"bench": bytes(32)}),
    )
    began = time.perf_counter()
    for start in range(0, len(events), BATCH):
        await deliver(consumer, *events[start : start + BATCH])
    return time.perf_counter() - began


async def _handler(database: Database) -> list[dict[str, Any]]:
    account_id, _ = await _stocked_account(database, attested=True)
    async with database.transaction() as session:
        await run_sql(session, "delete from outbox")
    took = await _through_the_handler(database, _orders(account_id, ORDERS))
    async with database.transaction() as session:
        routed = await run_sql(session, "select count(*) from routed_order where state = 'routed'")
    assert routed[0][0] == ORDERS
    value, ceiling = ORDERS / took, ORDERS / await _bare_inserts(database, WRITTEN, BATCH)
    return [
        {
            "goal": "routing",
            "what": f"orders/s of {LINES_PER_ORDER} lines decided, stored, announced, beside asyncpg inserting it",
            "value": value,
            "ceiling": ceiling,
            "ratio": value / ceiling,
            "target": None,
            "met": None,
        }
    ]


async def _bare_inserts(database: Database, tables: Sequence[str], batch: int, written_after: str = "") -> float:
    """Seconds that bare asyncpg takes to insert the very same rows, in the same batches, into tables like ours.

    `written_after` limits the rows: SQL that follows `where`.
    """
    connection = await asyncpg.connect(database.url)
    pages: dict[str, tuple[str, list[tuple[Any, ...]]]] = {}
    for table in tables:
        await connection.execute(f"create table bare_{table} (like {table} including all)")
        columns = await connection.fetch(
            "select attname, format_type(atttypid, atttypmod) as type from pg_attribute "
            "where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attidentity = ''",
            table,
        )
        names = ", ".join(column["attname"] for column in columns)
        arrays = ", ".join(f"${n}::{column['type']}[]" for n, column in enumerate(columns, 1))
        rows = [tuple(row) for row in await connection.fetch(f"select {names} from {table} {written_after}")]
        pages[table] = (f"insert into bare_{table} ({names}) select * from unnest({arrays})", rows)
    began = time.perf_counter()
    batches = max(1, len(pages["routing_decision"][1]) // batch)
    for number in range(batches):
        async with connection.transaction():
            for statement, rows in pages.values():
                size = -(-len(rows) // batches)
                if page := rows[number * size : (number + 1) * size]:
                    await connection.execute(statement, *map(list, zip(*page, strict=True)))
    took = time.perf_counter() - began
    for table in tables:
        await connection.execute(f"drop table bare_{table}")
    await connection.close()
    return took


async def _toggle(database: Database) -> list[dict[str, Any]]:
    """Held orders of one account, decided again by the operation run after one source's toggle went on: alone, and
    while new orders of the same account keep coming through the handler."""
    alone, ceiling, _ = await _reroute_all(database, new_orders=False)
    busy, _, waits = await _reroute_all(database, new_orders=True)
    what = f"{HELD:,} held orders re-routed after one toggle, s"
    target = {"target": "< 5 s"}
    return [
        {"goal": "routing", "what": f"{what}, beside asyncpg inserting the rows", "value": alone, "ceiling": ceiling}
        | {"ratio": ceiling / alone, "met": alone < 5}
        | target,
        {"goal": "routing", "what": f"{what}, while {len(waits) * NEW_AT_ONCE} new orders are routed", "value": busy}
        | {"ceiling": None, "ratio": None, "met": busy < 5}
        | target,
        {"goal": "routing", "what": f"s until {NEW_AT_ONCE} new orders are routed meanwhile, median", "ceiling": None}
        | {"value": statistics.median(waits), "ratio": None, "target": None, "met": None},
    ]


async def _reroute_all(database: Database, *, new_orders: bool) -> tuple[float, float, list[float]]:
    """Seconds that the run took, seconds of the bare inserts (when alone), and how long new orders waited."""
    account_id, source_ids = await _stocked_account(database, attested=False)
    await _through_the_handler(database, _orders(account_id, HELD))
    async with database.transaction() as session:
        await take_turn(session, [account_id])
        source = await session.get_one(Source, source_ids[0], with_for_update=True)
        await attesting.give(session, source, _given(), recorded_by="bench")
    worker = Worker(database, {reroute_queue.OPERATION: lambda work: rerouting.reroute(database, work)})
    began = time.perf_counter()
    running = asyncio.create_task(worker.run_due())
    waits: list[float] = []
    while new_orders and not running.done():
        events = _orders(account_id, NEW_AT_ONCE, first=HELD + len(waits) * NEW_AT_ONCE)
        waits.append(await _through_the_handler(database, events))
    await running
    took = time.perf_counter() - began
    async with database.transaction() as session:
        counted = await run_sql(
            session, "select counts::text from operation_run where account_id = $1 and status = 'succeeded'", account_id
        )
    assert json.loads(counted[0][0])["routed"] == HELD
    if new_orders:
        return took, 0.0, waits
    mine = f"where account_id = '{account_id}'"
    rows = "decision_version = 2"
    ceiling = await _bare_inserts(
        database, ("routing_decision", "stock_reservation"), rerouting.PAGE, f"{mine} and {rows}"
    )
    return took, ceiling, waits
