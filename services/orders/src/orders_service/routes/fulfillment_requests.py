"""What sources are asked to ship, and their answers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlmodel import col

from common.callers import Caller, requires
from common.db import Transaction
from common.front_door import Guarded
from common.moments import MomentOrUtc
from common.openapi import problems
from common.pages import ByMoment, Page, PageQuery
from orders_service import fulfilling
from orders_service.fulfilling import RequestNotOpen
from orders_service.models import FulfillmentRequest, Order
from orders_service.schemas import FulfillmentRequestAnswer, Refusal, request_view

router = APIRouter(route_class=Guarded, prefix="/v1/fulfillment-requests", tags=["fulfillment requests"])

Reader = Annotated[Caller, requires("orders:read")]
Writer = Annotated[Caller, requires("orders:write")]


@router.get("")
async def list_fulfillment_requests(
    caller: Reader,
    session: Transaction,
    paging: PageQuery,
    source_id: UUID | None = None,
    order_id: UUID | None = None,
    channel_id: Annotated[UUID | None, Query(description="of its order")] = None,
    connection_id: Annotated[UUID | None, Query(description="of its order")] = None,
    status: Annotated[str | None, Query(max_length=50)] = None,
    created_since: MomentOrUtc | None = None,
) -> Page[FulfillmentRequestAnswer]:
    """Requests, the newest first."""
    query = caller.scoped(FulfillmentRequest)
    if source_id is not None:
        query = query.where(FulfillmentRequest.source_id == source_id)
    if order_id is not None:
        query = query.where(FulfillmentRequest.order_id == order_id)
    if channel_id is not None or connection_id is not None:
        query = query.join(Order, col(Order.id) == FulfillmentRequest.order_id)
    if channel_id is not None:
        query = query.where(Order.channel_id == channel_id)
    if connection_id is not None:
        query = query.where(Order.connection_id == connection_id)
    if status is not None:
        query = query.where(FulfillmentRequest.status == status)
    if created_since is not None:
        query = query.where(col(FulfillmentRequest.created_at) >= created_since)
    order = (col(FulfillmentRequest.created_at), col(FulfillmentRequest.id))
    return await paging.of(session, query, order, ByMoment, request_view, newest_first=True)


@router.get("/{request_id}")
async def get_fulfillment_request(request_id: UUID, caller: Reader, session: Transaction) -> FulfillmentRequestAnswer:
    """One request."""
    return request_view(await caller.one(session, FulfillmentRequest, request_id))


@router.post("/{request_id}/acknowledge", responses=problems(RequestNotOpen))
async def acknowledge_fulfillment_request(
    request_id: UUID, caller: Writer, session: Transaction
) -> FulfillmentRequestAnswer:
    """The source has taken it on; said twice, it is the same."""
    return request_view(await fulfilling.acknowledge(session, caller, request_id))


@router.post("/{request_id}/refuse", responses=problems(RequestNotOpen))
async def refuse_fulfillment_request(
    request_id: UUID, body: Refusal, caller: Writer, session: Transaction
) -> FulfillmentRequestAnswer:
    """The source will not ship it: its lines are routed to another source, or given up."""
    return request_view(await fulfilling.refuse(session, caller, request_id, body.resolution, body.reason))
