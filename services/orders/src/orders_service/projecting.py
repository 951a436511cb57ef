"""What orders keep of connections and channels, and which jobs run for them."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import jobs
from common.bulk import run
from common.contracts.connections import ConnectionEvent
from orders_service.asking import CALLABLE, DELETED
from orders_service.models import Channel, Connection
from orders_service.placing import inherit, place_orders_of
from orders_service.settings import OrdersSettings
from orders_service.unimported import retry_skipped

DEFAULT_STATUSES = ("PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED")
DEFAULT_CREATED_WITHIN_DAYS = 30


async def connection_changed(
    session: AsyncSession, settings: OrdersSettings, events: Sequence[ConnectionEvent]
) -> None:
    """Keeps the newest state of each connection; its schedules and waiting runs go on while it may be used."""
    newest = {event.connection_id: event for event in sorted(events, key=lambda event: event.version)}
    for _, event in sorted(newest.items()):
        if await _upsert_connection(session, event):
            appeared = await _upsert_channels(session, event)
            heir = await inherit(session, event.account_id, event.selling_partner_id, event.region)
            if heir or appeared:
                await _place_orders(session, heir or event.connection_id)
            await _schedule(session, settings, event)


async def _place_orders(session: AsyncSession, connection_id: UUID) -> None:
    connection = await session.get(Connection, connection_id, populate_existing=True)
    if connection and connection.status != DELETED:
        await place_orders_of(session, connection)


async def _upsert_connection(session: AsyncSession, event: ConnectionEvent) -> bool:
    """Whether the event is news; its row stays locked."""
    rows = await run(
        session,
        "insert into connection (id, account_id, version, status, selling_partner_id, region) "
        "values ($1, $2, $3, $4, $5, $6) on conflict (id) do update set version = $3, status = $4, "
        "selling_partner_id = $5, region = $6 "
        "where connection.version < excluded.version and connection.account_id = excluded.account_id returning id",
        event.connection_id,
        event.account_id,
        event.version,
        event.status,
        event.selling_partner_id,
        event.region,
    )
    return bool(rows)


async def _upsert_channels(session: AsyncSession, event: ConnectionEvent) -> bool:
    """A channel that is not listed any more is deleted; its settings stay, should it come back.

    Answers whether any is new, is back or has moved to another marketplace.
    """
    known = {
        channel.id: channel
        for channel in (
            await session.exec(
                select(Channel)
                .where(Channel.connection_id == event.connection_id)
                .order_by(col(Channel.id))
                .with_for_update()
            )
        ).all()
    }
    appeared, resumed = [], []
    for told in event.channels:
        channel = known.pop(told.channel_id, None)
        if channel is None or channel.deleted or channel.marketplace_id != told.marketplace_id:
            appeared.append(told.channel_id)
        elif channel.paused and not told.paused:
            resumed.append(told.channel_id)
        channel = channel or Channel(
            id=told.channel_id,
            account_id=event.account_id,
            connection_id=event.connection_id,
            name=told.name,
            marketplace_id=told.marketplace_id,
            statuses=list(DEFAULT_STATUSES),
            created_within_days=DEFAULT_CREATED_WITHIN_DAYS,
            acknowledge=False,
        )
        channel.name, channel.marketplace_id = told.name, told.marketplace_id
        channel.paused, channel.deleted = told.paused, False
        channel.seller_of_record = told.seller_of_record
        channel.return_address = told.return_address.model_dump() if told.return_address else None
        session.add(channel)
    for gone in known.values():
        gone.deleted = True
        session.add(gone)
    await session.flush()
    await retry_skipped(session, resumed, ("channel_paused",))
    return bool(appeared)


async def _schedule(session: AsyncSession, settings: OrdersSettings, event: ConnectionEvent) -> None:
    if event.status in (*CALLABLE, DELETED):
        await jobs.wake(session, event.connection_id)
    if event.status not in CALLABLE:
        await jobs.unschedule(session, event.connection_id)
        return
    for operation, every in (
        ("get_orders", settings.get_orders_every_seconds),
        ("sync_orders", settings.sync_orders_every_seconds),
    ):
        await jobs.schedule(
            session,
            account_id=event.account_id,
            connection_id=event.connection_id,
            operation=operation,
            every_seconds=every,
        )
