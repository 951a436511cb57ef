"""What has served its time is deleted, in small pieces: inbox, idempotency keys, ended runs, refused events."""

import asyncio
from datetime import datetime, timedelta

import structlog

from common import clock
from common.bulk import run
from common.db import Database, is_transient
from common.settings import ServiceSettings

log = structlog.get_logger()

EVERY_SECONDS = 600.0
# Rows of one transaction: short locks, and others go on in between.
PIECE = 2000

_INBOX = (
    "delete from inbox where (consumer, event_id) in (select consumer, event_id from inbox where received_at < $1 "
    "order by received_at limit $2 for update skip locked) returning 1"
)
_IDEMPOTENCY = (
    "delete from idempotency_key where (account_id, key) in (select account_id, key from idempotency_key "
    "where created_at < $1 order by created_at limit $2 for update skip locked) returning 1"
)
_RUNS = (
    "delete from operation_run where id in (select id from operation_run where finished_at < $1 "
    "order by finished_at limit $2 for update skip locked) returning 1"
)
_REFUSED = (
    "delete from dead_letter where id in (select id from dead_letter where created_at < $1 and not parked "
    "order by id limit $2 for update skip locked) returning 1"
)


class Pruning:
    """The loop of one service; replicas that prune at once share the work."""

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        self._database = database
        self._keeps = {
            _INBOX: timedelta(days=settings.inbox_keep_days),
            _IDEMPOTENCY: timedelta(days=settings.idempotency_keep_days),
            _RUNS: timedelta(days=settings.ended_runs_keep_days),
            _REFUSED: timedelta(days=settings.refused_events_keep_days),
        }

    async def run(self) -> None:
        while True:
            try:
                if deleted := await self.prune():
                    log.info("pruned", rows=deleted)
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(EVERY_SECONDS)

    async def prune(self, *, piece: int = PIECE) -> int:
        """Deletes all that is over its time; answers how many rows."""
        total = 0
        for statement, keep in self._keeps.items():
            deleted = piece
            while deleted == piece:
                deleted = await self._delete(statement, clock.now() - keep, piece)
                total += deleted
        return total

    async def _delete(self, statement: str, before: datetime, piece: int) -> int:
        async with self._database.transaction() as session:
            return len(await run(session, statement, before, piece))
