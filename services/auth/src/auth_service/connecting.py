"""Creating, editing, switching and deleting connections. A connection is one seller authorisation of one region."""

from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service import auditing
from auth_service.announcing import announce, move
from auth_service.identity import refuse_unknown
from auth_service.lifecycle import enabling
from auth_service.models import Channel, Connection
from auth_service.schemas import ConnectionChanges, NewConnection
from common import clock, jobs
from common.amazon.marketplaces import Marketplace, marketplace
from common.amazon.marketplaces import UnknownMarketplace as NoMarketplace
from common.bulk import insert_page
from common.callers import Caller
from common.contracts.connections import ConnectionChanged, ConnectionDisabled, Region
from common.errors import Conflict, InvalidRequest


class UnknownMarketplace(InvalidRequest):
    slug, title = "unknown-marketplace", "There is no such Amazon marketplace"
    fix = "Pick an id from GET /v1/marketplaces"


class OtherRegion(InvalidRequest):
    slug, title = "other-region", "The marketplace belongs to another region"
    fix = "An authorisation covers one region: create a connection in the other one, with its own consent"


class ConnectionExists(Conflict):
    slug, title = "connection-exists", "This seller is connected already"
    fix = "Use that connection; POST /v1/connections/{id}/consent authorises it again"


class ConnectionHasChannels(Conflict):
    slug, title = "connection-has-channels", "Channels depend on this connection"
    fix = "Delete these channels first"


def known_marketplace(marketplace_id: str, *, region: Region | None = None) -> Marketplace:
    """The marketplace, of that region when one is given. Raises `UnknownMarketplace` or `OtherRegion`."""
    try:
        found = marketplace(marketplace_id)
    except NoMarketplace as error:
        raise UnknownMarketplace(str(error)) from None
    if region is not None and found.region != region:
        raise OtherRegion(f"{found.name} belongs to {found.region}, the connection to {region}")
    return found


async def create_connection(session: AsyncSession, caller: Caller, new: NewConnection) -> Connection:
    """A pending connection. Raises `UnknownMarketplace`, or `ConnectionExists` with the id of the one there is."""
    found, created = await _insert(session, caller, new.selling_partner_id, new.marketplace_id, new.name)
    if not created:
        raise ConnectionExists(
            f"{found.selling_partner_id} is connected in {found.region} as {found.name!r}",
            connection_id=str(found.id),
        )
    return found


async def find_or_create_connection(
    session: AsyncSession, caller: Caller, selling_partner_id: str, marketplace_id: str, *, name: str
) -> Connection:
    """The caller's connection of that seller and region, locked; a new pending one of that name when there is none."""
    found, _ = await _insert(session, caller, selling_partner_id, marketplace_id, name)
    return await caller.one(session, Connection, found.id, lock=True)


async def _insert(
    session: AsyncSession, caller: Caller, selling_partner_id: str, marketplace_id: str, name: str
) -> tuple[Connection, bool]:
    """The account's connection of that seller and region, and whether it was made here. Raises `UnknownAccount`."""
    home = known_marketplace(marketplace_id)
    await refuse_unknown(session, caller.account_id)
    now = clock.now()
    connection = Connection(
        account_id=caller.account_id,
        name=name,
        selling_partner_id=selling_partner_id,
        region=home.region,
        home_marketplace_id=home.marketplace_id,
        created_at=now,
        updated_at=now,
    )
    # Of two requests at once the second waits here for the first one's commit, then sees its row.
    columns = tuple(connection.model_dump())
    created = await insert_page(
        session,
        Connection,
        columns,
        [tuple(connection.model_dump().values())],
        "on conflict (account_id, selling_partner_id, region) do nothing returning id",
    )
    if not created:
        same = caller.scoped(Connection).where(
            col(Connection.selling_partner_id) == selling_partner_id, col(Connection.region) == home.region
        )
        return (await session.exec(same)).one(), False
    await auditing.record(
        session,
        caller.account_id,
        caller.subject,
        "connection.created",
        connection.id,
        selling_partner_id=selling_partner_id,
        region=home.region,
        home_marketplace_id=home.marketplace_id,
    )
    return await session.get_one(Connection, connection.id), True


async def change_connection(
    session: AsyncSession, caller: Caller, connection_id: UUID, changes: ConnectionChanges
) -> Connection:
    """A new name or home marketplace. Raises `UnknownMarketplace` or `OtherRegion`."""
    connection = await caller.one(session, Connection, connection_id, lock=True)
    before = (connection.name, connection.home_marketplace_id)
    if changes.name is not None:
        connection.name = changes.name
    if changes.marketplace_id is not None:
        connection.home_marketplace_id = known_marketplace(
            changes.marketplace_id, region=connection.region
        ).marketplace_id
    if before != (connection.name, connection.home_marketplace_id):
        await announce(session, connection, ConnectionChanged)
        await auditing.record(
            session,
            caller.account_id,
            caller.subject,
            "connection.changed",
            connection.id,
            name=connection.name,
            home_marketplace_id=connection.home_marketplace_id,
        )
    return connection


async def disable_connection(session: AsyncSession, caller: Caller, connection_id: UUID) -> Connection:
    """No more calls for it until it is enabled; its grant is kept."""
    connection = await caller.one(session, Connection, connection_id, lock=True)
    await move(session, connection, "disabled", actor=caller.subject)
    return connection


async def enable_connection(session: AsyncSession, caller: Caller, connection_id: UUID) -> Connection:
    """Back to what it was before it was disabled."""
    connection = await caller.one(session, Connection, connection_id, lock=True)
    back = enabling(
        holds_grant=connection.refresh_token is not None, was_authorized=connection.authorized_at is not None
    )
    await move(session, connection, back, actor=caller.subject)
    return connection


async def delete_connection(session: AsyncSession, caller: Caller, connection_id: UUID) -> None:
    """Deletes it with its grant. Raises `ConnectionHasChannels`, which lists them."""
    connection = await caller.one(session, Connection, connection_id, lock=True)
    channels = (await session.exec(select(Channel).where(col(Channel.connection_id) == connection.id))).all()
    if channels:
        raise ConnectionHasChannels(
            f"{len(channels)} channel(s) sell through it",
            channels=[{"id": str(channel.id), "name": channel.name} for channel in channels],
        )
    await announce(session, connection, ConnectionDisabled, deleted=True)
    await jobs.unschedule(session, connection.id)
    await auditing.record(session, caller.account_id, caller.subject, "connection.deleted", connection.id)
    await session.delete(connection)
