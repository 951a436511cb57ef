"""The way through Amazon's consent page and back (MISSION A1, A2), and every way it goes wrong."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from auth_service import consent
from auth_service.lwa import Lwa, LwaUnavailable, Tokens
from auth_service.settings import AppIdentity
from common.contracts.connections import ConnectionAuthorized

US = "ATVPDKIKX0DER"

pytestmark = pytest.mark.row("A2")


@pytest.mark.row("A1")
@pytest.mark.fact("2.1")
async def test_consent_activates_the_connection_and_announces_it_whole(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    answer = await desk.callback(await desk.visit(created["consent_url"]))
    assert answer.status_code == 200
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.json()["status"] == "active"
    assert answer.json()["authorized_at"] is not None
    assert "token" not in answer.text
    (event,) = await desk.announced()
    assert event == ConnectionAuthorized(
        account_id=tenant.account_id,
        connection_id=UUID(created["id"]),
        version=1,
        name="Main",
        status="active",
        selling_partner_id="A1SELLER",
        region="NA",
        home_marketplace_id=US,
        channels=(),
    )


async def test_a_state_works_once(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    query = await desk.visit((await desk.create(tenant))["consent_url"])
    assert (await desk.callback(query)).status_code == 200
    again = await desk.callback(query)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/consent-used")
    assert again.headers.get_list("referrer-policy") == ["no-referrer"]
    malformed = await desk.http.get("/v1/oauth/callback", params={"state": "secret"})
    assert (malformed.status_code, malformed.headers["referrer-policy"]) == (400, "no-referrer")
    assert len(await desk.announced()) == 1


async def test_of_fifty_callbacks_at_once_exactly_one_wins(desk: Any, all_at_once: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    query = await desk.visit((await desk.create(tenant))["consent_url"])
    answers = await all_at_once(*(desk.callback(query) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 49
    assert len(await desk.announced()) == 1


@pytest.mark.edge(21)
async def test_an_unknown_or_tampered_state_is_refused(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    query = await desk.visit((await desk.create(tenant))["consent_url"])
    for state in ("x", query["state"] + "x", query["state"].swapcase()):
        answer = await desk.callback(query | {"state": state})
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/consent-unknown")
    assert (await desk.callback(query)).status_code == 200


@pytest.mark.edge(21)
async def test_an_expired_state_is_refused_and_a_new_page_helps(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    query = await desk.visit(created["consent_url"])
    await desk.sql("update consent set expires_at = now() - interval '1 second'")
    answer = await desk.callback(query)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/consent-expired")
    await _a_new_page_activates(desk, tenant, created["id"])


@pytest.mark.edge(21)
@pytest.mark.fact("2.3.2")
async def test_an_expired_code_leaves_the_connection_pending_and_a_new_page_helps(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    query = await desk.visit(created["consent_url"])
    await desk.amazon.dial("POST", "/sandbox/clock", {"advance_s": 301})
    answer = await desk.callback(query)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/consent-code-refused")
    assert "five minutes" in answer.json()["fix"]
    await _a_new_page_activates(desk, tenant, created["id"])


async def test_the_consent_of_another_seller_is_refused(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    await desk.seller("A2STRANGER")
    query = await desk.visit(created["consent_url"])
    answer = await desk.callback(query)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/wrong-seller")
    assert "A1SELLER" not in answer.text
    # The code belongs to the stranger: nothing of it was redeemed.
    assert (await desk.amazon.dial("GET", "/sandbox/books/tokens"))["codes_outstanding"] == 1
    await desk.sign_in("A1SELLER")
    await _a_new_page_activates(desk, tenant, created["id"])


async def test_a_grant_is_not_kept_for_another_seller_whatever_the_browser_says(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    await desk.seller("A2STRANGER")
    query = await desk.visit(created["consent_url"])
    answer = await desk.callback(query | {"selling_partner_id": "A1SELLER"})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/wrong-seller")
    assert "does not show this seller's listings" in answer.json()["detail"]
    assert await desk.sql("select 1 from connection where refresh_token is not null") == []
    assert await desk.announced() == []
    await desk.sign_in("A1SELLER")
    await _a_new_page_activates(desk, tenant, created["id"])


@pytest.mark.fault("F14")
async def test_a_grant_that_amazon_cannot_bear_out_is_not_kept_and_a_new_page_helps(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    await desk.amazon.dial("POST", "/sandbox/faults", {"operation": "searchListingsItems", "kind": "malformed_json"})
    answer = await desk.callback(await desk.visit(created["consent_url"]))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/amazon-unavailable")
    assert await desk.sql("select 1 from connection where refresh_token is not null") == []
    await desk.amazon.dial("DELETE", "/sandbox/faults")
    await _a_new_page_activates(desk, tenant, created["id"])


@pytest.mark.fault("F14")
@pytest.mark.row("A3")
async def test_a_renewal_is_kept_although_amazon_cannot_bear_it_out_just_then(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    page = (await desk.post(tenant, f"/v1/connections/{connection['id']}/consent")).json()
    await desk.amazon.dial("POST", "/sandbox/faults", {"operation": "searchListingsItems", "kind": "malformed_json"})
    renewed = (await desk.callback(await desk.visit(page["consent_url"]))).json()
    assert (renewed["status"], renewed["authorized_at"] > connection["authorized_at"]) == ("active", True)
    assert await desk.broker.hand_out(tenant.account_id, UUID(connection["id"]))


async def test_a_state_of_one_account_never_authorises_another_accounts_connection(desk: Any) -> None:
    ours, theirs = await desk.tenant(), await desk.tenant("Other")
    await desk.seller()
    mine, other = await desk.create(ours), await desk.create(theirs)
    code = (await desk.visit(other["consent_url"]))["spapi_oauth_code"]
    query = await desk.visit(mine["consent_url"])
    assert (await desk.callback(query | {"spapi_oauth_code": code})).json()["id"] == mine["id"]
    untouched = await desk.http.get(f"/v1/connections/{other['id']}", headers=theirs.headers)
    assert untouched.json()["status"] == "pending"


@pytest.mark.fault("F14")
async def test_a_sign_in_that_is_down_is_said_and_the_connection_stays_pending(open_desk: Any) -> None:
    desk = await open_desk(amazon_lwa_url="http://127.0.0.1:1")
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    answer = await desk.callback(await desk.visit(created["consent_url"]))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/amazon-sign-in-unavailable")
    assert (await _get(desk, tenant, created["id"]))["status"] == "pending"


async def test_wrong_credentials_of_our_app_name_the_settings_to_check(open_desk: Any) -> None:
    desk = await open_desk(amazon_client_secret_na="dev-only-wrong")
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    answer = await desk.callback(await desk.visit(created["consent_url"]))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/amazon-app-refused")
    assert "AMAZON_CLIENT_SECRET_NA" in answer.json()["fix"]
    assert "dev-only-wrong" not in answer.text


async def test_the_browser_goes_on_to_the_frontend_with_the_outcome(open_desk: Any) -> None:
    desk = await open_desk(frontend_url="https://console.example/amazon?tab=connections")
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    query = await desk.visit(created["consent_url"])
    for outcome in ({"connection_id": created["id"]}, {"problem": "consent-used"}):
        answer = await desk.callback(query)
        assert (answer.status_code, answer.headers["referrer-policy"]) == (303, "no-referrer")
        target = urlsplit(answer.headers["location"])
        assert (target.netloc, target.path) == ("console.example", "/amazon")
        assert {name: values[0] for name, values in parse_qs(target.query).items()} == {"tab": "connections"} | outcome


_WHOLE = {"state": "s", "selling_partner_id": "A1SELLER", "spapi_oauth_code": "c"}
_APPSTORE = {"amazon_callback_uri": "https://amazon.com/x", "amazon_state": "a", "selling_partner_id": "A1SELLER"}
CALLBACK, LOGIN = "/v1/oauth/callback", "/v1/oauth/login"


@pytest.mark.edge(38)
@pytest.mark.parametrize(
    ("path", "query", "slug"),
    [
        (CALLBACK, _APPSTORE, "appstore-at-redirect-uri"),
        (CALLBACK, {"amazon_state": "a"}, "appstore-at-redirect-uri"),
        (CALLBACK, {}, "consent-incomplete"),
        *((CALLBACK, {k: v for k, v in _WHOLE.items() if k != name}, "consent-incomplete") for name in _WHOLE),
        *((CALLBACK, _WHOLE | {name: ""}, "consent-incomplete") for name in _WHOLE),
        *((CALLBACK, _WHOLE | {name: "x" * 5000}, "consent-incomplete") for name in _WHOLE),
        *((CALLBACK, _WHOLE | {name: "nul\x00"}, "consent-incomplete") for name in _WHOLE),
        *((CALLBACK, _WHOLE | {name: ["one", "two"]}, "consent-incomplete") for name in _WHOLE),
        (CALLBACK, {"error": "access_denied", "state": "s"}, "consent-declined"),
        (CALLBACK, _WHOLE, "consent-unknown"),
        (CALLBACK, _WHOLE | {"mws_auth_token": "amzn.mws.x"}, "consent-unknown"),
        (LOGIN, _WHOLE, "redirect-at-login-uri"),
        (LOGIN, {}, "login-incomplete"),
        *((LOGIN, {k: v for k, v in _APPSTORE.items() if k != name}, "login-incomplete") for name in _APPSTORE),
        *((LOGIN, _APPSTORE | {name: ["one", "two"]}, "login-incomplete") for name in _APPSTORE),
        (LOGIN, _APPSTORE | {"selling_partner_id": "not a seller"}, "login-incomplete"),
        (LOGIN, _APPSTORE | {"amazon_state": "nul\x00"}, "login-incomplete"),
        (LOGIN, _APPSTORE, "callback-not-amazon"),
    ],
)
async def test_whatever_a_browser_brings_it_ends_at_the_frontend_with_a_slug(
    open_desk: Any, path: str, query: dict[str, Any], slug: str
) -> None:
    desk = await open_desk(frontend_url="https://console.example/amazon")
    answer = await desk.http.get(path, params=query)
    assert (answer.status_code, answer.headers["location"]) == (303, f"https://console.example/amazon?problem={slug}")


@pytest.mark.edge(38)
async def test_without_a_frontend_the_browser_is_told_what_to_register(desk: Any) -> None:
    answer = await desk.http.get(CALLBACK, params=_APPSTORE)
    assert answer.status_code == 400
    assert "/v1/oauth/login" in answer.json()["fix"]


@pytest.mark.parametrize(("path", "query"), [(CALLBACK, _WHOLE), (LOGIN, _APPSTORE)])
async def test_a_browser_that_comes_while_the_database_is_away_ends_at_the_frontend_too(
    open_desk: Any, path: str, query: dict[str, str]
) -> None:
    apps = {
        "amazon_callback_uri": "https://sellercentral.amazon.com/apps/authorize/confirm/amzn1.sellerapps.app.entrepot-dev-na"
    }
    desk = await open_desk(
        frontend_url="https://console.example/amazon", database_url="postgresql://nobody@127.0.0.1:1/none"
    )
    answer = await desk.http.get(path, params=query | (apps if path == LOGIN else {}))
    assert answer.headers["location"] == "https://console.example/amazon?problem=database-unavailable"


async def test_a_connection_that_was_disabled_or_deleted_meanwhile_is_not_activated(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    query = await desk.visit(created["consent_url"])
    await desk.post(tenant, f"/v1/connections/{created['id']}/disable")
    assert (await desk.callback(query)).json()["type"] == "/problems/connection-disabled"
    assert (await _get(desk, tenant, created["id"]))["status"] == "disabled"
    assert (await desk.amazon.dial("GET", "/sandbox/books/tokens"))["codes_outstanding"] == 1
    await desk.post(tenant, f"/v1/connections/{created['id']}/enable")
    assert (await desk.callback(query)).json()["status"] == "active"

    other = await desk.create(tenant, "A2SELLER")
    await desk.seller("A2SELLER")
    query = await desk.visit(other["consent_url"])
    await desk.http.delete(f"/v1/connections/{other['id']}", headers=tenant.headers)
    assert (await desk.callback(query)).json()["type"] == "/problems/consent-unknown"


@pytest.mark.row("A7")
async def test_a_call_in_the_middle_of_a_renewal_waits_for_the_new_grant(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    page = (await desk.post(tenant, f"/v1/connections/{connection['id']}/consent")).json()
    query = await desk.visit(page["consent_url"])
    slow = {"operation": "searchListingsItems", "kind": "slow", "seconds": 1}
    await desk.amazon.dial("POST", "/sandbox/faults", slow)
    renewing = asyncio.create_task(desk.callback(query))
    while (await desk.amazon.dial("GET", "/sandbox/books/tokens"))["codes_outstanding"]:
        await asyncio.sleep(0.05)
    # Amazon has ended the old grant.
    answer = await desk.broker.hand_out(tenant.account_id, UUID(connection["id"]))
    assert answer.access_token.startswith("Atza|")
    assert (await renewing).json()["status"] == "active"
    assert {type(event) for event in await desk.announced()} == {ConnectionAuthorized}


class Killed(BaseException):
    """The process ends here."""


class DiesBeforeTheExchange(Lwa):
    async def exchange_code(self, app: AppIdentity, code: str, redirect_uri: str) -> Tokens:
        raise Killed


class DiesAfterTheExchange(Lwa):
    async def exchange_code(self, app: AppIdentity, code: str, redirect_uri: str) -> Tokens:
        await super().exchange_code(app, code, redirect_uri)
        raise Killed


@pytest.mark.parametrize("lwa", [DiesBeforeTheExchange, DiesAfterTheExchange])
async def test_a_death_in_the_middle_of_a_consent_is_healed_by_repeating_it(desk: Any, lwa: type[Lwa]) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    query = await desk.visit(created["consent_url"])
    runtime = desk.runtime
    with pytest.raises(Killed):
        await consent.complete_consent(
            runtime,
            lwa(runtime.http, desk.amazon.urls["lwa"]),
            state=query["state"],
            selling_partner_id=query["selling_partner_id"],
            code=query["spapi_oauth_code"],
            browser=desk.nonce_hash,
        )
    assert await desk.announced() == []
    assert (await desk.callback(query)).json()["type"] == "/problems/consent-used"
    await _a_new_page_activates(desk, tenant, created["id"])
    assert [event.version for event in await desk.announced()] == [1]


async def test_a_code_whose_exchange_got_no_answer_is_not_sent_again(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    created = await desk.create(tenant)
    query = await desk.visit(created["consent_url"])
    await desk.amazon.dial("POST", "/sandbox/faults", {"operation": "token", "kind": "drop_after_effect", "count": 1})
    answer = await desk.callback(query)
    assert answer.json()["type"] == "/problems/" + LwaUnavailable.slug
    books = await desk.amazon.dial("GET", "/sandbox/books/tokens")
    assert books["issued_by_grant_type"]["authorization_code"] == 1
    await _a_new_page_activates(desk, tenant, created["id"])


async def test_a_consent_ends_in_the_browser_that_began_it_and_a_strangers_try_does_not_use_it_up(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    query = await desk.visit((await desk.create(tenant))["consent_url"])
    for cookie in ({}, {"cookie": "entrepot-consent=" + "x" * 43}):
        stranger = await desk.http.get("/v1/oauth/callback", params=query, headers=cookie)
        assert (stranger.status_code, stranger.json()["type"]) == (403, "/problems/consent-of-another-browser")
    assert (await desk.callback(query)).json()["status"] == "active"
    assert desk.browser["cookie"].split("=")[1] not in str(await desk.sql("select t::text from consent t"))


async def test_the_browsers_cookie_is_out_of_reach_of_scripts_other_sites_and_subdomains(open_desk: Any) -> None:
    desk = await open_desk(amazon_redirect_uri="https://auth.example/v1/oauth/callback")
    tenant = await desk.tenant()
    body = {"name": "Main", "selling_partner_id": "A1SELLER", "marketplace_id": US}
    answer = await desk.post(tenant, "/v1/connections", body)
    kept, *attributes = answer.headers["set-cookie"].split("; ")
    assert kept.startswith("__Host-entrepot-consent=")
    assert {attribute.lower() for attribute in attributes} == {
        "httponly",
        "secure",
        "samesite=lax",
        "path=/",
        "max-age=600",
    }


async def test_a_backend_that_begins_consents_says_so_in_the_settings(open_desk: Any) -> None:
    desk = await open_desk(consent_browser_bound=False)
    tenant = await desk.tenant()
    await desk.seller()
    query = await desk.visit((await desk.create(tenant))["consent_url"])
    assert desk.browser == {}
    assert (await desk.callback(query)).json()["status"] == "active"


async def _get(desk: Any, tenant: Any, connection_id: str) -> Any:
    return (await desk.http.get(f"/v1/connections/{connection_id}", headers=tenant.headers)).json()


async def _a_new_page_activates(desk: Any, tenant: Any, connection_id: str) -> None:
    assert (await _get(desk, tenant, connection_id))["status"] == "pending"
    page = await desk.post(tenant, f"/v1/connections/{connection_id}/consent")
    answer = await desk.callback(await desk.visit(page.json()["consent_url"]))
    assert answer.json()["status"] == "active"
