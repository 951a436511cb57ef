"""`/v1/inventory-rejections`: `InventoryChanged` events that were refused, and why."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlmodel import col

from common.callers import Caller, requires
from common.db import Transaction
from common.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from listings_service.models import InventoryRejection
from listings_service.schemas import RejectionView, rejection_view

router = APIRouter(prefix="/v1/inventory-rejections", tags=["listings"])


@router.get("")
async def list_rejections(
    caller: Annotated[Caller, requires("listings:read")],
    session: Transaction,
    channel_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RejectionView]:
    """Rejections, the newest first."""
    query = caller.scoped(InventoryRejection).order_by(col(InventoryRejection.id).desc()).limit(limit + 1)
    if channel_id is not None:
        query = query.where(col(InventoryRejection.channel_id) == channel_id)
    if cursor:
        query = query.where(col(InventoryRejection.id) < decode_cursor(cursor, tuple[int])[0])
    found = (await session.exec(query)).all()
    items = [rejection_view(one) for one in found[:limit]]
    return Page(items=items, next_cursor=encode_cursor(items[-1].id) if len(found) > limit else None)
