"""Channels, and the test whether a seller is active where they sell (MISSION A6)."""

from typing import Any
from uuid import UUID

import pytest

from common.contracts.connections import Address, ConnectionChanged
from common.testing.events import clear_outbox

US, MX, CA, UK = "ATVPDKIKX0DER", "A1AM78C64UM0Y8", "A2EUQ1WTGCTBG2", "A1F83G8C2ARO7P"
ADDRESS = {
    "name": "Shop Ltd Returns",
    "line_1": "1 Dock Road",
    "line_2": None,
    "city": "Portland",
    "state_or_region": "OR",
    "postal_code": "97201",
    "country_code": "US",
}

pytestmark = pytest.mark.row("A6")


def _new(connection: Any, **changes: Any) -> dict[str, Any]:
    body = {"name": "US shop", "connection_id": connection["id"], "marketplace_id": US, "seller_of_record": "Shop Ltd"}
    return body | {"return_address": ADDRESS} | changes


async def test_every_change_of_a_channel_is_announced_with_the_whole_connection(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    await clear_outbox(desk.runtime.db)

    channel = (await desk.post(tenant, "/v1/channels", _new(connection))).json()
    path = f"/v1/channels/{channel['id']}"
    assert channel["return_address"] == ADDRESS
    assert (channel["integration_type"], channel["paused"]) == ("amazon", False)
    second = (await desk.post(tenant, "/v1/channels", _new(connection, name="MX shop", marketplace_id=MX))).json()
    changes = {"name": "Renamed", "return_address": None, "seller_of_record": "Shop Inc"}
    edited = (await desk.http.patch(path, json=changes, headers=tenant.headers)).json()
    assert (edited["name"], edited["return_address"], edited["seller_of_record"]) == ("Renamed", None, "Shop Inc")
    assert (await desk.post(tenant, f"{path}/pause")).json()["paused"] is True
    assert (await desk.post(tenant, f"{path}/pause")).json()["paused"] is True
    assert (await desk.post(tenant, f"{path}/unpause")).json()["paused"] is False
    assert (await desk.http.delete(path, headers=tenant.headers)).status_code == 204
    assert (await desk.http.get(path, headers=tenant.headers)).status_code == 404

    events = await desk.announced()
    assert {type(event) for event in events} == {ConnectionChanged}
    assert [event.version for event in events] == [2, 3, 4, 5, 6, 7]
    told = [[(c.name, c.marketplace_id, c.paused) for c in event.channels] for event in events]
    mexico = ("MX shop", MX, False)
    assert told == [
        [("US shop", US, False)],
        [("US shop", US, False), mexico],
        [("Renamed", US, False), mexico],
        [("Renamed", US, True), mexico],
        [("Renamed", US, False), mexico],
        [mexico],
    ]
    assert events[0].channels[0].return_address == Address(**ADDRESS)
    assert events[-1].channels[0].channel_id == UUID(second["id"])
    assert events[-1].status == "active"


async def test_concurrent_changes_get_versions_without_gaps_and_the_last_one_knows_all(
    desk: Any, all_at_once: Any
) -> None:
    tenant = await desk.tenant()
    await desk.seller(marketplaces=(US, MX, CA))
    connection = await desk.connect(tenant)
    channels = [
        (await desk.post(tenant, "/v1/channels", _new(connection, marketplace_id=marketplace_id))).json()
        for marketplace_id in (US, MX, CA)
    ]
    await clear_outbox(desk.runtime.db)
    rename = f"/v1/connections/{connection['id']}"
    answers = await all_at_once(
        *(desk.post(tenant, f"/v1/channels/{channel['id']}/pause") for channel in channels),
        *(desk.http.patch(rename, json={"name": f"Name {n}"}, headers=tenant.headers) for n in range(5)),
    )
    assert {answer.status_code for answer in answers} == {200}
    events = await desk.announced()
    assert [event.version for event in events] == list(range(5, 13))
    assert all(channel.paused for channel in events[-1].channels)
    assert events[-1].name == (await desk.http.get(rename, headers=tenant.headers)).json()["name"]


_REFUSED: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"marketplace_id": UK}, 400, "other-region"),
    ({"marketplace_id": "NOWHERE"}, 400, "unknown-marketplace"),
    ({"marketplace_id": US}, 409, "channel-exists"),
    ({"return_address": {"name": "half an address"}}, 400, "invalid-request"),
    ({"return_address": ADDRESS | {"city": ""}}, 400, "invalid-request"),
    ({"return_address": ADDRESS | {"name": "a\u0000"}}, 400, "invalid-request"),
    ({"return_address": ADDRESS | {"line_1": "a" * 900_000}}, 400, "invalid-request"),
    ({"return_address": ADDRESS | {"country_code": "Germany"}}, 400, "invalid-request"),
    ({"return_address": ADDRESS | {"town": "Bonn"}}, 400, "invalid-request"),
    ({"connection_id": "00000000-0000-0000-0000-000000000001"}, 404, "not-found"),
)


async def test_a_channel_of_wrong_data_is_refused(desk: Any) -> None:
    tenant = await desk.tenant()
    connection = await desk.create(tenant)
    first = (await desk.post(tenant, "/v1/channels", _new(connection))).json()
    for changes, status, slug in _REFUSED:
        answer = await desk.post(tenant, "/v1/channels", _new(connection, marketplace_id=MX) | changes)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}"), changes
        if slug == "channel-exists":
            assert answer.json()["channel_id"] == first["id"]
    listed = (await desk.http.get("/v1/channels", headers=tenant.headers)).json()["items"]
    assert [item["id"] for item in listed] == [first["id"]]


async def test_a_channel_moves_to_another_marketplace_of_the_region_only(desk: Any) -> None:
    tenant = await desk.tenant()
    connection = await desk.create(tenant)
    channel = (await desk.post(tenant, "/v1/channels", _new(connection))).json()
    await desk.post(tenant, "/v1/channels", _new(connection, marketplace_id=MX))
    path = f"/v1/channels/{channel['id']}"
    for marketplace_id, slug in ((UK, "other-region"), (MX, "channel-exists")):
        answer = await desk.http.patch(path, json={"marketplace_id": marketplace_id}, headers=tenant.headers)
        assert answer.json()["type"] == f"/problems/{slug}"
    moved = await desk.http.patch(path, json={"marketplace_id": CA}, headers=tenant.headers)
    assert moved.json()["marketplace_id"] == CA


async def test_a_repeated_create_makes_one_channel(desk: Any) -> None:
    tenant = await desk.tenant()
    connection = await desk.create(tenant)
    headers = tenant.headers | {"idempotency-key": "channel-1"}
    answers = [await desk.http.post("/v1/channels", json=_new(connection), headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    other = await desk.http.post("/v1/channels", json=_new(connection, name="Other"), headers=headers)
    assert other.json()["type"] == "/problems/idempotency-key-reused"


@pytest.mark.fact("1.5")
async def test_the_test_of_a_channel_says_where_the_seller_is_active(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller(marketplaces=(US, CA))
    connection = await desk.connect(tenant)
    checked = (await desk.post(tenant, f"/v1/connections/{connection['id']}/check")).json()
    assert {entry["marketplace_id"] for entry in checked["marketplaces"]} == {US, CA}
    assert all(entry["active"] and entry["store_name"] == "A1SELLER" for entry in checked["marketplaces"])

    here = (await desk.post(tenant, "/v1/channels", _new(connection))).json()
    there = (await desk.post(tenant, "/v1/channels", _new(connection, marketplace_id=MX))).json()
    good = (await desk.post(tenant, f"/v1/channels/{here['id']}/test")).json()
    assert (good["ok"], good["detail"]) == (True, "the seller sells in United States")
    bad = (await desk.post(tenant, f"/v1/channels/{there['id']}/test")).json()
    assert bad["ok"] is False
    assert bad["detail"] == "the seller does not sell in Mexico; active in: United States, Canada"


@pytest.mark.row("A7")
async def test_a_check_finds_out_that_the_grant_was_revoked(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    path = f"/v1/connections/{connection['id']}"
    assert (await desk.post(tenant, f"{path}/check")).status_code == 200
    await desk.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")
    answer = await desk.post(tenant, f"{path}/check")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/connection-revoked")
    assert (await desk.http.get(path, headers=tenant.headers)).json()["status"] == "revoked"


async def test_amazons_refusals_of_a_check_are_told_apart(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    path = f"/v1/connections/{connection['id']}"
    operation = {"operation": "getMarketplaceParticipations"}
    for fault, status, slug in (
        ({"status": 403, "count": 2}, 409, "amazon-denies-access"),
        ({"kind": "malformed_json", "count": 1}, 503, "amazon-unavailable"),
    ):
        await desk.amazon.dial("POST", "/sandbox/faults", operation | fault)
        answer = await desk.post(tenant, f"{path}/check")
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
        await desk.amazon.dial("DELETE", "/sandbox/faults")
    assert (await desk.http.get(path, headers=tenant.headers)).json()["status"] == "active"


@pytest.mark.fact("3.1")
async def test_a_check_beyond_amazons_allowance_says_when_to_come_back(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    await desk.post(tenant, f"/v1/connections/{connection['id']}/check")
    await desk.sql("update amazon_bucket set tokens = 0, refilled_at = clock_timestamp()")
    answer = await desk.post(tenant, f"/v1/connections/{connection['id']}/check")
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/amazon-busy")
    assert 1 <= int(answer.headers["retry-after"]) <= 63
