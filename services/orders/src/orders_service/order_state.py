"""Pure: what we keep of an order of Amazon's, how a newer answer changes it, and what of that matters to others."""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import NamedTuple
from uuid import UUID

import msgspec
from babel.numbers import get_currency_precision

from common.amazon import order as amazon_order
from common.amazon.marketplaces import is_marketplace, marketplace
from common.contracts.orders import OrderEvent

AMAZON, MERCHANT = "AMAZON", "MERCHANT"
CANCELLED = "CANCELLED"
OPEN_STATUSES = ("UNSHIPPED", "PARTIALLY_SHIPPED")
CLOSED_STATUSES = ("SHIPPED", CANCELLED, "UNFULFILLABLE")

# What ships by rules of its own and is confirmed otherwise, if at all (FACTS 8.2.7, 8.4.4, 12.3): the hold of each.
HOLD_OF_PROGRAM = {
    "IN_STORE_PICK_UP": "in_store_pick_up",
    "AMAZON_EASY_SHIP": "easy_ship",
    "FBM_SHIP_PLUS": "ship_plus",
    "SELLER_FLEX": "seller_flex",
    "FULFILLMENT_ORDERS": "seller_flex",
}

_REPLACEMENTS = ("REPLACEMENT_ORIGINAL_ID", "EXCHANGE_ORIGINAL_ID")


class NotAnOrder(ValueError):
    """The answer lacks what an order must have; its text says what, and holds no value."""


class LineState(NamedTuple):
    """One order item; the order of the fields is that of `models.OrderLine`."""

    order_item_id: str
    position: int
    sku: str
    asin: str | None
    title: str | None
    quantity: int
    quantity_fulfilled: int
    unit_price: Decimal | None
    cancelled: bool
    cancel_requested: bool


class OrderState(msgspec.Struct, frozen=True, gc=False):
    """An order without anything of its buyer but region and country.

    `marketplace_id` is empty when the order was not placed at Amazon; such an order is never stored.
    `special_program` is Amazon's name of the program by whose rules it ships (`HOLD_OF_PROGRAM`). `facts` counts what
    Amazon said of the buyer, the items and the money: an equally new answer that says no more has nothing to fill in.
    """

    amazon_order_id: str
    marketplace_id: str
    status: str
    fulfilled_by: str
    service_level: str | None
    purchased_at: datetime
    last_updated_at: datetime
    ship_by: datetime | None
    region: str | None
    country: str | None
    currency: str | None
    total: Decimal | None
    replaces: str | None
    special_program: str | None
    has_address: bool
    facts: int
    lines: tuple[LineState, ...]

    @property
    def is_pending(self) -> bool:
        return is_pending(self.status)


def not_ours_to_ship(fulfilled_by: str) -> tuple[str, str] | None:
    """Code and detail unless the merchant ships the order; a new word is not guessed at (edge 28)."""
    if fulfilled_by == MERCHANT:
        return None
    if fulfilled_by == AMAZON:
        return "fulfilled_by_amazon", "Amazon ships this order: it is neither routed nor confirmed"
    return "not_fulfilled_by_merchant", f"{fulfilled_by} ships this order, not the merchant"


def is_pending(status: str) -> bool:
    """Payment or stock is not settled: no address and no prices yet (edge 1)."""
    return status.startswith("PENDING")


@cache
def _minor_unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-get_currency_precision(currency))


def to_minor_units(amount: Decimal, currency: str) -> Decimal:
    """The amount with exactly the currency's decimals (JPY 0, USD 2), half up (MISSION C11)."""
    return amount.quantize(_minor_unit(currency), ROUND_HALF_UP)


def read_order(order: amazon_order.Order) -> OrderState:
    """Our view of an order of Orders 2026-01-01. Raises `NotAnOrder` when status or fulfiller are not in it."""
    fulfillment = order.fulfillment
    if fulfillment is None or fulfillment.fulfilled_by is None:
        # Absent although FULFILLMENT was asked for (FACTS 8.2.3): guessing a status could ship an FBA order.
        raise NotAnOrder("fulfillment.fulfillmentStatus or fulfilledBy is absent")
    if not order.order_items:
        raise NotAnOrder("orderItems is empty")
    marketplace_id = _marketplace_id(order.sales_channel)
    currency = _currency(order, marketplace_id)
    settled = not is_pending(fulfillment.fulfillment_status) and fulfillment.fulfillment_status != CANCELLED
    total = order.proceeds.grand_total if order.proceeds else None
    address = order.recipient.delivery_address if order.recipient else None
    window = fulfillment.ship_by_window
    return OrderState(
        amazon_order_id=order.order_id,
        marketplace_id=marketplace_id,
        status=fulfillment.fulfillment_status,
        fulfilled_by=fulfillment.fulfilled_by,
        service_level=fulfillment.fulfillment_service_level,
        purchased_at=order.created_time,
        last_updated_at=order.last_updated_time,
        ship_by=window.latest_date_time if window else None,
        region=address.state_or_region if address else None,
        country=address.country_code if address else None,
        currency=currency,
        total=to_minor_units(total.amount, total.currency_code) if total else None,
        replaces=next((a.order_id for a in order.associated_orders if a.association_type in _REPLACEMENTS), None),
        special_program=next((program for program in HOLD_OF_PROGRAM if program in order.programs), None),
        has_address=address is not None and address.is_deliverable,
        facts=_facts(order),
        lines=tuple([_read_line(item, position, currency, settled) for position, item in enumerate(order.order_items)]),
    )


def _facts(order: amazon_order.Order) -> int:
    recipient, money = order.recipient, order.proceeds
    parts: list[msgspec.Struct | None] = [order.buyer, recipient, recipient and recipient.delivery_address, money]
    for item in order.order_items:
        fulfillment, price = item.fulfillment, item.product.price
        packing = fulfillment.packing if fulfillment else None
        parts += [item, item.product, price, price and price.unit_price, packing, packing and packing.gift_option]
    told = [msgspec.structs.astuple(part) for part in parts if part is not None]
    return sum(len(values) - values.count(None) for values in told)


def _marketplace_id(channel: amazon_order.SalesChannel) -> str:
    """Empty when the order was placed outside Amazon, as those that Amazon ships for a seller's own shop (edge 35)."""
    name = channel.channel_name.casefold().replace("-", "_")
    if name == "non_amazon" or (not channel.marketplace_id and name != "amazon"):
        return ""
    if not channel.marketplace_id:
        raise NotAnOrder("salesChannel.marketplaceId is absent")
    return channel.marketplace_id


def _currency(order: amazon_order.Order, marketplace_id: str) -> str | None:
    if order.proceeds and order.proceeds.grand_total:
        return order.proceeds.grand_total.currency_code
    for item in order.order_items:
        if item.product.price and item.product.price.unit_price:
            return item.product.price.unit_price.currency_code
    return marketplace(marketplace_id).currency if is_marketplace(marketplace_id) else None


def _read_line(item: amazon_order.OrderItem, position: int, currency: str | None, settled: bool) -> LineState:
    product = item.product
    price = product.price.unit_price if product.price else None
    unit_price = None
    if price is not None:
        unit_price = to_minor_units(price.amount, price.currency_code)
    elif settled and currency is not None:
        # A promotion, Vine or replacement line may carry no money at all: it costs nothing (edge 9).
        unit_price = to_minor_units(Decimal(0), currency)
    cancellation = item.cancellation
    left = _still_ordered(item)
    return LineState(
        order_item_id=item.order_item_id,
        position=position,
        sku=product.seller_sku or "",
        asin=product.asin,
        title=product.title,
        quantity=left or item.quantity_ordered,
        quantity_fulfilled=item.fulfillment.quantity_fulfilled if item.fulfillment else 0,
        unit_price=unit_price,
        cancelled=left == 0,
        cancel_requested=cancellation is not None and cancellation.cancellation_request is not None,
    )


def _still_ordered(item: amazon_order.OrderItem) -> int:
    """The units that are not cancelled: an executed cancellation may be of some of them only."""
    if item.cancellation is None or item.cancellation.cancellation_execution is None:
        return item.quantity_ordered
    if item.fulfillment is None:
        return 0
    # Whether Amazon takes cancelled units off `quantityOrdered` is nowhere said; off these two it must.
    return min(item.quantity_ordered, item.fulfillment.quantity_fulfilled + item.fulfillment.quantity_unfulfilled)


def merge(stored: OrderState, newer: OrderState) -> OrderState:
    """The newer answer over what is stored. What it leaves out (a cancelled order comes blank) is kept (edge 7).

    Of two that are equally new the stored one goes as `newer`: only what it lacks is taken (edge 36).
    """
    known = {line.order_item_id: line for line in stored.lines}
    lines = [_merge_line(known.pop(line.order_item_id, None), line) for line in newer.lines]
    return msgspec.structs.replace(
        newer,
        service_level=newer.service_level or stored.service_level,
        ship_by=newer.ship_by or stored.ship_by,
        region=newer.region or stored.region,
        country=newer.country or stored.country,
        currency=newer.currency or stored.currency,
        total=_known(newer.total, stored.total),
        replaces=newer.replaces or stored.replaces,
        special_program=newer.special_program or stored.special_program,
        has_address=newer.has_address or stored.has_address,
        facts=max(newer.facts, stored.facts),
        lines=(*lines, *known.values()),
    )


def _known(newer: Decimal | None, stored: Decimal | None) -> Decimal | None:
    """A line without money is read as free (edge 9): over a price that is known, zero says nothing."""
    return newer if newer or stored is None else stored


def _merge_line(stored: LineState | None, newer: LineState) -> LineState:
    if stored is None:
        return newer
    return newer._replace(
        sku=newer.sku or stored.sku,
        asin=newer.asin or stored.asin,
        title=newer.title or stored.title,
        quantity=newer.quantity or stored.quantity,
        quantity_fulfilled=max(newer.quantity_fulfilled, stored.quantity_fulfilled),
        unit_price=_known(newer.unit_price, stored.unit_price),
    )


def holds_of(state: OrderState, *, mapped: bool, channel_known: bool) -> tuple[str, ...]:
    """Our reasons why the order must not be routed (`contracts.orders.OrderHold`)."""
    holds = []
    if state.is_pending:
        holds.append("pending")
    if not mapped:
        holds.append("unmapped_shipping")
    if not channel_known:
        holds.append("unknown_channel")
    if state.status in OPEN_STATUSES:
        if any(line.cancel_requested and not line.cancelled for line in state.lines):
            holds.append("cancel_requested")
        if state.special_program:
            holds.append(HOLD_OF_PROGRAM[state.special_program])
        elif state.fulfilled_by == MERCHANT and not state.has_address:
            holds.append("no_address")
    return tuple(holds)


class Placed(NamedTuple):
    """What is ours to say about an order: whose it is, and what our settings make of it."""

    account_id: UUID
    selling_partner_id: str
    channel_id: UUID
    shipping_policy: str | None
    holds: Sequence[str]


def what_matters(state: OrderState, placed: Placed) -> tuple[object, ...]:
    """Two orders that are equal in this need no event: nobody would do anything else."""
    return (
        state.status,
        state.fulfilled_by,
        state.ship_by,
        placed.channel_id,
        placed.shipping_policy,
        tuple(placed.holds),
        tuple(
            sorted(
                (ln.order_item_id, ln.sku, ln.quantity, ln.quantity_fulfilled, ln.unit_price, ln.cancelled)
                for ln in state.lines
            )
        ),
    )


def event_of(kind: type[OrderEvent], state: OrderState, placed: Placed, version: int) -> OrderEvent:
    """The event that tells of the order as it stands; lines that were cancelled one by one are left out.

    A cancelled order is told with what it was: nobody routes it any more.
    """
    remaining = state.lines if state.status == CANCELLED else [line for line in state.lines if not line.cancelled]
    # One validation of plain values: four times faster than a model for each line and price.
    return kind.model_validate(
        {
            "account_id": placed.account_id,
            "selling_partner_id": placed.selling_partner_id,
            "amazon_order_id": state.amazon_order_id,
            "channel_id": placed.channel_id,
            "marketplace_id": state.marketplace_id,
            "status": state.status,
            "fulfilled_by": state.fulfilled_by,
            "purchased_at": state.purchased_at,
            "ship_by": state.ship_by,
            "lines": [_event_line(line, state.currency) for line in remaining if line.quantity],
            "shipping_policy": placed.shipping_policy,
            "holds": placed.holds,
            "version": version,
        }
    )


def _event_line(line: LineState, currency: str | None) -> dict[str, object]:
    price = None
    if line.unit_price is not None and currency is not None:
        price = {"amount": to_minor_units(line.unit_price, currency), "currency": currency}
    return {
        "order_item_id": line.order_item_id,
        "sku": line.sku,
        "quantity": line.quantity,
        "unit_price": price,
        "quantity_fulfilled": line.quantity_fulfilled,
    }
