"""Calls of the operations that this Amazon serves, made from Amazon's models."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from amazon_sandbox.fuzzing.known import SELLER, SKUS, US, Asked, Known
from amazon_sandbox.fuzzing.rubbish import RUBBISH, as_text, json_of
from amazon_sandbox.sp_api import OPERATIONS

# A rotated secret would end the run's own tokens.
_SERVED = {(one.method, one.path): one for one in OPERATIONS if one.name != "rotateApplicationClientSecret"}
_STRINGS = {
    "packageReferenceId": ("1", "2", "9" * 20, "1" * 5000),
    "carrierCode": ("UPS", "Other"),
    "path": (
        *("/attributes/fulfillment_availability", "/attributes/purchasable_offer", "/attributes/item_name"),
        *("/orders/v0/orders/{orderId}/address", "/orders/v0/orders"),
    ),
    "feedType": ("JSON_LISTINGS_FEED", "POST_ORDER_ACKNOWLEDGEMENT_DATA"),
    "reportType": ("GET_MERCHANT_LISTINGS_ALL_DATA", "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL"),
    "contentType": ("application/json; charset=UTF-8", "text/xml"),
    "productType": ("PRODUCT",),
}


class FuzzedOperation(NamedTuple):
    method: str
    template: str
    parameters: list[dict[str, Any]]
    definitions: dict[str, Any]
    name: str
    scope: str | None


def read(models: Path) -> list[FuzzedOperation]:
    operations = []
    for file in sorted(models.glob("*-api-model/*.json")):
        model = json.loads(file.read_bytes())
        for path, methods in model["paths"].items():
            for method, operation in methods.items():
                shape = re.sub(r"\{[^}]*\}", "*", path.strip("/"))
                if (method.upper(), shape) in _SERVED:
                    parameters = operation.get("parameters", [])
                    definitions = model.get("definitions", {})
                    name = operation["operationId"]
                    scope = _SERVED[method.upper(), shape].scope
                    operations.append(FuzzedOperation(method.upper(), path, parameters, definitions, name, scope))
    return operations


def call(known: Known, operation: FuzzedOperation) -> Asked:
    """One call of `operation`, without its token."""
    path, query = operation.template, []
    body: bytes | None = None
    optional = known.random.choice((0.05, 0.25))
    for parameter in sorted(operation.parameters, key=lambda one: str(one["in"]) == "body"):
        name, where = parameter["name"], parameter["in"]
        if where == "path":
            text = _text(known, name, parameter)
            path = path.replace(f"{{{name}}}", quote(text, safe=""))
            if text in known.items:
                known.seen["orderItemId"] = known.items[text]  # the body is about the same order
        elif where == "query" and known.random.random() < (0.95 if parameter.get("required") else optional):
            query.append(f"{name}={quote(_text(known, name, parameter), safe=',')}")
        elif where == "body":
            body = json_of(known.random, sample(known, parameter["schema"], operation.definitions, 7))
    if known.random.random() < 0.03:
        query.append(known.random.choice(("%FF=%FF", "=", "&&", "a", "marketplaceIds=", "pageToken=%F0%9F")))
    return Asked(operation.name, operation.method, "na", path + ("?" + "&".join(query) if query else ""), body)


def _text(known: Known, name: str, schema: dict[str, Any]) -> str:
    if known.random.random() < 0.1:
        return as_text(known.random.choice(RUBBISH))
    if name in ("sellerId", "SellerId"):
        return SELLER
    if name in ("marketplaceIds", "MarketplaceIds", "marketplaceId", "MarketplaceId"):
        return US
    if name in ("sku", "SellerSKU", "sellerSku"):
        return known.random.choice(SKUS)
    if known.seen.get(name) and known.random.random() < 0.8:
        return known.random.choice(known.seen[name])
    return as_text(sample(known, schema, {}, 2))


def sample(known: Known, schema: dict[str, Any], definitions: dict[str, Any], depth: int, name: str = "") -> Any:
    """A value of the schema, more or less."""
    random = known.random
    if "$ref" in schema:
        schema = definitions.get(schema["$ref"].rsplit("/", 1)[1], {})
    if "allOf" in schema:
        parts = [sample(known, part, definitions, depth, name) for part in schema["allOf"]]
        return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}
    if schema.get("enum"):
        return random.choice(schema["enum"])
    if name in ("marketplaceId", "marketplace_id"):
        return US
    if known.seen.get(name) and random.random() < 0.8:
        return random.choice(known.seen[name])
    match schema.get("type"):
        case "array":
            if name.startswith("marketplaceIds"):
                return [US]
            items = schema.get("items", {})
            least = max(1, int(schema.get("minItems", 1)))
            return [sample(known, items, definitions, depth - 1) for _ in range(least)] if depth > 0 else []
        case "integer":
            return random.randint(0, 5)
        case "number":
            return random.choice((0, 1, 9.99))
        case "boolean":
            return random.random() < 0.5
        case "string":
            if schema.get("format") == "date-time" or name.endswith(("Date", "Time", "After", "Before")):
                return random.choice(("2026-01-02T03:04:05Z",) * 3 + ("2025-12-31T00:00:00.000Z", "2026-02-30"))
            return random.choice(_STRINGS.get(name, ("a", "B000000001", "x y", "1")))
    required = schema.get("required", ())
    return {
        key: sample(known, part, definitions, depth - 1, key)
        for key, part in schema.get("properties", {}).items()
        if key in required or (depth > 0 and random.random() < 0.5)
    } or _free_object(known, name)


def _free_object(known: Known, name: str) -> dict[str, Any]:
    """What stands where the model says only `object`: of a listing, its attributes or an instance of one."""
    return attributes(known) if name == "attributes" else instance(known)


def attributes(known: Known) -> dict[str, Any]:
    return {
        "purchasable_offer": [_offer()],
        "fulfillment_availability": [_availability(known)],
        "condition_type": [{"value": "new_new", "marketplace_id": US}],
        "merchant_suggested_asin": [{"value": "B000000001", "marketplace_id": US}],
    }


def instance(known: Known) -> dict[str, Any]:
    return known.random.choice((_offer(), _availability(known), {"value": "x", "marketplace_id": US}))


def _offer() -> dict[str, Any]:
    price = [{"schedule": [{"value_with_tax": 9}]}]
    return {"marketplace_id": US, "currency": "USD", "our_price": price}


def _availability(known: Known) -> dict[str, Any]:
    return {"fulfillment_channel_code": "DEFAULT", "quantity": known.random.randint(0, 9)}
