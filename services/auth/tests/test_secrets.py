"""What is stored, logged and shown: no secret in the clear, no row of another account (MISSION A10)."""

import base64
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from auth_service import vault
from auth_service.testing import served
from common.crypto import KeyRing, Unreadable
from common.testing.plugin import KEY_RING
from local_stack.ports import free_port

NEW_KEY = "new:" + base64.b64encode(b"n" * 32).decode()


async def _tokens(desk: Any, tenant: Any, seller: str) -> tuple[UUID, str]:
    await desk.seller(seller)
    connection = await desk.connect(tenant, seller)
    answer = await desk.broker.hand_out(tenant.account_id, UUID(connection["id"]))
    return UUID(connection["id"]), answer.access_token


@pytest.mark.row("A10")
async def test_every_stored_secret_is_ciphertext_that_opens_in_its_own_row_only(desk: Any) -> None:
    tenant = await desk.tenant()
    first, token = await _tokens(desk, tenant, "A1SELLER")
    second, _ = await _tokens(desk, tenant, "A2SELLER")
    ring = desk.runtime.key_ring
    sealed: tuple[tuple[vault.Purpose, str], ...] = (
        ("refresh_token", "select id, refresh_token from connection"),
        ("access_token", "select connection_id, token from access_token"),
    )
    for purpose, query in sealed:
        blobs = dict(await desk.sql(query))
        assert len(blobs) == 2
        for record, blob in blobs.items():
            assert b"Atz" not in blob
            assert vault.reveal(ring, blob, tenant.account_id, record, purpose).startswith(b"Atz")
        for account_id, record in ((tenant.account_id, second), (UUID(int=9), first)):
            with pytest.raises(Unreadable):
                vault.reveal(ring, blobs[first], account_id, record, purpose)
    kid, private = (await desk.sql("select id, private_key from signing_key"))[0]
    assert len(vault.reveal(ring, private, vault.NOBODY, kid, "signing_key")) == 32

    rows = await desk.sql(
        "select t::text from connection t union all select t::text from access_token t "
        "union all select t::text from consent t union all select convert_from(message, 'utf8') from outbox"
    )
    as_hex = token.encode().hex()
    assert not [row for row in rows if token in row[0] or "Atz" in row[0] or as_hex in row[0]]


@pytest.mark.row("A10")
async def test_swapped_rows_do_not_open(desk: Any) -> None:
    tenant = await desk.tenant()
    first, _ = await _tokens(desk, tenant, "A1SELLER")
    second, _ = await _tokens(desk, tenant, "A2SELLER")
    await desk.sql(
        "update access_token set token = (select token from access_token where connection_id = $2) "
        "where connection_id = $1",
        first,
        second,
    )
    with pytest.raises(Unreadable):
        await desk.broker.hand_out(tenant.account_id, first)


@pytest.mark.row("A10")
async def test_a_new_active_key_seals_while_the_old_one_still_opens_and_a_lost_one_fails_loudly(open_desk: Any) -> None:
    desk = await open_desk()
    tenant = await desk.tenant()
    connection_id, token = await _tokens(desk, tenant, "A1SELLER")
    blob = (await desk.sql("select refresh_token from connection"))[0][0]
    rotated = KeyRing.parse(f"{NEW_KEY},{KEY_RING}")
    assert vault.reveal(rotated, blob, tenant.account_id, connection_id, "refresh_token").startswith(b"Atzr|")
    sealed = vault.seal(rotated, token.encode(), tenant.account_id, connection_id, "access_token")
    assert rotated.is_current(sealed)
    assert not rotated.is_current(blob)
    await desk.sql("update access_token set token = $1", sealed)

    headers = await desk.service_headers()
    body = {"account_id": str(tenant.account_id), "connection_id": str(connection_id)}
    answer = await desk.http.post("/v1/internal/access-tokens", json=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/encryption-key-lost")
    assert "'new'" in answer.json()["detail"]
    assert "KEY_RING" in answer.json()["fix"]


async def test_no_token_state_or_code_reaches_the_log_of_the_service(desk: Any, tmp_path: Path) -> None:
    written = tmp_path / "log"
    async with served(desk, free_port(), written) as outside:
        secrets = await _whole_life(outside)
    logged = written.read_text()
    for happened in ("service_started", "connection_revoked", "lwa_refused", "service_stopped"):
        assert happened in logged
    assert [secret for secret in secrets if secret in logged] == []


async def _whole_life(desk: Any) -> list[str]:
    """Consent, tokens, a repeated callback and a revocation; answers every secret that was under way."""
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    query = await desk.visit(created["consent_url"])
    await desk.callback(query)
    await desk.callback(query)
    body = {"account_id": str(tenant.account_id), "connection_id": created["id"]}
    headers = await desk.service_headers()
    token = (await desk.http.post("/v1/internal/access-tokens", json=body, headers=headers)).json()["access_token"]
    await desk.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")
    await desk.http.post("/v1/internal/access-tokens", json=body | {"refused": token[-8:]}, headers=headers)
    jwts = [given["authorization"].removeprefix("Bearer ") for given in (tenant.headers, headers)]
    return [token, tenant.key, *jwts, query["state"], query["spapi_oauth_code"], "dev-only-secret"]
