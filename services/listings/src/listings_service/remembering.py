"""Remembers connections and channels from `entrepot.connections`, and switches a connection's schedules with them."""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock, jobs
from common.bulk import run
from common.contracts.connections import ConnectionEvent
from common.contracts.event import Received
from common.jobs import Schedule
from listings_service.models import Channel

# Auth hands out access tokens in these states; the warning before the yearly renewal changes nothing yet.
CALLABLE = frozenset({"active", "reauthorization_due"})
DELETED = "deleted"


async def remember(session: AsyncSession, received: Sequence[Received], *, sync_every_seconds: float) -> None:
    """Upserts each connection with its channels when the event's version is newer than what is known."""
    for one in received:
        if isinstance(one.event, ConnectionEvent):
            await _remember(session, one.event, sync_every_seconds)


async def _remember(session: AsyncSession, event: ConnectionEvent, sync_every_seconds: float) -> None:
    newer = await run(
        session,
        """
        insert into connection (id, account_id, version, status, selling_partner_id, region)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (id) do update set version = excluded.version, status = excluded.status,
            selling_partner_id = excluded.selling_partner_id, region = excluded.region
        where excluded.version > connection.version and connection.account_id = excluded.account_id
        returning id
        """,
        event.connection_id,
        event.account_id,
        event.version,
        event.status,
        event.selling_partner_id,
        event.region,
    )
    if not newer:
        return
    await _remember_channels(session, event)
    if event.status in (*CALLABLE, DELETED):
        await jobs.wake(session, event.connection_id)
    if event.status in CALLABLE:
        await _resume(session, event, sync_every_seconds)
    else:
        await jobs.unschedule(session, event.connection_id)


async def _remember_channels(session: AsyncSession, event: ConnectionEvent) -> None:
    told = {channel.channel_id: channel for channel in event.channels if channel.integration_type == "amazon"}
    known = await session.exec(select(Channel).where(col(Channel.connection_id) == event.connection_id))
    for channel in known:
        channel.deleted = channel.id not in told
        if (now := told.pop(channel.id, None)) is not None:
            channel.name, channel.marketplace_id, channel.paused = now.name, now.marketplace_id, now.paused
    session.add_all(
        Channel(
            id=channel.channel_id,
            account_id=event.account_id,
            connection_id=event.connection_id,
            name=channel.name,
            marketplace_id=channel.marketplace_id,
            paused=channel.paused,
        )
        for channel in told.values()
    )
    await session.flush()


async def _resume(session: AsyncSession, event: ConnectionEvent, sync_every_seconds: float) -> None:
    """Schedules the sync of a new connection; one that was stopped goes on as often as it was set to."""
    schedules = (await session.exec(select(Schedule).where(col(Schedule.connection_id) == event.connection_id))).all()
    for stopped in schedules:
        if not stopped.enabled:
            stopped.enabled, stopped.next_at = True, clock.now()
    await session.flush()
    if not any(schedule.operation == "sync" for schedule in schedules):
        await jobs.schedule(
            session,
            account_id=event.account_id,
            connection_id=event.connection_id,
            operation="sync",
            every_seconds=sync_every_seconds,
        )
