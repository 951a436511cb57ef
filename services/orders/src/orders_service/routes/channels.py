"""Order settings, shipping policies and shipping mappings."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request
from sqlmodel import col

from common.callers import Caller, requires
from common.db import Transaction
from common.front_door import Guarded
from common.idempotency import IdempotencyKey, once
from common.openapi import problems
from common.pages import ByText, Page, PageQuery
from orders_service import configuring
from orders_service.mapping import ShippingMapping
from orders_service.models import ShippingPolicy
from orders_service.schemas import (
    Mappings,
    NewPolicy,
    OrderSettings,
    PolicyAnswer,
    mappings_view,
    settings_view,
)

router = APIRouter(route_class=Guarded, prefix="/v1", tags=["channels"])

Reader = Annotated[Caller, requires("orders:read")]
Writer = Annotated[Caller, requires("orders:write")]


@router.get("/channels/{channel_id}/order-settings")
async def get_order_settings(channel_id: UUID, caller: Reader, session: Transaction) -> OrderSettings:
    """Which new orders of the channel are imported."""
    return settings_view(await configuring.channel_of(session, caller, channel_id))


@router.put("/channels/{channel_id}/order-settings")
async def set_order_settings(
    channel_id: UUID, body: OrderSettings, caller: Writer, session: Transaction
) -> OrderSettings:
    """Which new orders are imported; those kept out so far are looked at again by the next Get Orders."""
    return settings_view(
        await configuring.set_order_settings(
            session,
            caller,
            channel_id,
            statuses=body.statuses,
            created_within_days=body.created_within_days,
            acknowledge=body.acknowledge,
        )
    )


@router.post("/shipping-policies", status_code=201)
async def create_shipping_policy(
    body: NewPolicy, caller: Writer, session: Transaction, request: Request, key: IdempotencyKey = None
) -> PolicyAnswer:
    """The account's policy of this name; made when it is new."""

    async def effect() -> PolicyAnswer:
        policy = await configuring.create_policy(session, caller.account_id, body.name)
        return PolicyAnswer(id=policy.id, name=policy.name)

    return await once(session, request, caller.account_id, key, PolicyAnswer, effect)


@router.get("/shipping-policies")
async def list_shipping_policies(caller: Reader, session: Transaction, paging: PageQuery) -> Page[PolicyAnswer]:
    """The account's policies by name."""
    order = (col(ShippingPolicy.name),)
    return await paging.of(session, caller.scoped(ShippingPolicy), order, ByText, PolicyAnswer.model_validate)


@router.delete("/shipping-policies/{policy_id}", status_code=204, responses=problems(configuring.PolicyInUse))
async def delete_shipping_policy(policy_id: UUID, caller: Writer, session: Transaction) -> None:
    """Deletes a policy that no channel maps to and no open order has."""
    await configuring.delete_policy(session, caller, policy_id)


@router.get("/channels/{channel_id}/shipping-mappings")
async def get_shipping_mappings(channel_id: UUID, caller: Reader, session: Transaction) -> Mappings:
    """How Amazon's shipping texts and service levels are bound to the account's policies."""
    return mappings_view(await configuring.channel_of(session, caller, channel_id))


@router.put(
    "/channels/{channel_id}/shipping-mappings",
    responses=problems(configuring.UnknownPolicy, configuring.MappedTwice),
)
async def set_shipping_mappings(channel_id: UUID, body: Mappings, caller: Writer, session: Transaction) -> Mappings:
    """Replaces the mappings; orders that were held for one are free at once."""
    rows = [msgspec.convert(row.model_dump(), ShippingMapping) for row in body.mappings]
    return mappings_view(await configuring.set_shipping_mappings(session, caller, channel_id, rows))


@router.post("/channels/{channel_id}/shipping-mappings/defaults", responses=problems(configuring.NoDefaults))
async def create_default_mappings(channel_id: UUID, caller: Writer, session: Transaction) -> Mappings:
    """The four US rows with their policies; called twice, it is the same."""
    return mappings_view(await configuring.set_default_mappings(session, caller, channel_id))
