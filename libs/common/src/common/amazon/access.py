"""Access tokens for calls to Amazon: asked of the auth service, kept until a minute before they expire.

Only auth holds refresh tokens (MISSION A8); a token never appears in a repr, log or error here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import msgspec
import stamina
from pydantic import ValidationError

from common import clock, http
from common.amazon.errors import AccessTokenUnavailable, ConnectionNotActive, ConnectionRevoked
from common.contracts.connections import Region
from common.contracts.http import ACCESS_TOKEN_PATH, AccessTokenAnswer, AccessTokenRequest
from common.service_tokens import AuthUnavailable

_OPERATION = "access token"
# An auth that stands still is given up long before a run's other waits; it may itself have to ask Amazon (seconds).
_PATIENCE = {"timeout": {"connect": 2.0, "read": 10.0, "total": 10.0}}
# A token is not used in its last minute, so that no call sets out with one that expires on its way.
_MARGIN = 60.0
# A token refused so soon after it replaced a refused one is not at fault: a role is missing.
_SETTLED = 300.0


@dataclass(frozen=True, slots=True)
class Seller:
    """On whose behalf Amazon is called: one connection of one account; `version` is its last event's."""

    account_id: UUID
    connection_id: UUID
    selling_partner_id: str
    region: Region
    version: int = 0


class AccessTokens(Protocol):
    """Where a seller's access token comes from."""

    async def get(self, seller: Seller) -> str:
        """A token that should work.

        Raises `ConnectionRevoked`, `ConnectionNotActive` or `AccessTokenUnavailable`.
        """

    async def refused(self, seller: Seller, token: str) -> str:
        """Another token, after Amazon answered 403 to `token`; the same one when another would be refused as well."""


@dataclass(slots=True)
class _Held:
    token: str = field(repr=False, default="")
    expires: float = 0.0
    # What was told of the connection when the token was asked for: one asked for before a consent may be dead by now.
    version: int = 0
    replaced_refused_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


class AuthAccessTokens:
    """Tokens from `POST {auth_url}/v1/internal/access-tokens`; one request at a time per connection."""

    def __init__(
        self, http_client: http.AsyncClient, auth_url: str, service_token: Callable[[], Awaitable[str]]
    ) -> None:
        self._http = http_client
        self._url = auth_url.rstrip("/") + ACCESS_TOKEN_PATH
        self._service_token = service_token
        self._held: dict[tuple[UUID, UUID], _Held] = {}

    async def get(self, seller: Seller) -> str:
        """As `AccessTokens.get`. Any newer event of the connection drops what is held of it, in every replica: each
        reads the version in its own database, whichever of them consumed the event."""
        held = self._held_for(seller)
        if clock.monotonic() < held.expires:
            return held.token
        async with held.lock:
            if clock.monotonic() >= held.expires:
                await self._ask(seller, held, refused=None)
            return held.token

    async def refused(self, seller: Seller, token: str) -> str:
        held = self._held_for(seller)
        async with held.lock:
            another_already = held.token != token and clock.monotonic() < held.expires
            settled = clock.monotonic() < held.replaced_refused_at + _SETTLED
            if not (another_already or settled):
                held.expires = 0.0
                await self._ask(seller, held, refused=token)
                held.replaced_refused_at = clock.monotonic()
            return held.token

    def _held_for(self, seller: Seller) -> _Held:
        key = (seller.account_id, seller.connection_id)
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held(version=seller.version)
        if seller.version > held.version:
            held.version = seller.version
            held.expires = held.replaced_refused_at = float("-inf")
        return held

    async def _ask(self, seller: Seller, held: _Held, *, refused: str | None) -> None:
        question = AccessTokenRequest(
            account_id=seller.account_id,
            connection_id=seller.connection_id,
            refused=refused[-8:] if refused else None,
        )
        asked_at = clock.monotonic()
        async for attempt in stamina.retry_context(on=_Unreachable, attempts=3, wait_max=1.0):
            with attempt:
                answer = await self._post(question)
        held.token = answer.access_token
        held.expires = asked_at + answer.expires_in - _MARGIN

    async def _post(self, question: AccessTokenRequest) -> AccessTokenAnswer:
        try:
            own_token = await self._service_token()
        except AuthUnavailable as problem:
            raise AccessTokenUnavailable(_OPERATION, reason=problem.detail) from problem
        headers = {"authorization": f"Bearer {own_token}", "content-type": "application/json"}
        try:
            answer = await self._http.post(
                self._url, headers=headers, content=question.model_dump_json(), extensions=_PATIENCE
            )
        except (http.NotSent, http.OutcomeUnknown) as error:
            raise _Unreachable(_OPERATION, reason=type(error).__name__) from error
        if answer.status_code == 200:
            granted = _read(answer.content)
            if granted is None:
                raise AccessTokenUnavailable(_OPERATION, status=200, reason="unreadable answer")
            return granted
        kind = _problem_type(answer.content)
        if kind.endswith("/connection-revoked"):
            raise ConnectionRevoked(_OPERATION, status=answer.status_code)
        if kind.endswith("/connection-not-active"):
            raise ConnectionNotActive(_OPERATION, status=answer.status_code)
        if answer.status_code >= 500:
            raise _Unreachable(_OPERATION, status=answer.status_code)
        raise AccessTokenUnavailable(_OPERATION, status=answer.status_code)


class _Unreachable(AccessTokenUnavailable):
    """Worth another attempt."""


def _read(body: bytes) -> AccessTokenAnswer | None:
    # None, not an error: pydantic's quotes its input, and would hang on ours as its context.
    try:
        return AccessTokenAnswer.model_validate_json(body)
    except ValidationError:
        return None


def _problem_type(body: bytes) -> str:
    try:
        problem: Any = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return str(problem.get("type", "")) if isinstance(problem, dict) else ""
