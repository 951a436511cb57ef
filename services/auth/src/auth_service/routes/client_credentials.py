"""OAuth 2.0's client credentials (RFC 6749 4.4) at the token endpoint: an API key's id is the client id, its text the
secret.

In the body or as HTTP Basic, so that any OAuth client works; refusals are worded as that RFC has them (5.2).
"""

import base64
import binascii
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from fastapi import Request
from fastapi.responses import JSONResponse

FORM = "application/x-www-form-urlencoded"
_LARGEST = 8192


class OAuthRefusal(Exception):
    """`{"error", "error_description"}` of RFC 6749 5.2."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description

    def answer(self) -> JSONResponse:
        headers = {"Cache-Control": "no-store"}
        if self.error == "invalid_client":
            headers["WWW-Authenticate"] = 'Basic realm="entrepot"'
        body = {"error": self.error, "error_description": self.description}
        return JSONResponse(body, 401 if self.error == "invalid_client" else 400, headers=headers)


class ClientCredentials(NamedTuple):
    """What an OAuth client asks with; `scope` empty means all of the key's."""

    client_id: str
    client_secret: str
    scope: tuple[str, ...]

    def __repr__(self) -> str:
        return f"ClientCredentials(client_id={self.client_id!r})"


def is_form(request: Request) -> bool:
    """Whether the request speaks OAuth at all: our own way has no body."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


async def read(request: Request) -> ClientCredentials:
    """The request's credentials. Raises `OAuthRefusal`."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST:
            raise OAuthRefusal("invalid_request", "the body is too large")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
        form = dict(pairs)
    except ValueError:
        raise OAuthRefusal("invalid_request", "the body is not a form") from None
    if len(form) < len(pairs):
        raise OAuthRefusal("invalid_request", "a parameter is given twice")
    grant_type = form.get("grant_type")
    if grant_type is None:
        raise OAuthRefusal("invalid_request", "grant_type is missing")
    if grant_type != "client_credentials":
        raise OAuthRefusal("unsupported_grant_type", "grant_type is client_credentials")
    client_id, client_secret = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
    if not client_id or not client_secret:
        raise OAuthRefusal("invalid_client", "client_id (the API key's id) and client_secret (the key) are needed")
    return ClientCredentials(client_id, client_secret, tuple(form.get("scope", "").split()))


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        raise OAuthRefusal("invalid_client", "the Authorization header is not HTTP Basic") from None
    # RFC 6749 2.3.1: both are form-encoded before they are joined.
    return (unquote_plus(name), unquote_plus(password)) if colon else None
