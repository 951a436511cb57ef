"""Who may call for whom: authorisation codes, refresh tokens and access tokens of the running world."""

import secrets

import msgspec

from amazon_sandbox.apps import App
from amazon_sandbox.clock import SECOND_MS

CODE_LIFE_MS = 5 * 60 * SECOND_MS  # FACTS 2.3.2


class Grant(msgspec.Struct, eq=False):
    """A seller's consent to one app, with the refresh token that stands for it."""

    app: App
    selling_partner_id: str
    refresh_token: str
    revoked: bool = False


class AuthorizationCode(msgspec.Struct, frozen=True):
    app: App
    selling_partner_id: str
    redirect_uri: str
    expires_ms: int


class AccessToken(msgspec.Struct, frozen=True):
    """`grant` is None for a grantless token (client_credentials)."""

    grant: Grant | None
    expires_ms: int


class Grants:
    def __init__(self) -> None:
        self._codes: dict[str, AuthorizationCode] = {}
        self._access_tokens: dict[str, AccessToken] = {}
        self._grants: dict[str, Grant] = {}

    def issue_code(self, app: App, selling_partner_id: str, redirect_uri: str, now_ms: int) -> str:
        code = "RH" + secrets.token_urlsafe(18)
        self._codes[code] = AuthorizationCode(app, selling_partner_id, redirect_uri, now_ms + CODE_LIFE_MS)
        return code

    def redeem_code(self, code: str, app: App, redirect_uri: str | None, now_ms: int) -> Grant | None:
        """The new grant, or None; whatever comes of it, the code is used up (FACTS 2.3.2)."""
        issued = self._codes.pop(code, None)
        if issued is None or issued.app != app or now_ms > issued.expires_ms:
            return None
        if redirect_uri is not None and redirect_uri != issued.redirect_uri:
            return None
        grant = Grant(app, issued.selling_partner_id, "Atzr|" + secrets.token_urlsafe(96))
        self._grants[grant.refresh_token] = grant
        return grant

    def by_refresh_token(self, refresh_token: str) -> Grant | None:
        grant = self._grants.get(refresh_token)
        return None if grant is None or grant.revoked else grant

    def issue_access_token(self, grant: Grant | None, now_ms: int, life_s: int) -> str:
        token = "Atza|" + secrets.token_urlsafe(96)
        self._access_tokens[token] = AccessToken(grant, now_ms + life_s * SECOND_MS)
        return token

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
            "grants_active": sum(not grant.revoked for grant in self._grants.values()),
            "grants_revoked": sum(grant.revoked for grant in self._grants.values()),
            "access_tokens": len(self._access_tokens),
        }
