"""Login with Amazon: a code or a refresh token becomes tokens (FACTS 2.3). Nothing here logs or quotes a token."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import stamina
import structlog

from auth_service.settings import AppIdentity
from common.contracts.connections import Region
from common.errors import Unavailable
from common.http import AsyncClient, NotSent, OutcomeUnknown

log = structlog.get_logger()

# Seconds. Two attempts stay well inside the lease of `access_tokens`.
ATTEMPT_SECONDS = 5.0
ATTEMPTS = 2
_EXTENSIONS = {"timeout": {"connect": 2.0, "read": ATTEMPT_SECONDS, "total": ATTEMPT_SECONDS}}


class GrantRefused(Exception):
    """`invalid_grant`: the code is used up or expired, or the seller has revoked the refresh token. Final."""


class LwaUnavailable(Unavailable):
    slug, title = "amazon-sign-in-unavailable", "Login with Amazon does not answer"
    fix = "Try again in a moment"


class AppRefused(Unavailable):
    slug, title = "amazon-app-refused", "Login with Amazon does not accept our app's credentials"

    def __init__(self, region: Region, error: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(
            f"{error} for the app of region {region}",
            fix=f"Check AMAZON_CLIENT_ID_{region} and AMAZON_CLIENT_SECRET_{region}: a secret lives 180 days",
            headers=headers,
        )
        self.error = error


@dataclass(frozen=True, slots=True)
class Tokens:
    """LWA's answer; `expires_in` seconds are of the access token."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: int
    refresh_token: str


class _Refusal(msgspec.Struct):
    error: str = "unknown"


class _SecretRefused(Exception):
    """`invalid_client`: perhaps the app's other secret is accepted."""


class _NoAnswer(LwaUnavailable):
    """Nothing was done at Amazon, or doing it again is harmless: worth another attempt."""


class Lwa:
    """The token endpoint, for all three apps."""

    def __init__(self, http: AsyncClient, base_url: str) -> None:
        self._http = http
        self._url = base_url.rstrip("/") + "/auth/o2/token"
        # By client id, the secret that was accepted last: during a rotation it is tried first.
        self._accepted: dict[str, str] = {}

    async def exchange_code(self, app: AppIdentity, code: str, redirect_uri: str) -> Tokens:
        """Tokens for the code of a consent: once, and within five minutes of it (FACTS 2.3.2).

        Raises `GrantRefused`, `AppRefused` or `LwaUnavailable`; after the last the code may be used up or not.
        """
        form = {"grant_type": "authorization_code", "code": code}
        return await self._tokens(
            app, form | ({"redirect_uri": redirect_uri} if redirect_uri else {}), repeatable=False
        )

    async def refresh(self, app: AppIdentity, refresh_token: str) -> Tokens:
        """A new access token. Raises `GrantRefused`, `AppRefused` or `LwaUnavailable`."""
        return await self._tokens(app, {"grant_type": "refresh_token", "refresh_token": refresh_token}, repeatable=True)

    async def _tokens(self, app: AppIdentity, form: dict[str, str], *, repeatable: bool) -> Tokens:
        """Tries the app's secrets, of which two live while one is rotated (FACTS 2.5); no call fails for the change."""
        preferred = self._accepted.get(app.client_id)
        for secret in sorted(app.client_secrets, key=lambda secret: secret != preferred):
            credentials = {"client_id": app.client_id, "client_secret": secret}
            try:
                tokens = await self._repeated(app, form | credentials, repeatable)
            except _SecretRefused:
                continue
            self._accepted[app.client_id] = secret
            return tokens
        raise AppRefused(app.region, "invalid_client")

    async def _repeated(self, app: AppIdentity, form: dict[str, str], repeatable: bool) -> Tokens:
        async for attempt in stamina.retry_context(on=_NoAnswer, attempts=ATTEMPTS, wait_max=1.0):
            with attempt:
                return await self._ask(app, form, repeatable)
        raise AssertionError("stamina returns, or raises the last error")

    async def _ask(self, app: AppIdentity, form: dict[str, str], repeatable: bool) -> Tokens:
        try:
            answer = await self._http.post(self._url, data=form, extensions=_EXTENSIONS)
        except NotSent as error:
            raise _NoAnswer(f"it cannot be reached: {type(error).__name__}") from None
        except OutcomeUnknown as error:
            raise (_NoAnswer if repeatable else LwaUnavailable)(f"no answer: {type(error).__name__}") from None
        if answer.status_code == 200:
            read = _decode(answer.content, _Answer)
            if read is None:
                raise LwaUnavailable("its answer is not one of the token endpoint")
            return Tokens(read.access_token, read.refresh_token, read.expires_in)
        refusal = _decode(answer.content, _Refusal) or _Refusal()
        log.warning("lwa_refused", region=app.region, status=answer.status_code, error=refusal.error[:64])
        if answer.status_code >= 500 or answer.status_code == 429:
            raise (_NoAnswer if repeatable else LwaUnavailable)(f"it answers {answer.status_code}")
        if refusal.error == "invalid_grant":
            raise GrantRefused
        if refusal.error == "invalid_client":
            raise _SecretRefused
        raise AppRefused(app.region, refusal.error[:64])


def _decode(content: bytes, into: type[Any]) -> Any:
    try:
        return msgspec.json.decode(content, type=into)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
