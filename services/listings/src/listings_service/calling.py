"""What every operation does around its calls to Amazon: find the seller, and turn failures into the run's outcome."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common.amazon.client import Seller
from common.amazon.errors import AccessDenied, AmazonError, ConnectionNotActive, ConnectionRevoked, Throttled
from common.jobs import RunFailed, RunLater
from listings_service.models import Connection
from listings_service.remembering import CALLABLE

# After Amazon or auth was away: the run goes on from its cursor.
_PAUSE_SECONDS = 10.0


async def seller(session: AsyncSession, connection_id: UUID) -> Seller:
    """The seller to call for. A connection that may not be called fails the run before any call is made (edge 21)."""
    connection = await session.get(Connection, connection_id, populate_existing=True)
    if connection is None or connection.status not in CALLABLE:
        status = connection.status if connection else "unknown"
        raise RunFailed("connection-not-active", f"the connection is {status}; authorise it again to go on")
    # `region` is only ever written from an event whose contract knows the three.
    return Seller(connection.account_id, connection.id, connection.selling_partner_id, connection.region)  # type: ignore[arg-type]


@contextmanager
def outcomes() -> Iterator[None]:
    """Turns an error of Amazon's into the run's outcome."""
    try:
        yield
    except AmazonError as error:
        raise outcome(error) from error


def outcome(error: AmazonError) -> RunFailed | RunLater:
    """Later for what passes by itself, failed for what somebody has to set right."""
    match error:
        case Throttled():
            return RunLater(error.retry_after)
        case ConnectionRevoked() | ConnectionNotActive():
            return RunFailed("connection-not-active", str(error))
        case AccessDenied():
            return RunFailed("access-denied", str(error), amazon_code=error.code)
        case _:
            return RunLater(_PAUSE_SECONDS)
