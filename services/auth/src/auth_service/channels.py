"""Channels (MISSION A6): places that sell, each one marketplace of one connection.

Every change is announced as a change of the connection, under its row lock; a channel's row is always locked first.
"""

from uuid import UUID

from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service import auditing
from auth_service.announcing import announce
from auth_service.connecting import known_marketplace
from auth_service.models import Channel, Connection
from auth_service.schemas import ChannelChanges, NewChannel
from common import clock
from common.callers import Caller
from common.contracts.connections import ConnectionChanged
from common.errors import Conflict


class ChannelExists(Conflict):
    slug, title = "channel-exists", "Another channel sells in this marketplace through this connection"
    fix = "Use that channel: an order belongs to the one channel of its marketplace"


async def create_channel(session: AsyncSession, caller: Caller, new: NewChannel) -> Channel:
    """A channel of one of the caller's connections. Raises `UnknownMarketplace`, `OtherRegion` or `ChannelExists`."""
    connection = await caller.one(session, Connection, new.connection_id, lock=True)
    known_marketplace(new.marketplace_id, region=connection.region)
    await _refuse_second(session, caller, connection.id, new.marketplace_id)
    now = clock.now()
    channel = Channel(account_id=caller.account_id, created_at=now, updated_at=now, **new.model_dump())
    session.add(channel)
    await announce(session, connection, ConnectionChanged)
    facts = {"connection_id": str(connection.id), "marketplace_id": channel.marketplace_id}
    await auditing.record(session, caller.account_id, caller.subject, "channel.created", channel.id, **facts)
    return channel


async def change_channel(session: AsyncSession, caller: Caller, channel_id: UUID, changes: ChannelChanges) -> Channel:
    """Raises `UnknownMarketplace`, `OtherRegion` or `ChannelExists`."""
    channel, connection = await _locked(session, caller, channel_id)
    given = changes.model_dump(exclude_unset=True)
    # Only the return address can be taken away.
    wanted = {name: value for name, value in given.items() if value is not None or name == "return_address"}
    moves_to = wanted.get("marketplace_id", channel.marketplace_id)
    if moves_to != channel.marketplace_id:
        known_marketplace(moves_to, region=connection.region)
        await _refuse_second(session, caller, connection.id, moves_to)
    await _apply(session, caller, channel, connection, "channel.changed", wanted)
    return channel


async def pause_channel(session: AsyncSession, caller: Caller, channel_id: UUID, *, paused: bool) -> Channel:
    """Pauses or unpauses it."""
    channel, connection = await _locked(session, caller, channel_id)
    action = "channel.paused" if paused else "channel.unpaused"
    await _apply(session, caller, channel, connection, action, {"paused": paused})
    return channel


async def delete_channel(session: AsyncSession, caller: Caller, channel_id: UUID) -> None:
    """Deletes it; the connection stays."""
    channel, connection = await _locked(session, caller, channel_id)
    await session.delete(channel)
    await announce(session, connection, ConnectionChanged)
    facts = {"connection_id": str(connection.id), "marketplace_id": channel.marketplace_id}
    await auditing.record(session, caller.account_id, caller.subject, "channel.deleted", channel.id, **facts)


async def _locked(session: AsyncSession, caller: Caller, channel_id: UUID) -> tuple[Channel, Connection]:
    channel = await caller.one(session, Channel, channel_id, lock=True)
    return channel, await caller.one(session, Connection, channel.connection_id, lock=True)


async def _apply(
    session: AsyncSession,
    caller: Caller,
    channel: Channel,
    connection: Connection,
    action: str,
    wanted: dict[str, object],
) -> None:
    """Writes and announces what differs; nothing when nothing does."""
    changed = {name: value for name, value in wanted.items() if getattr(channel, name) != value}
    if not changed:
        return
    channel.sqlmodel_update(changed | {"updated_at": clock.now()})
    await announce(session, connection, ConnectionChanged)
    await auditing.record(session, caller.account_id, caller.subject, action, channel.id, fields=sorted(changed))


async def _refuse_second(session: AsyncSession, caller: Caller, connection_id: UUID, marketplace_id: str) -> None:
    same = caller.scoped(Channel).where(
        col(Channel.connection_id) == connection_id, col(Channel.marketplace_id) == marketplace_id
    )
    if existing := (await session.exec(same)).one_or_none():
        raise ChannelExists(f"it is {existing.name!r}", channel_id=str(existing.id))
