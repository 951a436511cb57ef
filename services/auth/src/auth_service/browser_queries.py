"""What a browser brings from Amazon in its query: read by hand, so that whatever stands there ends at the frontend with
a slug, where a framework's refusal would strand a seller on a page of JSON. Pure."""

from typing import NamedTuple

from fastapi.datastructures import QueryParams

from common.errors import Forbidden, InvalidRequest

LONGEST = 2048
_APPSTORE = ("amazon_callback_uri", "amazon_state")
_BACK_AT_AMAZON = "Begin again in Seller Central: Apps and Services, Manage Your Apps"


class ConsentIncomplete(InvalidRequest):
    slug, title = "consent-incomplete", "What Amazon's page sent the browser back with is not whole"
    fix = "Ask for a new consent page: POST /v1/connections/{id}/consent"


class LoginIncomplete(InvalidRequest):
    slug, title = "login-incomplete", "What Amazon's page sent the browser here with is not whole"
    fix = _BACK_AT_AMAZON


class ConsentDeclined(Forbidden):
    slug, title = "consent-declined", "Amazon says that the seller did not consent"
    fix = "Ask for a new consent page when the seller wants to: POST /v1/connections/{id}/consent"


class AppstoreAtRedirectUri(InvalidRequest):
    slug, title = "appstore-at-redirect-uri", "Amazon opened our redirect URI where our login URI is due"
    fix = "Register /v1/oauth/login of this service as the OAuth Login URI, /v1/oauth/callback as the Redirect URI"


class RedirectAtLoginUri(InvalidRequest):
    slug, title = "redirect-at-login-uri", "Amazon opened our login URI where our redirect URI is due"
    fix = AppstoreAtRedirectUri.fix


class Callback(NamedTuple):
    """A consent as the browser tells it (FACTS 2.1 step 3)."""

    state: str
    selling_partner_id: str
    code: str


class Login(NamedTuple):
    """An authorisation that began at Amazon (FACTS 2.2 step 2)."""

    amazon_callback_uri: str
    amazon_state: str
    selling_partner_id: str
    draft: bool


def read_callback(query: QueryParams) -> Callback:
    """Raises `ConsentDeclined`, `AppstoreAtRedirectUri` or `ConsentIncomplete`. Parameters of others are passed by."""
    if "spapi_oauth_code" not in query:
        if "error" in query:
            raise ConsentDeclined
        if any(name in query for name in _APPSTORE):
            raise AppstoreAtRedirectUri
    state, seller, code = _all(query, ("state", "selling_partner_id", "spapi_oauth_code"), ConsentIncomplete)
    return Callback(state, seller, code)


def read_login(query: QueryParams) -> Login:
    """Raises `RedirectAtLoginUri` or `LoginIncomplete`. Parameters of others are passed by."""
    if "spapi_oauth_code" in query and not any(name in query for name in _APPSTORE):
        raise RedirectAtLoginUri
    uri, state, seller = _all(query, (*_APPSTORE, "selling_partner_id"), LoginIncomplete)
    if not (seller.isascii() and seller.isalnum() and seller.upper() == seller and 4 <= len(seller) <= 64):
        raise LoginIncomplete("it is no seller's id", where="query.selling_partner_id")
    return Login(uri, state, seller, query.get("version") == "beta")


def _all(query: QueryParams, names: tuple[str, ...], refusal: type[InvalidRequest]) -> list[str]:
    values = []
    for name in names:
        given = query.getlist(name)
        if len(given) != 1 or not 1 <= len(given[0]) <= LONGEST or not given[0].isprintable():
            raise refusal(f"{name} is missing, repeated, too long or no text", where=f"query.{name}")
        values.append(given[0])
    return values
