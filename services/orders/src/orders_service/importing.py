"""Stores a page of orders in one transaction: every order once, its buyer sealed, its events in the outbox with it.

An order that cannot be read or stored is set aside and takes none of the others with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import msgspec
import structlog
from prometheus_client import Counter
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.amazon import order as amazon_order
from common.amazon.client import Seller
from common.amazon.orders import MalformedOrder
from common.bulk import insert_page, run
from common.contracts.orders import OrderCancelled, OrderChanged, OrderEvent, OrderImported
from common.crypto import KeyLost, KeyRing, Unreadable
from common.item_by_item import all_or_each
from common.outbox import publish
from orders_service import personal_data, unimported
from orders_service.cancelling import cancel_units, has_lost_units
from orders_service.fulfilling import cancel_requests
from orders_service.models import Order, OrderKey, OrderLine
from orders_service.order_state import (
    CANCELLED,
    LineState,
    NotAnOrder,
    OrderState,
    Placed,
    event_of,
    merge,
    read_order,
    what_matters,
)
from orders_service.stored import STATE_COLUMNS, lines_of
from orders_service.wanting import Wanted, paused, place, wanted_by, why_not

orders_stored = Counter("entrepot_orders_stored_total", "Orders of stored pages by what became of them", ["outcome"])

_encoder = msgspec.json.Encoder()
log = structlog.get_logger()

_ORDER = (
    *("id", "account_id", "connection_id", "channel_id", "selling_partner_id", "shipping_policy", "holds", "version"),
    *("personal_data", "imported_at", *STATE_COLUMNS),
)
_LINE = ("order_id", "account_id", *LineState._fields)
# One row of changes to a stored order; what Amazon left out is already merged in.
_CHANGED = ("id", "connection_id", "channel_id", "shipping_policy", "holds", "version", "personal_data", *STATE_COLUMNS)
_UPDATE_ORDERS = f"""
    update orders set {", ".join(f"{name} = new.{name}" for name in _CHANGED if name not in ("id", "personal_data"))},
        personal_data = coalesce(new.personal_data, orders.personal_data)
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::jsonb[], $6::int[], $7::bytea[], $8::text[],
        $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[],
        $16::text[], $17::text[], $18::text[], $19::numeric[], $20::text[], $21::text[], $22::bool[],
        $23::int[]) as new ({", ".join(_CHANGED)})
    where orders.id = new.id
"""  # noqa: S608 - own names
_LINE_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in LineState._fields[1:])


@dataclass(slots=True)
class PageResult:
    """What became of a page's orders. `settled` are those that are stored now, `refused` those that are set aside and
    counted as `malformed`; `errors` are (code, detail, Amazon order id)."""

    imported: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    malformed: int = 0
    settled: set[str] = field(default_factory=set)
    errors: list[tuple[str, str, str]] = field(default_factory=list)
    refused: list[unimported.Refused] = field(default_factory=list)

    def add(self, other: "PageResult") -> None:
        """Takes in what became of another part of the page."""
        self.imported += other.imported
        self.changed += other.changed
        self.unchanged += other.unchanged
        self.skipped += other.skipped
        self.settled |= other.settled
        self.errors += other.errors
        self.refused += other.refused


class _Incoming(msgspec.Struct, frozen=True, gc=False):
    state: OrderState
    answer: amazon_order.Order


class _Stored(msgspec.Struct, frozen=True, gc=False):
    id: UUID
    version: int
    placed: Placed
    state: OrderState


async def store_page(
    session: AsyncSession,
    ring: KeyRing,
    seller: Seller,
    orders: Sequence[amazon_order.Order],
    malformed: Sequence[MalformedOrder] = (),
    *,
    own_turn: bool = False,
) -> PageResult:
    """Stores what is new or newer and announces what matters; a page that is known writes and announces nothing.

    `own_turn`: the order was asked for by its id (`unimported.set_aside`).
    """

    async def store(session: AsyncSession, page: Sequence[amazon_order.Order]) -> PageResult:
        return await _store(session, ring, seller, page)

    parts, failures = await all_or_each(session, orders, store)
    result = PageResult()
    for part in parts:
        result.add(part)
    result.refused += [
        unimported.Refused(order.order_id, unimported.MALFORMED, order.reason, order.raw) for order in malformed
    ]
    result.refused += [
        unimported.Refused(failure.item.order_id, failure.code, failure.detail, _encoder.encode(failure.item))
        for failure in failures
    ]
    await unimported.set_aside(session, ring, seller, result.refused, own_turn=own_turn)
    result.malformed = len(result.refused)
    result.errors += [(refused.code, refused.detail, refused.reference) for refused in result.refused]
    for outcome in ("imported", "changed", "unchanged", "skipped", "malformed"):
        orders_stored.labels(outcome).inc(getattr(result, outcome))
    return result


async def _store(
    session: AsyncSession, ring: KeyRing, seller: Seller, orders: Sequence[amazon_order.Order]
) -> PageResult:
    """An answer as old as what is stored adds what was missing there: Amazon fills an order in without saying so."""
    result = PageResult()
    wanted = await wanted_by(session, seller.connection_id)
    incoming, result.refused = _read(orders)
    # In the order of their keys, so that two who store the same orders wait for each other instead of deadlocking.
    waiting = dict(sorted(incoming.items()))
    while waiting:
        known = await _lock_known(session, seller, waiting)
        fresh = [(found, waiting[key]) for key, found in known.items() if _may_add(waiting[key].state, found.state)]
        result.unchanged += len(known) - len(fresh)
        result.settled |= set(known)
        if fresh := await _leave_paused(session, seller, wanted, fresh, result):
            await _update(session, ring, seller, wanted, fresh, result)
        new = [incoming for key, incoming in waiting.items() if key not in known]
        taken = await _insert(session, ring, seller, wanted, new, result)
        # What somebody else inserted in this very moment is known now: look at it again.
        waiting = {one.state.amazon_order_id: one for one in new if one.state.amazon_order_id not in taken}
    if wanted.skipped_before and result.settled:
        await unimported.forget(session, seller, result.settled)
    return result


def _is_newer(state: OrderState, known: OrderState) -> bool:
    return state.last_updated_at > known.last_updated_at


def _may_add(state: OrderState, known: OrderState) -> bool:
    """Whether an answer is newer than what is stored, or as old and fuller (edge 36)."""
    fuller = state.facts > known.facts or (state.has_address and not known.has_address)
    return _is_newer(state, known) or (fuller and state.last_updated_at == known.last_updated_at)


def _read(orders: Iterable[amazon_order.Order]) -> tuple[dict[str, _Incoming], list[unimported.Refused]]:
    """Orders by id (the newest of a repeated one), and those that lack what an order must have."""
    incoming: dict[str, _Incoming] = {}
    refused: list[unimported.Refused] = []
    for answer in orders:
        try:
            state = read_order(answer)
        except NotAnOrder as error:
            body = _encoder.encode(answer)
            refused.append(unimported.Refused(answer.order_id, unimported.MALFORMED, str(error), body))
            continue
        before = incoming.get(answer.order_id)
        if before is None or _is_newer(state, before.state):
            incoming[answer.order_id] = _Incoming(state, answer)
    return incoming, refused


async def _lock_known(session: AsyncSession, seller: Seller, wanted: Iterable[str]) -> dict[str, _Stored]:
    rows = await run(
        session,
        f"select id, version, channel_id, shipping_policy, holds, {', '.join(STATE_COLUMNS)} from orders "  # noqa: S608
        "where account_id = $1 and selling_partner_id = $2 and amazon_order_id = any($3) "
        "order by amazon_order_id for update",
        seller.account_id,
        seller.selling_partner_id,
        list(wanted),
    )
    return {row[5]: _as_stored(seller, row, ()) for row in rows}


def _as_stored(seller: Seller, row: Any, lines: tuple[LineState, ...]) -> _Stored:
    placed = Placed(seller.account_id, seller.selling_partner_id, row[2], row[3], row[4])
    return _Stored(row[0], row[1], placed, OrderState(**dict(zip(STATE_COLUMNS, row[5:], strict=True)), lines=lines))


async def _insert(
    session: AsyncSession,
    ring: KeyRing,
    seller: Seller,
    wanted: Wanted,
    new: Sequence[_Incoming],
    result: PageResult,
) -> set[str]:
    """Inserts the orders that the settings want; answers the ids that are settled, taken or skipped."""
    now = clock.now()
    orders, lines, keys, events, skipped = [], [], [], {}, []
    for incoming in new:
        state = incoming.state
        channel = wanted.channels.get(state.marketplace_id)
        if (reason := why_not(state, channel, now)) or channel is None:
            skipped.append((state, reason or ("", "")))
            continue
        order_id = uuid4()
        nowhere = Placed(seller.account_id, seller.selling_partner_id, channel.channel_id, None, ())
        placed = place(nowhere, channel, state)
        sealed = None
        if personal := personal_data.of_order(incoming.answer):
            sealed, wrapped = personal_data.seal(ring, seller.account_id, order_id, personal)
            keys.append((order_id, seller.account_id, wrapped))
        orders.append(
            (
                *(order_id, seller.account_id, seller.connection_id, channel.channel_id, seller.selling_partner_id),
                *(placed.shipping_policy, _encoder.encode(placed.holds).decode(), 1, sealed, now),
                *[getattr(state, name) for name in STATE_COLUMNS],
            )
        )
        lines += [(order_id, seller.account_id, *line) for line in state.lines]
        events[order_id] = event_of(OrderImported, state, placed, 1)
    rows = await insert_page(
        session,
        Order,
        _ORDER,
        orders,
        "on conflict (account_id, selling_partner_id, amazon_order_id) do nothing returning id",
    )
    inserted = {row[0] for row in rows}
    if len(inserted) < len(orders):
        lines = [line for line in lines if line[0] in inserted]
        keys = [key for key in keys if key[0] in inserted]
    await insert_page(session, OrderLine, _LINE, lines)
    await insert_page(session, OrderKey, ("order_id", "account_id", "wrapped"), keys)
    await unimported.skip(session, seller, skipped)
    result.skipped += len(skipped)
    result.errors += [
        (code, detail, state.amazon_order_id) for state, (code, detail) in skipped if code == "no_channel"
    ]
    announced = [event for order_id, event in events.items() if order_id in inserted]
    await publish(session, *announced)
    result.errors += [
        ("unmapped_shipping", "held until its shipping is mapped to a policy", event.amazon_order_id)
        for event in announced
        if "unmapped_shipping" in event.holds
    ]
    inserted_ids = {event.amazon_order_id for event in announced}
    result.imported += len(inserted)
    result.settled |= inserted_ids
    return inserted_ids | {state.amazon_order_id for state, _ in skipped}


async def _leave_paused(
    session: AsyncSession,
    seller: Seller,
    wanted: Wanted,
    fresh: Sequence[tuple[_Stored, _Incoming]],
    result: PageResult,
) -> list[tuple[_Stored, _Incoming]]:
    """Those whose channel is not paused; what is newer of the others is read when their channel goes on."""
    going, left = [], []
    for known, incoming in fresh:
        channel = wanted.channels.get(known.state.marketplace_id)
        if channel is None or not channel.paused:
            going.append((known, incoming))
        elif _is_newer(incoming.state, known.state):
            left.append((incoming.state, paused(channel)))
        else:
            result.unchanged += 1
    await unimported.skip(session, seller, left)
    result.skipped += len(left)
    result.settled -= {state.amazon_order_id for state, _ in left}
    return going


async def _update(
    session: AsyncSession,
    ring: KeyRing,
    seller: Seller,
    wanted: Wanted,
    fresh: Sequence[tuple[_Stored, _Incoming]],
    result: PageResult,
) -> None:
    """Merges answers that are not older into locked orders; only what matters becomes an event and a new version."""
    stored_lines = await lines_of(session, [known.id for known, _ in fresh])
    sealed = await _reseal(session, ring, seller, fresh)
    orders, lines, events, cancelled, lessened = [], [], [], [], []
    for known, incoming in fresh:
        before = msgspec.structs.replace(known.state, lines=tuple(stored_lines[known.id]))
        newer = _is_newer(incoming.state, before)
        state = merge(before, incoming.state) if newer else merge(incoming.state, before)
        if not newer and state == before and known.id not in sealed:
            continue
        placed = place(known.placed, wanted.channels.get(state.marketplace_id), state)
        matters = what_matters(before, known.placed) != what_matters(state, placed)
        version = known.version + 1 if matters else known.version
        orders.append(
            (
                *(known.id, seller.connection_id, placed.channel_id, placed.shipping_policy),
                *(_encoder.encode(placed.holds).decode(), version, sealed.get(known.id)),
                *[getattr(state, name) for name in STATE_COLUMNS],
            )
        )
        lines += [(known.id, seller.account_id, *line) for line in state.lines]
        if matters:
            events.append(event_of(_kind(before, state), state, placed, version))
        if state.status == CANCELLED and before.status != CANCELLED:
            cancelled.append(known.id)
        elif has_lost_units(before, state):
            lessened.append(known.id)
    if orders:
        await run(session, _UPDATE_ORDERS, *map(list, zip(*orders, strict=True)))
    await insert_page(
        session, OrderLine, _LINE, lines, f"on conflict (order_id, order_item_id) do update set {_LINE_CHANGES}"
    )
    if cancelled:
        await cancel_requests(session, cancelled)
    if lessened:
        await cancel_units(session, lessened)
    await publish(session, *events)
    result.changed += len(events)
    result.unchanged += len(fresh) - len(events)


def _kind(before: OrderState, state: OrderState) -> type[OrderEvent]:
    return OrderCancelled if state.status == CANCELLED and before.status != CANCELLED else OrderChanged


async def _reseal(
    session: AsyncSession, ring: KeyRing, seller: Seller, fresh: Sequence[tuple[_Stored, _Incoming]]
) -> dict[UUID, bytes]:
    """Seals buyers' data that came (or came anew), by order; an order whose key was destroyed stays without."""
    told = {known.id: personal for known, one in fresh if (personal := personal_data.of_order(one.answer))}
    stored = await run(
        session,
        "select o.id, o.personal_data, k.wrapped from orders o left join order_key k on k.order_id = o.id "
        "where o.id = any($1) and k.destroyed_at is null",
        list(told),
    )
    by_id = {row[0]: row for row in stored}
    sealed, keys = {}, []
    for known, incoming in fresh:
        if known.id not in by_id:
            continue
        before, personal, newer = None, told[known.id], _is_newer(incoming.state, known.state)
        try:
            if by_id[known.id].personal_data and by_id[known.id].wrapped:
                before = personal_data.unseal(ring, seller.account_id, *by_id[known.id])
        except (KeyLost, Unreadable):
            log.warning("personal_data_unreadable", order_id=str(known.id))
            if not newer:
                # The key may come back, and this answer tells nothing that is not sealed under it.
                continue
        if before is not None:
            personal = personal_data.fill(personal, before) if newer else personal_data.fill(before, personal)
        if personal != before:
            sealed[known.id], wrapped = personal_data.seal(ring, seller.account_id, known.id, personal)
            keys.append((known.id, seller.account_id, wrapped))
    replaced = await insert_page(
        session,
        OrderKey,
        ("order_id", "account_id", "wrapped"),
        keys,
        "on conflict (order_id) do update set wrapped = excluded.wrapped where order_key.destroyed_at is null "
        "returning order_id",
    )
    return {row[0]: sealed[row[0]] for row in replaced}
