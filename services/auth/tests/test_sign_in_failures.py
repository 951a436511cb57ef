"""A sign-in at Amazon that fails (MISSION A8): old tokens serve on, and nobody asks again before a pause is over."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from auth_service.cooling import pause_after
from auth_service.lwa import AppRefused, LwaUnavailable

APP = "/sandbox/apps/amzn1.sellerapps.app.entrepot-dev-na"

pytestmark = [pytest.mark.row("A8"), pytest.mark.fault("F14")]


async def _connected(desk: Any) -> tuple[Any, UUID, UUID]:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    return tenant, tenant.account_id, UUID(connection["id"])


async def _suspend(desk: Any, suspended: bool = True) -> None:
    await desk.amazon.dial("PUT", APP, {"suspended": suspended})


async def _sign_ins(desk: Any) -> int:
    """How often Login with Amazon was asked, whatever it answered."""
    calls = (await desk.amazon.dial("GET", "/sandbox/books/calls"))["calls"]
    return sum(calls["token"].values())


async def _pause(desk: Any, length: str) -> None:
    await desk.sql(f"update access_token set ask_again_at = clock_timestamp() + interval '{length}'")


async def test_while_amazon_refuses_our_app_an_ageing_token_is_handed_out_and_a_refused_one_is_not(desk: Any) -> None:
    _, *of_connection = await _connected(desk)
    token = (await desk.broker.hand_out(*of_connection)).access_token
    await _suspend(desk)
    await desk.sql("update access_token set renew_at = now() - interval '1 second'")
    assert (await desk.broker.hand_out(*of_connection)).access_token == token
    for pause in ("0 seconds", "1 hour"):
        await _pause(desk, pause)
        with pytest.raises(AppRefused, match="unauthorized_client for the app of region NA"):
            await desk.broker.hand_out(*of_connection, token[-8:])


async def test_during_a_pause_no_replica_asks_and_each_answers_at_once_what_it_has(
    desk: Any, replica: Any, all_at_once: Any
) -> None:
    _, *of_connection = await _connected(desk)
    both = (desk.broker, replica)
    await desk.amazon.dial("POST", "/sandbox/faults", {"operation": "token", "status": 503, "count": 100})
    before = await _sign_ins(desk)
    for _ in range(2):
        outcomes = await all_at_once(*(broker.hand_out(*of_connection) for broker in both * 10))
        assert all(isinstance(outcome, LwaUnavailable) for outcome in outcomes)
        assert all(int(outcome.headers["Retry-After"]) >= 1 for outcome in outcomes)
        assert await _sign_ins(desk) == before + 2  # one refresh, which tries twice
        await _pause(desk, "1 hour")

    await desk.amazon.dial("DELETE", "/sandbox/faults")
    await _pause(desk, "0 seconds")
    token = (await replica.hand_out(*of_connection)).access_token
    await desk.sql("update access_token set renew_at = now() - interval '1 second'")
    await _pause(desk, "1 hour")
    before = await _sign_ins(desk)
    assert {(await broker.hand_out(*of_connection)).access_token for broker in both * 10} == {token}
    assert await _sign_ins(desk) == before


async def test_a_replica_that_waits_for_anothers_try_ends_with_it(desk: Any, replica: Any, all_at_once: Any) -> None:
    _, *of_connection = await _connected(desk)
    slow = {"operation": "token", "kind": "slow", "seconds": 0.3, "count": 100}
    await _suspend(desk)
    await desk.amazon.dial("POST", "/sandbox/faults", slow)
    before = await _sign_ins(desk)
    outcomes = await all_at_once(*(broker.hand_out(*of_connection) for broker in (desk.broker, replica)))
    assert [type(outcome) for outcome in outcomes] == [AppRefused] * 2
    assert await _sign_ins(desk) == before + 1


async def test_a_caller_in_a_pause_is_told_when_to_come_again(desk: Any) -> None:
    _, account_id, connection_id = await _connected(desk)
    await _suspend(desk)
    headers = await desk.service_headers()
    asking = {"account_id": str(account_id), "connection_id": str(connection_id)}
    for pause, said in (("0 seconds", "1"), ("50 seconds", "50")):
        await _pause(desk, pause)
        answer = await desk.http.post("/v1/internal/access-tokens", json=asking, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/amazon-app-refused")
        assert answer.headers["retry-after"] == said
        assert "AMAZON_CLIENT_SECRET_NA" in answer.json()["fix"]


async def test_the_pause_grows_from_failure_to_failure_and_a_token_or_a_consent_ends_it(desk: Any) -> None:
    tenant, *of_connection = await _connected(desk)
    kept = "select failures, ask_again_at - clock_timestamp() from access_token"
    await _suspend(desk)
    for failures in (1, 2, 3):
        with pytest.raises(AppRefused):
            await desk.broker.hand_out(*of_connection)
        ((counted, left),) = await desk.sql(kept)
        assert counted == failures
        assert pause_after(failures) / 2 < left <= pause_after(failures)
        await _pause(desk, "0 seconds")

    await _suspend(desk, False)
    await desk.broker.hand_out(*of_connection)
    assert await desk.sql("select failures, ask_again_at, app_refusal from access_token") == [(0, None, None)]

    await desk.sql("update access_token set renew_at = now(), expires_at = now(), failures = 7")
    await _pause(desk, "1 hour")
    page = (await desk.post(tenant, f"/v1/connections/{of_connection[1]}/consent")).json()
    assert (await desk.callback(await desk.visit(page["consent_url"]))).json()["status"] == "active"
    assert (await desk.broker.hand_out(*of_connection)).access_token.startswith("Atza|")


def test_a_pause_doubles_from_a_second_to_a_minute() -> None:
    pauses = [pause_after(failures) for failures in (1, 2, 3, 4, 5, 6, 7, 8, 1000)]
    assert pauses == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 16, 32, 60, 60, 60)]
