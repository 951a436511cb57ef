"""`/v1/connections`: seller authorisations of an account."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from auth_service import connecting, self_authorizing
from auth_service.checking import check
from auth_service.consent import begin_consent
from auth_service.granting import grant
from auth_service.models import Connection
from auth_service.routes import browsers
from auth_service.routes.paging import list_page
from auth_service.schemas import (
    ConnectionChanges,
    ConnectionCheck,
    ConnectionView,
    ConsentPage,
    CreatedConnection,
    NewConnection,
    NewRefreshToken,
    SelfAuthorizedConnection,
)
from auth_service.settings import AuthSettings
from common.amazon.access import Seller
from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.db import Transaction
from common.idempotency import IdempotencyKey, once
from common.pages import Cursor, Limit, Page
from common.reading import Reading

router = APIRouter(prefix="/v1/connections", tags=["connections"])

Reader = Annotated[Caller, requires("connections:read")]
Writer = Annotated[Caller, requires("connections:write")]


@router.post("", status_code=201)
async def create_connection(
    caller: Writer,
    session: Transaction,
    runtime: RuntimeDependency,
    request: Request,
    response: Response,
    body: NewConnection,
    idempotency_key: IdempotencyKey = None,
) -> CreatedConnection:
    """A pending connection and the consent page to send the seller to; a repeat answers it with a fresh page."""

    async def create() -> ConnectionView:
        return ConnectionView.model_validate(await connecting.create_connection(session, caller, body))

    created = await once(session, request, caller.account_id, idempotency_key, ConnectionView, create)
    connection = await caller.one(session, Connection, created.id)
    page = await _consent_page(session, runtime.settings, caller, request, response, connection)
    return CreatedConnection(**ConnectionView.model_validate(connection).model_dump(), **page.model_dump())


@router.post("/self-authorized", status_code=201)
async def create_self_authorized_connection(
    caller: Writer,
    runtime: RuntimeDependency,
    request: Request,
    body: SelfAuthorizedConnection,
    idempotency_key: IdempotencyKey = None,
) -> ConnectionView:
    """An active connection from a refresh token entered by hand, which Amazon has accepted for that seller and
    marketplace; nothing is kept of one that it refuses."""
    home = connecting.known_marketplace(body.marketplace_id)
    seller = Seller(caller.account_id, caller.account_id, body.selling_partner_id, home.region)
    token = await self_authorizing.verify_refresh_token(
        runtime, seller, home.marketplace_id, body.refresh_token.get_secret_value()
    )

    async with runtime.db.transaction() as session:

        async def create() -> ConnectionView:
            connection = await connecting.create_connection(session, caller, body)
            await grant(session, runtime.key_ring, connection, token, actor=caller.subject)
            return ConnectionView.model_validate(connection)

        return await once(session, request, caller.account_id, idempotency_key, ConnectionView, create)


@router.get("")
async def list_connections(
    caller: Reader, session: Transaction, limit: Limit = 50, cursor: Cursor = None
) -> Page[ConnectionView]:
    """The account's connections, oldest first."""
    return await list_page(session, caller, Connection, ConnectionView, cursor, limit)


@router.get("/{connection_id}")
async def get_connection(caller: Reader, reads: Reading, connection_id: UUID) -> ConnectionView:
    """One connection."""
    return ConnectionView.of(await caller.row(reads, Connection, connection_id))


@router.patch("/{connection_id}")
async def change_connection(
    caller: Writer, session: Transaction, connection_id: UUID, body: ConnectionChanges
) -> ConnectionView:
    """A new name, or another home marketplace of the same region."""
    return ConnectionView.model_validate(await connecting.change_connection(session, caller, connection_id, body))


@router.delete("/{connection_id}", status_code=204)
async def delete_connection(caller: Writer, session: Transaction, connection_id: UUID) -> None:
    """Deletes a connection without channels, and its authorisation with it."""
    await connecting.delete_connection(session, caller, connection_id)


@router.post("/{connection_id}/consent")
async def new_consent(
    caller: Writer,
    session: Transaction,
    runtime: RuntimeDependency,
    request: Request,
    response: Response,
    connection_id: UUID,
) -> ConsentPage:
    """Another consent page: after one that expired, after a revocation, or to renew."""
    connection = await caller.one(session, Connection, connection_id)
    return await _consent_page(session, runtime.settings, caller, request, response, connection)


@router.put("/{connection_id}/refresh-token")
async def put_refresh_token(
    caller: Writer, runtime: RuntimeDependency, connection_id: UUID, body: NewRefreshToken
) -> ConnectionView:
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
    return ConnectionView.model_validate(connection)


@router.post("/{connection_id}/check")
async def check_connection(caller: Reader, runtime: RuntimeDependency, connection_id: UUID) -> ConnectionCheck:
    """Asks Amazon in which marketplaces the seller is active; finds out whether the authorisation still holds."""
    async with runtime.db.transaction() as session:
        connection = await caller.one(session, Connection, connection_id)
    found = await check(runtime.db, runtime.amazon, connection)
    return ConnectionCheck(connection_id=connection_id, marketplaces=found)


@router.post("/{connection_id}/disable")
async def disable_connection(caller: Writer, session: Transaction, connection_id: UUID) -> ConnectionView:
    """Switches the connection off: no call to Amazon is made for it."""
    return ConnectionView.model_validate(await connecting.disable_connection(session, caller, connection_id))


@router.post("/{connection_id}/enable")
async def enable_connection(caller: Writer, session: Transaction, connection_id: UUID) -> ConnectionView:
    """Switches the connection on again."""
    return ConnectionView.model_validate(await connecting.enable_connection(session, caller, connection_id))


async def _consent_page(
    session: Transaction,
    settings: AuthSettings,
    caller: Caller,
    request: Request,
    response: Response,
    connection: Connection,
) -> ConsentPage:
    browser = browsers.begin(settings, request, response)
    url = await begin_consent(session, settings, connection, actor=caller.subject, browser=browser)
    app = settings.app(connection.region)
    return ConsentPage(consent_url=url, developer_name=app.developer_name, developer_account=app.developer_account)
