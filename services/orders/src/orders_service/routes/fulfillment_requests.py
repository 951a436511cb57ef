"""What sources are asked to ship, and their answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import tuple_
from sqlmodel import col

from common.callers import Caller, requires
from common.db import Transaction
from common.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from orders_service import fulfilling
from orders_service.models import FulfillmentRequest
from orders_service.schemas import RefusalRequest, RequestView, request_view

router = APIRouter(prefix="/v1/fulfillment-requests", tags=["fulfillment requests"])

Reader = Annotated[Caller, requires("orders:read")]
Writer = Annotated[Caller, requires("orders:write")]


@router.get("")
async def list_fulfillment_requests(
    caller: Reader,
    session: Transaction,
    source_id: UUID | None = None,
    order_id: UUID | None = None,
    status: Annotated[str | None, Query(max_length=50)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RequestView]:
    """Requests, the newest first."""
    query = caller.scoped(FulfillmentRequest)
    if source_id is not None:
        query = query.where(FulfillmentRequest.source_id == source_id)
    if order_id is not None:
        query = query.where(FulfillmentRequest.order_id == order_id)
    if status is not None:
        query = query.where(FulfillmentRequest.status == status)
    position = tuple_(col(FulfillmentRequest.created_at), col(FulfillmentRequest.id))
    if cursor:
        query = query.where(position < tuple_(*decode_cursor(cursor, tuple[datetime, UUID])))
    query = query.order_by(col(FulfillmentRequest.created_at).desc(), col(FulfillmentRequest.id).desc())
    found = (await session.exec(query.limit(limit + 1))).all()
    items = [request_view(one) for one in found[:limit]]
    more = len(found) > limit
    return Page(items=items, next_cursor=encode_cursor(items[-1].created_at, items[-1].id) if more else None)


@router.post("/{request_id}/acknowledge")
async def acknowledge(request_id: UUID, caller: Writer, session: Transaction) -> RequestView:
    """The source has taken it on; said twice, it is the same."""
    return request_view(await fulfilling.acknowledge(session, caller, request_id))


@router.post("/{request_id}/refuse")
async def refuse(request_id: UUID, body: RefusalRequest, caller: Writer, session: Transaction) -> RequestView:
    """The source will not ship it."""
    return request_view(await fulfilling.refuse(session, caller, request_id, body.resolution, body.reason))
