"""Order settings, shipping policies and shipping mappings."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request
from sqlmodel import col

from common.callers import Caller, requires
from common.db import Transaction
from common.idempotency import IdempotencyKey, once
from orders_service import configuring
from orders_service.mapping import ShippingMapping
from orders_service.models import ShippingPolicy
from orders_service.schemas import (
    Mappings,
    OrderSettings,
    PolicyRequest,
    PolicyView,
    mappings_view,
    settings_view,
)

router = APIRouter(prefix="/v1", tags=["channels"])

Reader = Annotated[Caller, requires("orders:read")]
Writer = Annotated[Caller, requires("orders:write")]


@router.get("/channels/{channel_id}/order-settings")
async def get_order_settings(channel_id: UUID, caller: Reader, session: Transaction) -> OrderSettings:
    return settings_view(await configuring.channel_of(session, caller, channel_id))


@router.put("/channels/{channel_id}/order-settings")
async def put_order_settings(
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
    body: PolicyRequest, caller: Writer, session: Transaction, request: Request, key: IdempotencyKey = None
) -> PolicyView:
    """The account's policy of this name; made when it is new."""

    async def effect() -> PolicyView:
        policy = await configuring.create_policy(session, caller.account_id, body.name)
        return PolicyView(id=policy.id, name=policy.name)

    return await once(session, request, caller.account_id, key, PolicyView, effect)


@router.get("/shipping-policies")
async def list_shipping_policies(caller: Reader, session: Transaction) -> list[PolicyView]:
    """All of the account's; they are few."""
    policies = await session.exec(caller.scoped(ShippingPolicy).order_by(col(ShippingPolicy.name)))
    return [PolicyView(id=policy.id, name=policy.name) for policy in policies.all()]


@router.get("/channels/{channel_id}/shipping-mappings")
async def get_shipping_mappings(channel_id: UUID, caller: Reader, session: Transaction) -> Mappings:
    return mappings_view(await configuring.channel_of(session, caller, channel_id))


@router.put("/channels/{channel_id}/shipping-mappings")
async def put_shipping_mappings(channel_id: UUID, body: Mappings, caller: Writer, session: Transaction) -> Mappings:
    """Replaces the mappings; orders that were held for one are free at once."""
    rows = [msgspec.convert(row.model_dump(), ShippingMapping) for row in body.mappings]
    return mappings_view(await configuring.set_shipping_mappings(session, caller, channel_id, rows))


@router.post("/channels/{channel_id}/shipping-mappings/defaults")
async def create_default_mappings(channel_id: UUID, caller: Writer, session: Transaction) -> Mappings:
    """The four US rows with their policies; called twice, it is the same."""
    return mappings_view(await configuring.set_default_mappings(session, caller, channel_id))
