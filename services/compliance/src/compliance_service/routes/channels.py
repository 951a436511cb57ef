"""`/v1/channels/{id}/routing-group`: how a channel's orders find their sources."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from common.callers import Caller, requires
from common.db import Transaction
from compliance_service import grouping
from compliance_service.schemas import RoutingGroupAnswer, RoutingGroupBody

router = APIRouter(tags=["routing groups"])


@router.get("/v1/channels/{channel_id}/routing-group")
async def read_group(
    channel_id: UUID, session: Transaction, caller: Annotated[Caller, requires("channels:read")]
) -> RoutingGroupAnswer:
    """The channel's group; the default is all sources, by every rule, split allowed."""
    return await grouping.read_group(session, caller, channel_id)


@router.put("/v1/channels/{channel_id}/routing-group")
async def set_group(
    channel_id: UUID,
    body: RoutingGroupBody,
    session: Transaction,
    caller: Annotated[Caller, requires("channels:write")],
) -> RoutingGroupAnswer:
    """Replaces the channel's group; held orders are decided again."""
    return await grouping.set_group(session, caller, channel_id, body)
