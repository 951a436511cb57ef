"""Orders, why they wait, and - behind its own scope - to whom they go."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from sqlmodel import col

from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.contracts.orders import OrderHold
from common.db import Transaction
from common.errors import NotFound
from common.front_door import Guarded
from common.moments import MomentOrUtc
from common.openapi import problems
from common.pages import ByMoment, Page, PageQuery, count_of, key_of
from orders_service.disclosing import NoRecipient, recipient_of
from orders_service.explaining import Reason, explain
from orders_service.models import Connection, Order
from orders_service.schemas import (
    ExplanationAnswer,
    OrderAnswer,
    ReasonAnswer,
    RecipientAnswer,
    order_view,
    recipient_view,
)
from orders_service.stored import lines_of

router = APIRouter(route_class=Guarded, prefix="/v1", tags=["orders"])

Reader = Annotated[Caller, requires("orders:read")]
RecipientReader = Annotated[Caller, requires("orders:pii")]


@router.get("/orders")
async def list_orders(
    caller: Reader,
    session: Transaction,
    paging: PageQuery,
    status: Annotated[str | None, Query(max_length=50, description="Amazon's fulfillmentStatus")] = None,
    hold: Annotated[OrderHold | None, Query(description="one of orders' own reasons not to route")] = None,
    channel_id: UUID | None = None,
    connection_id: UUID | None = None,
    ship_by_before: MomentOrUtc | None = None,
    updated_since: Annotated[MomentOrUtc | None, Query(description="changed at Amazon at this time or later")] = None,
    selling_partner_id: Annotated[str | None, Query(max_length=64)] = None,
    amazon_order_id: Annotated[str | None, Query(max_length=50)] = None,
) -> Page[OrderAnswer]:
    """Orders, the newest purchase first."""
    query = caller.scoped(Order)
    if status is not None:
        query = query.where(Order.status == status)
    if hold is not None:
        query = query.where(col(Order.holds).contains([hold]))
    if channel_id is not None:
        query = query.where(Order.channel_id == channel_id)
    if connection_id is not None:
        query = query.where(Order.connection_id == connection_id)
    if ship_by_before is not None:
        query = query.where(col(Order.ship_by) < ship_by_before)
    if updated_since is not None:
        query = query.where(col(Order.last_updated_at) >= updated_since)
    if selling_partner_id is not None:
        query = query.where(Order.selling_partner_id == selling_partner_id)
    if amazon_order_id is not None:
        query = query.where(Order.amazon_order_id == amazon_order_id)
    order = (col(Order.purchased_at), col(Order.id))
    found = await paging.rows(session, query, order, ByMoment, newest_first=True)
    lines = await lines_of(session, [one.id for one in found])
    return await paging.page(
        found, lambda one: order_view(one, lines[one.id]), key_of(order), lambda: count_of(session, query)
    )


@router.get("/orders/{order_id}")
async def get_order(order_id: UUID, caller: Reader, session: Transaction) -> OrderAnswer:
    """One order with its lines and what holds it."""
    order = await caller.one(session, Order, order_id)
    return order_view(order, (await lines_of(session, [order.id]))[order.id])


@router.get("/orders/{order_id}/recipient", responses=problems(NoRecipient))
async def get_recipient(
    order_id: UUID, caller: RecipientReader, session: Transaction, runtime: RuntimeDependency
) -> RecipientAnswer:
    """To whom the order goes. Who asks is recorded before the answer leaves."""
    order, personal = await recipient_of(session, runtime.key_ring, caller, order_id)
    return recipient_view(order, personal)


@router.get("/sellers/{selling_partner_id}/orders/{amazon_order_id}/explanation")
async def explain_order(
    selling_partner_id: Annotated[str, Path(max_length=64)],
    amazon_order_id: Annotated[str, Path(max_length=50)],
    caller: Reader,
    session: Transaction,
) -> ExplanationAnswer:
    """Why the order is not imported, held or not routed, and what to change."""
    connections = caller.scoped(Connection).where(Connection.selling_partner_id == selling_partner_id)
    found = (await session.exec(connections.order_by(col(Connection.id)))).all()
    if not found:
        raise NotFound(f"no connection of seller {selling_partner_id} in this account", where="path.selling_partner_id")
    reasons: list[Reason] = []
    for connection in found:  # a seller has one in each region
        reasons = await explain(session, caller, connection.id, amazon_order_id)
        if not reasons or reasons[0].code not in ("never_run", "not_seen"):
            break
    return ExplanationAnswer(
        amazon_order_id=amazon_order_id,
        reasons=[ReasonAnswer(code=reason.code, detail=reason.what, fix=reason.fix) for reason in reasons],
    )
