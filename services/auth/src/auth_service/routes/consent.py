"""The browser's ways from and to Amazon. None of them has an account's token: the callback's credential is the `state`
and the browser's cookie, and the login URI only keeps what an account then claims."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from auth_service.claiming import claim_authorization, keep_authorization
from auth_service.consent import complete_consent
from auth_service.lwa import Lwa
from auth_service.routes import browsers
from auth_service.schemas import ClaimedAuthorization, ConnectionView, KeptAuthorization
from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.db import Transaction
from common.errors import Problem, respond

router = APIRouter(tags=["connections"])

CALLBACK_PATH = "/v1/oauth/callback"
LOGIN_PATH = "/v1/oauth/login"
_HEADERS = {"Cache-Control": "no-store"}

_Parameter = Annotated[str, Query(min_length=1, max_length=2048)]
_SellingPartnerId = Annotated[str, Query(pattern=r"^[A-Z0-9]{4,64}$")]


@router.get(CALLBACK_PATH, response_model=ConnectionView)
async def consent_callback(
    runtime: RuntimeDependency,
    request: Request,
    state: _Parameter,
    selling_partner_id: _Parameter,
    spapi_oauth_code: _Parameter,
) -> Response:
    """Activates the connection. The browser goes on to FRONTEND_URL with `connection_id`, or with `problem`."""
    frontend = runtime.settings.frontend_url
    try:
        connection = await complete_consent(
            runtime,
            Lwa(runtime.http, str(runtime.settings.amazon_lwa_url)),
            state=state,
            selling_partner_id=selling_partner_id,
            code=spapi_oauth_code,
            browser=browsers.present(runtime.settings, request),
        )
    except Problem as problem:
        return _refused(frontend, problem)
    view = ConnectionView.model_validate(connection)
    answer = _go(frontend, connection_id=str(view.id)) if frontend else JSONResponse(view.model_dump(mode="json"))
    answer.headers.update(_HEADERS)
    return answer


@router.get(LOGIN_PATH, response_model=KeptAuthorization)
async def login(
    runtime: RuntimeDependency,
    request: Request,
    amazon_callback_uri: _Parameter,
    amazon_state: _Parameter,
    selling_partner_id: _SellingPartnerId,
    version: Annotated[str | None, Query(max_length=20)] = None,
) -> Response:
    """The app's login URI: Amazon opens it from its Appstore and for every yearly renewal. The browser goes on to
    FRONTEND_URL with `authorization_id`, where the account that signs in claims it, or with `problem`."""
    frontend = runtime.settings.frontend_url
    noted = Response()
    try:
        async with runtime.db.transaction() as session:
            authorization_id = await keep_authorization(
                session,
                runtime.settings,
                runtime.key_ring,
                amazon_callback_uri=amazon_callback_uri,
                amazon_state=amazon_state,
                selling_partner_id=selling_partner_id,
                draft=version == "beta",
                browser=browsers.begin(runtime.settings, request, noted),
            )
    except Problem as problem:
        return _refused(frontend, problem)
    kept = {"authorization_id": str(authorization_id)}
    answer = _go(frontend, **kept) if frontend else JSONResponse(kept)
    answer.headers.update(_HEADERS)
    answer.raw_headers.extend(pair for pair in noted.raw_headers if pair[0] == b"set-cookie")
    return answer


@router.post("/v1/authorizations/{authorization_id}/claim")
async def claim(
    caller: Annotated[Caller, requires("connections:write")],
    session: Transaction,
    runtime: RuntimeDependency,
    request: Request,
    response: Response,
    authorization_id: UUID,
) -> ClaimedAuthorization:
    """Binds an authorisation that began at Amazon to the caller's account; the answer says where the browser goes."""
    connection, redirect_url = await claim_authorization(
        session,
        runtime.settings,
        runtime.key_ring,
        caller,
        authorization_id,
        browser=browsers.present(runtime.settings, request),
    )
    browsers.begin(runtime.settings, request, response)
    response.headers.update(_HEADERS)
    app = runtime.settings.app(connection.region)
    return ClaimedAuthorization(
        connection=ConnectionView.model_validate(connection),
        redirect_url=redirect_url,
        developer_name=app.developer_name,
        developer_account=app.developer_account,
    )


def _refused(frontend: str, problem: Problem) -> Response:
    answer = _go(frontend, problem=problem.slug) if frontend else respond(problem)
    answer.headers.update(_HEADERS)
    return answer


def _go(frontend: str, **parameters: str) -> Response:
    return RedirectResponse(f"{frontend}{'&' if '?' in frontend else '?'}{urlencode(parameters)}", status_code=303)
