"""The checker: reads Amazon's books, the databases, the topics and the logs, never our APIs, and says what is wrong."""

import asyncio
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer
from tests.faults.trade import FIRST_CENTS, SELLER, STOCK, US, Ledger, cents_of
from tests.faults.world import World

from common.contracts.catalogue import TOPICS, dead_letter_topic
from local_stack.demo.hands import Amazon
from local_stack.services import NAMES

# Every buyer of the local Amazon carries this mark.
_BUYER = b"Canary"
_SHOWN = 3


@dataclass
class Books:
    """Amazon's books at one moment."""

    orders: dict[str, dict[str, Any]]
    listings: dict[str, dict[str, Any]]
    calls: dict[str, dict[str, int]]


@dataclass
class Verdict:
    """`violations` are sentences; `facts` are counts of what was looked at."""

    violations: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def expect(self, wrong: list[Any], what: str) -> None:
        if wrong:
            shown = "; ".join(map(str, wrong[:_SHOWN]))
            self.violations.append(f"{what} ({len(wrong)}): {shown}")


async def read_books(amazon: Amazon) -> Books:
    orders = await amazon.dial("GET", "/books/orders", selling_partner_id=SELLER)
    listings = await amazon.dial("GET", "/books/listings", selling_partner_id=SELLER, marketplace_id=US)
    return Books(
        {order["amazon_order_id"]: order for order in orders["orders"]},
        {listing["sku"]: listing for listing in listings["listings"]},
        (await amazon.dial("GET", "/books/calls"))["calls"],
    )


async def undone(world: World, amazon: Amazon, ledger: Ledger) -> list[str]:
    """What is still to come; empty when everything has drained."""
    books = await read_books(amazon)
    left = []
    for service in NAMES:
        ((waiting,),) = await world.query(service, "select count(*) from outbox")
        left += [f"{waiting} events in the outbox of {service}"] if waiting else []
    imported = {row[0] for row in await world.query("orders", "select amazon_order_id from orders")}
    if missing := set(books.orders) - imported:
        left.append(f"{len(missing)} orders not imported: {_some(missing)}")
    told = {str(row[0]): row[1] for row in await world.query("orders", "select id, status from shipment")}
    if open_parcels := [f"{one} {told.get(one)}" for one in ledger.parcels if told.get(one) != "confirmed"]:
        left.append(f"{len(open_parcels)} parcels not confirmed: {_some(open_parcels)}")
    unshipped = [order for order in books.orders.values() if any(_left(line) for line in order["lines"])]
    if unshipped:
        left.append(f"{len(unshipped)} orders not shipped whole: {_some(o['amazon_order_id'] for o in unshipped)}")
    requests = await world.query(
        "orders", "select id, status from fulfillment_request where status in ('released', 'acknowledged')"
    )
    if requests:
        left.append(f"{len(requests)} requests whose parcels have left are open: {_some(row[0] for row in requests)}")
    if held := await world.query("compliance", "select order_id from stock_reservation where state = 'held'"):
        left.append(f"{len(held)} promises still held: {_some(row[0] for row in held)}")
    if late := [sku for sku, problem in _offers(books, ledger) if problem]:
        left.append(f"{len(late)} SKUs are not as wanted at Amazon: {_some(late)}")
    dirty = await world.query(
        "listings",
        "select sku from variant where write_state is not null or quantity_version > greatest(quantity_synced_version, "
        "quantity_refused_version) or price_version > greatest(price_synced_version, price_refused_version)",
    )
    if dirty:
        left.append(f"{len(dirty)} SKUs not settled: {_some(row[0] for row in dirty)}")
    return left


async def check(world: World, amazon: Amazon, ledger: Ledger) -> Verdict:
    """After everything has drained."""
    verdict = Verdict()
    books = await read_books(amazon)
    verdict.expect(ledger.failures, "what had to be accepted was not")
    await _orders(world, books, verdict)
    _packages(books, ledger, verdict)
    _listings(books, ledger, verdict)
    await _units(world, books, verdict)
    await _commands(world, verdict)
    verdict.expect(sorted(ledger.released_while_off), "released to a source that had not attested")
    await _topics(world, books, verdict)
    logs = [path for path in world.logs.rglob("*.log") if _BUYER in await asyncio.to_thread(path.read_bytes)]
    verdict.expect([path.name for path in logs], "a buyer's mark in a log")
    forbidden = sum(by_status.get("403", 0) for by_status in books.calls.values())
    # Each consent kills the tokens that four processes of ours hold; each may find that out by a few calls at once.
    if forbidden > 40 * (ledger.consents - 1):
        verdict.violations.append(f"{forbidden} calls answered 403: a dead token was kept")
    refused = sum(by_status.get("429", 0) for by_status in books.calls.values())
    if refused > ledger.throttled:
        verdict.violations.append(
            f"a bucket was overdrawn: {refused} calls answered 429, {ledger.throttled} on purpose"
        )
    verdict.facts |= {
        "orders": len(books.orders),
        "parcels": len(ledger.parcels),
        "listing_writes": sum(listing["writes"] for listing in books.listings.values()),
        "confirmations": sum(order["confirmations"] for order in books.orders.values()),
        "403": forbidden,
        "429": refused,
        "calls": sum(sum(by_status.values()) for by_status in books.calls.values()),
        "switched_off": ledger.switched_off,
    }
    return verdict


async def _orders(world: World, books: Books, verdict: Verdict) -> None:
    """I1, I2: every importable order once."""
    stored = Counter(row[0] for row in await world.query("orders", "select amazon_order_id from orders"))
    verdict.expect(sorted(set(books.orders) - set(stored)), "orders at Amazon that we do not have")
    verdict.expect([order for order, times in stored.items() if times > 1], "orders that we have twice")


def _packages(books: Books, ledger: Ledger, verdict: Verdict) -> None:
    """I3: each parcel is one package, with what was told last."""
    shown: dict[str, list[Any]] = defaultdict(list)
    for order in books.orders.values():
        for package in order["packages"]:
            content = tuple(sorted(package["quantities"].items()))
            said = (package["carrier"], package["shipping_method"], package["tracking_number"], content)
            shown[order["amazon_order_id"]].append(said)
    wanted: dict[str, list[Any]] = defaultdict(list)
    for told in ledger.parcels.values():
        content = tuple(sorted((one["order_item_id"], one["quantity"]) for one in told["items"]))
        wanted[told["amazon_order_id"]].append((told["carrier"], told["method"], told["tracking_number"], content))
    wrong = [
        f"{order}: wanted {sorted(wanted[order])}, Amazon has {sorted(shown[order])}"
        for order in books.orders
        if sorted(wanted[order]) != sorted(shown[order])
    ]
    verdict.expect(wrong, "packages that are not as told last")


def _offers(books: Books, ledger: Ledger) -> list[tuple[str, str]]:
    found = []
    for sku, cents in ledger.cents.items():
        at_amazon = books.listings[sku]
        price, quantity = cents_of(at_amazon["price"]), at_amazon["quantity"]
        problem = "" if price == cents else f"{sku}: price {price} instead of {cents} cents"
        if sku in ledger.quantities and quantity != ledger.quantities[sku]:
            problem += f"{sku}: quantity {quantity} instead of {ledger.quantities[sku]}"
        found.append((sku, problem))
    return found


def _listings(books: Books, ledger: Ledger, verdict: Verdict) -> None:
    """I4: the last wanted value is at Amazon, and no value was ever followed by an older one."""
    verdict.expect([problem for _, problem in _offers(books, ledger) if problem], "not the last wanted value")
    fell = []
    for sku in ledger.cents:
        prices = [FIRST_CENTS]
        quantities = [0]
        for write in books.listings[sku]["history"]:
            prices += [cents_of(write["price"])] if write["price"] is not None else []
            quantities += [write["quantity"]] if write["quantity"] is not None and sku in ledger.quantities else []
        fell += [f"{sku} price {a} then {b}" for a, b in pairwise(prices) if b < a]
        fell += [f"{sku} quantity {a} then {b}" for a, b in pairwise(quantities) if b < a]
    verdict.expect(fell, "an older value was sent after a newer one")


async def _units(world: World, books: Books, verdict: Verdict) -> None:
    """No unit is lost or doubled, at Amazon and in our promises and stock."""
    rows = await world.query(
        "compliance",
        "select order_item_id, sum(quantity) from stock_reservation where state = 'shipped' group by 1",
    )
    gone = {row[0]: int(row[1]) for row in rows}
    ordered = {line["order_item_id"]: line for order in books.orders.values() for line in order["lines"]}
    wrong = [
        f"{item}: {line['quantity']} ordered, {line['shipped']} at Amazon, {gone.get(item, 0)} of ours"
        for item, line in ordered.items()
        if not line["quantity"] == line["shipped"] == gone.get(item, 0)
    ]
    verdict.expect(wrong, "units lost or doubled")
    stock = await world.query(
        "compliance",
        "select s.sku, s.quantity, coalesce(sum(r.quantity), 0) from source_stock s left join stock_reservation r "
        "on r.source_id = s.source_id and r.sku = s.sku and r.state = 'shipped' "
        "group by s.source_id, s.sku, s.quantity",
    )
    verdict.expect([row[0] for row in stock if row[1] != STOCK or row[2] > STOCK], "stock that nobody stated")
    sold = sum(int(row[2]) for row in stock)
    units = sum(line["quantity"] for line in ordered.values())
    nobody = await world.query(
        "compliance",
        "select coalesce(sum(quantity), 0) from stock_reservation where state = 'shipped' and source_id = $1",
        UUID(int=0),
    )
    if sold + int(nobody[0][0]) != units:
        verdict.violations.append(f"{units} units were ordered, {sold} left the sources, {nobody[0][0]} nobody's")


async def _commands(world: World, verdict: Verdict) -> None:
    """I7: each command has ended or says what it waits for; nothing is set aside in silence."""
    for service in NAMES:
        silent = await world.query(
            service,
            "select operation, status from operation_run where status in ('queued', 'running') and waits_for is null "
            "and created_at < clock_timestamp() - interval '1 minute'",
        )
        verdict.expect([tuple(row) for row in silent], f"runs of {service} that neither end nor say what they wait for")
        failed = await world.query(
            service,
            "select operation, errors::text from operation_run where status = 'failed' "
            "and coalesce(errors->0->>'code', 'unexpected') = 'unexpected'",
        )
        verdict.expect([tuple(row) for row in failed], f"runs of {service} that failed without a reason")
        letters = await world.query(service, "select consumer, reason from dead_letter")
        verdict.expect([tuple(row) for row in letters], f"good events that {service} set aside")
    parked = await world.query(
        "orders", "select status, error_code, error_detail from shipment where status <> 'confirmed'"
    )
    verdict.expect([tuple(row) for row in parked], "parcels that are not confirmed")


async def _topics(world: World, books: Books, verdict: Verdict) -> None:
    """I2, I6: one OrderImported for each order by event id, each event id one content; nothing of a buyer."""
    imported: dict[str, set[str]] = defaultdict(set)
    contents: dict[str, set[bytes]] = defaultdict(set)
    marked = 0
    read = 0
    for topic, value in await _read_topics(world.bootstrap_servers):
        read += 1
        marked += _BUYER in value
        event = json.loads(value)
        contents[event["source"] + event["id"]].add(value)
        if topic == "entrepot.orders" and event["type"] == "OrderImported":
            imported[event["data"]["amazon_order_id"]].add(event["id"])
    verdict.facts["events"] = read
    verdict.expect([order for order in books.orders if not imported[order]], "orders that were never announced")
    verdict.expect([order for order, ids in imported.items() if len(ids) > 1], "orders that were announced twice")
    verdict.expect([one for one, said in contents.items() if len(said) > 1], "event ids with two contents")
    if marked:
        verdict.violations.append(f"a buyer's mark in {marked} messages")


async def _read_topics(bootstrap_servers: str) -> list[tuple[str, bytes]]:
    names = [topic.name for topic in TOPICS] + [dead_letter_topic(topic.name) for topic in TOPICS if topic.readers]
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        there = consumer.assignment()
        ends = await consumer.end_offsets(there)
        messages: list[tuple[str, bytes]] = []
        while [one for one in there if await consumer.position(one) < ends[one]]:
            for one, records in (await consumer.getmany(timeout_ms=500)).items():
                messages += [(one.topic, record.value) for record in records if record.value is not None]
        return messages
    finally:
        await consumer.stop()


def _left(line: dict[str, Any]) -> bool:
    return bool(line["quantity"] > line["shipped"])


def _some(names: Any) -> str:
    return ", ".join(map(str, list(names)[:_SHOWN]))
