"""Telling the other services: every event carries the whole connection with all its channels and the next version."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service import auditing
from auth_service.lifecycle import CALLABLE, TOLD_AS, TRANSITIONS, Happening
from auth_service.models import Channel, Connection
from auth_service.notifying import notify
from common import clock, jobs, outbox
from common.contracts import connections as contract

# Whether the authorisation still holds is asked of Amazon once a day, beside every call that finds out by itself.
CHECK = "check_connection"
CHECK_EVERY_SECONDS = 86_400.0


async def announce(
    session: AsyncSession, connection: Connection, event_type: type[contract.ConnectionEvent], *, deleted: bool = False
) -> None:
    """Publishes the connection as it now is. The caller holds its row lock, which orders the versions."""
    connection.version += 1
    connection.updated_at = clock.now()
    await session.flush()
    channels = await session.exec(
        select(Channel).where(col(Channel.connection_id) == connection.id).order_by(col(Channel.created_at))
    )
    event = event_type(
        account_id=connection.account_id,
        connection_id=connection.id,
        version=connection.version,
        name=connection.name,
        status="deleted" if deleted else connection.status,
        selling_partner_id=connection.selling_partner_id,
        region=connection.region,
        home_marketplace_id=connection.home_marketplace_id,
        channels=tuple(
            contract.Channel(
                channel_id=channel.id,
                name=channel.name,
                marketplace_id=channel.marketplace_id,
                paused=channel.paused,
                seller_of_record=channel.seller_of_record,
                return_address=contract.Address(**channel.return_address) if channel.return_address else None,
            )
            for channel in channels
        ),
    )
    await outbox.publish(session, event)


async def move(session: AsyncSession, connection: Connection, happening: Happening, *, actor: str) -> bool:
    """Moves a connection, whose row lock the caller holds, by the transition table; answers whether the table moves it
    at all. One event, one notification and one audit entry go with it, so what happens twice is told once."""
    target = TRANSITIONS.get((connection.status, happening))
    if target is None:
        return False
    before, connection.status = connection.status, target
    told = TOLD_AS[happening]
    await announce(session, connection, told.event)
    await notify(
        session,
        connection.account_id,
        told.code,
        f"{connection.name} ({connection.selling_partner_id}, {connection.region}): {told.detail}",
        fix=told.fix.replace("{id}", str(connection.id)),
        connection_id=connection.id,
    )
    await auditing.record(
        session,
        connection.account_id,
        actor,
        f"connection.{happening}",
        connection.id,
        status_before=before,
        status=target,
    )
    if target in CALLABLE:
        await jobs.schedule(
            session,
            account_id=connection.account_id,
            connection_id=connection.id,
            operation=CHECK,
            every_seconds=CHECK_EVERY_SECONDS,
        )
    else:
        await jobs.unschedule(session, connection.id)
    return True
