"""What compliance remembers of connections: which channels an account has."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import insert_page, run
from common.contracts.connections import ConnectionEvent
from common.contracts.event import Received
from compliance_service.models import Channel, KnownConnection

_CHANNEL_COLUMNS = (
    *("id", "account_id", "connection_id", "name", "integration_type", "marketplace_id"),
    *("seller_of_record", "return_address"),
)


async def follow_connections(session: AsyncSession, received: Sequence[Received]) -> None:
    """Takes each connection's newest version; its channels replace those known of it, since every event is whole."""
    newest: dict[UUID, ConnectionEvent] = {}
    for r in received:
        event = r.event
        if isinstance(event, ConnectionEvent):
            known = newest.get(event.connection_id)
            if known is None or known.version < event.version:
                newest[event.connection_id] = event
    taken = await insert_page(
        session,
        KnownConnection,
        ("connection_id", "account_id", "version"),
        [(event.connection_id, event.account_id, event.version) for _, event in sorted(newest.items())],
        "on conflict (connection_id) do update set version = excluded.version "
        "where known_connection.version < excluded.version and known_connection.account_id = excluded.account_id "
        "returning connection_id",
    )
    connections = [newest[row[0]] for row in taken]
    await run(session, "delete from channel where connection_id = any($1)", [c.connection_id for c in connections])
    await insert_page(
        session,
        Channel,
        _CHANNEL_COLUMNS,
        [
            (
                channel.channel_id,
                connection.account_id,
                connection.connection_id,
                channel.name,
                channel.integration_type,
                channel.marketplace_id,
                channel.seller_of_record,
                channel.return_address.model_dump_json() if channel.return_address else None,
            )
            for connection in connections
            if connection.status != "deleted"
            for channel in connection.channels
        ],
        "on conflict (id) do nothing",
    )
