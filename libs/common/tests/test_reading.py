"""The lean door: rows of the account only, and a connection that dies is not handed out again."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy.exc import SQLAlchemyError

from common import clock
from common.callers import Caller
from common.db import Database, is_transient
from common.errors import DatabaseUnavailable, NotFound
from common.jobs import OperationRun
from common.reading import Reads
from common.testing.databases import Databases


@pytest_asyncio.fixture
async def db(databases: Databases) -> AsyncIterator[Database]:
    url = await databases.new("common")
    database = Database(url, service="reading", pool_size=2)
    yield database
    await database.close()
    await databases.drop(url)


@pytest.mark.row("A9")
async def test_a_record_is_read_by_its_own_account_only(db: Database) -> None:
    ours, theirs = (Caller(uuid4(), "somebody", frozenset()) for _ in range(2))
    run = OperationRun(
        account_id=ours.account_id,
        connection_id=uuid4(),
        operation="link",
        requested_by="somebody",
        counts={"linked": 3},
        created_at=clock.now(),
        due_at=clock.now(),
    )
    async with db.transaction() as session:
        session.add(run)
    reads = Reads(db.engine)
    row = await ours.row(reads, OperationRun, run.id)
    assert (row["operation"], row["counts"]) == ("link", {"linked": 3})
    with pytest.raises(NotFound):
        await theirs.row(reads, OperationRun, run.id)


@pytest.mark.fault("F6")
async def test_a_connection_that_dies_under_a_statement_is_a_clear_error_once(db: Database) -> None:
    reads = Reads(db.engine)
    # The statement ends its own connection; the driver learns of it by the answer.
    with pytest.raises(DatabaseUnavailable):
        await reads.row("select pg_terminate_backend(pg_backend_pid()), pg_sleep(5)")
    assert len(await _two_at_once(reads)) == 2


@pytest.mark.fault("F6")
async def test_connections_that_died_in_the_pool_cost_nobody_a_request(db: Database) -> None:
    reads = Reads(db.engine)
    pids = await _two_at_once(reads)
    killer = await asyncpg.connect(db.url)
    for pid in pids:
        assert await killer.fetchval("select pg_terminate_backend($1, 5000)", pid)
    await killer.close()
    assert pids.isdisjoint(await _two_at_once(reads))


async def test_more_readers_than_the_pool_has_wait_for_what_is_open(db: Database) -> None:
    reads = Reads(db.engine)
    rows = await asyncio.gather(*(reads.row("select pg_backend_pid() pid") for _ in range(20)))
    assert len({row["pid"] for row in rows if row is not None}) <= 2


async def test_who_waits_too_long_for_a_connection_is_told_to_come_again(db: Database) -> None:
    small = Database(db.url, service="reading", pool_size=1, pool_timeout=1)
    reads = Reads(small.engine)
    async with small.transaction() as one:
        await one.connection()
        with pytest.raises(DatabaseUnavailable) as told:
            await reads.row("select 1")
        with pytest.raises(SQLAlchemyError) as error:
            async with small.transaction() as second:
                await second.connection()
    await small.close()
    assert told.value.headers == {"Retry-After": "1"}
    assert is_transient(error.value)


async def _two_at_once(reads: Reads) -> set[int]:
    """The process ids of the pool's two connections."""
    both = await asyncio.gather(*(reads.row("select pg_backend_pid() pid, pg_sleep(0.05)::text") for _ in range(2)))
    return {row["pid"] for row in both if row is not None}
