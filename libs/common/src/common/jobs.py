"""Operation runs: everything scheduled or started by hand is one row with who, what, progress, counts and errors.

The row is the work queue: claimed with SKIP LOCKED, one at a time per (connection, operation), kept by a token and a
heartbeat. A run whose worker died is resumed from its cursor; the dead worker's late writes fail on the token."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import run
from common.db import CommonTable, UtcField

_encoder = msgspec.json.Encoder()

ERRORS_KEPT = 100


class OperationRun(CommonTable, table=True):
    """One run. `status`: queued, running, succeeded, failed. `errors` are {code, detail, ...} for people, first 100.

    `waits_for` is why the run is not going on: {code, detail, fix, since, until, alarmed}, until it has moved on or
    ended. `until` is when it looks again by itself, `alarmed` whether somebody has been told that it lasts."""

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
        Index("ix_operation_run_ended", "finished_at", postgresql_where=text("finished_at is not null")),
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


class LeaseLapsed(StaleWorker):
    """This worker has not renewed its lease in time: another may have taken the run over already."""


class RunFailed(Exception):
    """The run cannot go on and says why: `code` is stable, the text is for people."""

    def __init__(self, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.error = {"code": code, "detail": detail} | extra


class RunLater(Exception):
    """The run gives way to others and resumes from its cursor; it waits for nothing."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"resumes in {seconds:.1f} s")
        self.seconds = seconds


class RunWaits(Exception):
    """The run cannot go on for now, says why, and resumes from its cursor.

    `seconds`: when it looks again by itself, later and later up to `LONGEST_PAUSE` while it lasts. None: it waits for
    people, who do what `fix` says; `wake` then resumes it.
    """

    def __init__(self, code: str, detail: str, *, fix: str, seconds: float | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.seconds = seconds
        self.reason = {"code": code, "detail": detail, "fix": fix} | extra


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
    # What the run waited for last, and whether anything has been done for it since.
    waited_for: dict[str, Any] | None = None
    moved: bool = False
    claimed_cursor: dict[str, Any] | None = None
    # Until when this worker may act for the run (`clock.elapsed`); only a lease that is written in time moves it.
    lease_ends: float = field(default_factory=lambda: float("inf"))

    def still_holds(self) -> None:
        """The fence of every write to Amazon. Raises `LeaseLapsed` when another worker may have the run, and may have
        written something newer: what was prepared is then left for the next one to read back."""
        if clock.elapsed() >= self.lease_ends:
            raise LeaseLapsed(f"the lease of run {self.id} was not renewed in time")

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by

    def error(self, code: str, detail: str, **extra: Any) -> None:
        """Notes an error of one row; the run goes on. The first hundred are kept, all are counted."""
        self.count("errors")
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append({"code": code, "detail": detail} | extra)

    def has_moved(self) -> bool:
        """Whether this worker got the run any further: a runner without a cursor says so by `moved`."""
        return self.moved or self.cursor != self.claimed_cursor

    def __post_init__(self) -> None:
        if self.claimed_cursor is None:
            self.claimed_cursor = dict(self.cursor)

    async def hold(self, session: AsyncSession) -> None:
        """First statement of every page's transaction: writes progress, and raises `StaleWorker` when overtaken."""
        rows = await run(
            session,
            "update operation_run set heartbeat_at = clock_timestamp(), cursor = $3, counts = $4, errors = $5, "
            "progress = $6, waits_for = case when $7 then null else waits_for end "
            "where id = $1 and token = $2 and status = 'running' returning id",
            self.id,
            self.token,
            as_json(self.cursor),
            as_json(self.counts),
            as_json(self.errors),
            self.progress,
            self.has_moved(),
        )
        if not rows:
            raise StaleWorker(f"run {self.id} was taken over")


def as_json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """A value of one of the run's JSON columns, as a parameter of raw SQL. What others said may hold U+0000, which no
    column does."""
    return _encoder.encode(value).decode().replace("\\u0000", "\\ufffd")


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
    """The connection's runs that wait are due now: what they waited for may have come, or never will."""
    await run(
        session,
        "update operation_run set due_at = $2 where connection_id = $1 and status = 'queued' and waits_for is not null",
        connection_id,
        clock.now(),
    )
