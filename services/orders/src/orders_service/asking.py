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
from common.jobs import RunFailed, RunLater, Work
from orders_service.models import Connection

CALLABLE = ("active", "reauthorization_due")
_AMAZON_IS_AWAY = 30.0


async def seller_of(session: AsyncSession, work: Work) -> Seller:
    """The run's seller. Raises `RunFailed` when the connection may not be used."""
    connection = await session.get(Connection, work.connection_id)
    if connection is None or connection.account_id != work.account_id or connection.status not in CALLABLE:
        status = connection.status if connection else "unknown"
        raise RunFailed("connection_not_active", f"the connection is {status}", fix="Authorize the connection again")
    return Seller(
        connection.account_id,
        connection.id,
        connection.selling_partner_id,
        connection.region,  # type: ignore[arg-type]
    )


@contextmanager
def amazon_errors_end_the_run() -> Iterator[None]:
    """Turns what Amazon's errors mean into the run's end: later when waiting helps, failed when only people can."""
    try:
        yield
    except Throttled as error:
        raise RunLater(error.retry_after) from error
    except (ConnectionRevoked, ConnectionNotActive) as error:
        raise RunFailed("connection_not_active", str(error), fix="Authorize the connection again") from error
    except AccessDenied as error:
        raise RunFailed(
            "access_denied", str(error), fix="Check the application's roles, then authorize the connection again"
        ) from error
    except InvalidInput as error:
        raise RunFailed("amazon_refused", f"{error}: {error.message}".strip()) from error
    except AmazonError as error:
        raise RunLater(_AMAZON_IS_AWAY) from error
