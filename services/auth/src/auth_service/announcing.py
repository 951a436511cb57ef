"""Telling the other services: every event carries the whole connection with all its channels and the next version."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service.lifecycle import ANNOUNCED_AS, TRANSITIONS, Happening
from auth_service.models import Channel, Connection
from common import clock, outbox
from common.contracts import connections as contract


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


async def move(session: AsyncSession, connection: Connection, happening: Happening) -> bool:
    """Moves a connection, whose row lock the caller holds, by the transition table and announces it; answers whether
    the table moves it at all. What happens twice is therefore announced once."""
    target = TRANSITIONS.get((connection.status, happening))
    if target is None:
        return False
    connection.status = target
    await announce(session, connection, ANNOUNCED_AS[happening])
    return True
