"""What an app is registered with, what Amazon begins by itself, renewal, and which token calls what."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from amazon_sandbox.lwa import ROTATION_SCOPE
from amazon_sandbox.testing import REDIRECT_URI, LocalAmazon, SellingPartner, app_of

US = "ATVPDKIKX0DER"
NA_APP = app_of("NA").application_id
LOGIN_URI = "https://app.example/login?from=amazon"
YEAR_S = 365 * 24 * 3600


def query_of(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def begin(amazon: LocalAmazon, selling_partner_id: str = "A1US") -> httpx.Response:
    form = {"application_id": NA_APP, "selling_partner_id": selling_partner_id}
    return amazon.http.post(amazon.urls["consent"] + "/apps/manage", data=form)


@pytest.mark.fact("2.1")
@pytest.mark.fact("2.2.3")
def test_a_draft_app_needs_version_beta_and_a_published_one_refuses_it(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.app_settings(draft=True)
    assert "MD1000" in amazon.consent_page(application_id=NA_APP, state="s").text
    assert amazon.consent_page(application_id=NA_APP, state="s", version="beta").status_code == 200
    assert amazon.authorization_code("A1US", "NA", version="beta")
    amazon.settings(login_uri=LOGIN_URI)
    assert query_of(begin(amazon))["version"] == "beta"
    amazon.app_settings(draft=False)
    assert "MD1000" in amazon.consent_page(application_id=NA_APP, state="s", version="beta").text
    assert "version" not in query_of(begin(amazon))


@pytest.mark.fact("2.2")
@pytest.mark.fact("2.2.2")
def test_amazon_begins_an_authorisation_at_the_login_uri_and_ends_it_at_the_redirect_uri(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    assert "MD1000" in begin(amazon).text, "there is no login URI yet"
    amazon.settings(login_uri=LOGIN_URI)
    assert "A1US" in amazon.http.get(amazon.urls["consent"] + "/apps/manage").text
    opened = begin(amazon)
    assert opened.headers["location"].startswith(LOGIN_URI + "&")
    assert opened.headers["referrer-policy"] == "no-referrer"
    query = query_of(opened)
    assert set(query) == {"from", "amazon_callback_uri", "amazon_state", "selling_partner_id"}
    callback = query["amazon_callback_uri"]
    assert callback == f"{amazon.urls['consent']}/apps/authorize/confirm/{NA_APP}"
    ours = {"amazon_state": query["amazon_state"], "state": "our state", "redirect_uri": REDIRECT_URI}
    assert amazon.http.get(callback, params={**ours, "redirect_uri": "https://evil.example/"}).status_code == 400
    assert amazon.http.get(callback, params={**ours, "amazon_state": "forged"}).status_code == 400
    assert amazon.http.get(callback, params={**ours, "version": "beta"}).status_code == 400
    back = query_of(amazon.http.get(callback, params=ours))
    assert (back["state"], back["selling_partner_id"]) == ("our state", "A1US")
    code = back["spapi_oauth_code"]
    assert amazon.token(grant_type="authorization_code", code=code).status_code == 200
    assert amazon.http.get(callback, params=ours).status_code == 400, "amazon_state is good once"


@pytest.mark.fact("2.3.4")
def test_after_a_year_the_seller_must_renew_and_the_renewal_brings_a_new_refresh_token(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    amazon.advance(YEAR_S - 60)
    assert amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token).status_code == 200
    amazon.advance(61)
    lapsed = amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token)
    assert (lapsed.status_code, lapsed.json()["error"]) == (400, "invalid_grant")
    renewed = amazon.connect("A1US", "NA")
    assert renewed.refresh_token != seller.refresh_token
    assert renewed.participations().status_code == 200


@pytest.mark.fact("2.3.4")
@pytest.mark.pain("13")
def test_a_new_consent_replaces_the_refresh_token_and_lets_access_tokens_live_out(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    renewed = amazon.connect("A1US", "NA")
    old = amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token)
    assert (old.status_code, old.json()["error"]) == (400, "invalid_grant")
    assert seller.participations().status_code == 200
    assert amazon.token(grant_type="refresh_token", refresh_token=renewed.refresh_token).status_code == 200


@pytest.mark.fact("2.3.6")
def test_a_private_app_authorises_itself_in_the_console_even_as_a_draft(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.app_settings(draft=True)
    path = f"/sandbox/apps/{NA_APP}/self-authorize"
    refresh_token = amazon.dial("POST", path, {"selling_partner_id": "A1US"})["refresh_token"]
    tokens = amazon.token(grant_type="refresh_token", refresh_token=refresh_token).json()
    assert SellingPartner(amazon, "A1US", "NA", tokens["access_token"], "").participations().status_code == 200


@pytest.mark.fact("2.3.5")
def test_the_token_header_is_all_a_call_needs(amazon: LocalAmazon, seller: SellingPartner) -> None:
    headers = {"x-amz-access-token": seller.access_token, "user-agent": "App/1.0 (Language=Python/3.12)"}
    url = amazon.urls["na"] + "/sellers/v1/marketplaceParticipations"
    assert amazon.http.get(url, headers=headers).status_code == 200


def test_a_suspended_app_is_an_unauthorized_client(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.app_settings(suspended=True)
    refused = amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token)
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    assert "MD1000" in amazon.consent_page(application_id=NA_APP, state="s").text


@pytest.mark.fact("2.4.1")
@pytest.mark.fact("2.4.2")
def test_grantless_operations_take_a_token_of_their_scope_and_the_others_a_sellers(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    grantless, rotating = amazon.grantless(), amazon.grantless(ROTATION_SCOPE)
    by_id = "/notifications/v1/subscriptions/ORDER_CHANGE/nobody"
    for method, path in (
        ("GET", "/notifications/v1/destinations"),
        ("GET", "/notifications/v1/destinations/nobody"),
        ("DELETE", "/notifications/v1/destinations/nobody"),
        ("POST", "/notifications/v1/destinations"),
        ("GET", by_id),
        ("DELETE", by_id),
        ("POST", "/notifications/v1/subscriptions/ORDER_CHANGE/testNotification"),
    ):
        assert seller.call(method, path).status_code == 403, path
        assert rotating.call(method, path).status_code == 403, path
        assert grantless.call(method, path).status_code in (200, 400, 404), path
    assert grantless.call("POST", "/applications/2023-11-30/clientSecret").status_code == 403
    assert seller.call("POST", "/applications/2023-11-30/clientSecret").status_code == 403
    for path in ("/notifications/v1/subscriptions", "/notifications/v1/subscriptions/ORDER_CHANGE"):
        query = {"notificationTypes": "ORDER_CHANGE"}
        assert grantless.call("GET", path, **query).status_code == 403
        assert seller.call("GET", path, **query).status_code in (200, 404)
    assert grantless.call("POST", "/notifications/v1/subscriptions/ORDER_CHANGE", {}).status_code == 403
    assert (
        amazon.grantless(region="EU")
        .with_token(grantless.access_token)
        .call("GET", "/notifications/v1/destinations")
        .status_code
        == 403
    )
