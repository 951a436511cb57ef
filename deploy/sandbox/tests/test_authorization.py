"""LWA and the consent page through their own doors."""

from urllib.parse import parse_qs, urlsplit

import pytest

from amazon_sandbox.testing import REDIRECT_URI, LocalAmazon, SellingPartner, app_of

US = "ATVPDKIKX0DER"
NA_APP = app_of("NA").application_id


@pytest.mark.row("E1")
@pytest.mark.fact("2.1")
def test_the_consent_page_is_a_form_that_lists_the_sellers_of_the_region(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.create_seller("A2GB", "EU", "A1F83G8C2ARO7P")
    page = amazon.consent_page(application_id=NA_APP, state='"><script>', redirect_uri=REDIRECT_URI)
    assert page.status_code == 200
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "A1US" in page.text
    assert "A2GB" not in page.text
    assert "<script>" not in page.text


@pytest.mark.fact("2.1")
def test_confirming_sends_the_browser_back_with_state_seller_and_code(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.settings(auto_consent=True)
    answer = amazon.consent_page(application_id=NA_APP, state="s t&te", redirect_uri=REDIRECT_URI)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(REDIRECT_URI + "?")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["state"] == ["s t&te"]
    assert query["selling_partner_id"] == ["A1US"]
    assert set(query) == {"state", "selling_partner_id", "spapi_oauth_code"}


def test_with_two_sellers_auto_consent_waits_until_one_is_signed_in(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.create_seller("A3US", "NA", US)
    amazon.settings(auto_consent=True)
    assert amazon.consent_page(application_id=NA_APP, state="s").status_code == 200
    amazon.dial("POST", "/sandbox/sign-in", {"region": "NA", "selling_partner_id": "A3US"})
    assert "selling_partner_id=A3US" in amazon.consent_page(application_id=NA_APP, state="s").headers["location"]


@pytest.mark.fact("2.1")
@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"application_id": "amzn1.sellerapps.app.nobody", "redirect_uri": REDIRECT_URI}, "MD1000"),
        ({"application_id": NA_APP, "redirect_uri": "https://evil.example/"}, "MD5101"),
        ({"application_id": NA_APP, "redirect_uri": REDIRECT_URI, "version": "beta"}, "MD1000"),
    ],
)
def test_an_unknown_app_or_redirect_uri_shows_amazons_error(
    amazon: LocalAmazon, parameters: dict[str, str], code: str
) -> None:
    page = amazon.consent_page(state="s", **parameters)
    assert page.status_code == 400
    assert code in page.text


@pytest.mark.fact("2.3.1")
def test_a_code_becomes_tokens(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    code = amazon.authorization_code("A1US", "NA")
    tokens = amazon.token(grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI).json()
    assert tokens["access_token"].startswith("Atza|")
    assert tokens["refresh_token"].startswith("Atzr|")
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 3600)


@pytest.mark.fact("2.3.1")
def test_tokens_can_be_as_long_as_amazon_says(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    amazon.settings(token_bytes=2048)
    seller = amazon.connect("A1US", "NA")
    assert (len(seller.access_token), len(seller.refresh_token)) == (2048, 2048)
    assert seller.participations().status_code == 200
    assert amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token).status_code == 200


@pytest.mark.fact("2.3.2")
@pytest.mark.edge(21)
@pytest.mark.pain("13")
def test_a_code_is_good_once_and_for_five_minutes(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    code = amazon.authorization_code("A1US", "NA")
    assert amazon.token(grant_type="authorization_code", code=code).status_code == 200
    again = amazon.token(grant_type="authorization_code", code=code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    late = amazon.authorization_code("A1US", "NA")
    amazon.advance(301)
    assert amazon.token(grant_type="authorization_code", code=late).json()["error"] == "invalid_grant"


def test_tokens_and_codes_are_dropped_when_they_have_long_expired(amazon: LocalAmazon, seller: SellingPartner) -> None:
    def counts() -> tuple[int, int]:
        books = amazon.dial("GET", "/sandbox/books/tokens")
        return books["access_tokens"], books["codes_outstanding"]

    def refresh() -> None:
        answer = amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token)
        assert answer.status_code == 200, answer.text

    amazon.authorization_code("A1US", "NA")
    for _ in range(5):
        refresh()
    assert counts() == (6, 1)
    amazon.advance(3601)
    refresh()
    answer = seller.participations()
    assert "expired" in answer.json()["errors"][0]["details"], "Amazon still knows what it was"
    amazon.advance(2 * 86400)
    refresh()
    amazon.authorization_code("A1US", "NA")
    assert counts() == (1, 1)


@pytest.mark.fact("2.3.3")
@pytest.mark.pain("13")
def test_a_code_of_another_app_is_an_invalid_grant(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    code = amazon.authorization_code("A1US", "NA")
    assert amazon.token("EU", grant_type="authorization_code", code=code).json()["error"] == "invalid_grant"


@pytest.mark.fact("2.3.3")
@pytest.mark.parametrize(
    ("parameters", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "Atzr|nobody"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x", "client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "scope": "everything"}, 400, "invalid_scope"),
    ],
)
def test_lwa_refuses_in_oauths_shape(amazon: LocalAmazon, parameters: dict[str, str], status: int, error: str) -> None:
    answer = amazon.token("NA", **parameters)
    assert answer.status_code == status
    assert answer.json()["error"] == error
    assert set(answer.json()) == {"error", "error_description", "request_id"}


@pytest.mark.fact("2.4")
def test_client_credentials_give_a_token_that_speaks_for_no_seller(amazon: LocalAmazon, seller: SellingPartner) -> None:
    tokens = amazon.token(grant_type="client_credentials", scope="sellingpartnerapi::notifications").json()
    assert "refresh_token" not in tokens
    seller.access_token = tokens["access_token"]
    assert seller.participations().status_code == 403


@pytest.mark.fact("2.3.3")
@pytest.mark.fault("F14")
@pytest.mark.pain("13")
def test_a_revoked_seller_is_403_and_an_invalid_grant_until_the_next_consent(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    amazon.dial("POST", "/sandbox/sellers/A1US/revoke")
    assert seller.participations().status_code == 403
    refresh = amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token)
    assert (refresh.status_code, refresh.json()["error"]) == (400, "invalid_grant")
    assert amazon.connect("A1US", "NA").participations().status_code == 200


@pytest.mark.fact("3.8")
def test_a_missing_expired_or_foreign_token_is_403_in_amazons_shape(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    amazon.settings(access_token_ttl_s=60)
    tokens = amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token).json()
    assert tokens["expires_in"] == 60
    fresh = SellingPartner(amazon, "A1US", "NA", tokens["access_token"], tokens["refresh_token"])
    assert fresh.participations().status_code == 200
    amazon.advance(61)
    assert fresh.participations().status_code == 403
    nobody = SellingPartner(amazon, "A1US", "NA", "Atza|nobody", "")
    error = nobody.participations().json()["errors"][0]
    assert (error["code"], error["message"]) == ("Unauthorized", "Access to requested resource is denied.")
    assert amazon.http.get(amazon.urls["na"] + "/sellers/v1/marketplaceParticipations").status_code == 403


@pytest.mark.fact("1.4")
def test_an_authorisation_holds_in_its_own_region_only(seller: SellingPartner) -> None:
    seller.region = "EU"
    assert seller.participations().status_code == 403


@pytest.mark.fact("1.5")
def test_participations_do_not_name_the_seller(seller: SellingPartner) -> None:
    answer = seller.participations()
    assert [entry["marketplace"]["id"] for entry in answer.json()["payload"]] == [US]
    assert "A1US" not in answer.text.replace("Shop A1US", "")
    assert answer.headers["x-amzn-requestid"]
