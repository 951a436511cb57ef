"""The JSON Schema of a product type, made from what this Amazon's own checks know of the attributes."""

from typing import Any

from amazon_sandbox.listings.attributes import (
    AMAZON_CHANNELS,
    CONDITION_TYPES,
    CONTENT_ATTRIBUTES,
    KNOWN_ATTRIBUTES,
    MERCHANT_CHANNEL,
    OFFER_ATTRIBUTES,
    selectors_of,
)
from amazon_sandbox.marketplaces import Marketplace

# Product types this Amazon offers, with the words a search finds them by.
PRODUCT_TYPES = {
    "PRODUCT": "Product",
    "BOOK": "Book",
    "HEADPHONES": "Headphones",
    "HOME": "Home",
    "LUGGAGE": "Luggage",
    "PET_SUPPLIES": "Pet Supplies",
    "SHIRT": "Shirt",
    "SHOES": "Shoes",
    "TOYS_AND_GAMES": "Toys and Games",
}
REQUIREMENTS = ("LISTING", "LISTING_PRODUCT_ONLY", "LISTING_OFFER_ONLY")
META_SCHEMA = "https://schemas.amazon.com/selling-partners/definitions/product-types/meta-schema/v1"

_PRODUCT_REQUIRED = ("item_name", "brand")
_OFFER_REQUIRED = ("condition_type",)
_SCHEDULE = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["schedule"],
        "properties": {
            "schedule": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["value_with_tax"],
                    "properties": {
                        "value_with_tax": {"type": "number", "exclusiveMinimum": 0},
                        "start_at": {"type": "string"},
                        "end_at": {"type": "string"},
                    },
                },
            }
        },
    },
}


def schema_of(product_type: str, requirements: str, enforced: str, marketplace: Marketplace) -> dict[str, Any]:
    """`requirements` chooses the attributes, and which of them are required when `enforced` is ENFORCED."""
    names = {
        "LISTING": KNOWN_ATTRIBUTES,
        "LISTING_PRODUCT_ONLY": CONTENT_ATTRIBUTES | {"externally_assigned_product_identifier"},
        "LISTING_OFFER_ONLY": OFFER_ATTRIBUTES,
    }[requirements]
    schema: dict[str, Any] = {
        "$schema": META_SCHEMA,
        "$id": f"https://schemas.amazon.com/selling-partners/definitions/product-types/schema/v1/{product_type}",
        "$comment": "The product types of the local Amazon, made from its own checks.",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _attribute(name, marketplace) for name in sorted(names)},
    }
    if enforced == "ENFORCED":
        required = [] if requirements == "LISTING_OFFER_ONLY" else list(_PRODUCT_REQUIRED)
        required += [] if requirements == "LISTING_PRODUCT_ONLY" else list(_OFFER_REQUIRED)
        schema["required"] = required
        if requirements == "LISTING_OFFER_ONLY":
            known_by = ("merchant_suggested_asin", "externally_assigned_product_identifier")
            schema["anyOf"] = [{"required": [name]} for name in known_by]
    return schema


def meta_schema() -> dict[str, Any]:
    """The vocabulary that the schemas use beyond JSON Schema 2019-09."""
    return {
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "$id": META_SCHEMA,
        "type": ["object", "boolean"],
        "properties": {"selectors": {"type": "array", "items": {"type": "string"}}},
    }


def property_groups(requirements: str) -> dict[str, Any]:
    groups = {}
    if requirements != "LISTING_OFFER_ONLY":
        names = sorted(CONTENT_ATTRIBUTES)
        groups["product_details"] = {"title": "Product details", "propertyNames": names}
    if requirements != "LISTING_PRODUCT_ONLY":
        groups["offer"] = {"title": "Offer", "propertyNames": sorted(OFFER_ATTRIBUTES)}
    return groups


def _attribute(name: str, marketplace: Marketplace) -> dict[str, Any]:
    """Every attribute is an array of objects, each known by its selectors (FACTS 5.3, 5.4.2)."""
    fields: dict[str, Any] = {selector: {"type": "string"} for selector in selectors_of(name)}
    if "marketplace_id" in fields:
        fields["marketplace_id"] = {"type": "string", "enum": [marketplace.marketplace_id]}
    required: list[str] = []
    if name == "purchasable_offer":
        prices = ("our_price", "minimum_seller_allowed_price", "maximum_seller_allowed_price", "discounted_price")
        fields |= dict.fromkeys(prices, _SCHEDULE)
        fields["currency"] = {"type": "string", "enum": [marketplace.currency]}
        required = ["currency", "our_price"]
    elif name == "fulfillment_availability":
        channels = [MERCHANT_CHANNEL, *sorted(AMAZON_CHANNELS)]
        fields["fulfillment_channel_code"] = {"type": "string", "enum": channels}
        fields["quantity"] = {"type": "integer", "minimum": 0}
        fields["lead_time_to_ship_max_days"] = {"type": "integer", "minimum": 0, "maximum": 30}
        required = ["fulfillment_channel_code"]
    elif name == "condition_type":
        fields["value"] = {"type": "string", "enum": list(CONDITION_TYPES)}
        required = ["value"]
    return {
        "type": "array",
        "minItems": 1,
        "selectors": list(selectors_of(name)),
        "items": {"type": "object", "properties": fields, "required": required},
    }
