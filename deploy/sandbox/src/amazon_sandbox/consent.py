"""Seller Central's consent page: a person can click it, and a dial makes it answer by itself (FACTS 2.1)."""

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from amazon_sandbox.apps import APP_BY_APPLICATION_ID, App
from amazon_sandbox.world import Seller, World

# FACTS 2.1 step 5: the query strings of these pages must not leak to other sites.
_HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; background: #f3f3f3; color: #0f1111; margin: 0; }}
main {{ max-width: 34rem; margin: 3rem auto; padding: 1.5rem 2rem; background: #fff; border: 1px solid #d5d9d9;
  border-radius: .5rem; }}
h1 {{ font-size: 1.3rem; margin-top: 0; }}
label {{ display: block; padding: .4rem 0; }}
code, small {{ color: #565959; }}
button {{ font: inherit; padding: .5rem 1.5rem; border: 1px solid #fcd200; border-radius: 1rem; background: #ffd814;
  cursor: pointer; }}
</style>
</head>
<body><main>{body}</main></body>
</html>
"""


class ConsentError(Exception):
    """What Amazon shows in place of the page, with its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ConsentPage:
    def __init__(self, world: World) -> None:
        self._world = world

    async def show(self, request: Request) -> Response:
        """GET /apps/authorize/consent?application_id&state[&redirect_uri][&version]"""
        parameters = dict(request.query_params)
        try:
            app, redirect_uri = self._checked(parameters)
        except ConsentError as error:
            return _error_page(error)
        if self._world.settings.auto_consent:
            seller = self._world.consenting_seller(app.region)
            if seller is not None:
                return self._consent(app, seller, redirect_uri, parameters.get("state"))
        return HTMLResponse(self._form(app, redirect_uri, parameters), headers=_HEADERS)

    async def confirm(self, request: Request) -> Response:
        """POST of the page's own form, with the seller that was chosen."""
        async with request.form() as form:
            parameters = {name: value for name, value in form.items() if isinstance(value, str)}
        try:
            app, redirect_uri = self._checked(parameters)
            seller = self._world.sellers.get((app.region, parameters.get("selling_partner_id", "")))
            if seller is None:
                raise ConsentError("MD9100", "Choose the seller account that authorizes the app.")
        except ConsentError as error:
            return _error_page(error)
        return self._consent(app, seller, redirect_uri, parameters.get("state"))

    def _checked(self, parameters: dict[str, str]) -> tuple[App, str]:
        app = APP_BY_APPLICATION_ID.get(parameters.get("application_id", ""))
        if app is None:
            raise ConsentError("MD1000", "The application_id is not known, or the app cannot be authorized.")
        registered = self._world.settings.redirect_uris
        # FACTS 2.1: without one, the first that is registered is used.
        redirect_uri = parameters.get("redirect_uri") or (registered[0] if registered else "")
        if redirect_uri not in registered:
            raise ConsentError("MD5101", "The redirect_uri is not one of the URIs registered for the app.")
        return app, redirect_uri

    def _consent(self, app: App, seller: Seller, redirect_uri: str, state: str | None) -> Response:
        code = self._world.grants.issue_code(app, seller.selling_partner_id, redirect_uri, self._world.clock.now_ms())
        answer = {"selling_partner_id": seller.selling_partner_id, "spapi_oauth_code": code}
        if state is not None:
            answer = {"state": state, **answer}
        parts = urlsplit(redirect_uri)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *answer.items()])
        return RedirectResponse(urlunsplit(parts._replace(query=query)), status_code=302, headers=_HEADERS)

    def _form(self, app: App, redirect_uri: str, parameters: dict[str, str]) -> str:
        signed_in = self._world.consenting_seller(app.region)
        sellers = self._world.sellers_of(app.region)
        choices = "\n".join(
            f'<label><input type="radio" name="selling_partner_id" value="{escape(seller.selling_partner_id)}" required'
            f"{' checked' if seller is signed_in else ''}> {escape(seller.name)} "
            f"<small>{escape(seller.selling_partner_id)}</small></label>"
            for seller in sellers
        )
        hidden = {"application_id": app.application_id, "redirect_uri": redirect_uri}
        if "state" in parameters:
            hidden["state"] = parameters["state"]
        fields = "\n".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items()
        )
        body = (
            f"<h1>Authorize {escape(app.developer_name)}</h1>"
            f"<p>{escape(app.developer_name)} asks to use Amazon's Selling Partner API for one of your "
            f"{app.region} accounts.</p>"
        )
        if sellers:
            body += f'<form method="post">{fields}{choices}<p><button type="submit">Confirm</button></p></form>'
        else:
            body += f"<p>No seller lives in {app.region} yet: create one with <code>POST /sandbox/sellers</code>.</p>"
        return _PAGE.format(title="Authorize application - local Amazon", body=body)


def _error_page(error: ConsentError) -> Response:
    body = f"<h1>There is a problem with this authorization</h1><p>{escape(error.message)}</p><p>{error.code}</p>"
    return HTMLResponse(_PAGE.format(title=f"{error.code} - local Amazon", body=body), 400, headers=_HEADERS)
