"""The health of a connection (MISSION A7): every move is told once, to services and to people; time warns."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from auth_service.housekeeping import Housekeeping
from auth_service.jobs import background
from auth_service.lifecycle import TOLD_AS
from common.contracts.connections import ReauthorizationDue

pytestmark = pytest.mark.row("A7")


async def _status(desk: Any, tenant: Any, connection: Any) -> Any:
    return (await desk.http.get(f"/v1/connections/{connection['id']}", headers=tenant.headers)).json()


@pytest.mark.row("E2")
async def test_every_move_is_one_event_one_notification_and_one_audit_entry(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    path = f"/v1/connections/{connection['id']}"
    for verb in ("disable", "disable", "enable", "enable"):
        await desk.post(tenant, f"{path}/{verb}")
    await desk.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")
    for _ in range(2):
        assert (await desk.post(tenant, f"{path}/check")).status_code == 409
    happened = ["authorized", "disabled", "enabled", "refused"]
    assert await desk.notified(tenant) == [TOLD_AS[one].code for one in happened]  # type: ignore[index]
    assert [type(event) for event in await desk.announced()] == [TOLD_AS[one].event for one in happened]  # type: ignore[index]
    moves = [entry for entry in await desk.audited(tenant) if "status" in entry["facts"]]
    assert [entry["action"] for entry in moves] == [f"connection.{one}" for one in happened]
    assert [entry["actor"].split(":")[0] for entry in moves] == ["key", "key", "key", "amazon"]


async def test_a_year_is_warned_of_once_a_month_before_its_end_and_a_new_consent_begins_another(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    housekeeping = Housekeeping(desk.runtime)
    shown = await _status(desk, tenant, connection)
    year = datetime.fromisoformat(shown["reauthorize_by"]) - datetime.fromisoformat(shown["authorized_at"])
    assert year == timedelta(days=365)

    await desk.sql("update connection set authorized_at = now() - interval '334 days'")
    await housekeeping.once()
    assert (await _status(desk, tenant, connection))["status"] == "active"
    await desk.sql("update connection set authorized_at = now() - interval '335 days'")
    for _ in range(3):
        await housekeeping.once()
    assert (await _status(desk, tenant, connection))["status"] == "reauthorization_due"
    assert (await desk.notified(tenant)).count("reauthorization-due") == 1
    assert [type(event) for event in await desk.announced()].count(ReauthorizationDue) == 1
    # It still works until Amazon says no.
    assert (await desk.broker.hand_out(tenant.account_id, UUID(connection["id"]))).access_token.startswith("Atza|")

    page = (await desk.post(tenant, f"/v1/connections/{connection['id']}/consent")).json()
    assert (await desk.callback(await desk.visit(page["consent_url"]))).json()["status"] == "active"
    await housekeeping.once()
    assert (await desk.notified(tenant)).count("reauthorization-due") == 1


@pytest.mark.fact("2.3.4")
@pytest.mark.fault("F14")
async def test_an_authorisation_that_nobody_renewed_ends_as_a_revoked_connection_and_a_renewal_brings_it_back(
    desk: Any,
) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    await desk.broker.hand_out(tenant.account_id, UUID(connection["id"]))
    await desk.amazon.dial("POST", "/sandbox/clock", {"advance_s": 366 * 86_400})
    path = f"/v1/connections/{connection['id']}"
    assert (await desk.post(tenant, f"{path}/check")).json()["type"] == "/problems/connection-revoked"
    page = (await desk.post(tenant, f"{path}/consent")).json()
    assert (await desk.callback(await desk.visit(page["consent_url"]))).json()["status"] == "active"
    assert (await desk.post(tenant, f"{path}/check")).status_code == 200
    assert await desk.notified(tenant) == ["connection-authorized", "connection-revoked", "connection-authorized"]


async def test_two_processes_that_warn_at_the_same_time_warn_once(desk: Any, all_at_once: Any) -> None:
    tenant = await desk.tenant()
    for number in range(5):
        await desk.seller(f"A{number}SELLER")
        await desk.connect(tenant, f"A{number}SELLER")
    await desk.sql("update connection set authorized_at = now() - interval '340 days'")
    await all_at_once(*(Housekeeping(desk.runtime).once() for _ in range(4)))
    await Housekeeping(desk.runtime).once()
    assert (await desk.notified(tenant)).count("reauthorization-due") == 5


async def test_a_worker_keeps_house_by_itself_and_outlasts_a_database_that_is_away(open_desk: Any) -> None:
    desk = await open_desk(housekeeping_every_seconds=0.05)
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    await desk.sql("update connection set authorized_at = now() - interval '340 days'")
    away = await open_desk(database_url="postgresql://nobody@127.0.0.1:1/none")
    loops = [asyncio.ensure_future(background(one.runtime)["housekeeping"]()) for one in (desk, away)]
    while (await _status(desk, tenant, connection))["status"] != "reauthorization_due":
        await asyncio.sleep(0.05)
    assert not [loop for loop in loops if loop.done()]
    for loop in loops:
        loop.cancel()
    assert [type(one) for one in await asyncio.gather(*loops, return_exceptions=True)] == [asyncio.CancelledError] * 2


@pytest.mark.parametrize(("age", "warnings"), [(149, 0), (150, 1), (179, 1)])
async def test_the_operator_is_warned_once_before_an_app_secret_ends(open_desk: Any, age: int, warnings: int) -> None:
    issued = (datetime.now(UTC) - timedelta(days=age)).date()
    desk = await open_desk(amazon_client_secret_issued_na=issued)
    tenant = await desk.tenant()
    for _ in range(3):
        await Housekeeping(desk.runtime).once()
    operator = await desk.operator_headers()
    found = (await desk.http.get("/v1/platform/notifications", headers=operator)).json()["items"]
    undated = sorted(item["fix"].split()[1] for item in found if item["code"] == "app-secret-undated")
    assert undated == ["AMAZON_CLIENT_SECRET_ISSUED_EU", "AMAZON_CLIENT_SECRET_ISSUED_FE"]
    found = [item for item in found if item["code"] != "app-secret-undated"]
    assert [item["code"] for item in found] == ["app-secret-expires"] * warnings
    assert all("AMAZON_CLIENT_SECRET_NA" in item["fix"] and "dev-only" not in item["fix"] for item in found)
    # It is nobody's business but the operator's.
    assert (await desk.http.get("/v1/platform/notifications", headers=tenant.headers)).status_code == 403
    assert (await desk.http.get("/v1/connections", headers=operator)).status_code == 403


@pytest.mark.edge(21)
async def test_the_daily_check_finds_a_revoked_grant_and_then_leaves_amazon_in_peace(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    worker = desk.runtime.worker()
    assert await worker.run_due() == 1
    healthy = await _status(desk, tenant, connection)
    assert (healthy["status"], healthy["check_problem"]) == ("active", None)
    assert healthy["checked_at"] is not None

    await desk.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")
    await desk.sql("update schedule set next_at = now()")
    assert await worker.run_due() == 1
    assert (await _status(desk, tenant, connection))["status"] == "revoked"
    books = (await desk.amazon.dial("GET", "/sandbox/books/calls"))["calls"]
    await desk.sql("update schedule set next_at = now()")
    assert await worker.run_due() == 0
    assert (await desk.amazon.dial("GET", "/sandbox/books/calls"))["calls"] == books
    assert books["token"] == {"200": 2, "400": 1}
    assert (await desk.notified(tenant)).count("connection-revoked") == 1


async def test_a_check_that_amazon_refuses_while_the_grant_holds_is_told_once_until_it_is_well_again(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    path = f"/v1/connections/{connection['id']}"
    denied = {"operation": "getMarketplaceParticipations", "status": 403, "count": 3}
    await desk.amazon.dial("POST", "/sandbox/faults", denied)
    for _ in range(2):
        assert (await desk.post(tenant, f"{path}/check")).json()["type"] == "/problems/amazon-denies-access"
    await desk.amazon.dial("DELETE", "/sandbox/faults")
    assert (await _status(desk, tenant, connection))["check_problem"] == "amazon-denies-access"
    assert (await desk.post(tenant, f"{path}/check")).status_code == 200
    well = await _status(desk, tenant, connection)
    assert (well["status"], well["check_problem"]) == ("active", None)
    assert await desk.notified(tenant) == ["connection-authorized", "amazon-denies-access"]


async def test_what_has_expired_is_forgotten_a_day_later(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.create(tenant)
    housekeeping = Housekeeping(desk.runtime)
    await desk.sql("update consent set expires_at = now() - interval '23 hours'")
    await housekeeping.once()
    assert len(await desk.sql("select 1 from consent")) == 1
    await desk.sql("update consent set expires_at = now() - interval '25 hours'")
    await housekeeping.once()
    assert await desk.sql("select 1 from consent") == []
