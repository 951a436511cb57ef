"""What every operation does around its calls to Amazon: find the seller, and turn failures into the run's outcome."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common.amazon.client import Seller
from common.amazon.errors import AccessDenied, AmazonError, ConnectionNotActive, ConnectionRevoked, Throttled
from common.jobs import RunFailed, RunLater, RunWaits
from listings_service.models import Connection
from listings_service.remembering import CALLABLE, DELETED

# After Amazon or auth was away: the run goes on from its cursor.
_PAUSE_SECONDS = 10.0
_FIX = "Enable the connection if it is disabled, else authorise it again; the run then goes on by itself"


async def seller(session: AsyncSession, connection_id: UUID) -> Seller:
    """The seller to call for. While the connection may not be called the run waits, before any call (edge 21).

    Raises `RunWaits` then, and `RunFailed` when the connection is gone.
    """
    connection = await session.get(Connection, connection_id, populate_existing=True)
    if connection is None or connection.status == DELETED:
        raise RunFailed("connection-not-active", "the connection is deleted", fix="Connect the seller again")
    if connection.status not in CALLABLE:
        raise RunWaits("connection-not-active", f"the connection is {connection.status}", fix=_FIX)
    # `region` is only ever written from an event whose contract knows the three.
    return Seller(connection.account_id, connection.id, connection.selling_partner_id, connection.region)  # type: ignore[arg-type]


@contextmanager
def outcomes() -> Iterator[None]:
    """Turns an error of Amazon's into the run's outcome."""
    try:
        yield
    except AmazonError as error:
        raise outcome(error) from error


def outcome(error: AmazonError) -> RunFailed | RunLater | RunWaits:
    """Later for what passes by itself; for what somebody has to set right the run waits, or has failed."""
    match error:
        case Throttled():
            return RunLater(error.retry_after)
        case ConnectionRevoked() | ConnectionNotActive():
            return RunWaits("connection-not-active", str(error), fix=_FIX)
        case AccessDenied():
            return RunFailed("access-denied", str(error), amazon_code=error.code)
        case _:
            return RunLater(_PAUSE_SECONDS)
