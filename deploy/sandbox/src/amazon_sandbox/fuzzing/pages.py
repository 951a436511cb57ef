"""Requests to LWA and to the pages: consent, the apps' management, their callback, and the schemas."""

from typing import Any
from urllib.parse import quote, urlencode

from amazon_sandbox.fuzzing.known import OTHER_SELLER, SELLER, US, Asked, Known
from amazon_sandbox.fuzzing.rubbish import BAD_URI, as_text, broken, cut, json_of
from amazon_sandbox.testing import REDIRECT_URI, app_of

_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data; boundary=b"
_CONSENT = "/apps/authorize/consent"
_SCHEMA = f"/schemas/product-types/PRODUCT/LISTING/ENFORCED/{US}"


def page(known: Known) -> Asked:
    random = known.random
    app = app_of(random.choice(("NA", "NA", "NA", "EU", "FE")))
    parameters: Any = {
        "application_id": app.application_id,
        "redirect_uri": random.choice((REDIRECT_URI, REDIRECT_URI, BAD_URI)),
        "state": "s",
        "selling_partner_id": random.choice((SELLER, OTHER_SELLER)),
        "amazon_state": known.one("amazon_state"),
    }
    for _ in range(random.choice((0, 0, 1, 2))):
        parameters = broken(random, parameters)
    query = _form(parameters)
    name, method, path = random.choice(
        (
            ("consent", "GET", _CONSENT),
            ("consent confirmed", "POST", _CONSENT),
            ("consent confirmed", "POST", _CONSENT),
            ("consent of no method", "DELETE", _CONSENT),
            ("callback", "GET", f"/apps/authorize/confirm/{quote(app.application_id)}"),
            ("apps", "GET", "/apps/manage"),
            ("apps begun", "POST", "/apps/manage"),
            ("schema", "GET", _SCHEMA),
            ("schema", "GET", "/schemas/product-types/meta-schema"),
            ("no schema", "GET", cut(random, _SCHEMA.encode()).decode()),
            ("index", "GET", "/"),
        )
    )
    if method != "POST":
        return Asked(f"page {name}", method, "lwa", f"{path}?{query}")
    content_type, body = _FORM, query.encode()
    if random.random() < 0.2:
        content_type = _MULTIPART
        body = b'--b\r\nContent-Disposition: form-data; name="application_id"\r\n\r\n' + body + b"\r\n--b--\r\n"
    if random.random() < 0.1:
        body = cut(random, body)
    return Asked(f"page {name}", method, "lwa", path, body, {"content-type": content_type})


def token(known: Known, refresh_token: str) -> Asked:
    random, app = known.random, app_of("NA")
    form: dict[str, Any] = {
        "grant_type": random.choice(("refresh_token", "authorization_code", "client_credentials", "x")),
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "refresh_token": refresh_token,
        "code": known.one("spapi_oauth_code"),
        "redirect_uri": REDIRECT_URI,
        "scope": "sellingpartnerapi::notifications",
    }
    if random.random() < 0.5:
        return _token(json_of(random, form), "application/json")
    return _token(_form(broken(random, form)).encode(), _FORM)


def _token(body: bytes, content_type: str) -> Asked:
    return Asked("token", "POST", "lwa", "/auth/o2/token", body, {"content-type": content_type})


def _form(parameters: Any) -> str:
    if not isinstance(parameters, dict):
        return quote(as_text(parameters))
    return urlencode({as_text(name): as_text(value) for name, value in parameters.items()})
