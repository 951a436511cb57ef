"""The orders of one seller, and the two indexes that searchOrders walks."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec

PENDING = "PENDING"
UNSHIPPED = "UNSHIPPED"
PARTIALLY_SHIPPED = "PARTIALLY_SHIPPED"
SHIPPED = "SHIPPED"
CANCELLED = "CANCELLED"
STATUSES = ("PENDING_AVAILABILITY", PENDING, UNSHIPPED, PARTIALLY_SHIPPED, SHIPPED, CANCELLED, "UNFULFILLABLE")

MERCHANT = "MERCHANT"
AMAZON = "AMAZON"


class Line(msgspec.Struct, frozen=True, gc=False):
    """One order item; `unit_price` is for one unit, in the marketplace's currency (FACTS 8.2.6)."""

    order_item_id: str
    sku: str
    asin: str
    title: str
    quantity: int
    unit_price: Decimal


class Package(msgspec.Struct, frozen=True):
    """One confirmed package; `quantities` is units by order item id."""

    reference_id: str
    carrier: str
    shipping_method: str | None
    tracking_number: str
    ship_ms: int
    created_ms: int
    quantities: dict[str, int]


class Cancellation(msgspec.Struct, frozen=True):
    """The buyer's wish, or the fact (FACTS 8.2.9)."""

    by: str
    reason: str
    executed: bool


class Regulation(msgspec.Struct, frozen=True):
    """What the seller has to verify before a regulated order may ship."""

    fields: tuple[dict[str, str], ...] = ()
    rejection_reasons: tuple[dict[str, str], ...] = ()
    requires_dosage_label: bool = False
    status: str = "Pending"
    rejection_reason_id: str | None = None
    reviewer_id: str | None = None
    reviewed_ms: int | None = None


class Order(msgspec.Struct, eq=False):
    """`accepted` are the packages Amazon took, `packages` those that show; status follows what shows."""

    number: int
    order_id: str
    marketplace_id: str
    status: str
    fulfilled_by: str
    service_level: str
    created_ms: int
    updated_ms: int
    lines: tuple[Line, ...]
    address: dict[str, str] | None = None
    gift_message: str | None = None
    cancellation: Cancellation | None = None
    accepted: dict[str, Package] = {}
    packages: dict[str, Package] = {}
    confirmations: int = 0
    in_store_pickup: bool = False
    regulation: Regulation | None = None
    rendered: tuple[int, int, bytes] | None = None  # the last document: what it includes, until when it holds, itself

    @property
    def is_pending(self) -> bool:
        return self.status.startswith(PENDING)


def shipped_quantity(packages: Iterable[Package], order_item_id: str) -> int:
    return sum(package.quantities.get(order_item_id, 0) for package in packages)


class _Index:
    """Orders sorted by one of their times. A moved order is entered anew, its old entry is skipped and later swept."""

    def __init__(self, moment_of: Callable[[Order], int]) -> None:
        self._moment_of = moment_of
        self._entries: list[tuple[int, int, Order]] = []
        self._moved = 0

    def add(self, orders: Iterable[Order]) -> None:
        entries = sorted((self._moment_of(order), order.number, order) for order in orders)
        if not self._entries or (entries and entries[0] > self._entries[-1]):
            self._entries.extend(entries)
        else:
            for entry in entries:
                insort(self._entries, entry)

    def move(self, order: Order) -> None:
        insort(self._entries, (self._moment_of(order), order.number, order))
        self._moved += 1
        if self._moved > len(self._entries) // 2:
            self._entries = [entry for entry in self._entries if entry[0] == self._moment_of(entry[2])]
            self._moved = 0

    def page(
        self, start: tuple[int, int], end_ms: int, limit: int, wanted: Callable[[Order], bool] | None
    ) -> tuple[list[Order], tuple[int, int] | None]:
        """At most `limit` orders from `start` (time, order number; inclusive) to `end_ms`, oldest first.

        With them comes where the next page starts, or None. `wanted` leaves orders out; None wants all.
        """
        moment_of = self._moment_of
        found: list[Order] = []
        for position in range(bisect_left(self._entries, start), len(self._entries)):
            moment_ms, number, order = self._entries[position]
            if moment_ms > end_ms:
                break
            if moment_ms == moment_of(order) and (wanted is None or wanted(order)):
                if len(found) == limit:
                    return found, (moment_ms, number)
                found.append(order)
        return found, None


class OrderBook:
    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.by_created = _Index(attrgetter("created_ms"))
        self.by_updated = _Index(attrgetter("updated_ms"))

    def add(self, orders: list[Order]) -> None:
        self.orders.update((order.order_id, order) for order in orders)
        self.by_created.add(orders)
        self.by_updated.add(orders)

    def change(self, order: Order, now_ms: int, **fields: Any) -> None:
        """Sets `fields`, and the time of the last update with them."""
        for name, value in fields.items():
            setattr(order, name, value)
        order.rendered = None
        if order.updated_ms != now_ms:
            order.updated_ms = now_ms
            self.by_updated.move(order)

    def show_package(self, order: Order, package: Package, now_ms: int) -> None:
        """A confirmed package comes into sight, and the status follows; a cancelled order stays cancelled."""
        if order.status == CANCELLED:
            return
        packages = {**order.packages, package.reference_id: package}
        complete = all(shipped_quantity(packages.values(), line.order_item_id) >= line.quantity for line in order.lines)
        self.change(order, now_ms, packages=packages, status=SHIPPED if complete else PARTIALLY_SHIPPED)
