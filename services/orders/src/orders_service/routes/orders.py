"""Orders, why they wait, and - behind its own scope - to whom they go."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import tuple_
from sqlmodel import col

from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.contracts.orders import OrderHold
from common.db import Transaction
from common.moments import MomentOrUtc
from common.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from orders_service.disclosing import recipient_of
from orders_service.explaining import explain
from orders_service.models import Order
from orders_service.schemas import Explanation, OrderView, ReasonView, RecipientView, order_view, recipient_view
from orders_service.stored import lines_of

router = APIRouter(prefix="/v1", tags=["orders"])

Reader = Annotated[Caller, requires("orders:read")]
RecipientReader = Annotated[Caller, requires("orders:pii")]


@router.get("/orders")
async def list_orders(
    caller: Reader,
    session: Transaction,
    status: Annotated[str | None, Query(max_length=50)] = None,
    hold: OrderHold | None = None,
    channel_id: UUID | None = None,
    ship_by_before: MomentOrUtc | None = None,
    amazon_order_id: Annotated[str | None, Query(max_length=50)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[OrderView]:
    """Orders, the newest purchase first. `hold` is one of orders' own reasons not to route."""
    query = caller.scoped(Order)
    if status is not None:
        query = query.where(Order.status == status)
    if hold is not None:
        query = query.where(col(Order.holds).contains([hold]))
    if channel_id is not None:
        query = query.where(Order.channel_id == channel_id)
    if ship_by_before is not None:
        query = query.where(col(Order.ship_by) < ship_by_before)
    if amazon_order_id is not None:
        query = query.where(Order.amazon_order_id == amazon_order_id)
    position = tuple_(col(Order.purchased_at), col(Order.id))
    if cursor:
        query = query.where(position < tuple_(*decode_cursor(cursor, tuple[datetime, UUID])))
    query = query.order_by(col(Order.purchased_at).desc(), col(Order.id).desc()).limit(limit + 1)
    found = (await session.exec(query)).all()
    orders = found[:limit]
    lines = await lines_of(session, [order.id for order in orders])
    last = orders[-1] if len(found) > limit else None
    return Page(
        items=[order_view(order, lines[order.id]) for order in orders],
        next_cursor=encode_cursor(last.purchased_at, last.id) if last else None,
    )


@router.get("/orders/{order_id}")
async def get_order(order_id: UUID, caller: Reader, session: Transaction) -> OrderView:
    order = await caller.one(session, Order, order_id)
    return order_view(order, (await lines_of(session, [order.id]))[order.id])


@router.get("/orders/{order_id}/recipient")
async def get_recipient(
    order_id: UUID, caller: RecipientReader, session: Transaction, runtime: RuntimeDependency
) -> RecipientView:
    """To whom the order goes. Who asks is recorded before the answer leaves."""
    order, personal = await recipient_of(session, runtime.key_ring, caller, order_id)
    return recipient_view(order, personal)


@router.get("/connections/{connection_id}/orders/{amazon_order_id}/explain")
async def explain_order(connection_id: UUID, amazon_order_id: str, caller: Reader, session: Transaction) -> Explanation:
    """Why the order is not imported, held or not routed, and what to change."""
    reasons = await explain(session, caller, connection_id, amazon_order_id)
    return Explanation(amazon_order_id=amazon_order_id, reasons=[ReasonView(**reason._asdict()) for reason in reasons])
