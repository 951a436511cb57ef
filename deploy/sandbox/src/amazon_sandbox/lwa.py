"""Login with Amazon: the token endpoint `POST /auth/o2/token` and its OAuth-shaped errors (FACTS 2.3)."""

from urllib.parse import parse_qsl
from uuid import uuid4

from amazon_sandbox.apps import App, Registration
from amazon_sandbox.grants import Grant
from amazon_sandbox.notifications.emitting import end_lapsed_subscriptions
from amazon_sandbox.wire import Answer, decode, encode, json_answer
from amazon_sandbox.world import World

OPERATION = "token"

# FACTS 2.4
NOTIFICATIONS_SCOPE = "sellingpartnerapi::notifications"
ROTATION_SCOPE = "sellingpartnerapi::client_credential:rotation"
GRANTLESS_SCOPES = {NOTIFICATIONS_SCOPE, ROTATION_SCOPE}

_NO_STORE = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))


class OAuthError(Exception):
    """A refusal as LWA words it: `{"error", "error_description", "request_id"}` (FACTS 2.3.3)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status

    def answer(self) -> Answer:
        document = {"error": self.error, "error_description": self.description, "request_id": str(uuid4())}
        return Answer(self.status, encode(document), headers=_NO_STORE)


def read_parameters(body: bytes, content_type: str) -> dict[str, str]:
    """The form of the request; LWA takes JSON as well, and Amazon's own Java SDK sends it."""
    if content_type.startswith("application/json"):
        try:
            document = decode(body)
        except ValueError:
            raise OAuthError("invalid_request", "The request body is not valid JSON") from None
        if not isinstance(document, dict):
            raise OAuthError("invalid_request", "The request body is not a JSON object")
        return {str(name): str(value) for name, value in document.items()}
    try:
        return dict(parse_qsl(body.decode("ascii"), errors="strict"))
    except ValueError:
        raise OAuthError("invalid_request", "The request body is not a form") from None


def token(world: World, parameters: dict[str, str]) -> Answer:
    """Tokens for a code, a refresh token or the app itself. Raises OAuthError."""
    grant_type = _required(parameters, "grant_type")
    if grant_type not in ("authorization_code", "refresh_token", "client_credentials"):
        raise OAuthError("unsupported_grant_type", "The authorization grant type is not supported")
    registration = _authenticated_app(world, parameters)
    app, now_ms = registration.app, world.clock.now_ms()
    world.grants.token_bytes = world.settings.token_bytes
    if grant_type == "client_credentials":
        scope = _required(parameters, "scope")
        if scope not in GRANTLESS_SCOPES:
            raise OAuthError("invalid_scope", "The requested scope is invalid, unknown or malformed")
        return _tokens(world, app, None, grant_type, scope)
    if grant_type == "refresh_token":
        grant = world.grants.by_refresh_token(_required(parameters, "refresh_token"), now_ms)
        if grant is None or grant.app != app:
            raise OAuthError(
                "invalid_grant",
                "The request has an invalid grant parameter : refresh_token. "
                "User may have revoked or didn't grant the permission.",
            )
        return _tokens(world, app, grant, grant_type)
    end_lapsed_subscriptions(world)
    grant = world.grants.redeem_code(
        _required(parameters, "code"),
        app,
        parameters.get("redirect_uri"),
        now_ms,
        world.settings.authorization_life_days,
    )
    if grant is None:
        raise OAuthError("invalid_grant", "The request has an invalid grant parameter : code")
    return _tokens(world, app, grant, grant_type)


def seller_behind(world: World, parameters: dict[str, str]) -> str:
    """The seller whose refresh token this is, so that a fault can be meant for one seller; or the empty string."""
    grant = world.grants.by_refresh_token(parameters.get("refresh_token", ""), world.clock.now_ms())
    return grant.selling_partner_id if grant else ""


def _required(parameters: dict[str, str], name: str) -> str:
    value = parameters.get(name)
    if not value:
        raise OAuthError("invalid_request", f"The request is missing a required parameter : {name}")
    return value


def _authenticated_app(world: World, parameters: dict[str, str]) -> Registration:
    registration = world.registrations.get(_required(parameters, "client_id"))
    secret = _required(parameters, "client_secret")
    if registration is None or not registration.authenticates(secret, world.clock.now_ms()):
        raise OAuthError("invalid_client", "Client authentication failed", status=401)
    if registration.suspended:
        raise OAuthError("unauthorized_client", "Not authorized for requested operation")
    return registration


def _tokens(world: World, app: App, grant: Grant | None, grant_type: str, scope: str | None = None) -> Answer:
    life_s = world.settings.access_token_ttl_s
    access_token = world.grants.issue_access_token(app, grant, scope, world.clock.now_ms(), life_s)
    document: dict[str, object] = {"access_token": access_token, "token_type": "bearer", "expires_in": life_s}
    if grant is not None:
        document["refresh_token"] = grant.refresh_token
    world.token_calls[grant_type] += 1
    answer = json_answer(document)
    return Answer(answer.status, answer.body, headers=_NO_STORE)
