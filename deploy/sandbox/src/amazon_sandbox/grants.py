"""Who may call for whom: authorisation codes, refresh tokens and access tokens of the running world."""

import secrets
from typing import Any

import msgspec

from amazon_sandbox.apps import App
from amazon_sandbox.clock import DAY_MS, SECOND_MS

CODE_LIFE_MS = 5 * 60 * SECOND_MS  # FACTS 2.3.2
CALLBACK_LIFE_MS = 60 * 60 * SECOND_MS
RESTRICTED_TOKEN_LIFE_S = 3600  # FACTS 4.4
_REMEMBERED_MS = DAY_MS  # how long an access token that has expired is still told from one that never was


class Grant(msgspec.Struct, eq=False):
    """A seller's consent to one app, with the refresh token that stands for it.

    `roles` are those the app held when the seller consented: a role it gains later is not in it (FACTS 2.3.4).
    """

    app: App
    selling_partner_id: str
    refresh_token: str
    roles: frozenset[str]
    expires_ms: int
    revoked: bool = False
    replaced: bool = False  # by a later consent: its refresh token is no longer good, its access tokens live out


class AuthorizationCode(msgspec.Struct, frozen=True):
    app: App
    selling_partner_id: str
    redirect_uri: str
    roles: frozenset[str]
    expires_ms: int


class RestrictedResource(msgspec.Struct, frozen=True):
    """One resource of a Restricted Data Token. A segment in braces stands for any (FACTS 4.4)."""

    method: str
    path: str
    data_elements: frozenset[str] = frozenset()

    def covers(self, method: str, path: str) -> bool:
        if method != self.method:
            return False
        own, asked = self.path.split("/"), path.split("/")
        return len(own) == len(asked) and all(
            mine == theirs or mine.startswith("{") for mine, theirs in zip(own, asked, strict=True)
        )


class AccessToken(msgspec.Struct, frozen=True):
    """`grant` is None for a grantless token, which has a `scope`; `restricted` makes it a Restricted Data Token."""

    app: App
    expires_ms: int
    grant: Grant | None = None
    scope: str | None = None
    restricted: tuple[RestrictedResource, ...] | None = None


class Callback(msgspec.Struct, frozen=True):
    """An authorisation that Amazon began: the seller has consented, the app has not come back yet (FACTS 2.2)."""

    app: App
    selling_partner_id: str
    expires_ms: int


class Grants:
    def __init__(self) -> None:
        self.token_bytes = 133  # follows the setting
        self._codes: dict[str, AuthorizationCode] = {}
        self._access_tokens: dict[str, AccessToken] = {}
        self._grants: dict[str, Grant] = {}
        self._callbacks: dict[str, Callback] = {}

    def begin_callback(self, app: App, selling_partner_id: str, now_ms: int) -> str:
        """The amazon_state of an authorisation that Amazon begins."""
        _forget_expired(self._callbacks, now_ms)
        amazon_state = secrets.token_urlsafe(24)
        self._callbacks[amazon_state] = Callback(app, selling_partner_id, now_ms + CALLBACK_LIFE_MS)
        return amazon_state

    def callback(self, amazon_state: str, app: App, now_ms: int) -> Callback | None:
        begun = self._callbacks.get(amazon_state)
        return begun if begun is not None and begun.app == app and now_ms <= begun.expires_ms else None

    def end_callback(self, amazon_state: str) -> None:
        self._callbacks.pop(amazon_state, None)

    def issue_code(
        self, app: App, selling_partner_id: str, redirect_uri: str, roles: frozenset[str], now_ms: int
    ) -> str:
        _forget_expired(self._codes, now_ms)
        code = "RH" + secrets.token_urlsafe(18)
        self._codes[code] = AuthorizationCode(app, selling_partner_id, redirect_uri, roles, now_ms + CODE_LIFE_MS)
        return code

    def redeem_code(self, code: str, app: App, redirect_uri: str | None, now_ms: int, life_days: int) -> Grant | None:
        """The new grant, or None; whatever comes of it, the code is used up (FACTS 2.3.2)."""
        issued = self._codes.pop(code, None)
        if issued is None or issued.app != app or now_ms > issued.expires_ms:
            return None
        if redirect_uri is not None and redirect_uri != issued.redirect_uri:
            return None
        return self.authorize(app, issued.selling_partner_id, issued.roles, now_ms, life_days)

    def authorize(self, app: App, selling_partner_id: str, roles: frozenset[str], now_ms: int, life_days: int) -> Grant:
        """A new grant with a new refresh token; it takes the place of the one there was (FACTS 2.3.4)."""
        for grant in self._grants.values():
            if grant.selling_partner_id == selling_partner_id and grant.app == app:
                grant.replaced = True
        expires_ms = now_ms + life_days * DAY_MS
        grant = Grant(app, selling_partner_id, self._value("Atzr|"), roles, expires_ms)
        self._grants[grant.refresh_token] = grant
        return grant

    def by_refresh_token(self, refresh_token: str, now_ms: int) -> Grant | None:
        grant = self._grants.get(refresh_token)
        if grant is None or grant.revoked or grant.replaced or now_ms >= grant.expires_ms:
            return None
        return grant

    def holds(self, app_client_id: str, selling_partner_id: str, now_ms: int) -> bool:
        """Whether the seller's consent to this app is in force."""
        return any(
            grant.selling_partner_id == selling_partner_id
            and grant.app.client_id == app_client_id
            and not grant.revoked
            and not grant.replaced
            and now_ms < grant.expires_ms
            for grant in self._grants.values()
        )

    def issue_access_token(self, app: App, grant: Grant | None, scope: str | None, now_ms: int, life_s: int) -> str:
        return self._issue("Atza|", AccessToken(app, now_ms + life_s * SECOND_MS, grant, scope), now_ms)

    def issue_restricted_token(
        self, app: App, grant: Grant, resources: tuple[RestrictedResource, ...], now_ms: int
    ) -> str:
        expires_ms = now_ms + RESTRICTED_TOKEN_LIFE_S * SECOND_MS
        return self._issue("Atz.sprdt|", AccessToken(app, expires_ms, grant, restricted=resources), now_ms)

    def _issue(self, prefix: str, token: AccessToken, now_ms: int) -> str:
        _forget_expired(self._access_tokens, now_ms - _REMEMBERED_MS)
        value = self._value(prefix)
        self._access_tokens[value] = token
        return value

    def _value(self, prefix: str) -> str:
        return prefix + secrets.token_urlsafe(self.token_bytes)[: self.token_bytes - len(prefix)]

    def access_token(self, token: str) -> AccessToken | None:
        return self._access_tokens.get(token)

    def revoke(self, selling_partner_id: str, region: str) -> int:
        """Ends every authorisation the seller gave in this region; says how many there were."""
        ended = 0
        for grant in self._grants.values():
            if grant.selling_partner_id == selling_partner_id and grant.app.region == region and not grant.revoked:
                grant.revoked = True
                ended += 1
        return ended

    def counts(self) -> dict[str, int]:
        """Numbers only: no token ever leaves by a dial."""
        return {
            "codes_outstanding": len(self._codes),
            "grants_active": sum(not grant.revoked and not grant.replaced for grant in self._grants.values()),
            "grants_revoked": sum(grant.revoked for grant in self._grants.values()),
            "access_tokens": len(self._access_tokens),
        }


def _forget_expired(issued: dict[str, Any], before_ms: int) -> None:
    """From the oldest on, as far as they have expired: one that lives longer keeps those after it until its end."""
    while issued and next(iter(issued.values())).expires_ms < before_ms:
        del issued[next(iter(issued))]
