"""Packing slips of orders and of fulfillment requests: who may have one, and what it is made of (MISSION D7)."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar, NamedTuple
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common.callers import Caller
from common.crypto import KeyRing
from common.errors import Conflict, Problem
from orders_service.disclosing import NoRecipient, recipient_of
from orders_service.fulfilling import COMMITTED
from orders_service.models import Channel, FulfillmentRequest, Order, OrderKey, SourceCompliance
from orders_service.order_state import CANCELLED, is_pending, not_ours_to_ship
from orders_service.slips.addresses import of_business
from orders_service.slips.languages import Language, language_of
from orders_service.slips.slip import Packed, Slip, make, named
from orders_service.stored import lines_of

# Typesetting keeps a core busy: more at once would only make each of them wait.
_AT_ONCE = 2


class ShippedByAmazon(Conflict):
    slug, title = "fulfilled-by-amazon", "Amazon ships this order, with its own packing slip"
    fix = "Only orders with fulfilled_by MERCHANT have packing slips of ours"


class OrderPending(Conflict):
    slug, title = "order-pending", "Amazon has not released this order: it has no address yet and must not be shipped"
    fix = "Ask again when its status is UNSHIPPED"


class OrderCancelled(Conflict):
    slug, title = "order-cancelled", "This order, or every item of it, is cancelled: nothing of it must be shipped"


class NotForShipping(Conflict):
    slug, title = "fulfillment-request-not-shipping", "This source is not (or no longer) asked to ship these items"
    fix = "Only released, acknowledged and shipped requests have packing slips; see the order's newest requests"


class NoSellerOfRecord(Conflict):
    slug, title = "no-seller-of-record", "The order's channel does not say who sells: a slip must name the seller"
    fix = "Set seller_of_record with PATCH /v1/channels/{id} of the auth service"


class NoReturnAddress(Conflict):
    slug, title = "no-return-address", "The order's channel has no return address: a slip must name the seller's"
    fix = "Set return_address with PATCH /v1/channels/{id} of the auth service"


class SourceNamed(Conflict):
    slug, title = "source-named", "The slip would name the source as its sender: it must name nobody but the seller"
    fix = "Give the channel a return address of the seller's own with PATCH /v1/channels/{id} of the auth service"


class RecipientErased(Problem):
    status: ClassVar[int] = 410
    slug, title = "recipient-erased", "The buyer's data of this order was erased: there is nobody to address a slip to"


class Printable(NamedTuple):
    """A slip and how it is to be printed."""

    slip: Slip
    language: Language

    def html(self) -> str:
        # Here and below: the typesetters weigh 15 MiB, and most processes never print.
        from orders_service.slips import html

        return html.render(self.slip, self.language)

    async def pdf(self) -> bytes:
        """Typeset in a thread. Raises `Unprintable`."""
        async with _typesetters:
            from orders_service.slips import pdf

            return await asyncio.to_thread(pdf.render, self.slip, self.language)


_typesetters = asyncio.Semaphore(_AT_ONCE)


async def slip_of_order(session: AsyncSession, ring: KeyRing, caller: Caller, order_id: UUID) -> Printable:
    """The slip of all that is ordered and not cancelled; the reading of the recipient is recorded with it.

    Raises `NotFound` and the refusals of this module.
    """
    order = await caller.one(session, Order, order_id)
    query = caller.scoped(FulfillmentRequest).where(
        FulfillmentRequest.order_id == order.id, col(FulfillmentRequest.status).in_(COMMITTED)
    )
    sources = {request.source_id for request in (await session.exec(query)).all()}
    items = await _items(session, order)
    return await _slip(session, ring, caller, order, items, sources)


async def slip_of_request(session: AsyncSession, ring: KeyRing, caller: Caller, request_id: UUID) -> Printable:
    """The slip of what one source ships of an order; the reading of the recipient is recorded with it.

    Raises `NotFound` and the refusals of this module.
    """
    request = await caller.one(session, FulfillmentRequest, request_id)
    order = await caller.one(session, Order, request.order_id)
    if request.status not in COMMITTED:
        raise NotForShipping(f"the request is {request.status}")
    ordered = {item.order_item_id: item for item in await _items(session, order)}
    items = [
        ordered[line["order_item_id"]]._replace(quantity=units)
        for line in request.lines
        if line["order_item_id"] in ordered and (units := line["quantity"] - line.get("cancelled", 0)) > 0
    ]
    return await _slip(session, ring, caller, order, items, {request.source_id})


async def _items(session: AsyncSession, order: Order) -> list[Packed]:
    lines = (await lines_of(session, [order.id]))[order.id]
    return [
        Packed(line.order_item_id, line.sku, line.title, line.quantity)
        for line in lines
        if not line.cancelled and line.quantity
    ]


async def _slip(
    session: AsyncSession,
    ring: KeyRing,
    caller: Caller,
    order: Order,
    items: Sequence[Packed],
    sources: set[UUID],
) -> Printable:
    if foreign := not_ours_to_ship(order.fulfilled_by):
        raise ShippedByAmazon(foreign[1])
    if is_pending(order.status):
        raise OrderPending(f"the order is {order.status}")
    if order.status == CANCELLED or not items:
        raise OrderCancelled
    seller, return_address = await _sender(session, caller, order, sources)
    key = await session.get(OrderKey, order.id)
    if key is not None and key.destroyed_at is not None:
        raise RecipientErased
    _, personal = await recipient_of(session, ring, caller, order.id)
    if personal.recipient is None or personal.recipient.delivery_address is None:
        raise NoRecipient("Amazon sent this order without a delivery address")
    language = language_of(order.marketplace_id)
    slip = make(
        language=language,
        amazon_order_id=order.amazon_order_id,
        order_date=language.date(order.purchased_at),
        seller=seller,
        return_address=return_address,
        delivery_address=personal.recipient.delivery_address,
        packed=items,
        personal=personal,
    )
    return Printable(slip, language)


async def _sender(
    session: AsyncSession, caller: Caller, order: Order, sources: set[UUID]
) -> tuple[str, dict[str, str | None]]:
    """The channel's seller of record and return address. Raises when they are missing or name one of the sources."""
    channel = (await session.exec(caller.scoped(Channel).where(Channel.id == order.channel_id))).one_or_none()
    if channel is None or not channel.seller_of_record:
        raise NoSellerOfRecord(channel_id=str(order.channel_id))
    seller, address = channel.seller_of_record, channel.return_address
    if not address:
        raise NoReturnAddress(channel_id=str(channel.id))
    query = select(SourceCompliance.source_name).where(
        SourceCompliance.account_id == caller.account_id, col(SourceCompliance.source_id).in_(sources)
    )
    names = [name for name in (await session.exec(query)).all() if not named([name], [seller])]
    sender = of_business(address, seller)
    if name := named(names, [*sender.names, *sender.streets]):
        raise SourceNamed(f"the return address of the channel names the source {name!r}", channel_id=str(channel.id))
    return seller, address
