"""Quotas, faults, clock, settings and books: what the dials do and how they refuse."""

import httpx
import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"


@pytest.mark.fact("3.1")
@pytest.mark.fact("3.3")
@pytest.mark.fact("3.4")
def test_a_bucket_empties_after_its_burst_and_refills_with_the_clock(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    amazon.settings(quotas={"enabled": True})
    for _ in range(15):
        answer = seller.participations()
        assert answer.status_code == 200
        assert answer.headers["x-amzn-ratelimit-limit"] == "0.016"
    throttled = seller.participations()
    assert throttled.status_code == 429
    assert throttled.json()["errors"][0]["code"] == "QuotaExceeded"
    assert throttled.headers["x-amzn-errortype"] == "TooManyRequestsException"
    assert throttled.headers["x-amzn-requestid"]
    assert not {"x-amzn-ratelimit-limit", "retry-after"} & set(throttled.headers)
    amazon.advance(63)
    assert seller.participations().status_code == 200
    assert seller.participations().status_code == 429


@pytest.mark.fact("3.2")
@pytest.mark.edge(22)
def test_one_sellers_bucket_is_not_anothers(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.create_seller("A3US", "NA", US)
    other = amazon.connect("A3US", "NA")
    amazon.settings(quotas={"enabled": True, "scale": 0.01})
    assert seller.participations().status_code == 200
    assert seller.participations().status_code == 429
    assert other.participations().status_code == 200
    assert seller.search_orders(lastUpdatedAfter="2020-01-01T00:00:00Z").status_code == 200


@pytest.mark.fault("F11")
def test_an_armed_fault_hits_the_next_calls_and_then_is_gone(amazon: LocalAmazon, seller: SellingPartner) -> None:
    fault = {"operation": "getMarketplaceParticipations", "status": 503, "count": 2}
    amazon.dial("POST", "/sandbox/faults", fault)
    assert [seller.participations().status_code for _ in range(3)] == [503, 503, 200]


def test_a_fault_can_be_meant_for_one_seller(amazon: LocalAmazon, seller: SellingPartner) -> None:
    fault = {"operation": "getMarketplaceParticipations", "status": 500, "selling_partner_id": "A3US"}
    amazon.dial("POST", "/sandbox/faults", fault)
    assert seller.participations().status_code == 200


@pytest.mark.fault("F11")
@pytest.mark.parametrize("kind", ["reset", "truncated", "drop_after_effect"])
def test_a_cut_connection_is_an_error_of_the_transport(amazon: LocalAmazon, seller: SellingPartner, kind: str) -> None:
    amazon.dial("POST", "/sandbox/faults", {"operation": "getMarketplaceParticipations", "kind": kind})
    with pytest.raises(httpx.TransportError):
        seller.participations()
    assert seller.participations().status_code == 200


@pytest.mark.fault("F11")
def test_broken_empty_slow_and_html_answers(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.check = None
    operation = "getMarketplaceParticipations"
    amazon.dial("POST", "/sandbox/faults", {"operation": operation, "kind": "malformed_json"})
    with pytest.raises(ValueError, match="Expecting"):
        seller.participations().json()
    amazon.dial("POST", "/sandbox/faults", {"operation": operation, "kind": "empty"})
    assert seller.participations().content == b""
    amazon.dial("POST", "/sandbox/faults", {"operation": operation, "kind": "html", "status": 503})
    assert seller.participations().headers["content-type"] == "text/html"
    amazon.dial("POST", "/sandbox/faults", {"operation": operation, "kind": "slow", "seconds": 0.01})
    assert seller.participations().status_code == 200


@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    ("fault", "written"),
    [
        ({"kind": "drop_after_effect"}, True),
        ({"kind": "reset"}, False),
        ({"kind": "reset", "after_effect": True}, True),
        ({"status": 500}, False),
        ({"status": 500, "after_effect": True}, True),
        ({"kind": "lost_effect"}, False),
    ],
)
def test_a_fault_says_whether_the_effect_took_place(
    amazon: LocalAmazon, seller: SellingPartner, fault: dict[str, object], written: bool
) -> None:
    listing = {"sku": "S", "price": 20, "quantity": 5}
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "listings": [listing]}
    amazon.dial("POST", "/sandbox/listings", body)
    amazon.dial("POST", "/sandbox/faults", {"operation": "deleteListingsItem", **fault})
    try:
        status = seller.listings_item("DELETE", "S", marketplaceIds=US).status_code
    except httpx.TransportError:
        status = 0
    books = amazon.dial("GET", "/sandbox/books/listings", selling_partner_id="A1US", marketplace_id=US)["listings"]
    assert books[0]["listed"] is not written
    assert amazon.dial("GET", "/sandbox/books/calls")["calls"]["deleteListingsItem"] == {str(status): 1}


@pytest.mark.fault("F14")
def test_lwa_can_be_down_without_using_up_the_code(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    code = amazon.authorization_code("A1US", "NA")
    amazon.dial("POST", "/sandbox/faults", {"operation": "token", "status": 503})
    down = amazon.token(grant_type="authorization_code", code=code)
    assert (down.status_code, down.json()["error"]) == (503, "server_error")
    assert amazon.token(grant_type="authorization_code", code=code).status_code == 200


def test_half_an_answer_of_lwa_has_used_up_the_code(amazon: LocalAmazon) -> None:
    amazon.create_seller("A1US", "NA", US)
    code = amazon.authorization_code("A1US", "NA")
    amazon.dial("POST", "/sandbox/faults", {"operation": "token", "kind": "truncated"})
    with pytest.raises(httpx.TransportError):
        amazon.token(grant_type="authorization_code", code=code)
    assert amazon.token(grant_type="authorization_code", code=code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("method", "path", "body", "hint"),
    [
        ("POST", "/sandbox/sellers", {"selling_partner_id": "A"}, "region"),
        ("POST", "/sandbox/sellers", {"selling_partner_id": "A", "region": "EU", "name": "", "marketplaces": [US]}, US),
        ("POST", "/sandbox/listings", {"typo": 1}, "typo"),
        ("POST", "/sandbox/orders", [], "object"),
        ("POST", "/sandbox/faults", {"operation": "flyToTheMoon", "status": 500}, "getOrder"),
        ("POST", "/sandbox/faults", {"operation": "getOrder"}, "status"),
        ("POST", "/sandbox/faults", {"operation": "getOrder", "status": 500, "count": 0}, "count"),
        ("PUT", "/sandbox/settings", {"listing_delay": 1}, "listing_delay"),
        ("PUT", "/sandbox/settings", {"listing_delay_s": -1}, "0"),
        ("PUT", "/sandbox/settings", {"quotas": {"scale": 0}}, "scale"),
        ("PUT", "/sandbox/settings", {"redirect_uris": ["http://[bad"]}, "redirect_uris"),
        ("PUT", "/sandbox/settings", {"login_uri": "http://[bad"}, "login_uri"),
        ("POST", "/sandbox/clock", {"advance_s": -1}, "forward"),
        ("GET", "/sandbox/books/listings", None, "marketplace_id"),
    ],
)
def test_a_dial_used_wrongly_says_how_to_use_it(
    amazon: LocalAmazon, method: str, path: str, body: object, hint: str
) -> None:
    answer = amazon.http.request(method, amazon.urls["dials"] + path, json=body)
    assert answer.status_code == 400
    assert hint in answer.json()["error"]
    assert answer.json()["usage"].startswith(f"{method} {path}")


@pytest.mark.parametrize(
    ("listing", "hint"),
    [
        ({"sku": "S", "price": -1}, "our_price"),
        ({"sku": "S", "price": "NaN"}, "number"),
        ({"sku": "S", "price": 1, "quantity": -1}, "quantity"),
        ({"sku": "", "price": 1}, "sku"),
    ],
)
def test_a_bad_listing_seeds_nothing_at_all(
    amazon: LocalAmazon, seller: SellingPartner, listing: dict[str, object], hint: str
) -> None:
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "listings": [{"sku": "OK", "price": 1}, listing]}
    with pytest.raises(RuntimeError, match=hint):
        amazon.dial("POST", "/sandbox/listings", body)
    assert amazon.dial("GET", "/sandbox/books")["regions"]["NA"]["listings"] == 0


def test_an_order_id_is_used_once(amazon: LocalAmazon, seller: SellingPartner) -> None:
    order = {"amazon_order_id": "111-2222222-3333333", "lines": [{"sku": "S", "quantity": 1, "unit_price": 1}]}
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "orders": [order]}
    amazon.dial("POST", "/sandbox/orders", body)
    with pytest.raises(RuntimeError, match="409"):
        amazon.dial("POST", "/sandbox/orders", body)


def test_every_dial_is_listed_and_an_unknown_one_names_them(amazon: LocalAmazon) -> None:
    dials = [each["dial"] for each in amazon.dial("GET", "/sandbox")["dials"]]
    assert {"POST /sandbox/orders", "PUT /sandbox/settings", "GET /sandbox/books/tokens"} <= set(dials)
    unknown = amazon.http.get(amazon.urls["dials"] + "/sandbox/nothing")
    assert (unknown.status_code, unknown.json()["dials"]) == (404, dials)


def test_the_books_count_calls_and_tokens_and_show_none(amazon: LocalAmazon, seller: SellingPartner) -> None:
    seller.participations()
    amazon.token(grant_type="refresh_token", refresh_token=seller.refresh_token)
    calls = amazon.dial("GET", "/sandbox/books/calls")["calls"]
    assert calls == {"getMarketplaceParticipations": {"200": 1}, "token": {"200": 2}}
    tokens = amazon.dial("GET", "/sandbox/books/tokens")
    assert tokens["issued_by_grant_type"] == {"authorization_code": 1, "refresh_token": 1}
    assert "Atz" not in str(tokens)


def test_the_world_starts_afresh_with_the_settings_of_the_start(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.advance(3600)
    amazon.dial("DELETE", "/sandbox/world")
    assert seller.participations().status_code == 403
    settings = amazon.dial("GET", "/sandbox/settings")
    assert (settings["listing_delay_s"], settings["quotas"]["enabled"]) == (120, True)
    assert amazon.dial("GET", "/sandbox/books")["regions"]["NA"]["sellers"] == 0


def test_big_worlds_are_seeded_whole(amazon: LocalAmazon, seller: SellingPartner) -> None:
    listings = [{"sku": f"S{number}", "price": 9.99, "quantity": 1000} for number in range(5000)]
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "listings": listings}
    assert amazon.dial("POST", "/sandbox/listings", body) == {"listings": 5000}
    orders = [{"lines": [{"sku": f"S{number}", "quantity": 1}]} for number in range(3000)]
    wish = {"selling_partner_id": "A1US", "marketplace_id": US, "orders": orders}
    ids = [each["amazon_order_id"] for each in amazon.dial("POST", "/sandbox/orders", wish)["orders"]]
    assert len(set(ids)) == 3000
    assert amazon.dial("GET", "/sandbox/books")["regions"]["NA"]["orders"] == 3000
