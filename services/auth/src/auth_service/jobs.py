"""The door of time: what auth runs by itself."""

from collections.abc import Awaitable, Callable, Mapping

from auth_service.access_tokens import ConnectionIsRevoked
from auth_service.announcing import CHECK
from auth_service.checking import AmazonBusy, AmazonDeniesAccess, check
from auth_service.housekeeping import Housekeeping
from auth_service.lifecycle import CALLABLE
from auth_service.models import Connection
from auth_service.settings import AuthSettings
from common.amazon.client import AmazonClient
from common.amazon.run_outcomes import BY_ITSELF
from common.app import Runtime
from common.db import Database
from common.errors import ConnectionNotActiveProblem, Unavailable
from common.jobs import RunFailed, Runner, RunWaits, Work

_PAUSE_SECONDS = 300.0


class CheckConnection:
    """The runner of `check_connection`: whether Amazon still accepts the seller's authorisation."""

    def __init__(self, db: Database, amazon: AmazonClient) -> None:
        self._db = db
        self._amazon = amazon

    async def __call__(self, work: Work) -> None:
        async with self._db.transaction() as session:
            connection = await session.get(Connection, work.connection_id)
        if connection is None or connection.account_id != work.account_id or connection.status not in CALLABLE:
            return
        try:
            found = await check(self._db, self._amazon, connection)
        except AmazonBusy as busy:
            seconds = float((busy.headers or {}).get("Retry-After", _PAUSE_SECONDS))
            raise RunWaits("amazon_throttles", busy.title, fix=BY_ITSELF, seconds=seconds) from busy
        except (ConnectionIsRevoked, ConnectionNotActiveProblem, AmazonDeniesAccess) as problem:
            raise RunFailed(problem.slug, problem.title, fix=problem.how) from problem
        except Unavailable as problem:
            raise RunWaits("amazon_away", problem.title, fix=BY_ITSELF, seconds=_PAUSE_SECONDS) from problem
        work.count("marketplaces", len(found))


def runners(runtime: Runtime[AuthSettings]) -> Mapping[str, Runner]:
    return {CHECK: CheckConnection(runtime.db, runtime.amazon)}


def background(runtime: Runtime[AuthSettings]) -> Mapping[str, Callable[[], Awaitable[None]]]:
    return {"housekeeping": Housekeeping(runtime).run}
