"""Access tokens for the other services (MISSION A8), and what a grant that no longer holds leads to (A7)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auth_service.access_tokens import ConnectionIsRevoked, TokenBroker
from auth_service.lwa import Lwa, Tokens
from auth_service.settings import AppIdentity
from common import clock
from common.amazon import errors
from common.amazon.access import AuthAccessTokens, Seller
from common.contracts.connections import ConnectionAuthorized, ConnectionRevoked
from common.errors import ConnectionNotActiveProblem

US = "ATVPDKIKX0DER"

pytestmark = pytest.mark.row("A8")


async def _ask(desk: Any, headers: dict[str, str], account_id: UUID, connection_id: str, **more: Any) -> Any:
    body = {"account_id": str(account_id), "connection_id": connection_id} | more
    return await desk.http.post("/v1/internal/access-tokens", json=body, headers=headers)


async def test_a_token_is_asked_of_amazon_once_and_then_kept(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    headers = await desk.service_headers()
    answers = [(await _ask(desk, headers, tenant.account_id, connection["id"])).json() for _ in range(3)]
    assert len({answer["access_token"] for answer in answers}) == 1
    assert answers[0]["access_token"].startswith("Atza|")
    assert 3500 < answers[2]["expires_in"] <= 3600
    assert (answers[0]["selling_partner_id"], answers[0]["region"]) == ("A1SELLER", "NA")
    assert await desk.refreshes() == 1


async def test_only_a_service_may_ask(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    assert (await _ask(desk, tenant.headers, tenant.account_id, connection["id"])).status_code == 403
    assert (await _ask(desk, {}, tenant.account_id, connection["id"])).status_code == 401


@pytest.mark.row("A8")
@pytest.mark.edge(22)
async def test_two_hundred_requests_over_twenty_connections_and_two_replicas_refresh_once_each_and_never_mix(
    desk: Any, replica: Any, all_at_once: Any
) -> None:
    wanted = await _connections(desk, accounts=5, each=4)
    asked = [wanted[index % len(wanted)] for index in range(200)]
    answers = await all_at_once(*_asking((desk.broker, replica), asked))
    assert [answer.selling_partner_id for answer in answers] == [seller for _, _, seller in asked]
    tokens = {(seller, answer.access_token) for (_, _, seller), answer in zip(asked, answers, strict=True)}
    assert len(tokens) == len({token for _, token in tokens}) == len(wanted) == 20
    assert await desk.refreshes() == len(wanted)


@pytest.mark.row("A8")
@pytest.mark.edge(22)
async def test_whoever_asks_in_whatever_order_gets_the_token_of_its_own_connection(desk: Any, replica: Any) -> None:
    """A property: any mix of accounts, connections, replicas, ageing and refused tokens crosses no token."""
    wanted = await _connections(desk, accounts=3, each=2)
    brokers = (desk.broker, replica)
    owner: dict[str, str] = {}
    steps = st.lists(
        st.tuples(
            st.sampled_from(range(len(wanted))),
            st.sampled_from((0, 1)),
            st.sampled_from(("ask", "ask", "ask", "old", "refused", "foreign")),
        ),
        min_size=1,
        max_size=24,
    )

    async def one(index: int, replica_number: int, kind: str) -> None:
        account_id, connection_id, seller = wanted[index]
        broker = brokers[replica_number]
        if kind == "old":
            await desk.sql("update access_token set renew_at = now() where connection_id = $1", connection_id)
        if kind == "foreign":
            stranger = wanted[(index + 2) % len(wanted)][0]
            with pytest.raises(ConnectionNotActiveProblem):
                await broker.hand_out(stranger, connection_id)
            return
        held = next((token for token, who in owner.items() if who == seller), None)
        refused = held[-8:] if held and kind == "refused" else None
        answer = await broker.hand_out(account_id, connection_id, refused)
        assert answer.selling_partner_id == seller
        assert owner.setdefault(answer.access_token, seller) == seller

    async def play(mix: list[tuple[int, int, str]]) -> None:
        await asyncio.gather(*(one(*step) for step in mix))

    loop = asyncio.get_running_loop()

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(steps)
    def whatever_the_mix(mix: list[tuple[int, int, str]]) -> None:
        asyncio.run_coroutine_threadsafe(play(mix), loop).result(60)

    await asyncio.to_thread(whatever_the_mix)
    # And Amazon agrees whose each of them is.
    for token, seller in owner.items():
        mine = await desk.http.get(
            f"{desk.amazon.urls['na']}/listings/2021-08-01/items/{seller}",
            params={"marketplaceIds": US},
            headers={"x-amz-access-token": token},
        )
        assert mine.status_code == 200


async def _connections(desk: Any, *, accounts: int, each: int) -> list[tuple[UUID, UUID, str]]:
    """Account, connection and seller of every one."""
    made = []
    for number in range(accounts):
        tenant = await desk.tenant(f"Shop {number}")
        for letter in "ABCDEF"[:each]:
            seller = f"A{number}{letter}SELLER"
            await desk.seller(seller)
            connection = await desk.connect(tenant, seller)
            made.append((tenant.account_id, UUID(connection["id"]), seller))
    return made


def _asking(brokers: tuple[TokenBroker, ...], asked: list[tuple[UUID, UUID, str]]) -> list[Any]:
    """Each replica is asked for each connection, several times at once."""
    return [
        brokers[index // 20 % len(brokers)].hand_out(account, connection)
        for index, (account, connection, _) in enumerate(asked)
    ]


@pytest.mark.edge(22)
async def test_no_account_gets_a_token_of_anothers_connection(desk: Any) -> None:
    ours, theirs = await desk.tenant(), await desk.tenant("Other")
    await desk.seller()
    connection = await desk.connect(ours)
    headers = await desk.service_headers()
    for account_id, connection_id in ((theirs.account_id, connection["id"]), (ours.account_id, str(uuid4()))):
        answer = await _ask(desk, headers, account_id, connection_id)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/connection-not-active")


async def test_a_token_that_grows_old_is_replaced_before_it_expires(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    first = await desk.broker.hand_out(tenant.account_id, UUID(connection["id"]))
    await desk.sql("update access_token set renew_at = now() - interval '1 second'")
    second = await desk.broker.hand_out(tenant.account_id, UUID(connection["id"]))
    assert second.access_token != first.access_token
    assert await desk.refreshes() == 2


async def test_a_connection_costs_at_most_eleven_sign_ins_in_ten_hours_however_often_it_is_asked(
    desk: Any, replica: Any, all_at_once: Any
) -> None:
    """PERFORMANCE P14, on a clock that is moved ten minutes at a time, Amazon's with it."""
    wanted = await _connections(desk, accounts=2, each=2)
    began, hours = clock.now(), 10
    with time_machine.travel(began, tick=True) as traveller:
        for _ in range(hours * 6):
            answers = await all_at_once(*_asking((desk.broker, replica), wanted * 10))
            assert {answer.selling_partner_id for answer in answers} == {seller for _, _, seller in wanted}
            assert all(answer.expires_in >= 30 for answer in answers)
            traveller.shift(timedelta(minutes=10))
            await desk.amazon.dial("POST", "/sandbox/clock", {"advance_s": 600})
    assert hours * 0.9 <= await desk.refreshes() / len(wanted) <= hours * 1.1


async def test_a_refused_token_is_replaced_once_and_then_kept(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    account_id, connection_id = tenant.account_id, UUID(connection["id"])
    first = (await desk.broker.hand_out(account_id, connection_id)).access_token
    second = (await desk.broker.hand_out(account_id, connection_id, first[-8:])).access_token
    assert second != first
    # Late news of the first one, and a refusal of its successor: another would be refused too (a role is missing).
    for refused in (first, second):
        assert (await desk.broker.hand_out(account_id, connection_id, refused[-8:])).access_token == second
    assert await desk.refreshes() == 2


@pytest.mark.row("A7")
@pytest.mark.edge(21)
@pytest.mark.fault("F14")
async def test_a_revoked_grant_is_noticed_once_and_a_new_consent_resumes(
    desk: Any, replica: Any, all_at_once: Any
) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    account_id, connection_id = tenant.account_id, UUID(connection["id"])
    token = (await desk.broker.hand_out(account_id, connection_id)).access_token
    await desk.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")

    outcomes = await all_at_once(
        *(broker.hand_out(account_id, connection_id, token[-8:]) for broker in (desk.broker, replica) * 10)
    )
    assert {type(outcome) for outcome in outcomes} == {ConnectionIsRevoked}
    answer = await _ask(desk, await desk.service_headers(), account_id, connection["id"])
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/connection-revoked")
    assert await desk.sql("select 1 from connection where refresh_token is not null") == []
    calls = (await desk.amazon.dial("GET", "/sandbox/books/calls"))["calls"]
    # One exchange of a code, one refresh that worked, one that was refused: then Amazon is left in peace.
    assert calls["token"] == {"200": 2, "400": 1}

    page = (await desk.post(tenant, f"/v1/connections/{connection['id']}/consent")).json()
    assert (await desk.callback(await desk.visit(page["consent_url"]))).json()["status"] == "active"
    assert (await desk.broker.hand_out(account_id, connection_id)).access_token.startswith("Atza|")
    events = await desk.announced()
    assert [(type(event), event.version) for event in events] == [
        (ConnectionAuthorized, 1),
        (ConnectionRevoked, 2),
        (ConnectionAuthorized, 3),
    ]


class Interrupted(Lwa):
    """Login with Amazon, with something that happens while its answer to the first refresh is awaited."""

    def __init__(self, desk: Any, meanwhile: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(desk.runtime.http, desk.amazon.urls["lwa"])
        self._meanwhile: Callable[[], Awaitable[Any]] | None = meanwhile

    async def refresh(self, app: AppIdentity, refresh_token: str) -> Tokens:
        if meanwhile := self._meanwhile:
            self._meanwhile = None
            await meanwhile()
        return await super().refresh(app, refresh_token)


def _interrupted(desk: Any, meanwhile: Callable[[], Awaitable[Any]]) -> TokenBroker:
    runtime = desk.runtime
    return TokenBroker(runtime.db, Interrupted(desk, meanwhile), runtime.settings, runtime.key_ring)


@pytest.mark.row("A7")
async def test_a_refusal_of_the_old_grant_does_not_revoke_a_new_consent(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)

    async def revoked_and_consented_again() -> None:
        await desk.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")
        page = (await desk.post(tenant, f"/v1/connections/{connection['id']}/consent")).json()
        await desk.callback(await desk.visit(page["consent_url"]))

    broker = _interrupted(desk, revoked_and_consented_again)
    answer = await broker.hand_out(tenant.account_id, UUID(connection["id"]))
    kept = await desk.broker.hand_out(tenant.account_id, UUID(connection["id"]))
    assert answer.access_token == kept.access_token
    assert (await desk.post(tenant, f"/v1/connections/{connection['id']}/check")).status_code == 200
    assert ConnectionRevoked not in {type(event) for event in await desk.announced()}


@pytest.mark.row("A7")
async def test_enabling_a_connection_whose_grant_was_refused_meanwhile_answers_revoked(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)

    async def disabled_and_revoked() -> None:
        await desk.post(tenant, f"/v1/connections/{connection['id']}/disable")
        await desk.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")

    with pytest.raises(ConnectionIsRevoked):
        await _interrupted(desk, disabled_and_revoked).hand_out(tenant.account_id, UUID(connection["id"]))
    enabled = await desk.post(tenant, f"/v1/connections/{connection['id']}/enable")
    assert enabled.json()["status"] == "revoked"
    assert ConnectionRevoked not in {type(event) for event in await desk.announced()}


async def test_a_pending_or_disabled_connection_has_no_token(desk: Any) -> None:
    tenant = await desk.tenant()
    connection = await desk.create(tenant)
    answer = await _ask(desk, await desk.service_headers(), tenant.account_id, connection["id"])
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/connection-not-active")
    assert "pending" in answer.json()["detail"]


@pytest.mark.fault("F14")
async def test_while_the_sign_in_is_down_an_ageing_token_is_handed_out_and_a_refused_one_is_not(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    account_id, connection_id = tenant.account_id, UUID(connection["id"])
    headers = await desk.service_headers()
    token = (await desk.broker.hand_out(account_id, connection_id)).access_token
    await desk.amazon.dial("POST", "/sandbox/faults", {"operation": "token", "status": 503, "count": 100})

    refused = await _ask(desk, headers, account_id, connection["id"], refused=token[-8:])
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/amazon-sign-in-unavailable")
    await desk.sql("update access_token set renew_at = now() - interval '1 second'")
    assert (await desk.broker.hand_out(account_id, connection_id)).access_token == token
    await desk.sql("update access_token set expires_at = now() + interval '1 second'")
    assert (await _ask(desk, headers, account_id, connection["id"])).status_code == 503

    await desk.amazon.dial("DELETE", "/sandbox/faults")
    await desk.sql("update access_token set ask_again_at = clock_timestamp()")
    assert (await _ask(desk, headers, account_id, connection["id"])).json()["access_token"] != token


@pytest.mark.fault("F12")
async def test_a_refresh_whose_answer_is_lost_is_simply_asked_again(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    await desk.amazon.dial("POST", "/sandbox/faults", {"operation": "token", "kind": "drop_after_effect", "count": 1})
    answer = await desk.broker.hand_out(tenant.account_id, UUID(connection["id"]))
    assert answer.access_token.startswith("Atza|")
    assert await desk.refreshes() == 2


class Killed(BaseException):
    """The process ends here."""


async def test_the_lease_of_a_process_that_died_runs_out(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    account_id, connection_id = tenant.account_id, UUID(connection["id"])

    async def killed() -> None:
        raise Killed

    with pytest.raises(Killed):
        await _interrupted(desk, killed).hand_out(account_id, connection_id)
    held = "select 1 from access_token where lease_until > clock_timestamp()"
    assert len(await desk.sql(held)) == 1
    await desk.sql("update access_token set lease_until = clock_timestamp()")
    assert (await desk.broker.hand_out(account_id, connection_id)).access_token.startswith("Atza|")
    assert await desk.sql(held) == []
    assert await desk.refreshes() == 1


@pytest.mark.row("A7")
async def test_other_services_meet_the_outcomes_that_their_client_knows(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    headers = await desk.service_headers()

    async def service_token() -> str:
        return str(headers["authorization"]).removeprefix("Bearer ")

    access = AuthAccessTokens(desk.http, str(desk.http.base_url), service_token)
    seller = Seller(tenant.account_id, UUID(connection["id"]), "A1SELLER", "NA")
    token = await access.get(seller)
    await desk.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")
    with pytest.raises(errors.ConnectionRevoked):
        await access.refused(seller, token)
    pending = await desk.create(tenant, "A2SELLER")
    with pytest.raises(errors.ConnectionNotActive):
        await access.get(Seller(tenant.account_id, UUID(pending["id"]), "A2SELLER", "NA"))
