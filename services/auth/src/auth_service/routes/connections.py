"""`/v1/connections`: seller authorisations of an account."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import col

from auth_service import checking, connecting, self_authorizing
from auth_service.access_tokens import ConnectionIsRevoked
from auth_service.checking import check
from auth_service.consent import AppNotConfigured, begin_consent
from auth_service.granting import ConnectionIsDisabled, grant
from auth_service.identity import UnknownAccount
from auth_service.lwa import AppRefused, LwaUnavailable
from auth_service.models import Connection
from auth_service.routes import browsers
from auth_service.schemas import (
    ConnectionAnswer,
    ConnectionChanges,
    ConnectionCheckAnswer,
    ConsentAnswer,
    CreatedConnectionAnswer,
    NewConnection,
    NewRefreshToken,
    SelfAuthorizedConnection,
)
from auth_service.settings import AuthSettings
from common.amazon.access import Seller
from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.db import Transaction
from common.errors import ConnectionNotActiveProblem
from common.front_door import Guarded
from common.idempotency import IdempotencyKey, once
from common.moments import MomentOrUtc
from common.openapi import problems
from common.pages import ByMoment, Page, PageQuery
from common.reading import Reading

router = APIRouter(route_class=Guarded, prefix="/v1/connections", tags=["connections"])

Reader = Annotated[Caller, requires("connections:read")]
Writer = Annotated[Caller, requires("connections:write")]

_WRONG_PLACE = (connecting.UnknownMarketplace, connecting.OtherRegion)
_NO_CONSENT = (AppNotConfigured, ConnectionIsDisabled)
_OF_LWA = (LwaUnavailable, AppRefused)
_OF_TOKEN = (
    self_authorizing.RefreshTokenRefused,
    self_authorizing.SellerNotThere,
    self_authorizing.TokenOfAnotherSeller,
    ConnectionIsDisabled,
    checking.AmazonDeniesAccess,
    checking.AmazonBusy,
    checking.AmazonUnavailableProblem,
    *_OF_LWA,
)


@router.post(
    "",
    status_code=201,
    responses=problems(*_WRONG_PLACE, *_NO_CONSENT, connecting.ConnectionExists, UnknownAccount),
)
async def create_connection(
    caller: Writer,
    session: Transaction,
    runtime: RuntimeDependency,
    request: Request,
    response: Response,
    body: NewConnection,
    idempotency_key: IdempotencyKey = None,
) -> CreatedConnectionAnswer:
    """A pending connection and the consent page to send the seller to; a repeat answers it with a fresh page."""

    async def create() -> ConnectionAnswer:
        return ConnectionAnswer.model_validate(await connecting.create_connection(session, caller, body))

    created = await once(session, request, caller.account_id, idempotency_key, ConnectionAnswer, create)
    connection = await caller.one(session, Connection, created.id)
    page = await _consent_page(session, runtime.settings, caller, request, response, connection)
    return CreatedConnectionAnswer(**ConnectionAnswer.model_validate(connection).model_dump(), **page.model_dump())


@router.post(
    "/self-authorized",
    status_code=201,
    responses=problems(*_WRONG_PLACE, *_OF_TOKEN, connecting.ConnectionExists, UnknownAccount),
)
async def create_self_authorized_connection(
    caller: Writer,
    runtime: RuntimeDependency,
    request: Request,
    body: SelfAuthorizedConnection,
    idempotency_key: IdempotencyKey = None,
) -> ConnectionAnswer:
    """An active connection from a refresh token entered by hand, which Amazon has accepted for that seller and
    marketplace; nothing is kept of one that it refuses."""
    home = connecting.known_marketplace(body.marketplace_id)
    seller = Seller(caller.account_id, caller.account_id, body.selling_partner_id, home.region)
    token = await self_authorizing.verify_refresh_token(
        runtime, seller, home.marketplace_id, body.refresh_token.get_secret_value()
    )

    async with runtime.db.transaction() as session:

        async def create() -> ConnectionAnswer:
            connection = await connecting.create_connection(session, caller, body)
            await grant(session, runtime.key_ring, connection, token, actor=caller.subject)
            return ConnectionAnswer.model_validate(connection)

        return await once(session, request, caller.account_id, idempotency_key, ConnectionAnswer, create)


@router.get("")
async def list_connections(
    caller: Reader,
    session: Transaction,
    paging: PageQuery,
    status: Annotated[str | None, Query(max_length=50)] = None,
    selling_partner_id: Annotated[str | None, Query(max_length=64)] = None,
    updated_since: MomentOrUtc | None = None,
) -> Page[ConnectionAnswer]:
    """The account's connections, oldest first."""
    query = caller.scoped(Connection)
    if status is not None:
        query = query.where(col(Connection.status) == status)
    if selling_partner_id is not None:
        query = query.where(Connection.selling_partner_id == selling_partner_id)
    if updated_since is not None:
        query = query.where(col(Connection.updated_at) >= updated_since)
    order = (col(Connection.created_at), col(Connection.id))
    return await paging.of(session, query, order, ByMoment, ConnectionAnswer.model_validate)


@router.get("/{connection_id}")
async def get_connection(caller: Reader, reads: Reading, connection_id: UUID) -> ConnectionAnswer:
    """One connection and how its authorisation stands."""
    return ConnectionAnswer.of(await caller.row(reads, Connection, connection_id))


@router.patch("/{connection_id}", responses=problems(*_WRONG_PLACE))
async def change_connection(
    caller: Writer, session: Transaction, connection_id: UUID, body: ConnectionChanges
) -> ConnectionAnswer:
    """A new name, or another home marketplace of the same region."""
    return ConnectionAnswer.model_validate(await connecting.change_connection(session, caller, connection_id, body))


@router.delete("/{connection_id}", status_code=204, responses=problems(connecting.ConnectionHasChannels))
async def delete_connection(caller: Writer, session: Transaction, connection_id: UUID) -> None:
    """Deletes a connection without channels, and its authorisation with it."""
    await connecting.delete_connection(session, caller, connection_id)


@router.post("/{connection_id}/consent", responses=problems(*_NO_CONSENT))
async def create_consent(
    caller: Writer,
    session: Transaction,
    runtime: RuntimeDependency,
    request: Request,
    response: Response,
    connection_id: UUID,
) -> ConsentAnswer:
    """Another consent page: after one that expired, after a revocation, or to renew."""
    connection = await caller.one(session, Connection, connection_id)
    return await _consent_page(session, runtime.settings, caller, request, response, connection)


@router.put("/{connection_id}/refresh-token", responses=problems(*_OF_TOKEN))
async def set_refresh_token(
    caller: Writer, runtime: RuntimeDependency, connection_id: UUID, body: NewRefreshToken
) -> ConnectionAnswer:
    """Authorises a connection by a refresh token entered by hand, once Amazon has accepted it for its seller."""
    async with runtime.db.transaction() as session:
        connection = await caller.one(session, Connection, connection_id)
    token = await self_authorizing.verify_refresh_token(
        runtime,
        Seller(connection.account_id, connection.id, connection.selling_partner_id, connection.region),
        connection.home_marketplace_id,
        body.refresh_token.get_secret_value(),
    )
    async with runtime.db.transaction() as session:
        connection = await caller.one(session, Connection, connection_id, lock=True)
        await grant(session, runtime.key_ring, connection, token, actor=caller.subject)
    return ConnectionAnswer.model_validate(connection)


@router.post(
    "/{connection_id}/check",
    responses=problems(
        checking.AmazonDeniesAccess,
        checking.AmazonBusy,
        checking.AmazonUnavailableProblem,
        ConnectionNotActiveProblem,
        ConnectionIsRevoked,
        *_OF_LWA,
    ),
)
async def check_connection(caller: Reader, runtime: RuntimeDependency, connection_id: UUID) -> ConnectionCheckAnswer:
    """Asks Amazon in which marketplaces the seller is active; finds out whether the authorisation still holds."""
    async with runtime.db.transaction() as session:
        connection = await caller.one(session, Connection, connection_id)
    found = await check(runtime.db, runtime.amazon, connection)
    return ConnectionCheckAnswer(connection_id=connection_id, marketplaces=found)


@router.post("/{connection_id}/disable")
async def disable_connection(caller: Writer, session: Transaction, connection_id: UUID) -> ConnectionAnswer:
    """Switches the connection off: no call to Amazon is made for it."""
    return ConnectionAnswer.model_validate(await connecting.disable_connection(session, caller, connection_id))


@router.post("/{connection_id}/enable")
async def enable_connection(caller: Writer, session: Transaction, connection_id: UUID) -> ConnectionAnswer:
    """Switches the connection on again."""
    return ConnectionAnswer.model_validate(await connecting.enable_connection(session, caller, connection_id))


async def _consent_page(
    session: Transaction,
    settings: AuthSettings,
    caller: Caller,
    request: Request,
    response: Response,
    connection: Connection,
) -> ConsentAnswer:
    browser = browsers.begin(settings, request, response)
    url = await begin_consent(session, settings, connection, actor=caller.subject, browser=browser)
    app = settings.app(connection.region)
    return ConsentAnswer(consent_url=url, developer_name=app.developer_name, developer_account=app.developer_account)
