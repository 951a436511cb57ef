"""The browser's ways from and to Amazon. None of them has an account's token: the callback's credential is the `state`
and the browser's cookie, and the login URI only keeps what an account then claims."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from auth_service import claiming, consent
from auth_service.browser_queries import LONGEST, read_callback, read_login
from auth_service.claiming import AuthorizationExpired, NotAmazon
from auth_service.granting import ConnectionIsDisabled
from auth_service.lwa import AppRefused, Lwa, LwaUnavailable
from auth_service.routes import browsers
from auth_service.schemas import AuthorizationAnswer, ClaimedAuthorizationAnswer, ConnectionAnswer
from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.db import Transaction
from common.errors import Problem, problem_of, respond
from common.front_door import Guarded
from common.openapi import problems

router = APIRouter(route_class=Guarded, tags=["connections"])

CALLBACK_PATH = "/v1/oauth/callback"
LOGIN_PATH = "/v1/oauth/login"
_HEADERS = {"Cache-Control": "no-store"}


def _brought(**parameters: str) -> dict[str, Any]:
    """The query as the document tells it; it is read by hand (`browser_queries`), and Amazon may add to it."""
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
            for name, description in parameters.items()
        ]
    }


_TO_FRONTEND: dict[int | str, dict[str, Any]] = {
    303: {"description": "The browser goes on to FRONTEND_URL, with the outcome in its query"}
}
_NOT_COMPLETED = (
    consent.ConsentUnknown,
    consent.ConsentUsed,
    consent.ConsentExpired,
    consent.OtherBrowser,
    consent.WrongSeller,
    consent.CodeRefused,
    consent.AppNotConfigured,
    ConnectionIsDisabled,
    LwaUnavailable,
    AppRefused,
)


@router.get(
    CALLBACK_PATH,
    response_model=ConnectionAnswer,
    responses=_TO_FRONTEND | problems(*_NOT_COMPLETED),
    openapi_extra=_brought(
        state="ours, as it left", selling_partner_id="who consented", spapi_oauth_code="exchanged once, at once"
    ),
)
async def complete_consent(runtime: RuntimeDependency, request: Request) -> Response:
    """Activates the connection. The browser goes on to FRONTEND_URL with `connection_id`, or with `problem` (its slug),
    whatever it brought."""
    frontend = runtime.settings.frontend_url
    try:
        brought = read_callback(request.query_params)
        connection = await consent.complete_consent(
            runtime,
            Lwa(runtime.http, str(runtime.settings.amazon_lwa_url)),
            state=brought.state,
            selling_partner_id=brought.selling_partner_id,
            code=brought.code,
            browser=browsers.present(runtime.settings, request),
        )
    except Exception as error:
        return _refused(frontend, problem_of(error))
    view = ConnectionAnswer.model_validate(connection)
    answer = _go(frontend, connection_id=str(view.id)) if frontend else JSONResponse(view.model_dump(mode="json"))
    answer.headers.update(_HEADERS)
    return answer


@router.get(
    LOGIN_PATH,
    response_model=AuthorizationAnswer,
    responses=_TO_FRONTEND | problems(NotAmazon, consent.AppNotConfigured),
    openapi_extra=_brought(
        amazon_callback_uri="where the browser goes back to",
        amazon_state="Amazon's, given back to it",
        selling_partner_id="who authorises",
        version="`beta` for a draft of the app",
    ),
)
async def begin_authorization(runtime: RuntimeDependency, request: Request) -> Response:
    """The app's login URI: Amazon opens it from its Appstore and for every yearly renewal. The browser goes on to
    FRONTEND_URL with `authorization_id`, where the account that signs in claims it, or with `problem` (its slug),
    whatever it brought."""
    frontend = runtime.settings.frontend_url
    noted = Response()
    try:
        brought = read_login(request.query_params)
        async with runtime.db.transaction() as session:
            authorization_id = await claiming.keep_authorization(
                session,
                runtime.settings,
                runtime.key_ring,
                amazon_callback_uri=brought.amazon_callback_uri,
                amazon_state=brought.amazon_state,
                selling_partner_id=brought.selling_partner_id,
                draft=brought.draft,
                browser=browsers.begin(runtime.settings, request, noted),
            )
    except Exception as error:
        return _refused(frontend, problem_of(error))
    kept = {"authorization_id": str(authorization_id)}
    answer = _go(frontend, **kept) if frontend else JSONResponse(kept)
    answer.headers.update(_HEADERS)
    answer.raw_headers.extend(pair for pair in noted.raw_headers if pair[0] == b"set-cookie")
    return answer


@router.post(
    "/v1/authorizations/{authorization_id}/claim",
    responses=problems(AuthorizationExpired, consent.OtherBrowser, consent.AppNotConfigured, ConnectionIsDisabled),
)
async def claim_authorization(
    caller: Annotated[Caller, requires("connections:write")],
    session: Transaction,
    runtime: RuntimeDependency,
    request: Request,
    response: Response,
    authorization_id: UUID,
) -> ClaimedAuthorizationAnswer:
    """Binds an authorisation that began at Amazon to the caller's account; the answer says where the browser goes."""
    connection, redirect_url = await claiming.claim_authorization(
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
    return ClaimedAuthorizationAnswer(
        connection=ConnectionAnswer.model_validate(connection),
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
