"""Orders and their reservations between PostgreSQL and memory, a page at a time with set-based SQL."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlmodel.ext.asyncio.session import AsyncSession

from common.amazon.marketplaces import is_marketplace, marketplace
from common.bulk import insert_page, run
from common.contracts.orders import OrderCancelled, OrderEvent
from compliance_service.models import RoutedOrder, StockReservation
from compliance_service.reserving import OrderedLine, Reservation

_lines = msgspec.json.Decoder(tuple[OrderedLine, ...])
_encoder = msgspec.json.Encoder()


class _Held(msgspec.Struct):
    """Of a stored hold, all that loading it asks."""

    code: str


_held = msgspec.json.Decoder(_Held)

# Amazon's fulfillmentStatus values that leave something to ship, and those after which nothing is left.
ROUTABLE = frozenset({"UNSHIPPED", "PARTIALLY_SHIPPED"})
SHIPPED = "SHIPPED"
CLOSED = frozenset({SHIPPED, "CANCELLED", "UNFULFILLABLE"})

OrderKey = tuple[UUID, str, str]


@dataclass(slots=True)
class OrderRow:
    """An order in memory, locked in the database; `key` is (account, selling partner, Amazon order id)."""

    id: UUID
    key: OrderKey
    order_version: int
    channel_id: UUID | None
    channel_type: str
    status: str
    fulfilled_by: str
    purchased_at: datetime
    shipping_policy: str | None
    currency: str | None
    holds: Sequence[str]
    lines: tuple[OrderedLine, ...]
    cancelled: bool
    state: str
    # The hold as it was stored, as text: most orders that are decided again are held no more, and nobody reads it.
    stored_hold: str | None
    decision_version: int
    decided_order_version: int
    hold: Mapping[str, Any] | None = None
    # Orders would answer the next decision on this version as it has answered the newest: released already.
    already_released: bool = False
    reservations: list[Reservation] = field(default_factory=list)

    @property
    def account_id(self) -> UUID:
        return self.key[0]

    @property
    def closed(self) -> bool:
        return self.cancelled or self.status in CLOSED

    def held_by(self, hold: Mapping[str, Any]) -> bool:
        """Whether this very hold is what is stored."""
        return self.stored_hold is not None and bool(msgspec.json.decode(self.stored_hold) == hold)

    @property
    def shipped(self) -> bool:
        return not self.cancelled and self.status == SHIPPED

    @property
    def routable(self) -> bool:
        """MISSION D4: merchant-fulfilled, unshipped, without holds of orders' own."""
        return self.fulfilled_by == "MERCHANT" and self.status in ROUTABLE and not self.holds


def key_of(event: Any) -> OrderKey:
    """The key of an event that names an order."""
    return (event.account_id, event.selling_partner_id, event.amazon_order_id)


_ORDER_COLUMNS = (
    "id",
    "account_id",
    "selling_partner_id",
    "amazon_order_id",
    "order_version",
    "channel_id",
    "channel_type",
    "marketplace_id",
    "status",
    "fulfilled_by",
    "purchased_at",
    "ship_by",
    "shipping_policy",
    "currency",
    "holds",
    "lines",
    "skus",
    "cancelled",
    "state",
    "decision_version",
    "decided_order_version",
)
_TOLD_BY_ORDERS = _ORDER_COLUMNS[4:18]
_KEEP_THE_NEWEST = (
    "on conflict (account_id, selling_partner_id, amazon_order_id) do update set "
    + ", ".join(f"{name} = excluded.{name}" for name in _TOLD_BY_ORDERS)
    + " where routed_order.order_version < excluded.order_version returning id"
)


async def store(session: AsyncSession, events: Iterable[OrderEvent]) -> set[UUID]:
    """Keeps the newest version of every order; an older or repeated one changes nothing. Answers those never seen."""
    newest: dict[OrderKey, OrderEvent] = {}
    for event in events:
        known = newest.get(key_of(event))
        if known is None or known.version < event.version:
            newest[key_of(event)] = event
    rows = [_row(key, event) for key, event in sorted(newest.items())]
    kept = await insert_page(session, RoutedOrder, _ORDER_COLUMNS, rows, _KEEP_THE_NEWEST)
    # A row that was there before has kept its id.
    return {row[0] for row in kept} & {row[0] for row in rows}


def _row(key: OrderKey, event: OrderEvent) -> tuple[Any, ...]:
    lines = [OrderedLine(ln.order_item_id, ln.sku, ln.quantity, ln.quantity_fulfilled) for ln in event.lines]
    return (
        uuid4(),
        *key,
        event.version,
        event.channel_id,
        event.channel_type,
        event.marketplace_id,
        event.status,
        event.fulfilled_by,
        event.purchased_at,
        event.ship_by,
        event.shipping_policy,
        _currency(event),
        _json(event.holds),
        _json(lines),
        _json(sorted({line.sku for line in lines})),
        isinstance(event, OrderCancelled),
        "waiting",
        0,
        0,
    )


def _currency(event: OrderEvent) -> str | None:
    """What the order is paid in, which is what costs are compared in: amounts are never converted."""
    for line in event.lines:
        if line.unit_price is not None:
            return line.unit_price.currency
    return marketplace(event.marketplace_id).currency if is_marketplace(event.marketplace_id) else None


_LOCKED = {True: " for update of o", False: ""}
_SELECT = """
select o.id, o.account_id, o.selling_partner_id, o.amazon_order_id, o.order_version, o.channel_id, o.channel_type,
    o.status, o.fulfilled_by, o.purchased_at, o.shipping_policy, o.currency, o.holds::text, o.lines::text, o.cancelled,
    o.state, o.hold::text, o.decision_version, o.decided_order_version
from routed_order o"""


async def load(
    session: AsyncSession, keys: Iterable[OrderKey], *, lock: bool = True, new: Container[UUID] = ()
) -> list[OrderRow]:
    """The orders with these keys and their reservations, locked, in key order; unknown keys are left out.

    `new` are ids of orders that have just been stored: they can have no reservations."""
    wanted = sorted(set(keys))
    rows = await run(
        session,
        f"{_SELECT} join unnest($1::uuid[], $2::text[], $3::text[]) as k(account_id, seller, order_id) "
        "on o.account_id = k.account_id and o.selling_partner_id = k.seller and o.amazon_order_id = k.order_id "
        'order by o.account_id, o.selling_partner_id collate "C", o.amazon_order_id collate "C"' + _LOCKED[lock],
        [key[0] for key in wanted],
        [key[1] for key in wanted],
        [key[2] for key in wanted],
    )
    return await _with_reservations(session, [_order(row) for row in rows], new)


async def load_held(
    session: AsyncSession, account_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int, lock: bool = True
) -> list[OrderRow]:
    """The next page of an account's held orders, locked, oldest purchase first."""
    rows = await run(
        session,
        f"{_SELECT} where o.account_id = $1 and o.state = 'held' "
        "and ($2::timestamptz is null or (o.purchased_at, o.id) > ($2, $3::uuid)) "
        "order by o.purchased_at, o.id limit $4" + _LOCKED[lock],
        account_id,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return await _with_reservations(session, [_order(row) for row in rows])


def _order(row: Any) -> OrderRow:
    return OrderRow(
        id=row[0],
        key=(row[1], row[2], row[3]),
        order_version=row[4],
        channel_id=row[5],
        channel_type=row[6],
        status=row[7],
        fulfilled_by=row[8],
        purchased_at=row[9],
        shipping_policy=row[10],
        currency=row[11],
        holds=msgspec.json.decode(row[12]),
        lines=_lines.decode(row[13]),
        cancelled=row[14],
        state=row[15],
        stored_hold=row[16],
        decision_version=row[17],
        decided_order_version=row[18],
        already_released=row[18] == row[4] and row[15] == "held" and _code_of(row[16]) == "already_released",
    )


def _code_of(stored_hold: str | None) -> str | None:
    return _held.decode(stored_hold).code if stored_hold else None


async def _with_reservations(
    session: AsyncSession, orders: list[OrderRow], new: Container[UUID] = ()
) -> list[OrderRow]:
    # Most orders of a batch are new.
    by_id = {order.id: order for order in orders if order.id not in new}
    if by_id:
        rows = await run(
            session,
            "select order_id, id, decision_version, source_id, order_item_id, sku, quantity, state, reserved_at, "
            "closed_at, shipment_id from stock_reservation where order_id = any($1) order by decision_version, id",
            list(by_id),
        )
        for row in rows:
            by_id[row[0]].reservations.append(Reservation(*row[1:]))
    return orders


_RESERVATION_COLUMNS = (
    "id",
    "account_id",
    "order_id",
    "decision_version",
    "source_id",
    "order_item_id",
    "sku",
    "quantity",
    "state",
    "reserved_at",
    "closed_at",
    "shipment_id",
)


async def save_reservations(session: AsyncSession, orders: Iterable[OrderRow]) -> None:
    """Writes the reservations that are new or changed in memory."""
    new, changed = [], []
    for order in orders:
        for r in order.reservations:
            if r.new:
                new.append(
                    (
                        r.id,
                        order.account_id,
                        order.id,
                        r.decision_version,
                        r.source_id,
                        r.order_item_id,
                        r.sku,
                        r.quantity,
                        r.state,
                        r.reserved_at,
                        r.closed_at,
                        r.shipment_id,
                    )
                )
            elif r.changed:
                changed.append((r.id, r.quantity, r.state, r.closed_at, r.shipment_id))
            r.new = r.changed = False
    await insert_page(session, StockReservation, _RESERVATION_COLUMNS, new)
    if changed:
        await run(
            session,
            "update stock_reservation r set quantity = c.quantity, state = c.state, closed_at = c.closed_at, "
            "shipment_id = c.shipment_id "
            "from unnest($1::uuid[], $2::int[], $3::text[], $4::timestamptz[], $5::uuid[]) "
            "as c(id, quantity, state, closed_at, shipment_id) where r.id = c.id",
            *map(list, zip(*changed, strict=True)),
        )


async def save_states(session: AsyncSession, orders: Sequence[OrderRow]) -> None:
    """Writes where the routing of these orders stands now."""
    if not orders:
        return
    await run(
        session,
        "update routed_order o set state = c.state, hold = c.hold, decision_version = c.decision_version, "
        "decided_order_version = c.decided_order_version "
        "from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::int[], $5::int[]) "
        "as c(id, state, hold, decision_version, decided_order_version) where o.id = c.id",
        [order.id for order in orders],
        [order.state for order in orders],
        [_json(order.hold) if order.hold else None for order in orders],
        [order.decision_version for order in orders],
        [order.decided_order_version for order in orders],
    )


def _json(value: Any) -> str:
    return _encoder.encode(value).decode()
