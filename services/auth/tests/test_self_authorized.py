"""A refresh token entered by hand (MISSION A4): verified at Amazon before anything is kept."""

from typing import Any

import pytest

from common.contracts.connections import ConnectionAuthorized

US, MX, UK = "ATVPDKIKX0DER", "A1AM78C64UM0Y8", "A1F83G8C2ARO7P"

pytestmark = [pytest.mark.row("A4"), pytest.mark.fact("2.3.6")]


async def _token(desk: Any, selling_partner_id: str = "A1SELLER", marketplaces: tuple[str, ...] = (US, MX)) -> str:
    """What the developer console shows the owner of the app: a refresh token of the seller."""
    await desk.seller(selling_partner_id, marketplaces)
    return await _shown(desk, selling_partner_id)


async def _shown(desk: Any, selling_partner_id: str) -> str:
    path = "/sandbox/apps/amzn1.sellerapps.app.entrepot-dev-na/self-authorize"
    answer = await desk.amazon.dial("POST", path, {"selling_partner_id": selling_partner_id})
    return str(answer["refresh_token"])


async def _enter(desk: Any, tenant: Any, token: str, **changes: str) -> Any:
    body = {"name": "By hand", "selling_partner_id": "A1SELLER", "marketplace_id": US, "refresh_token": token}
    return await desk.post(tenant, "/v1/connections/self-authorized", body | changes)


async def test_a_token_that_amazon_accepts_makes_an_active_connection(desk: Any) -> None:
    tenant = await desk.tenant()
    token = await _token(desk)
    answer = await _enter(desk, tenant, token)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["status"], answer.json()["region"]) == ("active", "NA")
    assert token not in answer.text
    (event,) = await desk.announced()
    assert (type(event), event.status) == (ConnectionAuthorized, "active")
    assert (await desk.post(tenant, f"/v1/connections/{answer.json()['id']}/check")).status_code == 200
    assert token not in str(await desk.audited(tenant))
    again = await _enter(desk, tenant, token)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/connection-exists")


async def test_a_token_that_is_refused_or_somebody_elses_leaves_nothing_behind(desk: Any) -> None:
    tenant = await desk.tenant()
    token = await _token(desk)
    for given, changes, slug in (
        ("Atzr|no-such-token", {}, "refresh-token-refused"),
        (token, {"selling_partner_id": "A2ANOTHER"}, "token-of-another-seller"),
        (token, {"marketplace_id": "A2EUQ1WTGCTBG2"}, "seller-not-there"),
        (token, {"marketplace_id": UK}, "refresh-token-refused"),
        (token, {"marketplace_id": "NOWHERE"}, "unknown-marketplace"),
        ("Atzr|x", {}, "invalid-request"),
    ):
        answer = await _enter(desk, tenant, given, **changes)
        assert (answer.status_code, answer.json()["type"]) == (400, f"/problems/{slug}")
        assert given not in answer.text
    assert await desk.sql("select 1 from connection") == []
    assert await desk.announced() == []
    assert [entry["action"] for entry in await desk.audited(tenant)] == ["api_key.created"]


async def test_amazon_being_away_is_said_and_nothing_is_kept(desk: Any) -> None:
    tenant = await desk.tenant()
    token = await _token(desk)
    for fault, slug in (
        ({"operation": "token", "status": 503, "count": 5}, "amazon-sign-in-unavailable"),
        ({"operation": "getMarketplaceParticipations", "kind": "malformed_json"}, "amazon-unavailable"),
        ({"operation": "searchListingsItems", "kind": "malformed_json"}, "amazon-unavailable"),
    ):
        await desk.amazon.dial("POST", "/sandbox/faults", fault)
        answer = await _enter(desk, tenant, token)
        assert (answer.status_code, answer.json()["type"]) == (503, f"/problems/{slug}")
        await desk.amazon.dial("DELETE", "/sandbox/faults")
    assert await desk.sql("select 1 from connection") == []


async def test_a_repeat_with_the_same_key_makes_one_connection(desk: Any) -> None:
    tenant = await desk.tenant()
    token = await _token(desk)
    body = {"name": "By hand", "selling_partner_id": "A1SELLER", "marketplace_id": US, "refresh_token": token}
    headers = tenant.headers | {"idempotency-key": "by-hand"}
    first, second = [
        await desk.http.post("/v1/connections/self-authorized", json=body, headers=headers) for _ in range(2)
    ]
    assert (first.status_code, second.json()) == (201, first.json())
    assert token not in str(await desk.sql("select convert_from(answer, 'utf8') from idempotency_key"))


@pytest.mark.row("A7")
async def test_a_new_token_brings_a_revoked_connection_back(desk: Any) -> None:
    tenant = await desk.tenant()
    connection = (await _enter(desk, tenant, await _token(desk))).json()
    path = f"/v1/connections/{connection['id']}"
    await desk.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")
    assert (await desk.post(tenant, f"{path}/check")).status_code == 409

    def put(token: str) -> Any:
        return desk.http.put(f"{path}/refresh-token", json={"refresh_token": token}, headers=tenant.headers)

    strange = await _token(desk, "A2STRANGER")
    assert (await put(strange)).json()["type"] == "/problems/token-of-another-seller"
    token = await _shown(desk, "A1SELLER")
    assert (await put(token)).json()["status"] == "active"
    assert await desk.notified(tenant) == ["connection-authorized", "connection-revoked", "connection-authorized"]
