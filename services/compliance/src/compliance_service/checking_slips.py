"""Checks packing slips that others made against what compliance knows of the order (MISSION D7, clause (j))."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common.callers import Caller
from common.errors import Conflict
from compliance_service.explaining import find_order
from compliance_service.models import Channel, RoutedOrder, Source, StockReservation
from compliance_service.slips.rules import Expected

_AMAZON = "AMAZON"
# Reservations of what a source still ships or has shipped (`reserving`).
_SHIPPING = ("held", "shipped")


class ShippedByAmazon(Conflict):
    slug, title = "fulfilled-by-amazon", "Amazon ships this order, with its own packing slip"


class SourceNotAsked(Conflict):
    slug, title = "source-not-asked", "This source is not asked to ship anything of this order"
    fix = "See GET /v1/sellers/{selling_partner_id}/orders/{amazon_order_id}/decisions for who is"


class SlipReference(NamedTuple):
    """Which order a slip belongs to, and whose part of it, when it is not the whole."""

    selling_partner_id: str
    amazon_order_id: str
    source_id: UUID | None = None


async def expected_of(session: AsyncSession, caller: Caller, reference: SlipReference) -> Expected:
    """What the slip must say. Raises `NotFound`, `ShippedByAmazon`, `SourceNotAsked`."""
    order = await _order(session, caller, reference)
    channel = await _channel(session, caller, order)
    names = (await session.exec(caller.scoped(Source).order_by(col(Source.name)))).all()
    items: Sequence[tuple[str, int]] = [(line["sku"], int(line["quantity"])) for line in order.lines]
    if reference.source_id is not None:
        items = await _part_of(session, caller, order, reference.source_id)
    quantities: dict[str, list[int]] = {}
    for sku, quantity in items:
        quantities.setdefault(sku, []).append(quantity)
    return Expected(
        amazon_order_id=order.amazon_order_id,
        quantities=quantities,
        source_names=[source.name for source in names],
        seller_of_record=channel.seller_of_record if channel else None,
        return_address=(channel.return_address if channel else None) or {},
    )


async def _order(session: AsyncSession, caller: Caller, reference: SlipReference) -> RoutedOrder:
    order = await find_order(session, caller, reference.selling_partner_id, reference.amazon_order_id)
    if order.fulfilled_by == _AMAZON:
        raise ShippedByAmazon
    return order


async def _channel(session: AsyncSession, caller: Caller, order: RoutedOrder) -> Channel | None:
    return (await session.exec(caller.scoped(Channel).where(Channel.id == order.channel_id))).one_or_none()


async def _part_of(
    session: AsyncSession, caller: Caller, order: RoutedOrder, source_id: UUID
) -> Sequence[tuple[str, int]]:
    source = await caller.one(session, Source, source_id)
    query = select(StockReservation.sku, StockReservation.quantity).where(
        StockReservation.order_id == order.id,
        StockReservation.source_id == source.id,
        col(StockReservation.state).in_(_SHIPPING),
    )
    items = (await session.exec(query)).all()
    if not items:
        raise SourceNotAsked
    return items
