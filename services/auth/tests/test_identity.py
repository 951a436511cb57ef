"""Accounts, API keys, tokens and the keys that sign them (MISSION A9)."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from auth_service import identity, signing
from auth_service.scopes import ACCOUNT_SCOPES
from common import clock, http
from common.callers import Caller, Issuer, Verifier
from common.errors import InvalidRequest, Unauthenticated
from common.service_tokens import LOOK_AGAIN_SECONDS, RemoteKeys, ServiceToken
from common.testing.plugin import serve

pytestmark = pytest.mark.row("A9")


async def test_the_first_credentials_are_made_by_a_command(desk: Any) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": desk.runtime.db.url,
    }  # and nothing that it has no use for
    made = {}
    for command in ("create-account", "create-service-key"):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "auth_service", command, "First", "--json"), env=environment, stdout=PIPE
        )
        made[command] = json.loads((await process.communicate())[0])
    held = {command: await _caller(desk, document["key"]) for command, document in made.items()}
    account = held["create-account"]
    assert account.account_id == UUID(made["create-account"]["account_id"])
    assert account.scopes == frozenset(ACCOUNT_SCOPES)
    service = held["create-service-key"]
    assert service == Caller(UUID(int=0), service.subject, frozenset({"amazon:access-token"}))


async def _caller(desk: Any, key: str) -> Caller:
    headers = await desk.login(key)
    caller: Caller = await desk.runtime.verifier.verify(headers["authorization"].removeprefix("Bearer "))
    return caller


async def test_a_service_key_made_elsewhere_is_registered_once_and_a_weak_one_is_refused(desk: Any) -> None:
    text = "ent_" + "k" * 43
    async with desk.runtime.db.transaction() as session:
        assert [await identity.register_service_key(session, "orders", text) for _ in range(2)] == [True, False]
        for weak in ("", "ent_short", "k" * 60):
            with pytest.raises(InvalidRequest):
                await identity.register_service_key(session, "orders", weak)
    assert (await _caller(desk, text)).scopes == {"amazon:access-token"}


async def test_another_service_verifies_our_tokens_by_the_published_keys_alone(desk: Any) -> None:
    tenant = await desk.tenant()
    verifier = Verifier(Issuer("entrepot", RemoteKeys.of_auth(desk.http, str(desk.http.base_url))))
    caller = await verifier.verify(tenant.headers["authorization"].removeprefix("Bearer "))
    assert caller.account_id == tenant.account_id
    assert "orders:pii" in caller.scopes


async def test_a_service_exchanges_its_key_with_the_common_client(desk: Any) -> None:
    async with desk.runtime.db.transaction() as session:
        _, key = await identity.create_service_key(session, "orders")
    token = await ServiceToken(desk.http, str(desk.http.base_url), key)()
    assert (await desk.runtime.verifier.verify(token)).scopes == {"amazon:access-token"}


async def test_a_token_lives_a_quarter_of_an_hour_and_names_its_key(desk: Any) -> None:
    tenant = await desk.tenant()
    answer = await desk.http.post("/v1/token", headers={"authorization": f"Bearer {tenant.key}"})
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 900 == answer.json()["expires_in"]
    assert claims["sub"].startswith("key:")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_wrong_or_missing_key_gets_no_token(desk: Any) -> None:
    for given in (None, "Bearer ent_wrong", "Basic abc", "Bearer "):
        answer = await desk.http.post("/v1/token", headers={"authorization": given} if given else {})
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/invalid-api-key"), given
        assert answer.json()["fix"]


async def test_a_key_is_shown_once_and_only_its_hash_is_stored(desk: Any) -> None:
    tenant = await desk.tenant()
    body = {"name": "reporting", "scopes": ["orders:read"]}
    headers = tenant.headers | {"idempotency-key": "k1"}
    created = await desk.http.post("/v1/api-keys", json=body, headers=headers)
    assert created.status_code == 201
    key = created.json()["key"]
    assert key.startswith("ent_")
    assert len(key) == 4 + 43

    again = await desk.http.post("/v1/api-keys", json=body, headers=headers)
    assert again.json() == created.json() | {"key": None}
    listed = (await desk.http.get("/v1/api-keys", headers=tenant.headers)).json()["items"]
    assert [entry["name"] for entry in listed] == ["first key", "reporting"]
    assert key not in json.dumps(listed)
    stored = await desk.sql(
        "select t::text from api_key t union all select encode(answer, 'escape') from idempotency_key"
    )
    assert not [row for row in stored if key in row[0] or tenant.key in row[0]]


async def test_a_revoked_key_gets_no_further_token(desk: Any) -> None:
    tenant = await desk.tenant()
    created = (await desk.post(tenant, "/v1/api-keys", {"name": "old", "scopes": ["orders:read"]})).json()
    await desk.login(created["key"])
    revoked = await desk.http.delete(f"/v1/api-keys/{created['id']}", headers=tenant.headers)
    assert revoked.status_code == 204
    refused = await desk.http.post("/v1/token", headers={"authorization": f"Bearer {created['key']}"})
    assert refused.status_code == 401
    assert "revoked" in refused.json()["detail"]


async def test_an_expired_key_gets_no_token_and_a_token_never_outlives_its_key(desk: Any) -> None:
    tenant = await desk.tenant()
    soon = (clock.now() + timedelta(minutes=5)).isoformat()
    body = {"name": "short", "scopes": ["orders:read"], "expires_at": soon}
    created = (await desk.post(tenant, "/v1/api-keys", body)).json()
    answer = await desk.http.post("/v1/token", headers={"authorization": f"Bearer {created['key']}"})
    assert answer.json()["expires_in"] <= 300
    await desk.sql("update api_key set expires_at = now() - interval '1 second' where id = $1", UUID(created["id"]))
    refused = await desk.http.post("/v1/token", headers={"authorization": f"Bearer {created['key']}"})
    assert "expired" in refused.json()["detail"]


_REFUSED_KEYS: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"scopes": ["orders:fly"]}, 400, "unknown-scope"),
    ({"scopes": ["amazon:access-token"]}, 400, "unknown-scope"),
    ({"scopes": ["orders:pii"]}, 403, "scope-not-held"),
    ({"scopes": []}, 400, "invalid-request"),
    ({"name": "x\x00"}, 400, "invalid-request"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, 400, "expiry-in-the-past"),
    ({"expires_at": "2099-01-01T00:00:00"}, 400, "invalid-request"),
    ({"expires_at": "9999-12-31T23:59:59-01:00"}, 400, "invalid-request"),
    ({"expires_at": "0001-01-01T00:00:00+14:00"}, 400, "invalid-request"),
)


async def test_a_key_grants_only_known_scopes_that_its_maker_holds(desk: Any) -> None:
    tenant = await desk.tenant()
    made = (await desk.post(tenant, "/v1/api-keys", {"name": "admin only", "scopes": ["account:admin"]})).json()
    headers = await desk.login(made["key"])
    for changes, status, slug in _REFUSED_KEYS:
        body = {"name": "x", "scopes": ["account:admin"]} | changes
        answer = await desk.http.post("/v1/api-keys", json=body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}"), changes


async def test_last_use_is_written_at_most_once_a_minute(desk: Any) -> None:
    tenant = await desk.tenant()
    first = await desk.sql("select last_used_at, xmin::text from api_key")
    await desk.login(tenant.key)
    assert await desk.sql("select last_used_at, xmin::text from api_key") == first
    await desk.sql("update api_key set last_used_at = last_used_at - interval '2 minutes'")
    await desk.login(tenant.key)
    assert (await desk.sql("select last_used_at from api_key"))[0][0] > first[0][0]


async def test_processes_that_start_together_make_one_signing_key(desk: Any, all_at_once: Any) -> None:
    async def ask() -> str:
        async with desk.runtime.db.transaction() as session:
            return (await signing.signing_keys(session, desk.runtime.key_ring))[0].id

    assert len(set(await all_at_once(*(ask() for _ in range(8))))) == 1


async def test_the_next_signing_key_is_published_before_it_signs_and_no_token_fails_meanwhile(desk: Any) -> None:
    tenant = await desk.tenant()
    verifier = Verifier(Issuer("entrepot", RemoteKeys.of_auth(desk.http, str(desk.http.base_url))))

    async def kid() -> str:
        token = (await desk.login(tenant.key))["authorization"].removeprefix("Bearer ")
        await verifier.verify(token)
        return str(jwt.get_unverified_header(token)["kid"])

    first = await kid()
    async with desk.runtime.db.transaction() as session:
        newest = await signing.add_signing_key(session, desk.runtime.key_ring)
    published = (await desk.http.get("/.well-known/jwks.json")).json()["keys"]
    assert [key["kid"] for key in published] == [newest.id, first]
    assert all("d" not in key for key in published)
    assert await kid() == first
    await asyncio.sleep(LOOK_AGAIN_SECONDS)  # a verifier that has just looked looks again so much later
    await desk.sql("update signing_key set created_at = created_at - interval '61 seconds'")
    assert await kid() == newest.id
    await verifier.verify(tenant.headers["authorization"].removeprefix("Bearer "))


async def test_nobody_waits_while_an_unknown_key_is_looked_for_at_an_issuer_that_hangs() -> None:
    published = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True) | {"kid": "k1"}
    provider, asked_again, may_answer = FastAPI(), asyncio.Event(), asyncio.Event()
    may_answer.set()

    @provider.get("/jwks.json")
    async def keys() -> dict[str, Any]:
        if not may_answer.is_set():
            asked_again.set()
        await may_answer.wait()
        return {"keys": [published]}

    async with serve(provider) as url, http.client() as client:
        remote = RemoteKeys(client, f"{url}/jwks.json")
        await remote(False)
        may_answer.clear()
        clock.set_ahead(timedelta(seconds=LOOK_AGAIN_SECONDS + 1))
        looking = asyncio.create_task(remote(True))
        await asked_again.wait()
        assert set(await remote(False)) == {"k1"}
        assert not looking.done()
        may_answer.set()
        assert set(await looking) == {"k1"}
    clock.set_ahead(timedelta(0))


async def test_a_signing_key_is_replaced_when_old_and_removed_when_nothing_valid_is_signed_by_it(desk: Any) -> None:
    await desk.tenant()

    async def rotate() -> tuple[int, int]:
        async with desk.runtime.db.transaction() as session:
            return await signing.rotate(session, desk.runtime.key_ring, timedelta(days=90))

    assert await rotate() == (0, 0)
    (first,) = [row[0] for row in await desk.sql("select id from signing_key")]
    await desk.sql("update signing_key set created_at = created_at - interval '91 days'")
    assert [await rotate(), await rotate()] == [(1, 0), (0, 0)]
    await desk.sql("update signing_key set created_at = created_at - interval '59 minutes'")
    assert await rotate() == (0, 0)
    await desk.sql("update signing_key set created_at = created_at - interval '2 minutes'")
    assert await rotate() == (0, 1)
    published = (await desk.http.get("/.well-known/jwks.json")).json()["keys"]
    assert len(published) == 1
    assert published[0]["kid"] != first


async def _oauth(desk: Any, auth: tuple[str, str] | None = None, **form: str) -> Any:
    return await desk.http.post("/v1/token", data={"grant_type": "client_credentials"} | form, auth=auth)


async def test_an_oauth_client_gets_its_token_by_form_or_by_basic_and_may_narrow_it(desk: Any) -> None:
    tenant = await desk.tenant()
    key_id = str((await desk.sql("select id from api_key"))[0][0])
    by_form = await _oauth(desk, client_id=key_id, client_secret=tenant.key)
    by_basic = await _oauth(desk, auth=(key_id, tenant.key), scope="orders:read orders:pii")
    assert (by_form.status_code, by_form.headers["cache-control"]) == (200, "no-store")
    assert (by_form.json()["token_type"], by_form.json()["expires_in"]) == ("Bearer", 900)
    assert by_form.json()["scope"].split() == list(ACCOUNT_SCOPES)
    assert by_basic.json()["scope"] == "orders:read orders:pii"
    narrowed = {"authorization": f"Bearer {by_basic.json()['access_token']}"}
    assert (await desk.http.get("/v1/connections", headers=narrowed)).status_code == 403
    whole = {"authorization": f"Bearer {by_form.json()['access_token']}"}
    assert (await desk.http.get("/v1/connections", headers=whole)).status_code == 200


_REFUSED_CLIENTS: tuple[tuple[dict[str, str], int, str], ...] = (
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"grant_type": ""}, 400, "unsupported_grant_type"),
    ({"client_secret": "ent_" + "x" * 43}, 401, "invalid_client"),
    ({"client_id": "00000000-0000-0000-0000-000000000001"}, 401, "invalid_client"),
    ({"client_id": "", "client_secret": ""}, 401, "invalid_client"),
    ({"scope": "amazon:access-token"}, 400, "invalid_scope"),
    ({"scope": "orders:fly"}, 400, "invalid_scope"),
)


async def test_what_an_oauth_client_does_wrong_is_said_in_oauths_words(desk: Any) -> None:
    tenant = await desk.tenant()
    key_id = str((await desk.sql("select id from api_key"))[0][0])
    good = {"client_id": key_id, "client_secret": tenant.key}
    for changes, status, error in _REFUSED_CLIENTS:
        answer = await _oauth(desk, **(good | changes))
        assert (answer.status_code, answer.json()["error"]) == (status, error), changes
        assert tenant.key not in answer.text
        assert ("www-authenticate" in answer.headers) == (status == 401)
    form = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"\xff\xfe", b"grant_type=client_credentials&grant_type=x", b"x" * 9000, b""):
        answer = await desk.http.post("/v1/token", content=body, headers=form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    broken = await desk.http.post(
        "/v1/token", data={"grant_type": "client_credentials"}, headers={"authorization": "Basic %%%"}
    )
    assert broken.json()["error"] == "invalid_client"
    await desk.sql("update api_key set revoked_at = now()")
    assert (await _oauth(desk, **good)).json()["error"] == "invalid_client"


async def test_a_token_of_another_issuer_or_key_is_refused(desk: Any, issuer: Any) -> None:
    await desk.tenant()
    with pytest.raises(Unauthenticated):
        await desk.runtime.verifier.verify(issuer.token(UUID(int=1), *ACCOUNT_SCOPES))


async def test_an_external_issuers_tokens_are_accepted_beside_our_own_by_its_published_keys(open_desk: Any) -> None:
    private = rsa.generate_private_key(65537, 2048)
    published = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": "k1", "alg": "RS256", "use": "sig"}
    provider, fetched = FastAPI(), 0

    @provider.get("/jwks.json")
    async def keys() -> dict[str, Any]:
        nonlocal fetched
        fetched += 1
        return {"keys": [published]}

    async with serve(provider) as url:
        desk = await open_desk(oidc_issuer=url, oidc_jwks_url=f"{url}/jwks.json", oidc_audience="entrepot-api")
        tenant = await desk.tenant()
        mine = await desk.create(tenant)
        now = int(clock.now().timestamp())
        claims = {"iss": url, "aud": "entrepot-api", "sub": "jane", "account": str(tenant.account_id), "iat": now}
        claims |= {"exp": now + 600, "scope": "connections:read connections:write account:admin amazon:access-token"}
        jane = {"authorization": f"Bearer {jwt.encode(claims, private, 'RS256', {'kid': 'k1'})}"}
        for headers in (jane, tenant.headers) * 3:
            (shown,) = (await desk.http.get("/v1/connections", headers=headers)).json()["items"]
            assert shown["id"] == mine["id"]
        assert fetched == 1
        await desk.http.patch(f"/v1/connections/{mine['id']}", json={"name": "Jane's"}, headers=jane)
        assert (await desk.audited(tenant))[-1]["actor"] == "jane"
        body = {"account_id": str(tenant.account_id), "connection_id": mine["id"]}
        asked = await desk.http.post("/v1/internal/access-tokens", json=body, headers=jane)
        assert (asked.status_code, asked.json()["type"]) == (403, "/problems/missing-scope")
        await _meets_unknown_accounts(desk, lambda account: claims | {"account": account}, private)


async def _meets_unknown_accounts(desk: Any, claims: Callable[[str], dict[str, Any]], private: Any) -> None:
    """An account that the issuer knows and auth does not: refused until the operator has made it, then at work."""
    account_id = uuid4()
    headers = {"authorization": f"Bearer {jwt.encode(claims(str(account_id)), private, 'RS256', {'kid': 'k1'})}"}
    connection = {"name": "Shop", "selling_partner_id": "A1SELLER", "marketplace_id": "ATVPDKIKX0DER"}
    key = {"name": "k", "scopes": ["connections:read"]}
    for path, body in (("/v1/connections", connection), ("/v1/api-keys", key)):
        refused = await desk.http.post(path, json=body, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/unknown-account"), path
    async with desk.runtime.db.transaction() as session:
        await identity.create_account(session, "Jane's firm", account_id)
        with pytest.raises(InvalidRequest, match="already"):
            await identity.create_account(session, "Again", account_id)
    assert (await desk.http.post("/v1/connections", json=connection, headers=headers)).status_code == 201
