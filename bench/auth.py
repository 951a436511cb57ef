"""P7 for auth (an Amazon access token handed out, GET of a connection) beside bare FastAPI + asyncpg, P14 (sign-ins at
Amazon per connection and hour), and a rotation of the key ring.

Each server runs in its own process on CPU 0, the load on CPU 1, as in `http_get`."""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import time_machine
import uvloop
from fastapi import FastAPI
from pydantic import AnyHttpUrl, BaseModel, SecretStr

from auth_service import identity, vault
from auth_service.access_tokens import TokenBroker
from auth_service.app import SERVICE
from auth_service.lwa import Lwa, Tokens
from auth_service.models import Connection
from auth_service.settings import AppIdentity, AuthSettings
from auth_service.vault import SEALED
from bench.http_get import announce, load, medians, ratio_row, served
from common.app import create_service_app
from common.bulk import insert_page
from common.bulk import run as _run
from common.contracts.http import ACCESS_TOKEN_PATH
from common.crypto import KeyRing
from common.db import Database
from common.http import client
from common.rewrapping import left, rewrap
from common.testing.plugin import KEY_RING, serve

ROUNDS = 3
CONNECTIONS = 200
ROTATED = 10_000
HOURS = 10
_ACCOUNT = UUID("00000000-0000-4000-8000-00000000000a")
_NEW = "new:" + "bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0="


async def run(database_url: str) -> list[dict[str, Any]]:
    """Rows of P7 and P14 for auth; rates are requests a second, medians of interleaved rounds."""
    connections = await _fill(database_url)
    rows = [await _sign_ins(database_url, connections), await _rotation(database_url)]
    measured: dict[str, list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        for variant in ("ours", "asyncpg"):
            async with served("bench.auth", variant, database_url) as (port, get_token, post_token):
                one = f"/v1/connections/{connections[0]}"
                body = f'{{"account_id": "{_ACCOUNT}", "connection_id": "{connections[0]}"}}'
                measured.setdefault(f"{variant} get", []).append(await load(int(port), _request("GET", one, get_token)))
                handed = await load(int(port), _request("POST", ACCESS_TOKEN_PATH, post_token, body))
                measured.setdefault(f"{variant} token", []).append(handed)
    rate, p99 = medians(measured)
    for kind, what in (("get", "GET one connection"), ("token", "an access token handed out")):
        ours, bare = f"ours {kind}", f"asyncpg {kind}"
        rows.append(ratio_row(f"{what}, req/s beside bare FastAPI + asyncpg", rate[ours], rate[bare], 0.50))
        rows.append(ratio_row(f"{what}, p99 ms beside bare FastAPI + asyncpg", p99[ours], p99[bare], 2.0, most=True))
    return rows


def _request(method: str, path: str, token: str, body: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
    typed = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
    return f"{head}{typed}\r\n{body}".encode()


async def _fill(database_url: str) -> list[UUID]:
    """An account with active connections, a token of each at hand, and the same columns as bare tables."""
    ring, database = KeyRing.parse(KEY_RING), Database(database_url, service="bench")
    ids, now = [uuid4() for _ in range(CONNECTIONS)], datetime.now(UTC)
    async with database.transaction() as session:
        await _run(session, "insert into account values ($1, 'bench', now())", _ACCOUNT)
        await _insert_connections(session, ring, ids)
        for connection_id in ids:
            token = vault.seal(ring, b"Atza|" + b"x" * 350, _ACCOUNT, connection_id, "access_token")
            await _run(
                session,
                "insert into access_token (connection_id, account_id, token, renew_at, expires_at) "
                "values ($1, $2, $3, $4, $5)",
                connection_id,
                _ACCOUNT,
                token,
                now + timedelta(minutes=55),
                now + timedelta(minutes=60),
            )
        await _run(
            session,
            "create table bare as select id, name, selling_partner_id, region, status, version, "
            "home_marketplace_id, authorized_at, created_at, updated_at from connection",
        )
        await _run(session, "alter table bare add primary key (id)")
        await _run(
            session,
            "create table bare_token as select connection_id as id, 'Atza|' || repeat('x', 350) as "
            "access_token, 3000 as expires_in, 'A1BENCH' as selling_partner_id, 'NA' as region from access_token",
        )
        await _run(session, "alter table bare_token add primary key (id)")
    await database.close()
    return ids


async def _insert_connections(session: Any, ring: KeyRing, ids: list[UUID]) -> None:
    columns = (
        *("id", "account_id", "name", "selling_partner_id", "region", "home_marketplace_id", "status", "version"),
        *("refresh_token", "authorized_at", "created_at", "updated_at"),
    )
    now = datetime.now(UTC)
    rows = []
    for one in ids:
        grant = vault.seal(ring, b"Atzr|" + b"y" * 350, _ACCOUNT, one, "refresh_token")
        seller = f"A{one.hex[:12].upper()}"
        rows.append((one, _ACCOUNT, "Main", seller, "NA", "ATVPDKIKX0DER", "active", 1, grant, now, now, now))
    await insert_page(session, Connection, columns, rows)


class _CountingLwa(Lwa):
    """Login with Amazon that grants at once: what is counted is how often it is asked."""

    def __init__(self) -> None:
        super().__init__(client(), "http://127.0.0.1:1")
        self.asked = 0

    async def refresh(self, app: AppIdentity, refresh_token: str) -> Tokens:
        self.asked += 1
        return Tokens(f"Atza|{self.asked}", refresh_token, 3600)


async def _sign_ins(database_url: str, ids: list[UUID]) -> dict[str, Any]:
    """Two replicas, each asked for every connection every five minutes, for hours of a clock that is moved."""
    database, ring, lwa = Database(database_url, service="bench"), KeyRing.parse(KEY_RING), _CountingLwa()
    brokers = [TokenBroker(database, lwa, _settings(database_url), ring) for _ in range(2)]
    wanted = ids[:50]
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2), tick=True) as traveller:
        for _ in range(HOURS * 12):
            await asyncio.gather(*(broker.hand_out(_ACCOUNT, one) for one in wanted for broker in brokers))
            traveller.shift(timedelta(minutes=5))
    async with database.transaction() as session:
        moved = datetime.now(UTC) + timedelta(minutes=55)
        await _run(session, "update access_token set renew_at = $1, expires_at = $1", moved)
    await database.close()
    per_hour = lwa.asked / len(wanted) / HOURS
    row = {"goal": "P14", "what": "LWA calls per connection-hour, 2 replicas", "value": per_hour, "ceiling": 1.0}
    return row | {"ratio": per_hour, "target": "<= 1.1", "met": per_hour <= 1.1}


async def _rotation(database_url: str) -> dict[str, Any]:
    """Seconds to wrap the refresh tokens of ten thousand connections anew."""
    database, old = Database(database_url, service="bench"), KeyRing.parse(KEY_RING)
    async with database.transaction() as session:
        await _insert_connections(session, old, [uuid4() for _ in range(ROTATED)])
    both = KeyRing.parse(f"{_NEW},{KEY_RING}")
    began = time.perf_counter()
    changed = await rewrap(database, SEALED[:1], both, lambda _: None)
    taken = time.perf_counter() - began
    assert await left(database, SEALED[:1], both) == 0
    back = KeyRing.parse(f"{KEY_RING},{_NEW}")
    await rewrap(database, SEALED, back, lambda _: None)
    await database.close()
    row = {"goal": "A10", "what": f"{changed:,} connections re-wrapped, s", "value": taken, "ceiling": 10.0}
    return row | {"ratio": taken / 10, "target": "<= 10 s", "met": taken <= 10}


def _settings(database_url: str) -> AuthSettings:
    return AuthSettings(
        environment="test",
        roles=frozenset({"api"}),
        database_url=SecretStr(database_url),
        kafka_bootstrap_servers="127.0.0.1:1",
        auth_url=AnyHttpUrl("http://127.0.0.1:1"),
        service_key=SecretStr("none"),
        key_ring=SecretStr(KEY_RING),
    )


async def _ours(database_url: str) -> None:
    """The auth service itself."""
    app = create_service_app(SERVICE, _settings(database_url))
    runtime = app.state.runtime
    async with runtime.db.transaction() as session:
        _, service_key = await identity.create_service_key(session, "bench")
        _, _, key = await identity.create_account(session, "bench")
        await _run(session, "update api_key set account_id = $1 where account_id is not null", _ACCOUNT)
    async with runtime.db.transaction() as session:
        service = await identity.exchange(session, runtime.key_ring, "entrepot", service_key)
        tenant = await identity.exchange(session, runtime.key_ring, "entrepot", key)
    async with serve(app, runtime.settings) as url:
        await announce(url, tenant.access_token, service.access_token)


class _Asked(BaseModel):
    account_id: UUID
    connection_id: UUID


async def _bare(database_url: str) -> None:
    """The same two answers without a caller, an account, a state or a key."""
    app = FastAPI()
    pool = await asyncpg.create_pool(database_url, min_size=10, max_size=10)

    @app.get("/v1/connections/{connection_id}")
    async def one(connection_id: UUID) -> dict[str, Any]:
        return dict(await pool.fetchrow("select * from bare where id = $1", connection_id))

    @app.post(ACCESS_TOKEN_PATH)
    async def token(asked: _Asked) -> dict[str, Any]:
        return dict(await pool.fetchrow("select * from bare_token where id = $1", asked.connection_id))

    async with serve(app) as url:
        await announce(url, "none", "none")


if __name__ == "__main__":
    uvloop.run({"ours": _ours, "asyncpg": _bare}[sys.argv[1]](sys.argv[2]))
