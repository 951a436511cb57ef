"""Operation runs: everything scheduled or started by hand is one row with who, what, progress, counts and errors.

The row is the work queue: claimed with SKIP LOCKED, one at a time per (connection, operation), kept by a token and a
heartbeat. A run whose worker died is resumed from its cursor; the dead worker's late writes fail on the token."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import structlog
from prometheus_client import Counter
from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import run
from common.db import CommonTable, Database, UtcField, is_transient
from common.telemetry import correlate

log = structlog.get_logger()

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()

# A worker that has not written for this long is taken for dead (RELIABILITY F1: resumed within 10 s).
LEASE_SECONDS = 8.0
HEARTBEAT_SECONDS = 2.0
POLL_SECONDS = 0.5
ERRORS_KEPT = 100
MAX_ATTEMPTS = 8
# A run that waits for people is woken; should that be missed in the moment in which it lies down, it looks for itself.
LOOKS_AGAIN_SECONDS = 900.0

finished = Counter("entrepot_operation_runs_total", "Operation runs that ended", ["operation", "status"])


class OperationRun(CommonTable, table=True):
    """One run. `status`: queued, running, succeeded, failed. `errors` are {code, detail, ...} for people, first 100.

    `waits_for`, of the same shape, is why a queued run is not going on before people do something."""

    __tablename__ = "operation_run"
    __table_args__ = (
        # One at a time per (connection, operation): the database itself refuses a second one.
        Index(
            "uq_operation_run_running",
            "connection_id",
            "operation",
            unique=True,
            postgresql_where=text("status = 'running'"),
        ),
        Index("ix_operation_run_due", "due_at", postgresql_where=text("status in ('queued', 'running')")),
        Index("ix_operation_run_account", "account_id", "created_at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    connection_id: UUID
    channel_id: UUID | None = None
    operation: str
    requested_by: str
    status: str = "queued"
    parameters: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    cursor: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    counts: dict[str, int] = Field(default_factory=dict, sa_type=JSONB)
    errors: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    waits_for: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    progress: float = 0.0
    attempts: int = 0
    token: UUID | None = None
    heartbeat_at: datetime | None = UtcField(default=None)
    due_at: datetime = UtcField()
    created_at: datetime = UtcField()
    started_at: datetime | None = UtcField(default=None)
    finished_at: datetime | None = UtcField(default=None)


class Schedule(CommonTable, table=True):
    """Starts a run of an operation every so often, for one connection."""

    __tablename__ = "schedule"

    connection_id: UUID = Field(primary_key=True)
    operation: str = Field(primary_key=True)
    account_id: UUID
    every_seconds: float
    next_at: datetime = UtcField(index=True)
    enabled: bool = True


class StaleWorker(Exception):
    """Another worker has taken this run over: stop, nothing of yours is written any more."""


class RunFailed(Exception):
    """The run cannot go on and says why: `code` is stable, the text is for people."""

    def __init__(self, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.error = {"code": code, "detail": detail} | extra


class RunLater(Exception):
    """The run pauses and resumes from its cursor, e.g. when Amazon's allowance is used up."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"resumes in {seconds:.1f} s")
        self.seconds = seconds


class RunWaits(Exception):
    """The run waits until people have done something, and says what; `wake` resumes it from its cursor."""

    def __init__(self, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.reason = {"code": code, "detail": detail} | extra


@dataclass
class Work:
    """A claimed run in the hands of its worker."""

    id: UUID
    account_id: UUID
    connection_id: UUID
    channel_id: UUID | None
    operation: str
    parameters: dict[str, Any]
    cursor: dict[str, Any]
    token: UUID
    counts: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    progress: float = 0.0

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by

    def error(self, code: str, detail: str, **extra: Any) -> None:
        """Notes an error of one row; the run goes on. The first hundred are kept, all are counted."""
        self.count("errors")
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append({"code": code, "detail": detail} | extra)

    async def hold(self, session: AsyncSession) -> None:
        """First statement of every page's transaction: writes progress, and raises `StaleWorker` when overtaken."""
        rows = await run(
            session,
            "update operation_run set heartbeat_at = clock_timestamp(), cursor = $3, counts = $4, errors = $5, "
            "progress = $6 where id = $1 and token = $2 and status = 'running' returning id",
            self.id,
            self.token,
            _json(self.cursor),
            _json(self.counts),
            _json(self.errors),
            self.progress,
        )
        if not rows:
            raise StaleWorker(f"run {self.id} was taken over")


Runner = Callable[[Work], Awaitable[None]]


async def start(
    session: AsyncSession,
    *,
    account_id: UUID,
    connection_id: UUID,
    operation: str,
    requested_by: str,
    channel_id: UUID | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> OperationRun:
    """Queues a run; it begins when the one before it of the same (connection, operation) has ended."""
    queued = OperationRun(
        account_id=account_id,
        connection_id=connection_id,
        channel_id=channel_id,
        operation=operation,
        requested_by=requested_by,
        parameters=dict(parameters or {}),
        due_at=clock.now(),
        created_at=clock.now(),
    )
    session.add(queued)
    await session.flush()
    return queued


async def schedule(
    session: AsyncSession, *, account_id: UUID, connection_id: UUID, operation: str, every_seconds: float
) -> None:
    """Sets (or changes) how often an operation runs for a connection; the first run is due at once."""
    await run(
        session,
        "insert into schedule (connection_id, operation, account_id, every_seconds, next_at, enabled) "
        "values ($1, $2, $3, $4, $5, true) "
        "on conflict (connection_id, operation) do update set every_seconds = $4, enabled = true",
        connection_id,
        operation,
        account_id,
        every_seconds,
        clock.now(),
    )


async def unschedule(session: AsyncSession, connection_id: UUID) -> None:
    """Nothing is started for this connection any more; `schedule` resumes it."""
    await run(session, "update schedule set enabled = false where connection_id = $1", connection_id)


async def wake(session: AsyncSession, connection_id: UUID) -> None:
    """The connection's runs that wait for people are due now: what they waited for may have come, or never will."""
    await run(
        session,
        "update operation_run set due_at = $2 where connection_id = $1 and status = 'queued' and waits_for is not null",
        connection_id,
        clock.now(),
    )


class Worker:
    """Claims due runs and brings each to its end; also turns due schedules into runs."""

    def __init__(self, database: Database, runners: Mapping[str, Runner], *, concurrency: int = 4) -> None:
        self._database = database
        self._runners = runners
        self._concurrency = concurrency
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
                    await asyncio.sleep(1)
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
        async with self._database.transaction() as session:
            rows = await run(
                session,
                """
                update operation_run set status = 'running', token = $1, heartbeat_at = clock_timestamp(),
                    started_at = coalesce(started_at, $3), attempts = attempts + 1, waits_for = null
                where id = (
                    select r.id from operation_run r
                    where r.operation = any($2)
                      and ((r.status = 'queued' and r.due_at <= $3 and not exists (
                               select 1 from operation_run o where o.connection_id = r.connection_id
                               and o.operation = r.operation and o.status = 'running'))
                        or (r.status = 'running' and r.heartbeat_at < clock_timestamp() - $4 * interval '1 second'))
                    order by r.due_at limit 1 for update skip locked)
                returning id, account_id, connection_id, channel_id, operation, parameters, cursor, counts, errors,
                    progress
                """,
                token,
                list(self._runners),
                clock.now(),
                LEASE_SECONDS,
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
            token=token,
        )

    async def execute(self, work: Work) -> None:
        """Runs one claimed run to its end; every outcome is written, none is silent."""
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
            await self._requeue(work, pause.seconds, "attempts = attempts - 1, ")
        except RunWaits as wait:
            log.info("run_waits", run_id=str(work.id), operation=work.operation, code=wait.reason["code"])
            change = "attempts = attempts - 1, waits_for = $4, "
            await self._requeue(work, LOOKS_AGAIN_SECONDS, change, _json(wait.reason))
        except RunFailed as failure:
            work.errors.insert(0, failure.error)
            await self._end(work, "failed")
        except Exception as error:
            log.exception("run_broke", run_id=str(work.id), operation=work.operation)
            await self._retry_or_fail(work, error)
        finally:
            beat.cancel()

    async def _beat(self, work: Work) -> None:
        """Keeps the lease while a runner waits for Amazon; it does not touch the cursor."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                async with self._database.transaction() as session:
                    await run(
                        session,
                        "update operation_run set heartbeat_at = clock_timestamp() where id = $1 and token = $2",
                        work.id,
                        work.token,
                    )
            except Exception as error:
                if not is_transient(error):
                    raise

    async def _retry_or_fail(self, work: Work, error: Exception) -> None:
        async with self._database.transaction() as session:
            attempts = (await run(session, "select attempts from operation_run where id = $1", work.id))[0][0]
        if attempts < MAX_ATTEMPTS:
            await self._requeue(work, min(60.0, 2.0**attempts) * random.random())  # noqa: S311 - jitter
        else:
            work.errors.insert(0, {"code": "unexpected", "detail": type(error).__name__})
            await self._end(work, "failed")

    async def _requeue(self, work: Work, seconds: float, change: str = "", *values: Any) -> None:
        due_at = clock.now() + timedelta(seconds=seconds)
        await self._write(work, f"{change}status = 'queued', token = null, due_at = $3", due_at, *values)

    async def _end(self, work: Work, status: str) -> None:
        await self._write(work, f"status = '{status}', finished_at = $3", clock.now())
        finished.labels(work.operation, status).inc()
        log.info("run_ended", run_id=str(work.id), operation=work.operation, status=status, counts=work.counts)

    async def _write(self, work: Work, change: str, at: datetime, *values: Any) -> None:
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
        except StaleWorker:
            log.warning("run_taken_over", run_id=str(work.id), operation=work.operation)


def _json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return _encoder.encode(value).decode()


def _loads(value: Any) -> Any:
    return _decoder.decode(value) if isinstance(value, str) else value
