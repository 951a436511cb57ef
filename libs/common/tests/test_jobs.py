"""Operation runs: the queue, the lease, and what a dead or overtaken worker may still do (nothing)."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
import structlog

from common import clock, jobs
from common.bulk import run
from common.db import Database
from common.jobs import LeaseLapsed, OperationRun, RunFailed, RunLater, RunWaits, StaleWorker, Work
from common.testing.databases import Databases
from common.worker import LONGEST_PAUSE, LOOKS_AGAIN_SECONDS, MAX_ATTEMPTS, Worker

ACCOUNT, CONNECTION = uuid4(), uuid4()


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    url = await databases.new("common")
    one = Database(url, service="common")
    yield one
    await one.close()
    await databases.drop(url)


async def queue(database: Database, connection_id: UUID = CONNECTION) -> UUID:
    async with database.transaction() as session:
        queued = await jobs.start(
            session, account_id=ACCOUNT, connection_id=connection_id, operation="count", requested_by="tester"
        )
        return queued.id


async def stored(database: Database, run_id: UUID) -> OperationRun:
    async with database.transaction() as session:
        return await session.get_one(OperationRun, run_id)


async def test_a_run_ends_with_its_counts_and_errors(database: Database) -> None:
    async def count(work: Work) -> None:
        work.count("created", 3)
        work.error("bad_row", "row 7 has no SKU", row=7)

    run_id = await queue(database)
    assert await Worker(database, {"count": count}).run_due() == 1
    ended = await stored(database, run_id)
    assert (ended.status, ended.progress, ended.counts) == ("succeeded", 1.0, {"created": 3, "errors": 1})
    assert ended.errors == [{"code": "bad_row", "detail": "row 7 has no SKU", "row": 7}]


async def test_a_run_that_cannot_go_on_says_why(database: Database) -> None:
    async def count(_: Work) -> None:
        raise RunFailed("no_shipping_mappings", "map shipping first", setting="shipping-mappings")

    run_id = await queue(database)
    await Worker(database, {"count": count}).run_due()
    ended = await stored(database, run_id)
    assert ended.status == "failed"
    assert ended.errors == [
        {"code": "no_shipping_mappings", "detail": "map shipping first", "setting": "shipping-mappings"}
    ]


async def test_a_broken_run_is_tried_again_and_fails_at_last(database: Database) -> None:
    tries = 0

    async def count(_: Work) -> None:
        nonlocal tries
        tries += 1
        raise ZeroDivisionError

    run_id = await queue(database)
    worker = Worker(database, {"count": count})
    for _ in range(MAX_ATTEMPTS + 2):
        async with database.transaction() as session:
            await run(session, "update operation_run set due_at = now() - interval '1 hour'")
        await worker.run_due()
    ended = await stored(database, run_id)
    assert (tries, ended.status) == (MAX_ATTEMPTS, "failed")
    assert ended.errors[0] == {"code": "unexpected", "detail": "ZeroDivisionError"}


async def test_a_run_whose_error_holds_what_no_column_does_ends_all_the_same(database: Database) -> None:
    async def count(work: Work) -> None:
        work.error("odd", "Amazon's words: \x00")
        raise RunFailed("refused", "and \x00 again")

    run_id = await queue(database)
    await Worker(database, {"count": count}).run_due()
    ended = await stored(database, run_id)
    assert (ended.status, [error["code"] for error in ended.errors]) == ("failed", ["refused", "odd"])


async def test_a_paused_run_resumes_from_its_cursor(database: Database) -> None:
    async def count(work: Work) -> None:
        if not work.cursor:
            work.cursor = {"page": 4}
            raise RunLater(0)
        work.count("resumed_at", work.cursor["page"])

    run_id = await queue(database)
    await Worker(database, {"count": count}).run_due()
    ended = await stored(database, run_id)
    assert (ended.status, ended.counts) == ("succeeded", {"resumed_at": 4})


async def test_pauses_are_no_attempts(database: Database) -> None:
    """A run that paused often is tried again after an error; one that breaks again and again ends, pauses or not."""

    async def count(work: Work) -> None:
        page = work.cursor.get("page", 0)
        work.cursor = {"page": page + 1}
        if page < 2 * MAX_ATTEMPTS or page % 2:
            raise RunLater(0)
        raise RuntimeError("at every other page from now on")

    run_id = await queue(database)
    worker = Worker(database, {"count": count})
    await worker.run_due()
    once_broken = await stored(database, run_id)
    assert once_broken.status == "queued"
    assert 1 <= once_broken.attempts < MAX_ATTEMPTS  # more than one when the random pause was short
    while (await stored(database, run_id)).status == "queued":
        async with database.transaction() as session:
            await run(session, "update operation_run set due_at = created_at")
        await worker.run_due()
    ended = await stored(database, run_id)
    assert (ended.status, ended.attempts) == ("failed", MAX_ATTEMPTS)


@pytest.mark.fault("F14")
async def test_a_run_that_waits_for_people_says_why_uses_no_attempt_and_goes_on_when_it_is_woken(
    database: Database,
) -> None:
    consented = False

    async def count(work: Work) -> None:
        if not consented:
            work.cursor = {"page": 4}
            raise RunWaits("connection_not_active", "the connection is revoked", fix="Authorize it again")
        work.count("resumed_at", work.cursor["page"])

    run_id = await queue(database)
    other_id = await queue(database, uuid4())
    worker = Worker(database, {"count": count})
    for _ in range(MAX_ATTEMPTS + 2):
        async with database.transaction() as session:
            await jobs.wake(session, CONNECTION)
        await worker.run_due()
    waiting = await stored(database, run_id)
    assert (waiting.status, waiting.attempts, waiting.errors) == ("queued", 0, [])
    assert waiting.waits_for is not None
    assert datetime.fromisoformat(waiting.waits_for.pop("since")) <= clock.now()
    assert datetime.fromisoformat(waiting.waits_for.pop("until")) == waiting.due_at > clock.now()
    assert waiting.waits_for == {
        "code": "connection_not_active",
        "detail": "the connection is revoked",
        "fix": "Authorize it again",
        "alarmed": False,
    }
    consented = True
    assert await worker.run_due() == 0
    async with database.transaction() as session:
        await jobs.wake(session, CONNECTION)
    assert await worker.run_due() == 1
    ended = await stored(database, run_id)
    assert (ended.status, ended.counts, ended.waits_for) == ("succeeded", {"resumed_at": 4}, None)
    assert (await stored(database, other_id)).status == "queued"


async def test_a_waiting_run_looks_for_itself_when_nobody_wakes_it(database: Database) -> None:
    async def count(work: Work) -> None:
        if not work.cursor:
            work.cursor = {"page": 4}
            raise RunWaits("connection_not_active", "the connection is revoked", fix="Authorize it again")

    run_id = await queue(database)
    worker = Worker(database, {"count": count})
    assert await worker.run_due() == 1
    async with database.transaction() as session:
        earlier = f"due_at - interval '{LOOKS_AGAIN_SECONDS} seconds'"
        await run(session, f"update operation_run set due_at = {earlier}")
    assert await worker.run_due() == 1
    assert (await stored(database, run_id)).status == "succeeded"


@pytest.mark.fault("F11")
async def test_a_run_that_waits_says_since_when_looks_again_by_itself_and_raises_one_alarm(database: Database) -> None:
    is_away = True

    async def count(_: Work) -> None:
        if is_away:
            raise RunWaits("amazon_away", "503", fix="Nothing", seconds=2.0)

    async def ago(minutes: float) -> None:
        """As if the run had begun to wait so long ago."""
        since = (clock.now() - timedelta(minutes=minutes)).isoformat()
        async with database.transaction() as session:
            change = "due_at = now(), waits_for = jsonb_set(waits_for, '{since}', to_jsonb($1::text))"
            await run(session, f"update operation_run set {change}", since)

    run_id = await queue(database)
    worker = Worker(database, {"count": count}, alarm_after_seconds=600)
    with structlog.testing.capture_logs() as logs:
        await worker.run_due()
        first = (await stored(database, run_id)).waits_for
        assert first is not None
        for minutes in (5, 11, 12):
            await ago(minutes)
            assert await worker.run_due() == 1
        waiting = await stored(database, run_id)
    assert waiting.waits_for is not None
    assert (waiting.status, waiting.attempts, waiting.waits_for["alarmed"]) == ("queued", 0, True)
    lasting = clock.now() - datetime.fromisoformat(waiting.waits_for["since"])
    assert timedelta(minutes=12) <= lasting < timedelta(minutes=13)
    assert timedelta(seconds=1) < waiting.due_at - clock.now() <= timedelta(seconds=LONGEST_PAUSE)
    told = [(line["log_level"], line["event"], line["error_code"]) for line in logs]
    assert told == [("warning", "run_waits", "amazon_away"), ("error", "run_waits_too_long", "amazon_away")]
    is_away = False
    await ago(13)
    await worker.run_due()
    ended = await stored(database, run_id)
    assert (ended.status, ended.waits_for) == ("succeeded", None)


async def test_a_run_that_moves_on_between_its_waits_raises_no_alarm(database: Database) -> None:
    async def count(work: Work) -> None:
        work.cursor = {"page": work.cursor.get("page", 0) + 1}
        async with database.transaction() as session:
            await work.hold(session)
        raise RunWaits("amazon_throttles", "429", fix="Nothing", seconds=0)

    run_id = await queue(database)
    worker = Worker(database, {"count": count}, alarm_after_seconds=0.001)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            async with database.transaction() as session:
                await run(session, "update operation_run set due_at = created_at")
            work = await worker._claim()
            assert work is not None
            await worker.execute(work)
    waiting = await stored(database, run_id)
    assert (waiting.cursor, waiting.waits_for and waiting.waits_for["alarmed"]) == ({"page": 3}, False)
    assert {line["event"] for line in logs} == {"run_waits"}


@pytest.mark.fault("F4")
async def test_a_run_whose_database_goes_away_waits_for_it_and_uses_no_attempt(database: Database) -> None:
    tries = 0

    async def count(_: Work) -> None:
        nonlocal tries
        tries += 1
        if tries <= MAX_ATTEMPTS + 1:
            async with database.transaction() as session:
                await run(session, "select pg_terminate_backend(pg_backend_pid())")

    run_id = await queue(database)
    worker = Worker(database, {"count": count})
    while (await stored(database, run_id)).status == "queued":
        async with database.transaction() as session:
            await run(session, "update operation_run set due_at = created_at")
        await worker.run_due()
    ended = await stored(database, run_id)
    assert (tries, ended.status, ended.attempts) == (MAX_ATTEMPTS + 2, "succeeded", 1)


@pytest.mark.fault("F16")
async def test_a_worker_that_was_overtaken_writes_nothing_more(database: Database) -> None:
    run_id = await queue(database)
    reached, go_on = asyncio.Event(), asyncio.Event()
    outcome: list[str] = []

    async def slow(work: Work) -> None:
        reached.set()
        await go_on.wait()
        work.count("by_the_stale_one")
        async with database.transaction() as session:
            try:
                await work.hold(session)
            except StaleWorker:
                outcome.append("refused")
                raise

    async def quick(work: Work) -> None:
        work.count("by_the_new_one")

    stale = asyncio.create_task(Worker(database, {"count": slow}).run_due())
    await reached.wait()
    async with database.transaction() as session:
        await run(session, "update operation_run set heartbeat_at = now() - interval '1 minute'")
    assert await Worker(database, {"count": quick}).run_due() == 1
    go_on.set()
    await stale
    ended = await stored(database, run_id)
    assert outcome == ["refused"]
    assert ended.counts == {"by_the_new_one": 1}


@pytest.mark.fault("F16")
async def test_a_worker_that_was_overtaken_is_refused_while_the_new_one_is_still_running(database: Database) -> None:
    run_id = await queue(database)
    taken, go_on, end = asyncio.Event(), asyncio.Event(), asyncio.Event()
    works: list[Work] = []

    async def one_of_two(work: Work) -> None:
        works.append(work)
        taken.set()
        await (go_on if len(works) == 1 else end).wait()
        async with database.transaction() as session:
            await work.hold(session)

    stale = asyncio.create_task(Worker(database, {"count": one_of_two}).run_due())
    await taken.wait()
    taken.clear()
    async with database.transaction() as session:
        await run(session, "update operation_run set heartbeat_at = now() - interval '1 minute'")
    new = asyncio.create_task(Worker(database, {"count": one_of_two}).run_due())
    await taken.wait()
    works[0].count("by_the_stale_one")
    go_on.set()
    await stale
    between = await stored(database, run_id)
    assert (between.status, between.token, between.counts) == ("running", works[1].token, {})
    async with database.transaction() as session:
        with pytest.raises(StaleWorker):
            await works[0].hold(session)
    end.set()
    await new
    assert (await stored(database, run_id)).status == "succeeded"


@pytest.mark.fault("F16")
async def test_a_worker_that_stood_still_may_not_act_until_it_has_taken_the_run_anew(database: Database) -> None:
    """Its whole event loop stands still, heartbeat included; nobody else was there, so it is its own successor."""
    lease = 1.2
    held: list[bool] = []

    async def count(work: Work) -> None:
        if not held:
            work.still_holds()
            time.sleep(lease)  # noqa: ASYNC251 - that is the fault
        try:
            work.still_holds()
        except LeaseLapsed:
            held.append(False)
            raise
        held.append(True)

    run_id = await queue(database)
    worker = Worker(database, {"count": count}, lease_seconds=lease)
    while (await stored(database, run_id)).status != "succeeded":
        await worker.run_due()
    assert held == [False, True]


@pytest.mark.fault("F16")
async def test_a_worker_that_waits_longer_than_its_lease_keeps_it_by_its_heartbeat(database: Database) -> None:
    lease = 1.0

    async def count(work: Work) -> None:
        ends = clock.elapsed() + 2 * lease
        while clock.elapsed() < ends:
            await asyncio.sleep(0.05)
        work.still_holds()

    run_id = await queue(database)
    await Worker(database, {"count": count}, lease_seconds=lease).run_due()
    ended = await stored(database, run_id)
    assert (ended.status, ended.attempts) == ("succeeded", 1)


async def test_two_runs_of_one_connection_and_operation_never_run_together(database: Database) -> None:
    running = together = 0

    async def count(_: Work) -> None:
        nonlocal running, together
        running += 1
        together = max(together, running)
        await asyncio.sleep(0.02)
        running -= 1

    for _ in range(4):
        await queue(database)
    for _ in range(4):
        await asyncio.gather(*(Worker(database, {"count": count}).run_due() for _ in range(3)))
    async with database.transaction() as session:
        statuses = await run(session, "select distinct status from operation_run")
    assert ([row[0] for row in statuses], together) == (["succeeded"], 1)


async def test_a_run_that_waits_for_its_turn_keeps_no_other_connection_waiting(database: Database) -> None:
    other = uuid4()
    ran: list[UUID] = []

    async def note(work: Work) -> None:
        ran.append(work.connection_id)
        if len(ran) == 1:
            await queue(database)
            async with database.transaction() as session:
                await jobs.start(
                    session, account_id=ACCOUNT, connection_id=other, operation="count", requested_by="test"
                )
            await Worker(database, {"count": note}).run_due()
            assert ran == [CONNECTION, other]

    await queue(database)
    await Worker(database, {"count": note}).run_due()
    assert ran == [CONNECTION, other, CONNECTION]


async def test_a_due_schedule_starts_one_run_and_not_a_second_while_one_is_open(database: Database) -> None:
    done = 0

    async def count(_: Work) -> None:
        nonlocal done
        done += 1

    async with database.transaction() as session:
        await jobs.schedule(
            session, account_id=ACCOUNT, connection_id=CONNECTION, operation="count", every_seconds=3600
        )
    worker = Worker(database, {"count": count})
    assert await worker.run_due() == 1
    assert await worker.run_due() == 0
    async with database.transaction() as session:
        await run(session, "update schedule set next_at = now() - interval '1 minute'")
        await jobs.unschedule(session, CONNECTION)
    assert await worker.run_due() == 0
    assert done == 1
