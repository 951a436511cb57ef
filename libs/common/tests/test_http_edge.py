"""The HTTP edge over a real socket: commits before answers, problems, callers, idempotency, readiness."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID, uuid4

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlmodel import Field, SQLModel

from common import idempotency
from common.app import Service
from common.bulk import run
from common.callers import Caller, requires
from common.db import Transaction, new_registry
from common.idempotency import IdempotencyKey
from common.settings import ServiceSettings
from common.testing.identity import Issuer
from common.testing.plugin import Running, RunService

router = APIRouter(prefix="/v1")


class Table(SQLModel, registry=new_registry()):
    pass


class Thing(Table, table=True):
    __tablename__ = "thing"

    id: UUID = Field(primary_key=True)
    account_id: UUID


class Made(BaseModel):
    id: UUID
    name: str


@router.post("/things")
async def make_thing(
    made: Made,
    request: Request,
    session: Transaction,
    caller: Annotated[Caller, requires("things:write")],
    key: IdempotencyKey = None,
) -> Made:
    async def effect() -> Made:
        await run(session, "insert into thing values ($1, $2)", made.id, caller.account_id)
        return made

    return await idempotency.once(session, request, caller.account_id, key, Made, effect)


@router.get("/things/{thing_id}")
async def get_thing(
    thing_id: UUID, session: Transaction, caller: Annotated[Caller, requires("things:read")]
) -> dict[str, str]:
    return {"id": str((await caller.one(session, Thing, thing_id)).id)}


@router.post("/deferred")
async def violate_at_commit(
    session: Transaction, caller: Annotated[Caller, requires("things:write")]
) -> dict[str, str]:
    """The constraint is checked at commit only: the route itself ends without an error."""
    await run(session, "insert into twice values (1), (1)")
    return {"status": "answered before the commit"}


@pytest_asyncio.fixture
async def edge(run_service: RunService) -> AsyncIterator[Running]:
    running = await run_service(
        Service(name="auth", package="common", settings=ServiceSettings, routers=[router])  # the name of any service
    )
    async with running.runtime.db.transaction() as session:
        await run(session, "create table thing (id uuid primary key, account_id uuid not null)")
        await run(session, "create table twice (n int unique deferrable initially deferred)")
    yield running


ACCOUNT = uuid4()


def thing() -> dict[str, str]:
    return {"id": str(uuid4()), "name": "a"}


async def test_a_commit_that_fails_is_never_answered_2xx(edge: Running, issuer: Issuer) -> None:
    answer = await edge.http.post("/v1/deferred", headers=issuer.headers(ACCOUNT, "things:write"))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_was_answered_is_stored(edge: Running, issuer: Issuer) -> None:
    body = thing()
    headers = issuer.headers(ACCOUNT, "things:write", "things:read")
    assert (await edge.http.post("/v1/things", json=body, headers=headers)).status_code == 200
    assert (await edge.http.get(f"/v1/things/{body['id']}", headers=headers)).json() == {"id": body["id"]}


@pytest.mark.edge(22)
async def test_another_accounts_thing_is_not_found(edge: Running, issuer: Issuer) -> None:
    body = thing()
    await edge.http.post("/v1/things", json=body, headers=issuer.headers(ACCOUNT, "things:write"))
    answer = await edge.http.get(f"/v1/things/{body['id']}", headers=issuer.headers(uuid4(), "things:read"))
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_a_wrong_field_is_named_and_its_value_is_not_quoted(edge: Running, issuer: Issuer) -> None:
    answer = await edge.http.post(
        "/v1/things", json={"id": "secret-value"}, headers=issuer.headers(ACCOUNT, "things:write")
    )
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (400, "/problems/invalid-request")
    assert {error["where"] for error in problem["errors"]} == {"body.id", "body.name"}
    assert "secret-value" not in answer.text


@pytest.mark.row("A9")
async def test_tokens_that_are_not_ours_are_refused_with_the_reason(edge: Running, issuer: Issuer) -> None:
    now = int(time.time())
    claims = {"iss": "entrepot", "aud": "entrepot", "sub": "x", "account": str(ACCOUNT), "iat": now, "exp": now + 60}
    claims |= {"scope": "things:write"}
    other = Ed25519PrivateKey.generate()
    good = issuer.token(ACCOUNT, "things:write")
    forged = {
        "another key": jwt.encode(claims, other, algorithm="EdDSA", headers={"kid": "test"}),
        "unknown kid": jwt.encode(claims, other, algorithm="EdDSA", headers={"kid": "nobody"}),
        "no algorithm": jwt.encode(claims, "", algorithm="none", headers={"kid": "test"}),
        "symmetric": jwt.encode(claims, "x" * 64, algorithm="HS256", headers={"kid": "test"}),
        "cut": good[:-4],
        "not a token": "abc",
    }
    for kind, token in forged.items():
        answer = await edge.http.post("/v1/things", json=thing(), headers={"authorization": f"Bearer {token}"})
        assert (kind, answer.status_code) == (kind, 401)
    assert (await edge.http.post("/v1/things", json=thing())).status_code == 401
    lacking = await edge.http.post("/v1/things", json=thing(), headers=issuer.headers(ACCOUNT, "things:read"))
    assert (lacking.status_code, lacking.json()["type"]) == (403, "/problems/missing-scope")


async def test_a_repeat_with_the_same_idempotency_key_has_one_effect(edge: Running, issuer: Issuer) -> None:
    headers = issuer.headers(ACCOUNT, "things:write") | {"Idempotency-Key": uuid4().hex}
    body = thing()
    answers = [await edge.http.post("/v1/things", json=body, headers=headers) for _ in range(3)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, body)] * 3
    other = await edge.http.post("/v1/things", json=thing(), headers=headers)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")


async def test_a_correlation_id_is_answered(edge: Running) -> None:
    answer = await edge.http.get("/healthz", headers={"x-correlation-id": "order-17"})
    assert answer.headers["x-correlation-id"] == "order-17"


async def test_ready_says_what_is_missing_and_how_to_fix_it(run_service: RunService) -> None:
    service = Service(name="auth", package="common", settings=ServiceSettings, routers=[])
    ready = await run_service(service)
    whole = {"status": "ready", "checks": {"database": "ok", "kafka": "ok"}}
    while (await ready.http.get("/readyz")).json() != whole:  # a busy machine's broker may answer late
        await asyncio.sleep(0.1)
    lost = await run_service(service, kafka_bootstrap_servers="127.0.0.1:1")
    answer = await lost.http.get("/readyz")
    assert answer.status_code == 200  # an API without the broker still accepts
    assert "KAFKA_BOOTSTRAP_SERVERS" in answer.json()["checks"]["kafka"]
    async with lost.runtime.db.transaction() as session:
        await run(session, "delete from alembic_version")
    unmigrated = await lost.http.get("/readyz")
    assert unmigrated.status_code == 503
    assert "migrate" in unmigrated.json()["checks"]["database"]


@pytest.mark.fault("F6")
async def test_a_database_that_is_away_is_a_503_that_says_so(run_service: RunService, issuer: Issuer) -> None:
    service = Service(name="auth", package="common", settings=ServiceSettings, routers=[router])
    edge = await run_service(service, database_url="postgresql://nobody@127.0.0.1:1/none")
    answer = await edge.http.post("/v1/things", json=thing(), headers=issuer.headers(ACCOUNT, "things:write"))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/database-unavailable")
    assert answer.headers["retry-after"] == "1"
    assert (await edge.http.get("/readyz")).status_code == 503


def test_development_secrets_are_refused_in_production() -> None:
    given: dict[str, Any] = {
        "database_url": "postgresql://a@b/c",
        "kafka_bootstrap_servers": "b:1",
        "auth_url": "http://a",
        "service_key": "dev-only-key",
        "key_ring": "a:b",
    }
    with pytest.raises(ValueError, match="SERVICE_KEY holds a development secret"):
        ServiceSettings(environment="production", **given)
    assert ServiceSettings(environment="development", **given).service_key.get_secret_value() == "dev-only-key"
