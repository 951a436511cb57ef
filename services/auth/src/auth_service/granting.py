"""A refresh token enters the vault: the one way in which a connection becomes active, whoever brought the token."""

from sqlmodel import col, delete
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service import vault
from auth_service.announcing import move
from auth_service.models import AccessToken, Connection
from common import clock
from common.crypto import KeyRing
from common.errors import Conflict


class ConnectionIsDisabled(Conflict):
    slug, title = "connection-disabled", "The connection is switched off"
    fix = "Enable it first: POST /v1/connections/{id}/enable"


async def grant(
    session: AsyncSession, key_ring: KeyRing, connection: Connection, refresh_token: str, *, actor: str
) -> None:
    """Seals the token into the connection, whose row lock the caller holds, and moves it. Raises
    `ConnectionIsDisabled`."""
    if connection.status == "disabled":
        raise ConnectionIsDisabled
    connection.refresh_token = vault.seal(
        key_ring, refresh_token.encode(), connection.account_id, connection.id, "refresh_token"
    )
    connection.authorized_at = clock.now()
    connection.check_problem = None
    # Of the old grant, and with it any pause; a refresh of it that is under way writes nothing, for its row is gone.
    await session.exec(delete(AccessToken).where(col(AccessToken.connection_id) == connection.id))
    await move(session, connection, "authorized", actor=actor)
