"""Which browser a consent belongs to: a random nonce in a cookie, of which the database holds the SHA-256.

Without it a stranger could begin a consent in an account of his own and send a seller its link: the seller, who sees
the platform's own name at Amazon, would hand his shop to the stranger's account.
"""

import hashlib
import re
import secrets

from fastapi import Request, Response

from auth_service.consent import STATE_LIFE
from auth_service.settings import AuthSettings

_NONCE = re.compile(r"[A-Za-z0-9_-]{43}")


def _cookie(settings: AuthSettings) -> tuple[str, bool]:
    """Its name, and whether it is for https only. `__Host-` keeps subdomains from setting it."""
    secure = not settings.amazon_redirect_uri.startswith("http://")
    return ("__Host-entrepot-consent" if secure else "entrepot-consent"), secure


def begin(settings: AuthSettings, request: Request, response: Response) -> bytes | None:
    """The hash of the browser's nonce, which it keeps for as long as a consent lives; None where none is asked for."""
    if not settings.consent_browser_bound:
        return None
    name, secure = _cookie(settings)
    held = request.cookies.get(name, "")
    nonce = held if _NONCE.fullmatch(held) else secrets.token_urlsafe(32)
    # Lax: sent along when Amazon's page leads back here, not with anything that another site does in the background.
    response.set_cookie(
        name,
        nonce,
        max_age=int(STATE_LIFE.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    return _hash(nonce)


def present(settings: AuthSettings, request: Request) -> bytes | None:
    """The hash of the nonce that the browser brings, if any."""
    nonce = request.cookies.get(_cookie(settings)[0])
    return _hash(nonce) if nonce else None


def _hash(nonce: str) -> bytes:
    return hashlib.sha256(nonce.encode()).digest()
