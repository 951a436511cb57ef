"""Seller Central's authorisation pages: the consent page, which a dial can make answer by itself (FACTS 2.1), and
Manage Your Apps, where Amazon begins an authorisation and every renewal (FACTS 2.2)."""

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from amazon_sandbox.apps import APP_BY_APPLICATION_ID, App, Registration
from amazon_sandbox.pages import PAGE_HEADERS, hidden_fields, page
from amazon_sandbox.world import Seller, World


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
                return self._back_to_app(app, seller, redirect_uri, parameters.get("state"))
        return page("Authorize application", self._form(app, redirect_uri, parameters))

    async def confirm(self, request: Request) -> Response:
        """POST of the page's own form, with the seller that was chosen."""
        parameters = await _form_of(request)
        try:
            app, redirect_uri = self._checked(parameters)
            seller = self._chosen_seller(app, parameters)
        except ConsentError as error:
            return _error_page(error)
        return self._back_to_app(app, seller, redirect_uri, parameters.get("state"))

    async def manage(self, _request: Request) -> Response:
        """GET /apps/manage: each app and seller with a button that begins an authorisation."""
        body = "<h1>Manage Your Apps</h1>"
        for registration in self._world.registrations.values():
            app = registration.app
            for seller in self._world.sellers_of(app.region):
                fields = {"application_id": app.application_id, "selling_partner_id": seller.selling_partner_id}
                body += (
                    f'<form method="post"><p>{escape(seller.name)} <small>{escape(seller.selling_partner_id)}</small>: '
                    f"{escape(app.developer_name)}</p>{hidden_fields(fields)}"
                    '<p><button type="submit">Authorize</button></p></form>'
                )
        return page("Manage Your Apps", body)

    async def begin(self, request: Request) -> Response:
        """POST of that button: the seller has consented, the app's login URI opens (FACTS 2.2 steps 1 and 2)."""
        parameters = await _form_of(request)
        try:
            app = self._registration(parameters.get("application_id", "")).app
            seller = self._chosen_seller(app, parameters)
            location = self.login_location(app, seller, f"{request.url.scheme}://{request.url.netloc}")
        except ConsentError as error:
            return _error_page(error)
        return RedirectResponse(location, status_code=302, headers=PAGE_HEADERS)

    def login_location(self, app: App, seller: Seller, origin: str) -> str:
        """Where an authorisation that Amazon begins sends the browser. Raises ConsentError."""
        login_uri = self._world.settings.login_uri
        if not login_uri:
            raise ConsentError("MD1000", "The app has registered no login URI.")
        now_ms = self._world.clock.now_ms()
        query = {
            "amazon_callback_uri": f"{origin}/apps/authorize/confirm/{app.application_id}",
            "amazon_state": self._world.grants.begin_callback(app, seller.selling_partner_id, now_ms),
            "selling_partner_id": seller.selling_partner_id,
        }
        if self._world.registrations[app.client_id].draft:
            query["version"] = "beta"
        return _with_query(login_uri, query)

    async def callback(self, request: Request) -> Response:
        """GET /apps/authorize/confirm/{application_id}?amazon_state&state[&redirect_uri][&version] (FACTS 2.2)"""
        parameters = {**request.query_params, "application_id": request.path_params["application_id"]}
        grants, amazon_state = self._world.grants, parameters.get("amazon_state", "")
        try:
            app, redirect_uri = self._checked(parameters)
            begun = grants.callback(amazon_state, app, self._world.clock.now_ms())
            seller = self._world.sellers.get((app.region, begun.selling_partner_id)) if begun is not None else None
            if seller is None:
                raise ConsentError("MD9100", "The amazon_state is not one that Amazon gave for this app, or is old.")
            if not parameters.get("state"):
                raise ConsentError("MD9100", "The state of the app is missing.")
        except ConsentError as error:
            return _error_page(error)
        grants.end_callback(amazon_state)
        return self._back_to_app(app, seller, redirect_uri, parameters["state"])

    def _registration(self, application_id: str) -> Registration:
        app = APP_BY_APPLICATION_ID.get(application_id)
        if app is None or self._world.registrations[app.client_id].suspended:
            raise ConsentError("MD1000", "The application_id is not known, or the app cannot be authorized.")
        return self._world.registrations[app.client_id]

    def _checked(self, parameters: dict[str, str]) -> tuple[App, str]:
        registration = self._registration(parameters.get("application_id", ""))
        # FACTS 2.1: asked for while the app is a draft, refused once it is published.
        if registration.draft is not (parameters.get("version") == "beta"):
            wish = "needs version=beta while it is a draft" if registration.draft else "is published: no version=beta"
            raise ConsentError("MD1000", f"The app {wish}.")
        registered = self._world.settings.redirect_uris
        # FACTS 2.1: without one, the first that is registered is used.
        redirect_uri = parameters.get("redirect_uri") or (registered[0] if registered else "")
        if redirect_uri not in registered:
            raise ConsentError("MD5101", "The redirect_uri is not one of the URIs registered for the app.")
        return registration.app, redirect_uri

    def _chosen_seller(self, app: App, parameters: dict[str, str]) -> Seller:
        seller = self._world.sellers.get((app.region, parameters.get("selling_partner_id", "")))
        if seller is None:
            raise ConsentError("MD9100", "Choose the seller account that authorizes the app.")
        return seller

    def _back_to_app(self, app: App, seller: Seller, redirect_uri: str, state: str | None) -> Response:
        roles = self._world.registrations[app.client_id].roles
        now_ms = self._world.clock.now_ms()
        code = self._world.grants.issue_code(app, seller.selling_partner_id, redirect_uri, roles, now_ms)
        answer = {"selling_partner_id": seller.selling_partner_id, "spapi_oauth_code": code}
        if state is not None:
            answer = {"state": state, **answer}
        return RedirectResponse(_with_query(redirect_uri, answer), status_code=302, headers=PAGE_HEADERS)

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
        hidden |= {name: parameters[name] for name in ("state", "version") if name in parameters}
        body = (
            f"<h1>Authorize {escape(app.developer_name)}</h1>"
            f"<p>{escape(app.developer_name)} asks to use Amazon's Selling Partner API for one of your "
            f"{app.region} accounts.</p>"
        )
        if sellers:
            fields = hidden_fields(hidden)
            body += f'<form method="post">{fields}{choices}<p><button type="submit">Confirm</button></p></form>'
        else:
            body += f"<p>No seller lives in {app.region} yet: create one with <code>POST /sandbox/sellers</code>.</p>"
        return body


async def _form_of(request: Request) -> dict[str, str]:
    async with request.form() as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def _with_query(uri: str, query: dict[str, str]) -> str:
    parts = urlsplit(uri)
    whole = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *query.items()])
    return urlunsplit(parts._replace(query=whole))


def _error_page(error: ConsentError) -> Response:
    body = f"<h1>There is a problem with this authorization</h1><p>{escape(error.message)}</p><p>{error.code}</p>"
    return page(error.code, body, 400)
