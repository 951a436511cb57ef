"""searchDefinitionsProductTypes and getDefinitionsProductType; the schemas themselves are fetched by URL."""

import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from amazon_sandbox.calls import Call
from amazon_sandbox.definitions.schemas import (
    PRODUCT_TYPES,
    REQUIREMENTS,
    meta_schema,
    property_groups,
    schema_of,
)
from amazon_sandbox.marketplaces import MARKETPLACES
from amazon_sandbox.wire import Answer, SpApiError, encode, invalid_input, json_answer

_VERSION = "U1local"
# FACTS 1.3: no Irish, South African, Belgian, Egyptian or Saudi entry; DEFAULT serves there.
_LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "sv", "tr", "zh")
_COUNTRIES = {"ar": "AE", "de": "DE", "en": "AE AU CA GB IN SG US", "es": "ES MX US", "fr": "CA FR", "it": "IT"} | {
    "ja": "JP",
    "nl": "NL",
    "pl": "PL",
    "pt": "BR PT",
    "sv": "SE",
    "tr": "TR",
    "zh": "CN TW",
}
_LOCALES = frozenset(
    ["DEFAULT", *_LANGUAGES, *(f"{one}_{country}" for one in _LANGUAGES for country in _COUNTRIES[one].split())]
)
_ENFORCED = ("ENFORCED", "NOT_ENFORCED")


def search_definitions_product_types(call: Call) -> Answer:
    """By keywords, or by a product's name, or all of them."""
    marketplace_ids = call.regional_marketplace_ids()
    call.many("locale", _LOCALES)
    call.many("searchLocale", _LOCALES)
    keywords, item_name = call.many("keywords"), call.one("itemName")
    if keywords and item_name is not None:
        raise invalid_input("keywords and itemName exclude each other.")
    words = [word.casefold() for keyword in [*keywords, item_name or ""] for word in keyword.split()]
    found = [
        {"name": name, "displayName": shown, "marketplaceIds": marketplace_ids}
        for name, shown in PRODUCT_TYPES.items()
        if not words or any(word in shown.casefold() for word in words)
    ]
    return json_answer({"productTypes": found, "productTypeVersion": _VERSION})


def get_definitions_product_type(call: Call) -> Answer:
    product_type, marketplace_ids = call.arguments[0], call.regional_marketplace_ids()
    requirements = _choice(call, "requirements", REQUIREMENTS)
    enforced = _choice(call, "requirementsEnforced", _ENFORCED)
    locale = (call.many("locale", _LOCALES) or ["DEFAULT"])[0]
    if product_type not in PRODUCT_TYPES:
        raise SpApiError(404, "NOT_FOUND", f"The product type {product_type} does not exist.")
    if call.one("productTypeVersion") not in (None, "LATEST", "RELEASE_CANDIDATE", _VERSION):
        raise invalid_input("The productTypeVersion does not exist.")
    marketplace = MARKETPLACES[marketplace_ids[0]]
    host = call.request.headers.get(b"host", b"localhost").decode("latin-1")
    base = f"http://{host}/schemas/product-types"
    schema = encode(schema_of(product_type, requirements, enforced, marketplace))
    path = f"{base}/{product_type}/{requirements}/{enforced}/{marketplace.marketplace_id}"
    document = {
        "metaSchema": _link(f"{base}/meta-schema", encode(meta_schema())),
        "schema": _link(path, schema),
        "requirements": requirements,
        "requirementsEnforced": enforced,
        "propertyGroups": property_groups(requirements),
        "locale": marketplace.language if locale == "DEFAULT" else locale,
        "marketplaceIds": marketplace_ids,
        "productType": product_type,
        "displayName": PRODUCT_TYPES[product_type],
        "productTypeVersion": {"version": _VERSION, "latest": True, "releaseCandidate": False},
    }
    return json_answer(document)


async def serve_schema(request: Request) -> Response:
    """GET /schemas/product-types/{product_type}/{requirements}/{enforced}/{marketplace_id}, without a token."""
    path = request.path_params
    marketplace = MARKETPLACES.get(path["marketplace_id"])
    known = (
        path["product_type"] in PRODUCT_TYPES and path["requirements"] in REQUIREMENTS and path["enforced"] in _ENFORCED
    )
    if marketplace is None or not known:
        return Response(status_code=404)
    schema = schema_of(path["product_type"], path["requirements"], path["enforced"], marketplace)
    return Response(encode(schema), media_type="application/json")


async def serve_meta_schema(_request: Request) -> Response:
    return Response(encode(meta_schema()), media_type="application/json")


def _choice(call: Call, name: str, allowed: tuple[str, ...]) -> str:
    return (call.many(name, allowed) or list(allowed))[0]


def _link(resource: str, content: bytes) -> dict[str, Any]:
    checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return {"link": {"resource": resource, "verb": "GET"}, "checksum": checksum}
