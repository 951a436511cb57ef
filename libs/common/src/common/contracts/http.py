"""The one synchronous edge between services: a caller's token, and an Amazon access token handed out by auth."""

from uuid import UUID

from common.contracts.connections import Region
from common.contracts.event import Contract

TOKEN_PATH = "/v1/token"  # noqa: S105 - a path
JWKS_PATH = "/.well-known/jwks.json"
ACCESS_TOKEN_PATH = "/v1/internal/access-tokens"  # noqa: S105 - a path
ACCESS_TOKEN_SCOPE = "amazon:access-token"  # noqa: S105 - a scope


class TokenAnswer(Contract):
    """Answer of `POST /v1/token` (Authorization: Bearer <API key>, or OAuth 2.0's client credentials): a short-lived
    EdDSA JWT and what it allows."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a scheme
    expires_in: int
    scope: str = ""


class AccessTokenRequest(Contract):
    """Asks for an Amazon access token of one connection. `refused` names (by its last 8 characters) the token that
    Amazon just answered 403 to, so that it is not handed out again."""

    account_id: UUID
    connection_id: UUID
    refused: str | None = None


class AccessTokenAnswer(Contract):
    """A bearer token for Amazon, good for `expires_in` seconds."""

    access_token: str
    expires_in: int
    selling_partner_id: str
    region: Region
