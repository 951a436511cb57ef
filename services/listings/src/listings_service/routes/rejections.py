"""`/v1/inventory-rejections`: `InventoryChanged` events that were refused, and why."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlmodel import col

from common.callers import Caller, requires
from common.db import Transaction
from common.front_door import Guarded
from common.moments import MomentOrUtc
from common.pages import ByNumber, Page, PageQuery
from listings_service.models import InventoryRejection
from listings_service.schemas import InventoryRejectionAnswer, rejection_view

router = APIRouter(route_class=Guarded, prefix="/v1/inventory-rejections", tags=["listings"])


@router.get("")
async def list_inventory_rejections(
    caller: Annotated[Caller, requires("listings:read")],
    session: Transaction,
    paging: PageQuery,
    channel_id: UUID | None = None,
    code: Annotated[str | None, Query(max_length=50)] = None,
    received_since: MomentOrUtc | None = None,
) -> Page[InventoryRejectionAnswer]:
    """Rejections, the newest first."""
    query = caller.scoped(InventoryRejection)
    if channel_id is not None:
        query = query.where(col(InventoryRejection.channel_id) == channel_id)
    if code is not None:
        query = query.where(InventoryRejection.code == code)
    if received_since is not None:
        query = query.where(col(InventoryRejection.received_at) >= received_since)
    order = (col(InventoryRejection.id),)
    return await paging.of(session, query, order, ByNumber, rejection_view, newest_first=True)
