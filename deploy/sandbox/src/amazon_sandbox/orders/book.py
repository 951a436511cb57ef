"""The orders of one seller, and the two indexes that searchOrders walks."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec

from amazon_sandbox.clock import DAY_MS

PENDING = "PENDING"
UNSHIPPED = "UNSHIPPED"
PARTIALLY_SHIPPED = "PARTIALLY_SHIPPED"
SHIPPED = "SHIPPED"
CANCELLED = "CANCELLED"
UNFULFILLABLE = "UNFULFILLABLE"
STATUSES = ("PENDING_AVAILABILITY", PENDING, UNSHIPPED, PARTIALLY_SHIPPED, SHIPPED, CANCELLED, UNFULFILLABLE)

# Some of the programs an order can belong to (FACTS 8.2.7).
SHIP_PLUS = "FBM_SHIP_PLUS"
IN_STORE_PICK_UP = "IN_STORE_PICK_UP"

# The reference of what was picked up in the store; no package that is confirmed has it (FACTS 8.4.1).
PICKED_UP = "0"

MERCHANT = "MERCHANT"
AMAZON = "AMAZON"


class Cancellation(msgspec.Struct, frozen=True):
    """The buyer's wish, or the fact (FACTS 8.2.9)."""

    by: str
    reason: str
    executed: bool


class Charges(msgspec.Struct, frozen=True, gc=False):
    """What an order item costs besides its price, for all its units together (FACTS 8.2.6)."""

    shipping: Decimal = Decimal(0)
    gift_wrap: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.shipping + self.gift_wrap + self.tax - self.discount


class Line(msgspec.Struct, frozen=True, gc=False):
    """One order item; `unit_price` is for one unit, in the marketplace's currency (FACTS 8.2.6).

    `quantity` is what is still ordered: units the merchant cancelled are taken off, `cancellation` says why.
    """

    order_item_id: str
    sku: str
    asin: str
    title: str
    quantity: int
    unit_price: Decimal
    cancellation: Cancellation | None = None
    charges: Charges | None = None
    programs: tuple[str, ...] = ()
    customized_url: str | None = None

    @property
    def total(self) -> Decimal:
        items = self.unit_price * self.quantity
        return items if self.charges is None else items + self.charges.total


class Package(msgspec.Struct, frozen=True):
    """One confirmed package, or what was PICKED_UP; `quantities` is units by order item id."""

    reference_id: str
    carrier: str
    shipping_method: str | None
    tracking_number: str
    ship_ms: int
    created_ms: int
    quantities: dict[str, int]
    status: str = "SHIPPED"


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
    programs: tuple[str, ...] = ()
    merchant_order_id: str | None = None  # the seller's own, by acknowledgement
    cancellation: Cancellation | None = None
    taken: tuple[int, ...] = ()  # units that left Amazon's stock for each line, in the order of the lines
    accepted: dict[str, Package] = {}
    packages: dict[str, Package] = {}
    confirmations: int = 0
    replaces: str | None = None  # the order id this one replaces, at no charge
    buyer_company_name: str | None = None
    purchase_order_number: str | None = None
    gift_wrap_level: str | None = None
    searchable_ms: int = 0  # searchOrders leaves the order out until then (PAINS 8)
    regulation: Regulation | None = None
    rendered: tuple[int, int, bytes] | None = None  # the last document: what it includes, until when it holds, itself

    @property
    def in_store_pickup(self) -> bool:
        return IN_STORE_PICK_UP in self.programs

    @property
    def is_pending(self) -> bool:
        return self.status.startswith(PENDING)

    @property
    def has_address(self) -> bool:
        """FACTS 4.8; there is no InvoiceUnconfirmed here."""
        return self.status in (UNSHIPPED, PARTIALLY_SHIPPED, SHIPPED)


def shipped_quantity(packages: Iterable[Package], order_item_id: str) -> int:
    return sum(package.quantities.get(order_item_id, 0) for package in packages)


OLDEST_SERVED_MS = 730 * DAY_MS  # FACTS 8.1.3: two years...
_SINCE_2016 = {"A1VC38T7YXB528", "A39IBJ37TRP1C6", "A19VAU5U5O7RUS"}  # ... and in JP, AU and SG since 2016
_START_OF_2016_MS = 1_451_606_400_000


def is_served(order: Order, now_ms: int) -> bool:
    """Whether Amazon still shows an order of this age."""
    oldest_ms = _START_OF_2016_MS if order.marketplace_id in _SINCE_2016 else now_ms - OLDEST_SERVED_MS
    return order.created_ms >= oldest_ms


def is_complete(lines: Iterable[Line], packages: Iterable[Package]) -> bool:
    """Whether these packages hold everything that is still ordered."""
    shipped = list(packages)
    return all(shipped_quantity(shipped, line.order_item_id) >= line.quantity for line in lines)


class _Index:
    """Orders sorted by one of their times. A moved order is entered anew, its old entry is skipped and later swept."""

    def __init__(self, moment: str) -> None:
        self._moment = moment  # the name of the order's field
        self._entries: list[tuple[int, int, Order]] = []
        self._moved = 0

    def add(self, orders: Iterable[Order]) -> None:
        moment_of = attrgetter(self._moment)
        entries = sorted((moment_of(order), order.number, order) for order in orders)
        if not self._entries or (entries and entries[0] > self._entries[-1]):
            self._entries.extend(entries)
        else:
            for entry in entries:
                insort(self._entries, entry)

    def move(self, order: Order) -> None:
        moment_of = attrgetter(self._moment)
        insort(self._entries, (moment_of(order), order.number, order))
        self._moved += 1
        if self._moved > len(self._entries) // 2:
            self._entries = [entry for entry in self._entries if entry[0] == moment_of(entry[2])]
            self._moved = 0

    @property
    def first_ms(self) -> int:
        """The time of its first entry, or of no order there can be."""
        return self._entries[0][0] if self._entries else 1 << 62

    def page(
        self, start: tuple[int, int], end_ms: int, limit: int, wanted: Callable[[Order], bool] | None
    ) -> tuple[list[Order], tuple[int, int] | None]:
        """At most `limit` orders from `start` (time, order number; inclusive) to `end_ms`, oldest first.

        With them comes where the next page starts, or None. `wanted` leaves orders out; None wants all.
        """
        moment_of = attrgetter(self._moment)
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
        self.by_created = _Index("created_ms")
        self.by_updated = _Index("updated_ms")
        self.all_searchable_ms = 0  # from when on none is hidden from searchOrders

    def add(self, orders: list[Order]) -> None:
        self.orders.update((order.order_id, order) for order in orders)
        self.all_searchable_ms = max([self.all_searchable_ms, *(order.searchable_ms for order in orders)])
        self.by_created.add(orders)
        self.by_updated.add(orders)

    def hide(self, order: Order, until_ms: int) -> None:
        """From searchOrders only: nothing of the order changes."""
        order.searchable_ms = until_ms
        self.all_searchable_ms = max(self.all_searchable_ms, until_ms)

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
        status = SHIPPED if is_complete(order.lines, packages.values()) else PARTIALLY_SHIPPED
        self.change(order, now_ms, packages=packages, status=status)
