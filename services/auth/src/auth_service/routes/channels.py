"""`/v1/channels`: the places that sell. Their settings in the other services are those services' own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request

from auth_service import channels
from auth_service.checking import channel_test, check
from auth_service.models import Channel, Connection
from auth_service.routes.paging import list_page
from auth_service.schemas import ChannelChanges, ChannelTest, ChannelView, NewChannel
from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.db import Transaction
from common.idempotency import IdempotencyKey, once
from common.pages import Cursor, Limit, Page

router = APIRouter(prefix="/v1/channels", tags=["channels"])

Reader = Annotated[Caller, requires("channels:read")]
Writer = Annotated[Caller, requires("channels:write")]


@router.post("", status_code=201)
async def create_channel(
    caller: Writer, session: Transaction, request: Request, body: NewChannel, idempotency_key: IdempotencyKey = None
) -> ChannelView:
    """A channel for a marketplace of the connection's region."""

    async def create() -> ChannelView:
        return ChannelView.model_validate(await channels.create_channel(session, caller, body))

    return await once(session, request, caller.account_id, idempotency_key, ChannelView, create)


@router.get("")
async def list_channels(
    caller: Reader, session: Transaction, limit: Limit = 50, cursor: Cursor = None
) -> Page[ChannelView]:
    """The account's channels, oldest first."""
    return await list_page(session, caller, Channel, ChannelView, cursor, limit)


@router.get("/{channel_id}")
async def get_channel(caller: Reader, session: Transaction, channel_id: UUID) -> ChannelView:
    """One channel."""
    return ChannelView.model_validate(await caller.one(session, Channel, channel_id))


@router.patch("/{channel_id}")
async def change_channel(caller: Writer, session: Transaction, channel_id: UUID, body: ChannelChanges) -> ChannelView:
    """Edits what is given."""
    return ChannelView.model_validate(await channels.change_channel(session, caller, channel_id, body))


@router.delete("/{channel_id}", status_code=204)
async def delete_channel(caller: Writer, session: Transaction, channel_id: UUID) -> None:
    """Deletes a channel."""
    await channels.delete_channel(session, caller, channel_id)


@router.post("/{channel_id}/pause")
async def pause_channel(caller: Writer, session: Transaction, channel_id: UUID) -> ChannelView:
    """Freezes the channel: the other services start nothing for it."""
    return ChannelView.model_validate(await channels.pause_channel(session, caller, channel_id, paused=True))


@router.post("/{channel_id}/unpause")
async def unpause_channel(caller: Writer, session: Transaction, channel_id: UUID) -> ChannelView:
    """Lets the channel go on."""
    return ChannelView.model_validate(await channels.pause_channel(session, caller, channel_id, paused=False))


@router.post("/{channel_id}/test")
async def test_channel(caller: Reader, runtime: RuntimeDependency, channel_id: UUID) -> ChannelTest:
    """Asks Amazon whether the seller is active in the channel's marketplace."""
    async with runtime.db.transaction() as session:
        channel = await caller.one(session, Channel, channel_id)
        connection = await caller.one(session, Connection, channel.connection_id)
    return channel_test(channel, await check(runtime.db, runtime.amazon, connection))
