"""Where Amazon sends the seller's browser after the consent page. The `state` is the only credential here."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, RedirectResponse, Response

from auth_service.consent import complete_consent
from auth_service.lwa import Lwa
from auth_service.schemas import ConnectionView
from common.app import RuntimeDependency
from common.errors import Problem, respond

router = APIRouter(tags=["connections"])

CALLBACK_PATH = "/v1/oauth/callback"
# The query string holds the state and the code: no page reached from here may learn it (FACTS 2.1 step 5).
_HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}

_Parameter = Annotated[str, Query(min_length=1, max_length=2048)]


@router.get(CALLBACK_PATH, response_model=ConnectionView)
async def consent_callback(
    runtime: RuntimeDependency, state: _Parameter, selling_partner_id: _Parameter, spapi_oauth_code: _Parameter
) -> Response:
    """Activates the connection. The browser goes on to FRONTEND_URL with `connection_id`, or with `problem`."""
    frontend = runtime.settings.frontend_url
    try:
        connection = await complete_consent(
            runtime.db,
            Lwa(runtime.http, str(runtime.settings.amazon_lwa_url)),
            runtime.settings,
            runtime.key_ring,
            state=state,
            selling_partner_id=selling_partner_id,
            code=spapi_oauth_code,
        )
    except Problem as problem:
        answer: Response = _go(frontend, problem=problem.slug) if frontend else respond(problem)
    else:
        view = ConnectionView.model_validate(connection)
        answer = _go(frontend, connection_id=str(view.id)) if frontend else JSONResponse(view.model_dump(mode="json"))
    answer.headers.update(_HEADERS)
    return answer


def _go(frontend: str, **parameters: str) -> Response:
    return RedirectResponse(f"{frontend}{'&' if '?' in frontend else '?'}{urlencode(parameters)}", status_code=303)
