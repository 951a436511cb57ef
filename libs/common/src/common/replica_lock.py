"""One consumer per replica number: a lock in the service's own database, held as long as its connection lives.

Kafka takes the newer one of two members with one static instance id and throws the other out; that one joins again, and
so on for ever. Here the second one does not begin, says so, and takes over when the first is gone."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from common.database_url import connect
from common.db import Database
from common.pulse import Pulse

log = structlog.get_logger()

# The lock's first number, "repl" in ASCII; the second is the replica.
LOCK = 0x7265706C
_POLL_SECONDS = 0.25
_ASK_SECONDS = 5.0


class ReplicaLock:
    """The right of replica `replica` to consume."""

    def __init__(self, database: Database, replica: int, pulse: Pulse) -> None:
        self._database = database
        self._replica = replica
        self._pulse = pulse

    async def run(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Runs the loop while the lock is ours. A lost connection takes the lock along but does not stop the loop: only
        another holder does."""
        running: asyncio.Task[None] | None = None
        try:
            while running is None or not running.done():
                try:
                    connection = await connect(self._database.url, application_name="replica-lock")
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await asyncio.sleep(_POLL_SECONDS)
                    continue
                try:
                    running = await self._hold(connection, loop, running)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    log.warning("replica_lock_lost", replica=self._replica, reason=type(error).__name__)
                finally:
                    connection.terminate()
            await running
        finally:
            await _end(running)

    async def _hold(
        self,
        connection: "asyncpg.Connection[Any]",
        loop: Callable[[], Awaitable[None]],
        running: asyncio.Task[None] | None,
    ) -> asyncio.Task[None]:
        """Returns when the connection is lost, or the loop ended."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        while not await connection.fetchval("select pg_try_advisory_lock($1, $2)", LOCK, self._replica):
            await _end(running)
            running = None
            if not self._pulse.refused:
                self._pulse.refused = (
                    f"another process consumes as replica {self._replica} of this service: "
                    "give each process a REPLICA of its own; this one begins when the other is gone"
                )
                log.error("replica_is_taken", replica=self._replica, fix="give each process a REPLICA of its own")
            await asyncio.sleep(_POLL_SECONDS)
        if running is None:
            self._pulse.refused = ""
            running = asyncio.ensure_future(loop())
        waiting = asyncio.create_task(lost.wait())
        # Only now: a connection does one thing at a time, and until here it asked for the lock.
        beside = asyncio.create_task(_until_silent(connection, lost))
        try:
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            beside.cancel()
        return running


async def _until_silent(connection: "asyncpg.Connection[Any]", lost: asyncio.Event) -> None:
    """A line that died without a word still looks open here: it is asked."""
    while True:
        await asyncio.sleep(_ASK_SECONDS)
        try:
            await connection.fetchval("select 1", timeout=_ASK_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            lost.set()
            return


async def _end(running: "asyncio.Task[None] | None") -> None:
    if running is not None and not running.done():
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
