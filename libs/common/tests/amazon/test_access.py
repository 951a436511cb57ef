"""Access tokens from auth: few questions, no token of another connection, and the end of a grant told apart."""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from common import http
from common.amazon import errors
from common.amazon.access import AuthAccessTokens, Seller
from common.amazon.run_outcomes import outcome
from common.jobs import RunWaits
from common.service_tokens import ServiceToken

MakeSeller = Callable[..., Seller]


async def service_token() -> str:
    return "service-jwt"


def grants(wire: Any, *, expires_in: int = 3600) -> None:
    """Auth hands out tokens numbered as they are asked for."""
    numbers = iter(range(1, 1000))
    wire.script = lambda _: wire.json(
        {
            "access_token": f"Atza|token-{next(numbers):04d}",
            "expires_in": expires_in,
            "selling_partner_id": "A1SELLER",
            "region": "NA",
        }
    )


@pytest.fixture
def access(http_client: http.AsyncClient, wire: Any) -> AuthAccessTokens:
    return AuthAccessTokens(http_client, wire.url + "/", service_token)


@pytest.mark.row("A8")
async def test_a_token_is_asked_for_with_the_services_own_and_then_kept(
    access: AuthAccessTokens, wire: Any, seller: Seller
) -> None:
    grants(wire)
    assert [await access.get(seller) for _ in range(3)] == ["Atza|token-0001"] * 3
    (question,) = wire.arrived
    assert (question.method, question.target) == ("POST", "/v1/internal/access-tokens")
    assert question.headers["authorization"] == "Bearer service-jwt"
    assert json.loads(question.body) == {
        "account_id": str(seller.account_id),
        "connection_id": str(seller.connection_id),
        "refused": None,
    }


@pytest.mark.row("A8")
async def test_fifty_callers_with_no_token_ask_once(access: AuthAccessTokens, wire: Any, seller: Seller) -> None:
    grants(wire)
    assert set(await asyncio.gather(*(access.get(seller) for _ in range(50)))) == {"Atza|token-0001"}
    assert len(wire.arrived) == 1


@pytest.mark.edge(22)
async def test_every_connection_has_its_own_token(access: AuthAccessTokens, wire: Any, make_seller: MakeSeller) -> None:
    grants(wire)
    one, same_selling_partner = make_seller(), make_seller()
    first, second = await access.get(one), await access.get(same_selling_partner)
    assert first != second
    assert [await access.get(one), await access.get(same_selling_partner)] == [first, second]


async def test_a_token_is_not_used_in_its_last_minute(access: AuthAccessTokens, wire: Any, seller: Seller) -> None:
    grants(wire, expires_in=60)
    assert await access.get(seller) != await access.get(seller)


@pytest.mark.row("A7")
async def test_a_refused_token_is_named_by_its_end_and_replaced_for_everybody(
    access: AuthAccessTokens, wire: Any, seller: Seller
) -> None:
    grants(wire)
    old = await access.get(seller)
    replaced = await asyncio.gather(*(access.refused(seller, old) for _ in range(10)))
    assert set(replaced) == {"Atza|token-0002"} == {await access.get(seller)}
    assert json.loads(wire.arrived[1].body)["refused"] == "ken-0001"
    assert len(wire.arrived) == 2


@pytest.mark.fault("F14")
async def test_a_fresh_token_that_is_refused_too_is_not_replaced_again(
    access: AuthAccessTokens, wire: Any, seller: Seller
) -> None:
    grants(wire)
    fresh = await access.refused(seller, await access.get(seller))
    assert await access.refused(seller, fresh) == fresh
    assert len(wire.arrived) == 2


@pytest.mark.fault("F14")
@pytest.mark.edge(21)
@pytest.mark.parametrize(
    ("status", "slug", "error"),
    [
        (409, "connection-revoked", errors.ConnectionRevoked),
        (409, "connection-not-active", errors.ConnectionNotActive),
        (403, "forbidden", errors.AccessTokenUnavailable),
    ],
)
async def test_auths_reason_for_giving_no_token_is_told_apart(
    access: AuthAccessTokens, wire: Any, seller: Seller, status: int, slug: str, error: type[errors.AmazonError]
) -> None:
    wire.answers(wire.json({"type": f"https://entrepot.example/problems/{slug}", "title": "no"}, status))
    with pytest.raises(error):
        await access.get(seller)
    assert len(wire.arrived) == 1


@pytest.mark.fault("F14")
async def test_an_auth_that_stumbles_is_asked_again(access: AuthAccessTokens, wire: Any, seller: Seller) -> None:
    good = {"access_token": "Atza|t", "expires_in": 3600, "selling_partner_id": "A1SELLER", "region": "NA"}
    wire.answers(wire.raw(b"", 503), wire.SILENT, wire.json(good))
    assert await access.get(seller) == "Atza|t"


async def test_an_auth_that_is_down_is_unavailable(http_client: http.AsyncClient, seller: Seller) -> None:
    with pytest.raises(errors.AccessTokenUnavailable):
        await AuthAccessTokens(http_client, "http://127.0.0.1:9", service_token).get(seller)


@pytest.mark.fault("F14")
async def test_an_auth_that_is_away_as_our_own_token_expires_is_no_other_error(
    http_client: http.AsyncClient, wire: Any, seller: Seller
) -> None:
    own = ServiceToken(http_client, "http://127.0.0.1:9", "key")
    with pytest.raises(errors.AccessTokenUnavailable) as failure:
        await AuthAccessTokens(http_client, wire.url, own).get(seller)
    waits = outcome(failure.value)
    assert isinstance(waits, RunWaits)
    assert (waits.code, waits.seconds) == ("auth_away", 1.0)
    assert wire.arrived == []


@pytest.mark.fault("F14")
async def test_a_newer_event_of_the_connection_drops_the_token_and_what_was_known_of_refusals(
    access: AuthAccessTokens, wire: Any, seller: Seller
) -> None:
    grants(wire)
    fresh = await access.refused(seller, await access.get(seller))
    assert await access.refused(seller, fresh) == fresh == "Atza|token-0002"
    consented = replace(seller, version=seller.version + 1)
    assert await access.get(consented) == "Atza|token-0003"
    assert await access.get(seller) == "Atza|token-0003"  # who has not heard of the consent yet
    # Dead as well, for the grant was replaced twice: now it is asked for another at once.
    assert await access.refused(consented, "Atza|token-0003") == "Atza|token-0004"
    assert len(wire.arrived) == 4


async def test_an_answer_that_is_no_token_is_unavailable_and_not_kept(
    access: AuthAccessTokens, wire: Any, seller: Seller
) -> None:
    wire.answers(wire.json({"access_token": "Atza|secret"}))
    with pytest.raises(errors.AccessTokenUnavailable) as failure:
        await access.get(seller)
    assert "Atza|" not in f"{failure.value!r} {failure.value.__cause__!r} {failure.value.__context__!s}"
    grants(wire)
    assert await access.get(seller) == "Atza|token-0001"


@pytest.mark.row("A8")
async def test_no_repr_or_log_shows_a_token(
    access: AuthAccessTokens, wire: Any, seller: Seller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    grants(wire)
    await access.refused(seller, await access.get(seller))
    assert "Atza|" not in caplog.text + repr(vars(access))
