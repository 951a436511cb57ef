"""What has served its time goes, piece by piece; what is younger, open or parked stays."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from common import clock
from common.bulk import run
from common.db import Database
from common.pruning import Pruning
from common.settings import ServiceSettings
from common.testing.databases import Databases
from common.testing.plugin import KEY_RING


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    url = await databases.new("common")
    one = Database(url, service="common")
    yield one
    await one.close()
    await databases.drop(url)


def settings(**keeps: Any) -> ServiceSettings:
    given: dict[str, Any] = {"database_url": "postgresql://u@h/d", "kafka_bootstrap_servers": "h:1"}
    given |= {"auth_url": "http://h", "service_key": "k", "key_ring": KEY_RING}
    return ServiceSettings(**given | keeps)


_FILL = """
insert into inbox select 'c', gen_random_uuid(), $1 from generate_series(1, 7);
insert into idempotency_key select gen_random_uuid(), 'k' || n, '', '', $1 from generate_series(1, 7) n;
insert into operation_run (id, account_id, connection_id, operation, requested_by, status, parameters, cursor, counts,
    errors, progress, attempts, due_at, created_at, finished_at)
select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'sync', 'x', status, '{}', '{}', '{}', '[]', 0, 0,
    $1, $1, case when status <> 'queued' then $1::timestamptz end
from unnest(array['succeeded', 'failed', 'succeeded', 'queued']) status;
insert into dead_letter (letter_id, consumer, topic, key, partition, position, reason, parked, message, created_at)
select gen_random_uuid(), 'c', 't', 'k', 0, n, 'r', n > 5, '', $1 from generate_series(1, 7) n
"""
TABLES = ("inbox", "idempotency_key", "operation_run", "dead_letter")


async def rows(database: Database) -> dict[str, int]:
    async with database.transaction() as session:
        return {table: (await run(session, f"select count(*) from {table}"))[0][0] for table in TABLES}


@pytest.mark.parametrize("piece", [2, 1000])
async def test_what_is_over_its_time_is_deleted_in_pieces_and_the_rest_stays(database: Database, piece: int) -> None:
    keeps = {"inbox": 30, "idempotency": 7, "ended_runs": 90, "refused_events": 60}
    for days in (1, 8, 31, 61, 91):
        async with database.transaction() as session:
            for statement in _FILL.split(";"):
                await run(session, statement, clock.now() - timedelta(days=days))
    full = await rows(database)
    assert full == {"inbox": 35, "idempotency_key": 35, "operation_run": 20, "dead_letter": 35}
    pruning = Pruning(database, settings(**{f"{name}_keep_days": days for name, days in keeps.items()}))
    # Younger than 30, 7, 90 and 60 days; a queued run and a parked event of any age.
    left = {"inbox": 2 * 7, "idempotency_key": 7, "operation_run": 4 * 4 + 1, "dead_letter": 3 * 7 + 2 * 2}
    assert await pruning.prune(piece=piece) == sum(full.values()) - sum(left.values())
    assert await rows(database) == left
    assert await pruning.prune(piece=piece) == 0


def test_the_inbox_remembers_longer_than_topics_keep() -> None:
    with pytest.raises(ValueError, match="inbox_keep_days"):
        settings(inbox_keep_days=14)
