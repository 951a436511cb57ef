"""P7: our hot GET (authenticated, tenant-checked) beside bare FastAPI + asyncpg of the same columns, and SQLModel.

Each server runs in its own process on CPU 0, the load on CPU 1: 32 connections, each with one request in flight."""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
import uvloop
from fastapi import Depends, FastAPI
from pydantic import AnyHttpUrl, SecretStr
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from common.app import create_service_app
from common.cli import freeze_startup
from common.contracts.connections import Channel, ConnectionAuthorized
from common.db import Database, new_registry
from common.http import client
from common.testing.events import deliver
from common.testing.identity import Issuer
from common.testing.plugin import KEY_RING, serve
from listings_service.app import SERVICE
from listings_service.selecting import LISTING
from listings_service.settings import ListingsSettings

CONNECTIONS = 32
SECONDS = 2.0
WARM_SECONDS = 0.5  # before them, not counted: pools and statements are opened then
ROUNDS = 3
ROWS = 200
_ACCOUNT = UUID("00000000-0000-4000-8000-00000000000a")
_CHANNEL = UUID("00000000-0000-4000-8000-00000000000c")


async def run(database_url: str) -> list[dict[str, Any]]:
    """Rows of P7; values are requests a second, medians of interleaved rounds."""
    await _fill(database_url)
    measured: dict[str, list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        for variant in ("ours", "asyncpg", "sqlmodel"):
            async with served("bench.http_get", variant, database_url) as (port, one, many, token):
                for kind, path in (("one", one), ("list", many)):
                    if path != "-":
                        head = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
                        figures = await load(int(port), head.encode())
                        measured.setdefault(f"{variant} {kind}", []).append(figures)
    rate, p99 = medians(measured)
    return [
        ratio_row("GET one listing, req/s beside bare FastAPI + asyncpg", rate["ours one"], rate["asyncpg one"], 0.50),
        ratio_row("GET one listing, req/s beside FastAPI + SQLModel", rate["ours one"], rate["sqlmodel one"], 1.5),
        ratio_row("list of 50, req/s beside bare FastAPI + asyncpg", rate["ours list"], rate["asyncpg list"], 0.60),
        ratio_row(
            "GET one listing, p99 ms beside bare FastAPI + asyncpg", p99["ours one"], p99["asyncpg one"], 2.0, most=True
        ),
    ]


@asynccontextmanager
async def served(module: str, variant: str, database_url: str) -> AsyncIterator[list[str]]:
    """A variant in a process of its own on CPU 0; what it announced: its port, then whatever the load needs."""
    server = await asyncio.create_subprocess_exec(
        *("taskset", "-c", "0", sys.executable, "-m", module, variant, database_url),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )
    try:
        assert server.stdout is not None
        said = b""
        while not said.startswith(b"ready "):
            said = await server.stdout.readline()
            assert said, f"{variant} did not start"
        yield said.decode().split()[1:]
    finally:
        server.terminate()
        await server.wait()


def medians(measured: dict[str, list[tuple[float, float]]]) -> tuple[dict[str, float], dict[str, float]]:
    """Requests a second and the 99th percentile, by name."""
    rate = {name: statistics.median(figure[0] for figure in figures) for name, figures in measured.items()}
    p99 = {name: statistics.median(figure[1] for figure in figures) for name, figures in measured.items()}
    return rate, p99


def ratio_row(what: str, value: float, ceiling: float, target: float, *, most: bool = False) -> dict[str, Any]:
    ratio = value / ceiling
    met = ratio <= target if most else ratio >= target
    sign = "<=" if most else ">="
    row = {"goal": "P7", "what": what, "value": value, "ceiling": ceiling, "ratio": ratio}
    return row | {"target": f"{sign} {target}", "met": met}


async def _fill(database_url: str) -> None:
    """The columns that our GET reads, as one bare table."""
    connection = await asyncpg.connect(database_url)
    columns = LISTING.partition(" where ")[0]
    await connection.execute(f"create table bare as {columns} limit 0")
    await connection.execute("alter table bare add primary key (id)")
    await connection.executemany(
        "insert into bare (id, account_id, connection_id, channel_id, listing_id, sku, title, parent_sku, quantity, "
        "link, health, intent, paused, read_backs, dirty, created_at, quantity_as_of) values "
        "($1, $2, $3, $3, $1, $4, 'a title of some length', $4, 5, "
        "'unlinked', 'not_listed', 'none', false, 0, false, now(), now())",
        [(uuid4(), _ACCOUNT, _CHANNEL, f"SKU-{number:04}") for number in range(ROWS)],
    )
    await connection.close()


class _Loader(asyncio.Protocol):
    """A keep-alive client that does nothing but count: the next request leaves when the answer is whole."""

    def __init__(self, request: bytes, begins: float, waits: list[float]) -> None:
        self._request, self._begins, self._waits = request, begins, waits
        self._buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        start = self._buffer.lower().find(b"content-length:") + 15
        length = int(self._buffer[start : self._buffer.find(b"\r\n", start)])
        if len(self._buffer) < head + 4 + length:
            return
        assert self._buffer.startswith(b"HTTP/1.1 200"), self._buffer[:300]
        now = time.perf_counter()
        if now >= self._begins:
            self._waits.append(now - self._sent)
        self._buffer = b""
        if now < self._begins + SECONDS:
            self._send()
        else:
            self._transport.close()
            self.done.set_result(None)


async def load(port: int, request: bytes) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in ms, of the same request again and again."""
    loop = asyncio.get_running_loop()
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {1} & allowed or allowed)
    waits: list[float] = []
    begins = time.perf_counter() + WARM_SECONDS
    loaders = [
        (await loop.create_connection(lambda: _Loader(request, begins, waits), "127.0.0.1", port))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(loader.done for loader in loaders))
    taken = time.perf_counter() - begins
    os.sched_setaffinity(0, allowed)
    waits.sort()
    return len(waits) / taken, waits[int(len(waits) * 0.99)] * 1000


async def _serve(app: Any, paths: tuple[str, str], token: str) -> None:
    async with serve(app) as url:
        await announce(url, *paths, token)


async def announce(url: str, *words: str) -> None:
    """Says where it serves and what to ask for, and serves until it is terminated."""
    freeze_startup()  # as a service does; for the others too, so that what is compared is the work
    print("ready", url.rsplit(":", 1)[1], *words, flush=True)
    await asyncio.Event().wait()


async def _bare(database_url: str) -> None:
    app = FastAPI()
    pool = await asyncpg.create_pool(database_url, min_size=10, max_size=10)

    @app.get("/one/{row_id}")
    async def one(row_id: UUID) -> dict[str, Any]:
        return dict(await pool.fetchrow("select * from bare where id = $1", row_id))

    @app.get("/list")
    async def many() -> list[dict[str, Any]]:
        return [dict(row) for row in await pool.fetch("select * from bare order by sku limit 50")]

    row_id = await pool.fetchval("select id from bare limit 1")
    await _serve(app, (f"/one/{row_id}", "/list"), "none")


class _Bare(SQLModel, registry=new_registry()):
    pass


class _Row(_Bare, table=True):
    __tablename__ = "bare"

    id: UUID = Field(primary_key=True)
    account_id: UUID
    sku: str
    title: str
    quantity: int


async def _sqlmodel(database_url: str) -> None:
    database = Database(database_url, service="bench")
    app = FastAPI()

    async def session() -> Any:
        async with AsyncSession(database.engine) as one:
            yield one

    @app.get("/one/{row_id}")
    async def one(row_id: UUID, session: Annotated[AsyncSession, Depends(session)]) -> _Row | None:
        return await session.get(_Row, row_id)

    async with database.transaction() as first:
        row_id = (await (await first.connection()).exec_driver_sql("select id from bare limit 1")).scalar_one()
    await _serve(app, (f"/one/{row_id}", "-"), "none")


async def _ours(database_url: str) -> None:
    """The listings service itself; its channel came as an event, its listings through its door."""
    issuer = Issuer()
    settings = ListingsSettings(
        environment="test",
        roles=frozenset({"api"}),
        database_url=SecretStr(database_url),
        kafka_bootstrap_servers="127.0.0.1:1",
        auth_url=AnyHttpUrl("http://127.0.0.1:1"),
        service_key=SecretStr("none"),
        key_ring=SecretStr(KEY_RING),
    )
    app = create_service_app(replace(SERVICE, keys=lambda _: issuer.keys), settings)
    channel = Channel(
        channel_id=_CHANNEL, name="US", marketplace_id="ATVPDKIKX0DER", paused=False, seller_of_record="bench"
    )
    connection = ConnectionAuthorized(
        account_id=_ACCOUNT,
        connection_id=_CHANNEL,
        version=1,
        name="bench",
        status="active",
        selling_partner_id="A1BENCH",
        region="NA",
        home_marketplace_id="ATVPDKIKX0DER",
        channels=(channel,),
    )
    consumer = app.state.runtime.consumer()
    await deliver(consumer, connection)
    rows = [
        {"channel_id": str(_CHANNEL), "sku": f"SKU-{number:04}", "title": "a title of some length", "quantity": 5}
        for number in range(ROWS)
    ]
    token = issuer.token(_ACCOUNT, "listings:read", "listings:write")
    async with serve(app, settings) as url, client() as http:
        http.headers["authorization"] = f"Bearer {token}"
        await http.post(f"{url}/v1/listings", json={"listings": rows})
        first = (await http.get(f"{url}/v1/listings", params={"limit": 1})).json()["items"][0]["id"]
        await announce(url, f"/v1/listings/{first}", "/v1/listings?limit=50", token)


if __name__ == "__main__":
    uvloop.run({"ours": _ours, "asyncpg": _bare, "sqlmodel": _sqlmodel}[sys.argv[1]](sys.argv[2]))
