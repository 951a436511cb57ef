"""On whose behalf a run asks Amazon."""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from common.amazon.client import Seller
from common.amazon.run_outcomes import AUTHORIZE_AGAIN
from common.db import Database
from common.jobs import RunFailed, RunWaits, Work
from orders_service.models import Channel, Connection
from orders_service.wanting import paused

CALLABLE = ("active", "reauthorization_due")
DELETED = "deleted"
RESUME = "POST /v1/channels/{id}/unpause of the auth service; then the orders that came meanwhile are read"


async def seller_of(session: AsyncSession, work: Work, *, hold: bool = False) -> Seller:
    """The run's seller. Raises `RunWaits` while the connection may not be used, and `RunFailed` when it is gone.

    `hold`: it stays as it is until the transaction ends; a connection that takes its orders over comes after that.
    """
    share = {"read": True} if hold else None
    connection = await session.get(Connection, work.connection_id, populate_existing=True, with_for_update=share)
    if connection is None or connection.account_id != work.account_id or connection.status == DELETED:
        raise RunFailed("connection_not_active", "the connection is deleted", fix="Connect the seller again")
    if connection.status not in CALLABLE:
        raise RunWaits("connection_not_active", f"the connection is {connection.status}", fix=AUTHORIZE_AGAIN)
    return Seller(
        connection.account_id,
        connection.id,
        connection.selling_partner_id,
        connection.region,  # type: ignore[arg-type]
        connection.version,
    )


async def seller_now(db: Database, work: Work) -> Seller:
    """As `seller_of`, for the next call: a token lives on for an hour after its connection was switched off."""
    async with db.transaction() as session:
        return await seller_of(session, work)


def tell_paused(work: Work, channels: Sequence[Channel]) -> None:
    """Notes in the run, once, the channels whose orders it leaves alone."""
    noted = {error.get("channel_id") for error in work.errors}
    for channel in channels:
        if channel.paused and str(channel.id) not in noted:
            code, detail = paused(channel)
            work.error(code, detail, channel_id=str(channel.id), fix=RESUME)
