"""`/v1/channels/{id}/routing-group`: how a channel's orders find their sources."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from common.callers import Caller, requires
from common.db import Transaction
from common.front_door import Guarded
from common.openapi import problems
from compliance_service import grouping
from compliance_service.schemas import RoutingGroupAnswer, RoutingGroupChanges

router = APIRouter(route_class=Guarded, tags=["routing groups"])


@router.get("/v1/channels/{channel_id}/routing-group")
async def get_routing_group(
    channel_id: UUID, session: Transaction, caller: Annotated[Caller, requires("channels:read")]
) -> RoutingGroupAnswer:
    """The channel's group; the default is all sources, by every rule, split allowed."""
    return await grouping.read_group(session, caller, channel_id)


@router.put(
    "/v1/channels/{channel_id}/routing-group",
    responses=problems(grouping.UnknownRoutingRule, grouping.RoutingRuleRepeated, grouping.UnknownSource),
)
async def set_routing_group(
    channel_id: UUID,
    body: RoutingGroupChanges,
    session: Transaction,
    caller: Annotated[Caller, requires("channels:write")],
) -> RoutingGroupAnswer:
    """Replaces the channel's group; held orders are decided again."""
    return await grouping.set_group(session, caller, channel_id, body)
