"""How a service proves itself at auth, and where the keys that sign tokens come from."""

import asyncio
from collections.abc import Mapping

import jwt
import structlog

from common import clock
from common.contracts.http import JWKS_PATH, TOKEN_PATH, TokenAnswer
from common.errors import Unavailable
from common.http import AsyncClient, NotSent, OutcomeUnknown

log = structlog.get_logger()

# A forged `kid` must not make us ask for the keys on every request.
LOOK_AGAIN_SECONDS = 5.0
_PATIENCE = {"timeout": {"connect": 2.0, "read": 2.0, "total": 2.0}}
_EXCHANGE_PATIENCE = {"timeout": {"connect": 2.0, "read": 5.0, "total": 5.0}}


class AuthUnavailable(Unavailable):
    slug, title = "auth-unavailable", "The auth service does not answer"
    fix = "Try again; check AUTH_URL and the auth service's /readyz"


class ServiceToken:
    """This service's own JWT, exchanged for its key and renewed a minute before it ends."""

    def __init__(self, http: AsyncClient, auth_url: str, service_key: str) -> None:
        self._http = http
        self._url = auth_url.rstrip("/") + TOKEN_PATH
        self._key = service_key
        self._token = ""
        self._good_until = 0.0
        self._lock = asyncio.Lock()

    async def __call__(self) -> str:
        """The token. Raises `AuthUnavailable`."""
        if clock.monotonic() < self._good_until:
            return self._token
        async with self._lock:
            if clock.monotonic() >= self._good_until:
                await self._exchange()
        return self._token

    async def _exchange(self) -> None:
        try:
            headers = {"authorization": f"Bearer {self._key}"}
            response = await self._http.post(self._url, headers=headers, extensions=_EXCHANGE_PATIENCE)
        except (NotSent, OutcomeUnknown) as error:
            raise AuthUnavailable(f"no answer: {type(error).__name__}") from None
        if response.status_code != 200:
            raise AuthUnavailable(f"auth refused this service's key ({response.status_code})", fix="Check SERVICE_KEY")
        answer = TokenAnswer.model_validate_json(response.content)
        self._token = answer.access_token
        self._good_until = clock.monotonic() + answer.expires_in - 60


class RemoteKeys:
    """The signing keys of auth (or of an external issuer), fetched once and again when an unknown one turns up."""

    def __init__(self, http: AsyncClient, jwks_url: str) -> None:
        self._http = http
        self._url = jwks_url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._lock = asyncio.Lock()

    @classmethod
    def of_auth(cls, http: AsyncClient, auth_url: str) -> "RemoteKeys":
        return cls(http, auth_url.rstrip("/") + JWKS_PATH)

    async def __call__(self, again: bool) -> Mapping[str, jwt.PyJWK]:
        """The keys by `kid`. Raises `AuthUnavailable` when none were ever fetched."""
        if self._keys and not again:
            return self._keys  # without the lock: nobody waits while another's unknown key is looked for
        async with self._lock:
            if not self._keys or clock.monotonic() - self._fetched_at > LOOK_AGAIN_SECONDS:
                await self._fetch()
        return self._keys

    async def _fetch(self) -> None:
        self._fetched_at = clock.monotonic()
        try:
            response = await self._http.get(self._url, extensions=_PATIENCE)
            found = jwt.PyJWKSet.from_dict(response.json())
        except (NotSent, OutcomeUnknown, ValueError, AttributeError, jwt.PyJWTError) as error:
            log.warning("signing_keys_unavailable", reason=type(error).__name__)
            if not self._keys:
                raise AuthUnavailable("the signing keys cannot be fetched") from None
            return
        self._keys = {key.key_id: key for key in found.keys if key.key_id}
