"""On whose behalf an operation calls Amazon."""

from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common.amazon.client import Seller
from common.amazon.run_outcomes import AUTHORIZE_AGAIN
from common.jobs import RunFailed, RunWaits
from listings_service.models import Connection
from listings_service.remembering import CALLABLE, DELETED


async def seller(session: AsyncSession, connection_id: UUID) -> Seller:
    """The seller to call for. While the connection may not be called the run waits, before any call (edge 21).

    Raises `RunWaits` then, and `RunFailed` when the connection is gone.
    """
    connection = await session.get(Connection, connection_id, populate_existing=True)
    if connection is None or connection.status == DELETED:
        raise RunFailed("connection_not_active", "the connection is deleted", fix="Connect the seller again")
    if connection.status not in CALLABLE:
        raise RunWaits("connection_not_active", f"the connection is {connection.status}", fix=AUTHORIZE_AGAIN)
    # `region` is only ever written from an event whose contract knows the three.
    region: Any = connection.region
    return Seller(connection.account_id, connection.id, connection.selling_partner_id, region, connection.version)
