"""One test over the OpenAPI of all four services: every operation refuses strangers with 401, a missing scope with 403,
and another account's ids with 404; nothing of the other account is changed or shown."""

import json
from typing import Any

import pytest

from common.bulk import run
from common.http import Response

# Open on purpose: the token endpoint, its keys, the browser's ways from and to Amazon, health.
OPEN = {"/v1/token", "/.well-known/jwks.json", "/v1/oauth/callback", "/v1/oauth/login", "/healthz", "/readyz"}
# No account's token may: they are for the platform's own services and its operator.
PLATFORM_ONLY = {"/v1/internal/access-tokens", "/v1/platform/notifications"}
# Any valid token may ask who it is.
ANY_TOKEN = "/v1/whoami"
FORGED = {"authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."}

PLANTED = "Planted-4711"
SERVICES = ("auth", "listings", "orders", "compliance")

pytestmark = [pytest.mark.row("A9"), pytest.mark.edge(22)]


@pytest.mark.parametrize("name", SERVICES)
async def test_every_operation_refuses_strangers_missing_scopes_and_other_accounts(name: str, open_world: Any) -> None:
    walled = await open_world(name)
    before = await _ours(walled)
    asked = foreign = named = 0
    for route in walled.routes:
        if route.path in OPEN:
            continue
        unknown = {part.split("}")[0] for part in route.path.split("{")[1:]} - set(walled.ids)
        assert not unknown, f"{name} {route.path}: say in this test how {unknown} come about"
        for headers in ({}, FORGED, {"authorization": "Basic eDp5"}):
            await _expect(walled, route, headers, 401)
        if route.path == ANY_TOKEN:
            continue
        await _expect(walled, route, walled.scopeless, 403)
        asked += 1
        if route.path in PLATFORM_ONLY:
            await _expect(walled, route, walled.strangers, 403)
        elif "{" in route.path:
            foreign += 1
            await _expect(walled, route, walled.strangers, 404)
        else:
            answer = await _expect(walled, route, walled.strangers, None)
            if any(value in json.dumps(route.request(walled.ids), default=str) for value in walled.ids.values()):
                named += 1
                assert _finds_nothing(answer), f"{name} {route.method} {route.path}: {answer.text[:300]}"
    assert asked > 10
    assert foreign > 3
    assert named
    assert await _ours(walled) == before


async def _expect(walled: Any, route: Any, headers: dict[str, str], status: int | None) -> Response:
    """Asks for what is ours; `status` None: whatever it answers, nothing of ours is in it."""
    request = route.request(walled.ids)
    given = request | {"headers": request.get("headers", {}) | headers}
    answer: Response = await walled.running.http.request(route.method, route.path.format_map(walled.ids), **given)
    told = f"{route.method} {route.path} {json.dumps(request, default=str)} -> {answer.status_code} {answer.text[:300]}"
    assert PLANTED not in answer.text, told
    assert status in (None, answer.status_code), told
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", told
    return answer


def _finds_nothing(answer: Response) -> bool:
    """Whether what a body or query named is not there for who asks: 404, an empty list, or each row refused."""
    if answer.status_code == 404:
        return True
    if answer.headers["content-type"].startswith("text/csv"):
        return all(not row.partition(",")[2].strip(",") for row in answer.text.splitlines()[1:])  # a SKU beside nothing
    said = answer.json()
    if "items" in said:
        return not said["items"]
    rows = [row.get("error", row) for row in said.get("errors", said.get("results"))]
    refused = {row.get("code", said.get("type")) for row in rows}
    return bool(refused) and refused <= {"not-found", "unknown-channel", "/problems/unknown-source"}


async def _ours(walled: Any) -> list[str]:
    """Every row of our account, in whatever table, as text."""
    rows: list[str] = []
    async with walled.running.runtime.db.transaction() as session:
        tables = await run(session, "select table_name from information_schema.tables where table_schema = 'public'")
        for (table,) in tables:
            sql = f"select t::text from \"{table}\" t where t::text like '%' || $1 || '%' order by 1"
            rows += [f"{table} {row[0]}" for row in await run(session, sql, str(walled.account_id))]
    return rows
