"""API keys, the token they are exchanged for, the keys that sign it, and Amazon access tokens for other services."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlmodel import col

from auth_service import identity, signing
from auth_service.access_tokens import ConnectionIsRevoked, TokenBroker
from auth_service.lwa import AppRefused, LwaUnavailable
from auth_service.models import ApiKey
from auth_service.routes import client_credentials
from auth_service.schemas import (
    ApiKeyAnswer,
    CreatedApiKeyAnswer,
    NewApiKey,
    OAuthRefusalAnswer,
    SigningKeyAnswer,
    SigningKeysAnswer,
)
from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.contracts.http import (
    ACCESS_TOKEN_PATH,
    ACCESS_TOKEN_SCOPE,
    JWKS_PATH,
    TOKEN_PATH,
    AccessTokenAnswer,
    AccessTokenRequest,
    TokenAnswer,
)
from common.db import Transaction
from common.errors import ConnectionNotActiveProblem
from common.front_door import Guarded
from common.idempotency import IdempotencyKey, once
from common.openapi import problems
from common.pages import ByMoment, Page, PageQuery
from common.parameters import OpenDoor

router = APIRouter(route_class=Guarded)

_api_key = HTTPBearer(auto_error=False, scheme_name="ApiKey", description="An API key: `ent_...`")


_FORM: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {
            client_credentials.FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "client_id": {"type": "string", "maxLength": 100, "description": "The API key's id"},
                        "client_secret": {"type": "string", "maxLength": 200, "description": "The API key"},
                        "scope": {"type": "string", "maxLength": 1000, "description": "Fewer scopes, by spaces"},
                    },
                }
            }
        },
    }
}
_REFUSED = problems(identity.InvalidApiKey)
for _status in (400, 401):
    # An OAuth client is answered in OAuth's own words, in JSON; everybody else as everywhere.
    _REFUSED.setdefault(_status, {})["model"] = OAuthRefusalAnswer


@router.post(
    TOKEN_PATH,
    tags=["identity"],
    response_model=TokenAnswer,
    dependencies=[OpenDoor],
    responses=_REFUSED,
    openapi_extra=_FORM,
)
async def create_token(
    session: Transaction,
    runtime: RuntimeDependency,
    request: Request,
    response: Response,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_api_key)],
) -> TokenAnswer | Response:
    """A JWT of fifteen minutes for the API key in the Authorization header, or for OAuth 2.0's client credentials
    (`grant_type=client_credentials` with the key's id and text, in the form or as HTTP Basic; `scope` narrows)."""
    key_ring, issuer = runtime.key_ring, runtime.settings.token_issuer
    response.headers["Cache-Control"] = "no-store"
    if not client_credentials.is_form(request):
        if given is None:
            raise identity.InvalidApiKey("no API key in the Authorization header")
        return await identity.exchange(session, key_ring, issuer, given.credentials)
    try:
        asked = await client_credentials.read(request)
        try:
            return await identity.exchange(
                session, key_ring, issuer, asked.client_secret, client_id=asked.client_id, wanted=asked.scope
            )
        except identity.InvalidApiKey as refused:
            raise client_credentials.OAuthRefusal("invalid_client", refused.detail) from None
        except identity.ScopeNotHeld as refused:
            raise client_credentials.OAuthRefusal("invalid_scope", refused.detail) from None
    except client_credentials.OAuthRefusal as refusal:
        return refusal.answer()


@router.get(JWKS_PATH, tags=["identity"], dependencies=[OpenDoor])
async def list_signing_keys(session: Transaction, runtime: RuntimeDependency) -> SigningKeysAnswer:
    """The public keys of our tokens, as JWKS."""
    keys = await signing.signing_keys(session, runtime.key_ring)
    return SigningKeysAnswer(keys=[SigningKeyAnswer.model_validate(signing.public_jwk(key)) for key in keys])


@router.post(
    "/v1/api-keys",
    status_code=201,
    tags=["identity"],
    responses=problems(identity.UnknownScope, identity.ExpiryInThePast, identity.ScopeNotHeld, identity.UnknownAccount),
)
async def create_api_key(
    caller: Annotated[Caller, requires("account:admin")],
    session: Transaction,
    request: Request,
    body: NewApiKey,
    idempotency_key: IdempotencyKey = None,
) -> CreatedApiKeyAnswer:
    """A further key. Its text is answered once and never stored, also not for a repeat of this request."""
    shown: str | None = None

    async def create() -> ApiKeyAnswer:
        nonlocal shown
        key, shown = await identity.create_api_key(session, caller, body.name, body.scopes, body.expires_at)
        return ApiKeyAnswer.model_validate(key)

    view = await once(session, request, caller.account_id, idempotency_key, ApiKeyAnswer, create)
    return CreatedApiKeyAnswer(**view.model_dump(), key=shown)


@router.get("/v1/api-keys", tags=["identity"])
async def list_api_keys(
    caller: Annotated[Caller, requires("account:admin")],
    session: Transaction,
    paging: PageQuery,
    revoked: Annotated[bool | None, Query(description="whether only revoked or only other keys")] = None,
) -> Page[ApiKeyAnswer]:
    """The account's keys, oldest first, revoked ones included."""
    query = caller.scoped(ApiKey)
    if revoked is not None:
        query = query.where(col(ApiKey.revoked_at).is_not(None) if revoked else col(ApiKey.revoked_at).is_(None))
    order = (col(ApiKey.created_at), col(ApiKey.id))
    return await paging.of(session, query, order, ByMoment, ApiKeyAnswer.model_validate)


@router.delete("/v1/api-keys/{key_id}", status_code=204, tags=["identity"])
async def revoke_api_key(
    caller: Annotated[Caller, requires("account:admin")], session: Transaction, key_id: UUID
) -> None:
    """Revokes a key."""
    await identity.revoke_api_key(session, caller, key_id)


@router.post(
    ACCESS_TOKEN_PATH,
    tags=["internal"],
    response_model=AccessTokenAnswer,
    responses=problems(ConnectionNotActiveProblem, ConnectionIsRevoked, LwaUnavailable, AppRefused),
)
async def create_access_token(
    caller: Annotated[Caller, requires(ACCESS_TOKEN_SCOPE)], runtime: RuntimeDependency, body: AccessTokenRequest
) -> Response:
    """An Amazon access token of one connection, for another service of the platform."""
    broker = runtime.access
    assert isinstance(broker, TokenBroker)  # `app.py` made it
    answer = await broker.hand_out(body.account_id, body.connection_id, body.refused)
    # Written here: FastAPI would validate once more what has just been made, on the busiest route of this service.
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})
