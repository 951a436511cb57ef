"""Tokens of auth and of an external OIDC issuer, side by side, and everything that is refused."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from common.callers import Caller, Issuer, Verifier
from common.errors import Unauthenticated
from common.settings import ServiceSettings

pytestmark = pytest.mark.row("A9")

ACCOUNT = uuid4()
OWN, RSA = Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)
STRANGER, STRANGER_RSA = Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)
_ED = jwt.PyJWK(OKPAlgorithm.to_jwk(OWN.public_key(), as_dict=True) | {"kid": "own", "alg": "EdDSA"})
_RS = jwt.PyJWK(RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "rsa", "alg": "RS256"})
OIDC = "https://login.example/tenant"


async def _own(_: bool) -> Mapping[str, jwt.PyJWK]:
    return {"own": _ED}


async def _external(_: bool) -> Mapping[str, jwt.PyJWK]:
    return {"rsa": _RS, "own": _ED}  # also a key of another kind than its algorithms'


VERIFIER = Verifier(
    Issuer("entrepot", _own),
    Issuer(OIDC, _external, "shop-api", ("RS256",), account_claim="org", grants_platform=False),
)


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"iss": "entrepot", "aud": "entrepot", "sub": "key:1", "account": str(ACCOUNT), "scope": "orders:read"}
    return {k: v for k, v in (claims | {"iat": now, "exp": now + 900} | changes).items() if v is not None}


def _ours(key: Any = OWN, kid: str = "own", algorithm: str = "EdDSA", **changes: Any) -> str:
    return jwt.encode(_claims(**changes), key, algorithm=algorithm, headers={"kid": kid})


def _theirs(key: Any = RSA, kid: str = "rsa", algorithm: str = "RS256", **changes: Any) -> str:
    given = {"iss": OIDC, "aud": "shop-api", "sub": "jane", "account": None, "org": str(ACCOUNT)} | changes
    return _ours(key, kid, algorithm, **given)


def _signed_with_the_public_key() -> str:
    """Key confusion: the public key's text as the secret of a symmetric algorithm (PyJWT itself refuses to do it)."""
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head = {"alg": "HS256", "typ": "JWT", "kid": "rsa"}
    body = {"iss": OIDC, "aud": "shop-api", "sub": "jane", "org": str(ACCOUNT), "iat": 0, "exp": 2**32}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, body)]
    signature = hmac.digest(pem, b".".join(parts), hashlib.sha256)
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


async def test_tokens_of_auth_and_of_the_external_issuer_are_both_accepted() -> None:
    assert await VERIFIER.verify(_ours()) == Caller(ACCOUNT, "key:1", frozenset({"orders:read"}))
    assert await VERIFIER.verify(_theirs()) == Caller(ACCOUNT, "jane", frozenset({"orders:read"}))
    listed = _theirs(scope=None, scp=["orders:read", "orders:pii"])
    assert (await VERIFIER.verify(listed)).scopes == {"orders:read", "orders:pii"}
    assert (await VERIFIER.verify(_ours(scope=None))).scopes == frozenset()


async def test_an_external_issuer_never_speaks_for_the_platform() -> None:
    scope = "orders:read amazon:access-token platform:read"
    assert (await VERIFIER.verify(_theirs(scope=scope))).scopes == {"orders:read"}
    assert (await VERIFIER.verify(_ours(scope=scope))).scopes == set(scope.split())
    with pytest.raises(Unauthenticated):
        await VERIFIER.verify(_theirs(org="00000000-0000-0000-0000-000000000000"))


def _in(seconds: int) -> int:
    return int(time.time()) + seconds


_REFUSED: dict[str, Callable[[], str]] = {
    "alg none": lambda: jwt.encode(_claims(), "", algorithm="none", headers={"kid": "own"}),
    "alg none of the other issuer": lambda: _theirs("", algorithm="none"),
    "a shared secret": lambda: _ours("x" * 64, algorithm="HS256"),
    "the public key as a shared secret": _signed_with_the_public_key,
    "another algorithm of the same key": lambda: _theirs(algorithm="RS512"),
    "our key in their name": lambda: _theirs(OWN, kid="own", algorithm="EdDSA"),
    "their algorithm with a key of another kind": lambda: _theirs(kid="own"),
    "their key in our name": lambda: _ours(RSA, kid="rsa", algorithm="RS256"),
    "a stranger's key": lambda: _ours(STRANGER),
    "a stranger's key of the other kind": lambda: _theirs(STRANGER_RSA),
    "an unknown kid": lambda: _ours(kid="nobody"),
    "no kid": lambda: jwt.encode(_claims(), OWN, algorithm="EdDSA"),
    "expired": lambda: _ours(exp=_in(-31)),
    "expired by the other": lambda: _theirs(exp=_in(-31)),
    "not yet valid": lambda: _ours(nbf=_in(300)),
    "issued in the future": lambda: _ours(iat=_in(300)),
    "without an end": lambda: _ours(exp=None),
    "another audience": lambda: _ours(aud="another"),
    "the other issuer's audience": lambda: _ours(aud="shop-api"),
    "our audience at the other issuer": lambda: _theirs(aud="entrepot"),
    "without audience": lambda: _ours(aud=None),
    "an unknown issuer": lambda: _ours(iss="somebody"),
    "no issuer": lambda: _ours(iss=None),
    "no account": lambda: _ours(account=None),
    "an account that is no id": lambda: _ours(account="all"),
    "our account claim at the other issuer": lambda: _theirs(org=None, account=str(ACCOUNT)),
    "a number as account": lambda: _theirs(org=5),
    "without subject": lambda: _ours(sub=None),
    "cut off": lambda: _ours()[:-4],
    "another's body": lambda: ".".join(
        (_ours().split(".")[0], _ours(scope="all").split(".")[1], _ours().split(".")[2])
    ),
    "no token": lambda: "abc",
    "empty parts": lambda: "..",
}


@pytest.mark.parametrize("kind", _REFUSED)
async def test_every_other_token_is_refused(kind: str) -> None:
    with pytest.raises(Unauthenticated):
        await VERIFIER.verify(_REFUSED[kind]())


async def test_clocks_may_differ_by_half_a_minute() -> None:
    for token in (_ours(exp=int(time.time()) - 10), _ours(iat=int(time.time()) + 10)):
        for _ in range(2):
            assert (await VERIFIER.verify(token)).account_id == ACCOUNT


_GIVEN: dict[str, Any] = {
    "environment": "test",
    "database_url": "postgresql://a@b/c",
    "kafka_bootstrap_servers": "b:1",
    "auth_url": "http://a",
    "service_key": "k",
    "key_ring": "a:b",
}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"oidc_issuer": OIDC}, "OIDC_JWKS_URL"),
        ({"oidc_issuer": "entrepot", "oidc_jwks_url": "https://a"}, "differ"),
        ({"oidc_issuer": OIDC, "oidc_jwks_url": "https://a", "oidc_algorithms": "RS256,HS256"}, "RS256"),
        ({"oidc_issuer": OIDC, "oidc_jwks_url": "https://a", "oidc_algorithms": "none"}, "RS256"),
    ],
)
def test_an_unsafe_or_half_configured_issuer_is_refused_at_the_start(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ServiceSettings(**(_GIVEN | settings))
    whole = ServiceSettings(
        **(_GIVEN | {"oidc_issuer": OIDC, "oidc_jwks_url": "https://a", "oidc_algorithms": "ES256"})
    )
    assert whole.oidc_algorithms == ("ES256",)
