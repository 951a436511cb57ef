"""PostgreSQL starts, answers, keeps its data over a stop and a crash, and walls the services off from each other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from local_stack.postgres import PostgresServer
from local_stack.processes import descendants

IsGone = Callable[[int], bool]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()


async def run(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_it_answers_then_stops_and_leaves_no_process(server: PostgresServer, is_gone: IsGone) -> None:
    assert await run(server.url(), "show server_version_num") >= "180000"  # type: ignore[operator]
    pids = [server.child.pid, *(process.pid for process in descendants(server.child.pid))]
    server.stop()
    assert all(is_gone(pid) for pid in pids)


@pytest.mark.parametrize("end", [PostgresServer.stop, PostgresServer.kill], ids=["stop", "kill"])
async def test_data_and_port_are_kept_over(server: PostgresServer, end: Callable[[PostgresServer], None]) -> None:
    url = server.url()
    await run(url, "create table kept as select 42 as answer")
    end(server)
    server.start()
    assert await run(url, "select answer from kept") == 42


async def test_a_service_owns_its_database_and_cannot_enter_anothers(server: PostgresServer) -> None:
    orders = server.create_service_database("orders")
    server.create_service_database("listings")
    assert server.create_service_database("orders") == orders  # again, over what is there
    await run(orders, "create table mine (id int)")
    assert await run(orders, "select current_user::text") == "orders"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await run(server.url("listings", role="orders"), "select 1")


async def test_a_durable_server_writes_commits_through(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "durable", durable=True)
    server.start()
    try:
        assert await run(server.url(), "show fsync") == "on"
    finally:
        server.stop()
