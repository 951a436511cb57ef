"""One example of each event, made from its schema: the same each time, and read by the contract itself."""

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from common.contracts.catalogue import TOPICS
from common.contracts.event import Event, encode

AT = "2026-11-23T09:00:00Z"
_TEXTS = {
    "sku": "MUG-1",
    "asin": "B0EXAMPLE1",
    "currency": "USD",
    "amount": "19.99",
    "unit_price": "19.99",
    "marketplace_id": "ATVPDKIKX0DER",
    "home_marketplace_id": "ATVPDKIKX0DER",
    "selling_partner_id": "A1EXAMPLESELLER",
    "seller_of_record": "Acme Ltd",
    "amazon_order_id": "903-1234567-1234567",
    "order_item_id": "11122233344455",
    "package_reference_id": "1",
    "carrier": "UPS",
    "method": "UPS Ground",
    "tracking_number": "1Z999AA10123456784",
    "country_code": "US",
    "postal_code": "62701",
    "city": "Springfield",
    "line_1": "1 Warehouse Road",
    "state_or_region": "IL",
    "integration_type": "amazon",
    "name": "Acme",
    "status": "UNSHIPPED",
    "shipping_policy": "Standard",
}


def example(event_type: type[Event]) -> tuple[str, str]:
    """The record's key and its value, as JSON to be read by people."""
    schema = event_type.model_json_schema()
    event = event_type.model_validate(_value("", schema, schema.get("$defs", {})))
    message = json.loads(encode(event, event_id=uuid5(NAMESPACE_URL, event_type.__name__), source="example"))
    message["time"] = AT
    writer = next(topic.writer for topic in TOPICS if topic.name == event_type.TOPIC)
    message["source"] = "/your/system" if "system" in writer else f"urn:entrepot:{writer}"
    return event.key(), json.dumps(message, indent=2, ensure_ascii=False)


def _value(name: str, schema: dict[str, Any], known: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _value(name, known[schema["$ref"].rsplit("/", 1)[1]], known)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return "active" if "active" in schema["enum"] else schema["enum"][0]
    if "anyOf" in schema:
        kinds = [one for one in schema["anyOf"] if one.get("type") != "null"]
        texts = [one for one in kinds if one.get("type") == "string"]
        if len(kinds) < len(schema["anyOf"]) and texts and not texts[0].get("format") and name not in _TEXTS:
            return None
        return _value(name, (texts or kinds)[0], known)
    match schema.get("type"):
        case "object":
            return {field: _value(field, one, known) for field, one in schema.get("properties", {}).items()}
        case "array":
            return [_value(name.removesuffix("s"), one, known) for one in [schema.get("items", {"type": "string"})]]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return False
        case _:
            return _text(name, schema)


def _text(name: str, schema: dict[str, Any]) -> str:
    match schema.get("format"):
        case "uuid":
            return str(uuid5(NAMESPACE_URL, name))
        case "date-time":
            return AT
        case "date":
            return AT[:10]
    return _TEXTS.get(name, schema.get("default") or f"some {name.replace('_', ' ')}")
