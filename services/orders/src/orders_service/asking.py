"""What every run that asks Amazon shares: on whose behalf, and what an error of Amazon's means for the run."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlmodel.ext.asyncio.session import AsyncSession

from common.amazon.client import Seller
from common.amazon.errors import (
    AccessDenied,
    AmazonError,
    ConnectionNotActive,
    ConnectionRevoked,
    InvalidInput,
    Throttled,
)
from common.db import Database
from common.jobs import RunFailed, RunLater, RunWaits, Work
from orders_service.models import Connection

CALLABLE = ("active", "reauthorization_due")
DELETED = "deleted"
_AMAZON_IS_AWAY = 30.0
_FIX = "Enable the connection if it is disabled, else authorize it again; the run then goes on by itself"


async def seller_of(session: AsyncSession, work: Work) -> Seller:
    """The run's seller. Raises `RunWaits` while the connection may not be used, and `RunFailed` when it is gone."""
    connection = await session.get(Connection, work.connection_id, populate_existing=True)
    if connection is None or connection.account_id != work.account_id or connection.status == DELETED:
        raise RunFailed("connection_not_active", "the connection is deleted", fix="Connect the seller again")
    if connection.status not in CALLABLE:
        raise RunWaits("connection_not_active", f"the connection is {connection.status}", fix=_FIX)
    return Seller(
        connection.account_id,
        connection.id,
        connection.selling_partner_id,
        connection.region,  # type: ignore[arg-type]
    )


async def seller_now(db: Database, work: Work) -> Seller:
    """As `seller_of`, for the next call: a token lives on for an hour after its connection was switched off."""
    async with db.transaction() as session:
        return await seller_of(session, work)


@contextmanager
def amazon_errors_end_the_run() -> Iterator[None]:
    """Turns what Amazon's errors mean for the run: later when waiting helps, else it waits for people or has failed."""
    try:
        yield
    except Throttled as error:
        raise RunLater(error.retry_after) from error
    except (ConnectionRevoked, ConnectionNotActive) as error:
        raise RunWaits("connection_not_active", str(error), fix=_FIX) from error
    except AccessDenied as error:
        raise RunFailed(
            "access_denied", str(error), fix="Check the application's roles, then authorize the connection again"
        ) from error
    except InvalidInput as error:
        raise RunFailed("amazon_refused", f"{error}: {error.message}".strip()) from error
    except AmazonError as error:
        raise RunLater(_AMAZON_IS_AWAY) from error
