"""Authorisations that begin at Amazon (MISSION A3): the login URI, the claim, and no way to anywhere but Amazon."""

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from auth_service import callback_uris

US, MX, UK, JP = "ATVPDKIKX0DER", "A1AM78C64UM0Y8", "A1F83G8C2ARO7P", "A1VC38T7YXB528"
APP = "amzn1.sellerapps.app.entrepot-dev-na"
APPS: Any = {region: f"amzn1.sellerapps.app.entrepot-dev-{region.lower()}" for region in ("NA", "EU", "FE")}
CONFIRM = f"https://sellercentral.amazon.com/apps/authorize/confirm/{APP}"

pytestmark = [pytest.mark.row("A3"), pytest.mark.fact("2.2")]


async def _login(desk: Any, **changes: str) -> Any:
    query = {"amazon_callback_uri": CONFIRM, "amazon_state": "amazons-state", "selling_partner_id": "A1SELLER"}
    return desk.remember(await desk.http.get("/v1/oauth/login", params=query | changes))


async def _claim(desk: Any, tenant: Any, **changes: str) -> Any:
    authorization_id = (await _login(desk, **changes)).json()["authorization_id"]
    return await desk.post(tenant, f"/v1/authorizations/{authorization_id}/claim")


async def _begun_at_amazon(desk: Any, selling_partner_id: str = "A1SELLER") -> Any:
    """The seller presses the button in Seller Central, and Amazon opens our login URI; its answer."""
    await desk.amazon.dial(
        "PUT", "/sandbox/settings", {"login_uri": f"{str(desk.http.base_url).rstrip('/')}/v1/oauth/login"}
    )
    form = {"application_id": APP, "selling_partner_id": selling_partner_id}
    opened = await desk.http.post(f"{desk.amazon.urls['consent']}/apps/manage", data=form)
    assert opened.status_code == 302, opened.text
    return desk.remember(await desk.http.get(opened.headers["location"]))


async def _claimed(desk: Any, tenant: Any, selling_partner_id: str = "A1SELLER") -> Any:
    kept = (await _begun_at_amazon(desk, selling_partner_id)).json()
    return await desk.post(tenant, f"/v1/authorizations/{kept['authorization_id']}/claim")


async def test_an_authorisation_that_begins_at_amazon_ends_as_an_active_connection(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    claimed = await _claimed(desk, tenant)
    assert (claimed.status_code, claimed.headers["referrer-policy"]) == (200, "no-referrer")
    assert claimed.json()["connection"]["status"] == "pending"
    ended = (await desk.callback(await desk.visit(claimed.json()["redirect_url"]))).json()
    assert (ended["status"], ended["selling_partner_id"], ended["home_marketplace_id"]) == ("active", "A1SELLER", US)
    # The user then edits name and marketplace.
    changes = {"name": "My shop", "marketplace_id": MX}
    edited = await desk.http.patch(f"/v1/connections/{ended['id']}", json=changes, headers=tenant.headers)
    assert (edited.json()["name"], edited.json()["home_marketplace_id"]) == ("My shop", MX)


async def test_an_authorisation_from_a_place_where_the_seller_does_not_sell_ends_as_well(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller(marketplaces=(MX,))
    claimed = (await _claimed(desk, tenant)).json()
    assert claimed["connection"]["home_marketplace_id"] == US
    assert (await desk.callback(await desk.visit(claimed["redirect_url"]))).json()["status"] == "active"


@pytest.mark.fact("2.2.3")
@pytest.mark.row("A7")
async def test_a_yearly_renewal_replaces_the_grant_of_the_connection_there_is(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    before = await desk.sql("select refresh_token from connection")
    await desk.sql("update connection set status = 'reauthorization_due', authorized_at = now() - interval '340 days'")
    claimed = (await _claimed(desk, tenant)).json()
    assert claimed["connection"]["id"] == connection["id"]
    ended = (await desk.callback(await desk.visit(claimed["redirect_url"]))).json()
    assert (ended["id"], ended["status"], ended["name"]) == (connection["id"], "active", "Main")
    assert await desk.sql("select refresh_token from connection") != before
    assert len(await desk.sql("select 1 from connection where authorized_at > now() - interval '1 minute'")) == 1


async def test_what_amazon_gave_goes_back_to_amazon_with_a_state_of_ours(desk: Any) -> None:
    claimed = await _claim(desk, await desk.tenant())
    page = urlsplit(claimed.json()["redirect_url"])
    assert page._replace(query="").geturl() == CONFIRM
    query = parse_qs(page.query)
    assert query["amazon_state"] == ["amazons-state"]
    assert len(query["state"][0]) == 43
    assert "version" not in query
    assert claimed.json()["developer_name"] == "Entrepot Development NA"


async def test_the_browser_goes_to_the_frontend_with_what_to_claim_or_what_is_wrong(open_desk: Any) -> None:
    desk = await open_desk(frontend_url="https://console.example/amazon")
    answer = await _login(desk)
    assert (answer.status_code, answer.headers["referrer-policy"]) == (303, "no-referrer")
    target = urlsplit(answer.headers["location"])
    assert (target.netloc, target.path, [*parse_qs(target.query)]) == (
        "console.example",
        "/amazon",
        ["authorization_id"],
    )
    assert "amazons-state" not in answer.headers["location"]
    refused = await _login(desk, amazon_callback_uri="https://evil.example/")
    assert refused.headers["location"] == "https://console.example/amazon?problem=callback-not-amazon"


@pytest.mark.edge(22)
async def test_the_first_account_that_claims_has_it_and_others_do_not_find_it(desk: Any, all_at_once: Any) -> None:
    tenants = [await desk.tenant(f"Shop {number}") for number in range(2)]
    authorization_id = (await _login(desk)).json()["authorization_id"]
    path = f"/v1/authorizations/{authorization_id}/claim"
    answers = await all_at_once(*(desk.post(tenants[n % 2], path) for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [404] * 10
    assert len({answer.json()["connection"]["id"] for answer in answers if answer.status_code == 200}) == 1
    assert len(await desk.sql("select 1 from connection")) == 1
    assert (await desk.post(tenants[0], f"/v1/authorizations/{uuid4()}/claim")).status_code == 404


async def test_a_claim_is_made_in_the_browser_that_amazon_sent_and_within_ten_minutes(desk: Any) -> None:
    tenant = await desk.tenant()
    path = f"/v1/authorizations/{(await _login(desk)).json()['authorization_id']}/claim"
    elsewhere = await desk.http.post(path, headers=tenant.headers)
    assert (elsewhere.status_code, elsewhere.json()["type"]) == (403, "/problems/consent-of-another-browser")
    await desk.sql("update \"authorization\" set expires_at = now() - interval '1 second'")
    late = await desk.post(tenant, path)
    assert (late.status_code, late.json()["type"]) == (400, "/problems/authorization-expired")


@pytest.mark.fact("2.2.2")
async def test_the_seller_that_comes_back_is_the_one_that_was_sent(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller("A1SELLER")
    await desk.seller("A2STRANGER")
    claimed = (await _claimed(desk, tenant)).json()
    back = await desk.visit(claimed["redirect_url"])
    answer = await desk.callback(back | {"selling_partner_id": "A2STRANGER"})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/wrong-seller")


async def test_a_disabled_connection_is_not_claimed(desk: Any) -> None:
    tenant = await desk.tenant()
    created = await desk.create(tenant)
    await desk.post(tenant, f"/v1/connections/{created['id']}/disable")
    assert (await _claim(desk, tenant)).json()["type"] == "/problems/connection-disabled"


async def test_a_draft_app_is_confirmed_as_a_draft(desk: Any) -> None:
    tenant = await desk.tenant()
    await desk.seller()
    await desk.amazon.dial("PUT", f"/sandbox/apps/{APP}", {"draft": True})
    claimed = (await _claimed(desk, tenant)).json()
    assert parse_qs(urlsplit(claimed["redirect_url"]).query)["version"] == ["beta"]
    assert (await desk.callback(await desk.visit(claimed["redirect_url"]))).json()["status"] == "active"


async def test_what_amazon_said_is_kept_sealed(desk: Any) -> None:
    await _login(desk)
    kept = str(await desk.sql("select t::text, convert_to(t::text, 'utf8') from \"authorization\" t"))
    assert "amazons-state" not in kept
    assert b"amazons-state".hex() not in kept


@pytest.mark.parametrize(
    ("uri", "region", "home"),
    [
        (CONFIRM, "NA", US),
        (f"{CONFIRM}?mons_sel_dir=x&a=b-c", "NA", US),
        (f"https://amazon.com/apps/authorize/confirm/{APPS['NA']}", "NA", US),
        (f"https://amazon.com/apps/authorize/confirm/{APPS['EU']}", "EU", UK),
        (f"https://www.amazon.com/apps/authorize/confirm/{APPS['FE']}", "FE", JP),
        (f"https://sellercentral.amazon.com.mx/apps/authorize/confirm/{APPS['NA']}", "NA", MX),
        (f"https://sellercentral-europe.amazon.com/apps/authorize/confirm/{APPS['EU']}", "EU", UK),
        (f"https://sellercentral.amazon.de/apps/authorize/confirm/{APPS['EU']}", "EU", "A1PA6795UKMFR9"),
        (f"https://sellercentral-japan.amazon.com/apps/authorize/confirm/{APPS['FE']}", "FE", JP),
        (f"https://sellercentral.amazon.co.jp/apps/authorize/confirm/{APPS['FE']}", "FE", JP),
    ],
)
def test_amazons_hosts_are_accepted_with_the_app_and_marketplace_they_speak_for(
    uri: str, region: str, home: str
) -> None:
    assert callback_uris.accepted(uri, APPS) == (uri, region, home)


_PATH = f"/apps/authorize/confirm/{APP}"
_NOT_AMAZON = [
    "",
    "https://evil.example/",
    f"https://evil.example{_PATH}",
    f"http://sellercentral.amazon.com{_PATH}",
    f"HTTPS://sellercentral.amazon.com{_PATH}",
    f"ftp://sellercentral.amazon.com{_PATH}",
    f"//sellercentral.amazon.com{_PATH}",
    f"javascript:alert(1)//sellercentral.amazon.com{_PATH}",
    f"data:text/html,https://sellercentral.amazon.com{_PATH}",
    f"https:/sellercentral.amazon.com{_PATH}",
    f"https:sellercentral.amazon.com{_PATH}",
    f"https:///sellercentral.amazon.com{_PATH}",
    f"https:\\\\sellercentral.amazon.com{_PATH}",
    f"https://evil.example\\@sellercentral.amazon.com{_PATH}",
    f"https://evil.example\\.sellercentral.amazon.com{_PATH}",
    f"https://sellercentral.amazon.com\\.evil.example{_PATH}",
    f"https://sellercentral.amazon.com@evil.example{_PATH}",
    f"https://sellercentral.amazon.com:x@evil.example{_PATH}",
    f"https://x@sellercentral.amazon.com{_PATH}",
    f"https://sellercentral.amazon.com%40evil.example{_PATH}",
    f"https://sellercentral.amazon.com%2eevil.example{_PATH}",
    f"https://sellercentral.amazon.com%00.evil.example{_PATH}",
    f"https://sellercentral.amazon.com\x00.evil.example{_PATH}",
    f"https://sellercentral.amazon.com\t.evil.example{_PATH}",
    f"https://sellercentral.amazon.com\n.evil.example{_PATH}",
    f"https://sellercentral.amazon.com\r\nLocation: https://evil.example{_PATH}",
    f"https://sellercentral.amazon.com.{_PATH}",
    f"https://sellercentral.amazon.com:8443{_PATH}",
    f"https://sellercentral.amazon.com:443{_PATH}",
    f"https://sellercentral.amazon.com.evil.example{_PATH}",
    f"https://evil-sellercentral.amazon.com.example{_PATH}",
    f"https://evilamazon.com{_PATH}",
    f"https://evil.amazon.com{_PATH}",
    f"https://amazon.com.evil{_PATH}",
    f"https://s3.amazonaws.com{_PATH}",
    f"https://sellercentral.amazon.evil{_PATH}",
    f"https://sellercentra1.amazon.com{_PATH}",
    f"https://sellercentral.аmazon.com{_PATH}",
    f"https://sellercentral.amazon.com。evil.example{_PATH}",
    f"https://sellercentral.amazon。com{_PATH}",
    f"https://xn--mazon-3ve.com{_PATH}",
    f"https://[::1]{_PATH}",
    f"https://127.0.0.1{_PATH}",
    f"https://2130706433{_PATH}",
    f"https://sellercentral.amazon.com#@evil.example{_PATH}",
    f"https://evil.example#https://sellercentral.amazon.com{_PATH}",
    f"https://evil.example?https://sellercentral.amazon.com{_PATH}",
    f"https://evil.example/https://sellercentral.amazon.com{_PATH}",
    f"https://sellercentral.amazon.com/redirect?to=https://evil.example{_PATH}",
    f"https://sellercentral.amazon.com/../evil{_PATH}",
    f"https://sellercentral.amazon.com//evil.example{_PATH}",
    f"https://sellercentral.amazon.com{_PATH}/../../../logout",
    f"https://sellercentral.amazon.com{_PATH}/",
    f"https://sellercentral.amazon.com{_PATH}#fragment",
    f"https://sellercentral.amazon.com{_PATH}?next=https://evil.example",
    f"https://sellercentral.amazon.com{_PATH}?state=ours",
    f"https://sellercentral.amazon.com{_PATH}?a=b&redirect_uri=evil.example",
    f"https://sellercentral.amazon.com{_PATH}?amazon_state=x",
    f"https://sellercentral.amazon.com{_PATH}?x=%0d%0aLocation:evil",
    f"https://sellercentral.amazon.com{_PATH}\n",
    f" https://sellercentral.amazon.com{_PATH}",
    "https://sellercentral.amazon.com/apps/authorize/confirm/",
    "https://sellercentral.amazon.com/apps/authorize/confirm/amzn1.sellerapps.app.somebody-elses",
    "https://sellercentral.amazon.com/apps/authorize/consent",
    f"https://sellercentral.amazon.de{_PATH}",
    f"https://sellercentral-europe.amazon.com{_PATH}",
]


@pytest.mark.fact("2.2.1")
@pytest.mark.parametrize("uri", _NOT_AMAZON, ids=range(len(_NOT_AMAZON)))
def test_no_uri_that_leads_elsewhere_is_accepted(uri: str) -> None:
    assert callback_uris.accepted(uri, APPS) is None


@pytest.mark.fact("2.2.1")
async def test_the_login_uri_redirects_nobody_elsewhere_and_keeps_nothing_of_the_try(desk: Any) -> None:
    for uri in _NOT_AMAZON[1:]:
        answer = await _login(desk, amazon_callback_uri=uri)
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert "evil" not in answer.text
    assert await desk.sql('select 1 from "authorization"') == []


def test_an_app_that_is_not_configured_confirms_nothing() -> None:
    assert callback_uris.accepted(f"{CONFIRM.removesuffix(APP)}", {"NA": "", "EU": "", "FE": ""}) is None
