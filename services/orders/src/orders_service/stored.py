"""Stored orders as the states that the pure rules work on."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import run
from orders_service.models import Order
from orders_service.order_state import LineState, OrderState

STATE_COLUMNS = tuple(name for name in OrderState.__struct_fields__ if name != "lines")


async def lines_of(session: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, list[LineState]]:
    """The lines of each order, in Amazon's order."""
    rows = await run(
        session,
        f"select order_id, {', '.join(LineState._fields)} from order_line "  # noqa: S608 - own names
        "where order_id = any($1) order by order_id, position",
        list(order_ids),
    )
    lines: dict[UUID, list[LineState]] = {order_id: [] for order_id in order_ids}
    for row in rows:
        lines[row[0]].append(LineState(*row[1:]))
    return lines


async def states_of(session: AsyncSession, orders: Sequence[Order]) -> list[OrderState]:
    """The orders' states, one for each."""
    lines = await lines_of(session, [order.id for order in orders])
    return [
        OrderState(**{name: getattr(order, name) for name in STATE_COLUMNS}, lines=tuple(lines[order.id]))
        for order in orders
    ]
