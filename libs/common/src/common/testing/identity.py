"""Callers for tests: real EdDSA tokens of a key made here, and Amazon access tokens straight from the local LWA."""

import time
from collections.abc import Mapping
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.amazon.client import Seller
from common.callers import ALGORITHM
from common.http import AsyncClient
from common.settings import AUDIENCE

ISSUER = "entrepot"


class Issuer:
    """Signs tokens the way auth does; pass `keys` as a service's KeySource."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        public = jwt.algorithms.OKPAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        self._public = {"test": jwt.PyJWK(public | {"kid": "test", "alg": ALGORITHM})}

    async def keys(self, again: bool) -> Mapping[str, jwt.PyJWK]:
        return self._public

    def token(self, account_id: UUID, *scopes: str, subject: str = "tester") -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "account": str(account_id),
            "scope": " ".join(scopes),
            "iat": now,
            "exp": now + 900,
        }
        return jwt.encode(claims, self._private, algorithm=ALGORITHM, headers={"kid": "test"})

    def headers(self, account_id: UUID, *scopes: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(account_id, *scopes)}"}


class SandboxAccess:
    """Access tokens by refresh tokens that a test obtained from the local Amazon; one per connection."""

    def __init__(self, http: AsyncClient, lwa_url: str) -> None:
        self._http = http
        self._url = f"{lwa_url}/auth/o2/token"
        self._grants: dict[UUID, dict[str, str]] = {}
        self._tokens: dict[UUID, str] = {}

    def grant(self, connection_id: UUID, *, refresh_token: str, client_id: str, client_secret: str) -> None:
        """Remembers the refresh token of a connection."""
        self._grants[connection_id] = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": client_id,
            "client_secret": client_secret,
        }

    def grant_again(self, connection_id: UUID, granted: UUID) -> None:
        """The seller authorised once more, through another connection: its grant serves this one, too."""
        self._grants[connection_id] = self._grants[granted]

    async def get(self, seller: Seller) -> str:
        if seller.connection_id not in self._tokens:
            self._tokens[seller.connection_id] = await self._refresh(seller.connection_id)
        return self._tokens[seller.connection_id]

    async def refused(self, seller: Seller, token: str) -> str:
        self._tokens.pop(seller.connection_id, None)
        return await self.get(seller)

    async def _refresh(self, connection_id: UUID) -> str:
        answer = await self._http.post(self._url, data=self._grants[connection_id])
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token
