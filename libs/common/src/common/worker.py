"""The worker of operation runs: claims each under a lease, keeps it by a heartbeat, and writes how it ended."""

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import structlog
from prometheus_client import Counter
from sqlalchemy.exc import IntegrityError

from common import clock
from common.bulk import run
from common.db import Database, is_transient
from common.jobs import RunFailed, RunLater, Runner, RunWaits, StaleWorker, Work, as_json, start
from common.telemetry import correlate, stack_of

log = structlog.get_logger()

_decoder = msgspec.json.Decoder()

# A worker that has not written for this long is taken for dead (RELIABILITY F1: resumed within 10 s).
LEASE_SECONDS = 8.0
HEARTBEATS_PER_LEASE = 4
# Of a lease's end nothing is sent any more: a call that leaves then would still be on its way when another takes over.
_LAST_PART = 1 / HEARTBEATS_PER_LEASE
POLL_SECONDS = 0.5
_LOOKS_FOR_DATABASE_SECONDS = 0.25
MAX_ATTEMPTS = 8
# A run that waits for people is woken; should that be missed in the moment in which it lies down, it looks for itself.
LOOKS_AGAIN_SECONDS = 900.0
# What passes by itself is looked for after half of the time that it has lasted, but never less often than this.
LONGEST_PAUSE = 10.0
ALARM_AFTER_SECONDS = 900.0

alarms = Counter("entrepot_run_wait_alarms_total", "Runs that wait for one thing too long", ["operation", "code"])
finished = Counter("entrepot_operation_runs_total", "Operation runs that ended", ["operation", "status"])


class Worker:
    """Claims due runs and brings each to its end; also turns due schedules into runs."""

    def __init__(
        self,
        database: Database,
        runners: Mapping[str, Runner],
        *,
        concurrency: int = 4,
        lease_seconds: float = LEASE_SECONDS,
        alarm_after_seconds: float = ALARM_AFTER_SECONDS,
    ) -> None:
        """`alarm_after_seconds`: how long a run may wait for one thing before that is an error in the log."""
        self._database = database
        self._runners = runners
        self._concurrency = concurrency
        self._lease_seconds = lease_seconds
        self._alarm_after = alarm_after_seconds
        self._busy: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Works until cancelled."""
        try:
            while True:
                try:
                    await self._start_due()
                    work = await self._claim() if len(self._busy) < self._concurrency else None
                except Exception as error:
                    if not is_transient(error):
                        raise
                    log.warning("worker_waits_for_database", reason=type(error).__name__)
                    await asyncio.sleep(_LOOKS_FOR_DATABASE_SECONDS)
                    continue
                if work is None:
                    await asyncio.sleep(POLL_SECONDS)
                    continue
                task = asyncio.create_task(self.execute(work), name=f"run-{work.operation}")
                self._busy.add(task)
                task.add_done_callback(self._busy.discard)
        finally:
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)

    async def run_due(self) -> int:
        """Executes everything that is due now, one after another; answers how many runs. For tests and commands."""
        await self._start_due()
        executed = 0
        while work := await self._claim():
            await self.execute(work)
            executed += 1
        return executed

    async def _start_due(self) -> None:
        now = clock.now()
        async with self._database.transaction() as session:
            due = await run(
                session,
                "select connection_id, operation, account_id, every_seconds from schedule "
                "where enabled and next_at <= $1 and operation = any($2) "
                "order by next_at limit 50 for update skip locked",
                now,
                list(self._runners),
            )
            for connection_id, operation, account_id, every in due:
                open_run = await run(
                    session,
                    "select 1 from operation_run where connection_id = $1 and operation = $2 "
                    "and status in ('queued', 'running') limit 1",
                    connection_id,
                    operation,
                )
                if not open_run:
                    await start(
                        session,
                        account_id=account_id,
                        connection_id=connection_id,
                        operation=operation,
                        requested_by="schedule",
                    )
                # A little jitter, so that connections made together do not call together for ever.
                pause = every * random.uniform(0.95, 1.05)  # noqa: S311 - not a secret
                await run(
                    session,
                    "update schedule set next_at = $3 where connection_id = $1 and operation = $2",
                    connection_id,
                    operation,
                    now + timedelta(seconds=pause),
                )

    async def _claim(self) -> Work | None:
        try:
            return await self._claim_next(uuid4())
        except IntegrityError:
            # Another worker began a run of the same connection and operation in this very moment.
            return None

    async def _claim_next(self, token: UUID) -> Work | None:
        lease_ends = self._lease_from_now()
        async with self._database.transaction() as session:
            rows = await run(
                session,
                """
                update operation_run set status = 'running', token = $1, heartbeat_at = clock_timestamp(),
                    started_at = coalesce(started_at, $3), attempts = attempts + 1
                where id = (
                    select r.id from operation_run r
                    where r.operation = any($2)
                      and ((r.status = 'queued' and r.due_at <= $3 and not exists (
                               select 1 from operation_run o where o.connection_id = r.connection_id
                               and o.operation = r.operation and o.status = 'running'))
                        or (r.status = 'running' and r.heartbeat_at < clock_timestamp() - $4 * interval '1 second'))
                    order by r.due_at limit 1 for update skip locked)
                returning id, account_id, connection_id, channel_id, operation, parameters, cursor, counts, errors,
                    progress, waits_for
                """,
                token,
                list(self._runners),
                clock.now(),
                self._lease_seconds,
            )
        if not rows:
            return None
        row = rows[0]
        return Work(
            id=row[0],
            account_id=row[1],
            connection_id=row[2],
            channel_id=row[3],
            operation=row[4],
            parameters=_loads(row[5]),
            cursor=_loads(row[6]),
            counts=_loads(row[7]),
            errors=_loads(row[8]),
            progress=row[9],
            waited_for=_loads(row[10]),
            token=token,
            lease_ends=lease_ends,
        )

    def _lease_from_now(self) -> float:
        """Taken before the database is asked, whose clock begins later: ours never outlives its."""
        return clock.elapsed() + self._lease_seconds * (1 - _LAST_PART)

    async def execute(self, work: Work) -> None:
        """Runs one claimed run to its end; every outcome is written, none is silent."""
        try:
            await self._execute(work)
        except Exception as error:
            if is_transient(error):
                raise
            # What it wanted to tell of its end cannot be kept: the end is told without it.
            log.error("run_outcome_unwritable", run_id=str(work.id), reason=type(error).__name__, stack=stack_of(error))
            work.counts, work.waited_for = {}, None
            work.errors = [{"code": "unexpected", "detail": type(error).__name__}]
            await self._end(work, "failed")

    async def _execute(self, work: Work) -> None:
        correlate(work.id.hex)
        beat = asyncio.create_task(self._beat(work))
        try:
            await self._runners[work.operation](work)
            work.progress = 1.0
            await self._end(work, "succeeded")
        except StaleWorker:
            log.warning("run_taken_over", run_id=str(work.id), operation=work.operation)
        except RunLater as pause:
            # Only what broke or died counts: else a run that pauses often would end at its first mishap.
            await self._requeue(work, _later(pause.seconds), "attempts = attempts - 1, waits_for = null, ")
        except RunWaits as wait:
            await self._wait(work, wait)
        except RunFailed as failure:
            work.errors.insert(0, failure.error)
            await self._end(work, "failed")
        except Exception as error:
            if is_transient(error):
                detail = f"the database is away or busy ({type(error).__name__})"
                fix = "Look at /readyz; the run goes on by itself"
                await self._wait(work, RunWaits("database_away", detail, fix=fix, seconds=0.5))
                return
            reason, stack = type(error).__name__, stack_of(error)
            log.error("run_broke", run_id=str(work.id), operation=work.operation, reason=reason, stack=stack)
            await self._retry_or_fail(work, error)
        finally:
            beat.cancel()

    async def _beat(self, work: Work) -> None:
        """Keeps the lease while a runner waits for Amazon; it does not touch the cursor."""
        while True:
            await asyncio.sleep(self._lease_seconds / HEARTBEATS_PER_LEASE)
            lease_ends = self._lease_from_now()
            try:
                async with self._database.transaction() as session:
                    ours = await run(
                        session,
                        "update operation_run set heartbeat_at = clock_timestamp() "
                        "where id = $1 and token = $2 and status = 'running' returning id",
                        work.id,
                        work.token,
                    )
            except Exception as error:
                if not is_transient(error):
                    raise
                continue
            if not ours:
                work.lease_ends = float("-inf")
                return
            work.lease_ends = lease_ends

    async def _wait(self, work: Work, wait: RunWaits) -> None:
        """Lays the run down with what it waits for, since when and until when; who should know of it is told once."""
        now = clock.now()
        earlier = work.waited_for
        goes_on = earlier is not None and earlier["code"] == wait.code and not work.has_moved()
        since = datetime.fromisoformat(earlier["since"]) if earlier and goes_on else now
        alarmed = bool(earlier and goes_on and earlier["alarmed"])
        waited = (now - since).total_seconds()
        pause = LOOKS_AGAIN_SECONDS
        if wait.seconds is not None:
            pause = max(wait.seconds, min(LONGEST_PAUSE, waited / 2) * random.uniform(0.8, 1))  # noqa: S311 - jitter
        about: dict[str, Any] = {"run_id": str(work.id), "operation": work.operation, "error_code": wait.code}
        about |= {"connection_id": str(work.connection_id), "since": since.isoformat()}
        if not goes_on:
            log.warning("run_needs_a_person" if wait.seconds is None else "run_waits", **about)
        if not alarmed and waited >= self._alarm_after:
            alarmed = True
            alarms.labels(work.operation, wait.code).inc()
            log.error("run_waits_too_long", waited_seconds=round(waited), **about)
        until = now + timedelta(seconds=pause)
        reason = wait.reason | {"since": since.isoformat(), "until": until.isoformat(), "alarmed": alarmed}
        await self._requeue(work, until, "attempts = attempts - 1, waits_for = $4, ", as_json(reason))

    async def _retry_or_fail(self, work: Work, error: Exception) -> None:
        async with self._database.transaction() as session:
            attempts = (await run(session, "select attempts from operation_run where id = $1", work.id))[0][0]
        if attempts < MAX_ATTEMPTS:
            await self._requeue(work, _later(min(60.0, 2.0**attempts) * random.random()))  # noqa: S311 - jitter
        else:
            work.errors.insert(0, {"code": "unexpected", "detail": type(error).__name__})
            await self._end(work, "failed")

    async def _requeue(self, work: Work, due_at: datetime, change: str = "", *values: Any) -> None:
        await self._write(work, f"{change}status = 'queued', token = null, due_at = $3", due_at, *values)

    async def _end(self, work: Work, status: str) -> None:
        await self._write(work, f"status = '{status}', waits_for = null, finished_at = $3", clock.now())
        finished.labels(work.operation, status).inc()
        log.info("run_ended", run_id=str(work.id), operation=work.operation, status=status, counts=work.counts)

    async def _write(self, work: Work, change: str, at: datetime, *values: Any) -> None:
        """Writes how the run was left; while the database is away the outcome is kept, and written when it is back."""
        while True:
            try:
                async with self._database.transaction() as session:
                    await work.hold(session)
                    await run(
                        session,
                        f"update operation_run set {change} where id = $1 and token = $2",  # noqa: S608 - own words
                        work.id,
                        work.token,
                        at,
                        *values,
                    )
                return
            except StaleWorker:
                log.warning("run_taken_over", run_id=str(work.id), operation=work.operation)
                return
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("outcome_waits_for_database", run_id=str(work.id), reason=type(error).__name__)
                await asyncio.sleep(_LOOKS_FOR_DATABASE_SECONDS)


def _later(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


def _loads(value: Any) -> Any:
    return _decoder.decode(value) if isinstance(value, str) else value
