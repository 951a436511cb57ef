"""`/v1/channels`: the places that sell. Their settings in the other services are those services' own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from sqlmodel import col

from auth_service import channels, checking, connecting
from auth_service.access_tokens import ConnectionIsRevoked
from auth_service.checking import channel_test, check
from auth_service.lwa import AppRefused, LwaUnavailable
from auth_service.models import Channel, Connection
from auth_service.schemas import ChannelAnswer, ChannelChanges, ChannelTestAnswer, NewChannel
from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.db import Transaction
from common.errors import ConnectionNotActiveProblem, NotFound
from common.front_door import Guarded
from common.idempotency import IdempotencyKey, once
from common.moments import MomentOrUtc
from common.openapi import problems
from common.pages import ByMoment, Page, PageQuery

router = APIRouter(route_class=Guarded, prefix="/v1/channels", tags=["channels"])

Reader = Annotated[Caller, requires("channels:read")]
Writer = Annotated[Caller, requires("channels:write")]


@router.post(
    "",
    status_code=201,
    responses=problems(NotFound, connecting.UnknownMarketplace, connecting.OtherRegion, channels.ChannelExists),
)
async def create_channel(
    caller: Writer, session: Transaction, request: Request, body: NewChannel, idempotency_key: IdempotencyKey = None
) -> ChannelAnswer:
    """A channel for a marketplace of the connection's region."""

    async def create() -> ChannelAnswer:
        return ChannelAnswer.model_validate(await channels.create_channel(session, caller, body))

    return await once(session, request, caller.account_id, idempotency_key, ChannelAnswer, create)


@router.get("")
async def list_channels(
    caller: Reader,
    session: Transaction,
    paging: PageQuery,
    connection_id: UUID | None = None,
    marketplace_id: Annotated[str | None, Query(max_length=32)] = None,
    paused: bool | None = None,
    updated_since: MomentOrUtc | None = None,
) -> Page[ChannelAnswer]:
    """The account's channels, oldest first."""
    query = caller.scoped(Channel)
    if connection_id is not None:
        query = query.where(Channel.connection_id == connection_id)
    if marketplace_id is not None:
        query = query.where(Channel.marketplace_id == marketplace_id)
    if paused is not None:
        query = query.where(Channel.paused == paused)
    if updated_since is not None:
        query = query.where(col(Channel.updated_at) >= updated_since)
    order = (col(Channel.created_at), col(Channel.id))
    return await paging.of(session, query, order, ByMoment, ChannelAnswer.model_validate)


@router.get("/{channel_id}")
async def get_channel(caller: Reader, session: Transaction, channel_id: UUID) -> ChannelAnswer:
    """One channel with its settings."""
    return ChannelAnswer.model_validate(await caller.one(session, Channel, channel_id))


@router.patch(
    "/{channel_id}", responses=problems(connecting.UnknownMarketplace, connecting.OtherRegion, channels.ChannelExists)
)
async def change_channel(caller: Writer, session: Transaction, channel_id: UUID, body: ChannelChanges) -> ChannelAnswer:
    """Edits what is given."""
    return ChannelAnswer.model_validate(await channels.change_channel(session, caller, channel_id, body))


@router.delete("/{channel_id}", status_code=204)
async def delete_channel(caller: Writer, session: Transaction, channel_id: UUID) -> None:
    """Deletes a channel. Its orders stay; nothing new is read or sent for it."""
    await channels.delete_channel(session, caller, channel_id)


@router.post("/{channel_id}/pause")
async def pause_channel(caller: Writer, session: Transaction, channel_id: UUID) -> ChannelAnswer:
    """Freezes the channel: the other services start nothing for it."""
    return ChannelAnswer.model_validate(await channels.pause_channel(session, caller, channel_id, paused=True))


@router.post("/{channel_id}/unpause")
async def unpause_channel(caller: Writer, session: Transaction, channel_id: UUID) -> ChannelAnswer:
    """Lets the channel go on."""
    return ChannelAnswer.model_validate(await channels.pause_channel(session, caller, channel_id, paused=False))


_ASKING_AMAZON = (
    checking.AmazonDeniesAccess,
    checking.AmazonBusy,
    checking.AmazonUnavailableProblem,
    ConnectionNotActiveProblem,
    ConnectionIsRevoked,
    LwaUnavailable,
    AppRefused,
)


@router.post("/{channel_id}/test", responses=problems(*_ASKING_AMAZON))
async def test_channel(caller: Reader, runtime: RuntimeDependency, channel_id: UUID) -> ChannelTestAnswer:
    """Asks Amazon whether the seller is active in the channel's marketplace."""
    async with runtime.db.transaction() as session:
        channel = await caller.one(session, Channel, channel_id)
        connection = await caller.one(session, Connection, channel.connection_id)
    return channel_test(channel, await check(runtime.db, runtime.amazon, connection))
