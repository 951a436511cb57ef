"""Whatever happens in whatever order, often twice: no unit is promised that was not counted, leaks or counts twice.

A state machine plays the orders service and the sources, and keeps books of its own."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from common import clock
from common.bulk import run
from common.contracts.compliance import OrderHeld, OrderRouted
from common.contracts.event import Event
from common.contracts.inventory import SourceInventoryChanged
from common.testing.events import clear_outbox, deliver
from common.testing.identity import Issuer
from common.testing.plugin import Running
from compliance_service.testing import Merchant

T = TypeVar("T")

SKUS = ("A", "a")
CHOICE = st.integers(0, 1_000_000)


@dataclass
class Promise:
    """Units that a decision reserved and that are still held."""

    version: int
    source_id: UUID
    item: str
    sku: str
    units: int


@dataclass
class Ordered:
    """An order in the machine's books: units per item, what is promised, and what is settled for good."""

    id: str
    lines: dict[str, int]
    version: int = 1
    decision: int = 0
    closed: bool = False
    lessened: bool = False
    promises: list[Promise] = field(default_factory=list)
    settled: dict[str, int] = field(default_factory=dict)
    shipped: dict[str, int] = field(default_factory=dict)

    def wanted(self) -> dict[str, int]:
        """Units by SKU, as they are announced."""
        return {sku: units for sku, units in zip(SKUS, self.lines.values(), strict=False) if units}

    def lessen(self, item: str) -> None:
        """One unit fewer: what is promised beyond what is left goes back, the newest promise first."""
        self.lines[item] -= 1
        self.lessened = True
        newest = sorted(self.promises, key=lambda p: (p.version, p.source_id), reverse=True)
        of_item = [promise for promise in newest if promise.item == item]
        over = self.shipped.get(item, 0) + sum(promise.units for promise in of_item) - self.lines[item]
        for promise in of_item:
            back = max(0, min(over, promise.units))
            promise.units -= back
            over -= back
        self.promises = [p for p in self.promises if p.units]

    def settle(self, promise: Promise, units: int) -> None:
        self.settled[promise.item] = self.settled.get(promise.item, 0) + units
        promise.units -= units
        self.promises = [p for p in self.promises if p.units]


class Books(RuleBasedStateMachine):
    """The events of a merchant's day against the running service."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    running: ClassVar[Running]
    issuer: ClassVar[Issuer]

    def __init__(self) -> None:
        super().__init__()
        self.merchant = Merchant(self.running, self.issuer)
        self.orders: dict[str, Ordered] = {}
        self.counts: dict[tuple[UUID, str], tuple[int, datetime]] = {}
        self.left: list[tuple[UUID, str, int, datetime]] = []
        self.moments = [clock.now()]
        self.sent: list[tuple[Event, UUID]] = []
        self.attested: dict[UUID, bool] = {}
        for name in ("One", "Two"):
            source_id = self.wait(self.merchant.source(name))
            self.attested[source_id] = True
            self.count(source_id, "A", 4, clock.now())
        self.sources = sorted(self.attested)
        self.listen()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def send(self, event: Event) -> None:
        event_id = uuid4()
        self.wait(deliver(self.merchant.consumer, event, event_id=event_id))
        self.sent.append((event, event_id))

    def listen(self) -> None:
        """Takes what was announced into the books, and holds it against them."""
        for event in self.wait(self.merchant.announced()):
            if isinstance(event, OrderRouted | OrderHeld):
                order = self.orders[event.amazon_order_id]
                assert event.decision_version == order.decision + 1
                order.decision = event.decision_version
            if isinstance(event, OrderRouted):
                for allocation in event.allocations:
                    assert self.attested[allocation.source_id], "routed to a source without attestation"
                    order.promises += [
                        Promise(event.decision_version, allocation.source_id, ln.order_item_id, ln.sku, ln.quantity)
                        for ln in allocation.lines
                    ]
                planned = {item: order.settled.get(item, 0) for item in order.lines}
                for promise in order.promises:
                    planned[promise.item] += promise.units
                # What was settled before an order was lessened may be more than it wants now.
                assert planned == order.lines or (
                    order.lessened and all(planned[item] >= units for item, units in order.lines.items())
                ), "a routed order has every unit planned once"
                for promise in order.promises:
                    if promise.version == event.decision_version:
                        assert self.free(promise.source_id, promise.sku) >= 0, "promised more than was counted"
        self.wait(clear_outbox(self.running.runtime.db))

    def free(self, source_id: UUID, sku: str) -> int:
        """Counted, less promised, less what left after the count. Below zero when a count came out lower."""
        quantity, as_of = self.counts[(source_id, sku)]
        promised = sum(
            promise.units
            for order in self.orders.values()
            for promise in order.promises
            if (promise.source_id, promise.sku) == (source_id, sku)
        )
        gone = sum(units for source, left, units, at in self.left if (source, left) == (source_id, sku) and at > as_of)
        return quantity - promised - gone

    def count(self, source_id: UUID, sku: str, quantity: int, as_of: datetime) -> None:
        self.send(
            SourceInventoryChanged(
                account_id=self.merchant.account_id, source_id=source_id, sku=sku, quantity=quantity, as_of=as_of
            )
        )
        known = self.counts.get((source_id, sku))
        if known is None or known[1] <= as_of:
            self.counts[(source_id, sku)] = (quantity, as_of)

    def pick_open(self, choice: int) -> Ordered:
        found = [order for order in self.orders.values() if not order.closed]
        return found[choice % len(found)]

    def pick_promise(self, choice: int) -> tuple[Ordered, Promise]:
        found = [(order, promise) for order in self.orders.values() for promise in order.promises]
        return found[choice % len(found)]

    def any_open(self) -> bool:
        return any(not order.closed for order in self.orders.values())

    def any_promise(self) -> bool:
        return any(order.promises for order in self.orders.values())

    @rule(units=st.lists(st.integers(1, 3), min_size=1, max_size=2))
    def a_buyer_orders(self, units: list[int]) -> None:
        order_id = f"O-{len(self.orders)}"
        wanted = dict(zip(SKUS, units, strict=False))
        self.orders[order_id] = Ordered(order_id, {f"{order_id}-{n}": u for n, u in enumerate(units)})
        self.send(self.merchant.order(order_id, wanted))
        self.listen()

    @rule(choice=CHOICE, sku=st.sampled_from(SKUS), quantity=st.integers(0, 6), late=st.booleans())
    def a_source_counts(self, choice: int, sku: str, quantity: int, late: bool) -> None:
        as_of = self.moments[choice % len(self.moments)] if late else clock.now()
        self.count(self.sources[choice % 2], sku, quantity, as_of)
        self.listen()

    @rule(choice=CHOICE)
    def the_toggle_is_switched(self, choice: int) -> None:
        source_id = self.sources[choice % 2]
        if self.attested[source_id]:
            self.wait(self.merchant.withdraw_attestation(source_id))
        else:
            self.wait(self.merchant.attest(source_id))
        self.attested[source_id] = not self.attested[source_id]
        self.listen()

    @rule()
    def what_is_due_runs(self) -> None:
        self.wait(self.merchant.run_jobs())
        self.listen()

    @precondition(any_promise)
    @rule(choice=CHOICE)
    def orders_withdraws_a_route(self, choice: int) -> None:
        order, promise = self.pick_promise(choice)
        order.promises = [p for p in order.promises if p.version != promise.version]
        self.send(self.merchant.withdrawn(order.id, promise.version))
        self.listen()

    @precondition(any_promise)
    @rule(choice=CHOICE, resolution=st.sampled_from(["fill", "kill"]))
    def a_source_refuses(self, choice: int, resolution: str) -> None:
        order, promise = self.pick_promise(choice)
        for other in list(order.promises):
            if (other.version, other.source_id) == (promise.version, promise.source_id):
                if resolution == "kill":
                    order.settle(other, other.units)
                else:
                    order.promises.remove(other)
        self.send(self.merchant.refused(order.id, promise.source_id, promise.version, resolution))
        self.listen()

    @precondition(any_promise)
    @rule(choice=CHOICE, whole=st.booleans(), late=st.booleans())
    def a_parcel_leaves(self, choice: int, whole: bool, late: bool) -> None:
        order, promise = self.pick_promise(choice)
        left_at = self.moments[choice % len(self.moments)] if late else None
        units = promise.units if whole else 1
        line = (promise.item, promise.sku, units)
        self.send(
            self.merchant.shipped(
                order.id,
                [line],
                source_id=promise.source_id,
                decision_version=promise.version,
                shipment_id=uuid4(),
                shipped_at=left_at,
            )
        )
        self.left.append((promise.source_id, promise.sku, units, left_at or clock.now()))
        order.shipped[promise.item] = order.shipped.get(promise.item, 0) + units
        order.settle(promise, units)
        self.listen()

    @precondition(any_open)
    @rule(choice=CHOICE)
    def an_order_is_cancelled(self, choice: int) -> None:
        self.cancel(self.pick_open(choice))

    def cancel(self, order: Ordered) -> None:
        order.version += 1
        order.closed, order.promises = True, []
        self.send(self.merchant.cancelled(order.id, order.wanted(), order.version))
        self.listen()

    @precondition(any_open)
    @rule(choice=CHOICE)
    def an_order_turns_shipped_without_a_parcel(self, choice: int) -> None:
        order = self.pick_open(choice)
        order.version += 1
        self.send(self.merchant.changed(order.id, order.wanted(), order.version, status="SHIPPED"))
        self.left += [(promise.source_id, promise.sku, promise.units, clock.now()) for promise in order.promises]
        order.closed, order.promises = True, []
        self.listen()

    @precondition(any_open)
    @rule(choice=CHOICE)
    def an_order_is_told_again_in_a_newer_version(self, choice: int) -> None:
        order = self.pick_open(choice)
        order.version += 1
        self.send(self.merchant.changed(order.id, order.wanted(), order.version))
        self.listen()

    @precondition(any_open)
    @rule(choice=CHOICE)
    def a_unit_of_an_order_is_cancelled(self, choice: int) -> None:
        order = self.pick_open(choice)
        # Of the first item one stays: item ids count the lines that are there.
        item = next((item for item, units in reversed(order.lines.items()) if units), "")
        if sum(order.lines.values()) > 1:
            order.lessen(item)
            order.version += 1
            self.send(self.merchant.changed(order.id, order.wanted(), order.version))
            self.listen()

    @precondition(lambda self: bool(self.sent))
    @rule(choice=CHOICE, new_id=st.booleans(), lately=st.booleans())
    def an_event_comes_again(self, choice: int, new_id: bool, lately: bool) -> None:
        among = self.sent[-3:] if lately else self.sent
        event, event_id = among[choice % len(among)]
        self.wait(deliver(self.merchant.consumer, event, event_id=uuid4() if new_id else event_id))
        self.listen()

    @invariant()
    def the_service_shows_what_the_books_say(self) -> None:
        self.moments.append(clock.now())
        for source_id in self.sources:
            shown = self.wait(self.merchant.available(source_id))
            booked = {sku: max(0, self.free(*key)) for key in self.counts for sku in [key[1]] if key[0] == source_id}
            assert shown == booked

    def teardown(self) -> None:
        for order in list(self.orders.values()):
            if not order.closed:
                self.cancel(order)
        self.wait(self.merchant.run_jobs())
        self.listen()
        assert self.wait(self._held()) == 0, "a reservation leaked"
        self.the_service_shows_what_the_books_say()

    async def _held(self) -> int:
        async with self.running.runtime.db.transaction() as session:
            rows = await run(
                session,
                "select count(*) from stock_reservation where account_id = $1 and state = 'held'",
                self.merchant.account_id,
            )
        return int(rows[0][0])


@pytest_asyncio.fixture
async def loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@pytest.mark.row("D1")
@pytest.mark.row("D4")
@pytest.mark.fault("F7")
@pytest.mark.fault("F8")
@pytest.mark.timeout(400)
def test_no_interleaving_loses_leaks_or_double_counts_a_unit(
    running: Running, issuer: Issuer, loop: asyncio.AbstractEventLoop
) -> None:
    machine = type("Day", (Books,), {"loop": loop, "running": running, "issuer": issuer})
    run_state_machine_as_test(
        machine,
        # Unshrunk: at most sixteen steps are readable, and each costs a second of a real database.
        settings=settings(
            max_examples=16,
            stateful_step_count=16,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
