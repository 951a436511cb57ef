"""Foreign items: the good ones go in, each odd one is set aside, and nobody is blamed for what is not his fault."""

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession
from structlog.testing import capture_logs

from common.amazon.errors import (
    AccessDenied,
    AmazonError,
    AmazonUnavailable,
    ConnectionRevoked,
    MalformedAnswer,
    Throttled,
)
from common.bulk import run
from common.db import Database, is_transient
from common.item_by_item import alarm, all_or_each, is_the_items_fault, is_unanswered, reason_of
from common.jobs import StaleWorker
from common.testing.databases import Databases

BEYOND = "1" + "0" * 14


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    url = await databases.new("common")
    one = Database(url, service="common")
    async with one.transaction() as session:
        await run(session, "create table item (name text primary key check (name <> 'odd'), amount numeric(18, 4))")
    yield one
    await one.close()
    await databases.drop(url)


async def insert(session: AsyncSession, items: Sequence[str]) -> int:
    for item in items:
        await run(session, "insert into item values ($1, $2::text::numeric)", item, BEYOND if item == "big" else "1")
    return len(items)


async def names(database: Database) -> list[str]:
    async with database.transaction() as session:
        return [row[0] for row in await run(session, "select name from item order by name")]


@pytest.mark.edge(32)
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("odd", ["odd", "a\x00b", "\ud800", "big"])
async def test_the_others_of_a_page_go_in_wherever_the_odd_one_stands(database: Database, odd: str, place: int) -> None:
    items = ["a", "b"]
    items.insert(place, odd)
    async with database.transaction() as session:
        done, failures = await all_or_each(session, items, insert)
    assert await names(database) == ["a", "b"]
    assert done == [1, 1]
    assert [(failure.item, failure.code) for failure in failures] == [(odd, "not_storable")]


async def test_a_page_of_odd_items_sets_aside_each_of_them(database: Database) -> None:
    items = ["odd", "a\x00b", "\ud800", "big"]
    async with database.transaction() as session:
        done, failures = await all_or_each(session, items, insert)
    assert (done, [failure.item for failure in failures]) == ([], items)
    assert await names(database) == []


async def test_a_good_page_is_treated_once_and_as_a_whole(database: Database) -> None:
    async with database.transaction() as session:
        assert await all_or_each(session, ["a", "b"], insert) == ([2], [])
        assert await all_or_each(session, [], insert) == ([], [])
    assert await names(database) == ["a", "b"]


@pytest.mark.parametrize("sqlstate", ["40001", "57P01", "53300", "42P01", "25006"])
async def test_what_is_the_same_for_every_row_sets_nothing_aside(database: Database, sqlstate: str) -> None:
    async def fail(session: AsyncSession, items: Sequence[str]) -> None:
        await insert(session, items)
        await run(session, f"do $$ begin raise exception using errcode = '{sqlstate}'; end $$")

    with pytest.raises(DBAPIError):
        async with database.transaction() as session:
            await all_or_each(session, ["a", "b"], fail)
    assert await names(database) == []


async def test_a_worker_that_was_overtaken_sets_nothing_aside(database: Database) -> None:
    async def overtaken(session: AsyncSession, items: Sequence[str]) -> None:
        raise StaleWorker("run was taken over")

    with pytest.raises(StaleWorker):
        async with database.transaction() as session:
            await all_or_each(session, ["a"], overtaken)


async def test_a_value_that_the_driver_refuses_is_not_taken_for_a_database_that_is_away(database: Database) -> None:
    with pytest.raises(DBAPIError) as refused:
        async with database.transaction() as session:
            await run(session, "select $1::text", "\ud800")
    assert not is_transient(refused.value)
    assert reason_of(refused.value) == ("not_storable", "the database refuses it (SQLSTATE 22000)")


@pytest.mark.parametrize(
    ("error", "of_the_item", "unanswered"),
    [
        (MalformedAnswer("getOrder", reason="not JSON"), True, False),
        (AmazonUnavailable("getOrder", status=500), True, True),
        (Throttled("getOrder", retry_after=2), False, False),
        (AccessDenied("getOrder", status=403), False, False),
        (ConnectionRevoked("getOrder"), False, False),
    ],
)
def test_amazons_errors_are_of_the_item_or_of_the_seller(
    error: AmazonError, *, of_the_item: bool, unanswered: bool
) -> None:
    assert is_the_items_fault(error) is of_the_item
    assert is_unanswered(error) is unanswered


def test_an_unforeseen_errors_text_is_not_told() -> None:
    assert reason_of(ValueError("Canary Street 1")) == ("unexpected", "it cannot be treated (ValueError)")


def test_a_parked_item_is_one_line_and_one_count() -> None:
    def parked() -> float:
        return REGISTRY.get_sample_value("entrepot_parked_items_total", {"kind": "order"}) or 0.0

    before = parked()
    with capture_logs() as lines:
        alarm("order", "malformed", amazon_order_id="111-1")
    assert parked() == before + 1
    assert [(line["log_level"], line["event"], line["error_code"]) for line in lines] == [
        ("error", "item_parked", "malformed")
    ]
