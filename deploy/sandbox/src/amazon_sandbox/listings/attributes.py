"""Listing attributes: which exist, which fields select an instance, and what can be read out of them.

An attribute is an array of objects; the truth about a listing is its attributes and nothing else (FACTS 5.3).
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from amazon_sandbox.marketplaces import Marketplace

Instance = dict[str, Any]
Attributes = dict[str, list[Instance]]

MERCHANT_CHANNEL = "DEFAULT"
AMAZON_CHANNELS = {"AMAZON_NA", "AMAZON_EU", "AMAZON_JP", "AMAZON_IN", "AMAZON_FE", "AMAZON_SG", "AMAZON_AU"}

# FACTS 5.3.3
CONDITION_TYPES = (
    "new_new",
    "new_open_box",
    "new_oem",
    "refurbished_refurbished",
    "used_like_new",
    "used_very_good",
    "used_good",
    "used_acceptable",
    "collectible_like_new",
    "collectible_very_good",
    "collectible_good",
    "collectible_acceptable",
    "club_club",
)

# FACTS 5.4.2: what makes two instances the same one. All attributes not named here use _CONTENT_SELECTORS.
SELECTORS: dict[str, tuple[str, ...]] = {
    "purchasable_offer": ("marketplace_id", "currency", "audience"),
    "fulfillment_availability": ("fulfillment_channel_code",),
}
_CONTENT_SELECTORS = ("marketplace_id", "language_tag")
_SELECTOR_DEFAULTS = {"audience": "ALL"}
_REGIONAL = frozenset(name for name, selectors in SELECTORS.items() if "marketplace_id" not in selectors)

OFFER_ATTRIBUTES = {
    "merchant_suggested_asin",
    "externally_assigned_product_identifier",
    "supplier_declared_has_product_identifier_exemption",
    "condition_type",
    "condition_note",
    "purchasable_offer",
    "fulfillment_availability",
    "list_price",
    "merchant_shipping_group",
    "merchant_release_date",
    "supplier_declared_dg_hz_regulation",
    "batteries_required",
    "batteries_included",
    "gift_options",
    "max_order_quantity",
    "product_tax_code",
    "skip_offer",
    "uvp_list_price",
}
_IMAGE_ATTRIBUTES = {f"other_product_image_locator_{position}" for position in range(1, 9)} | {
    "main_product_image_locator",
    "main_offer_image_locator",
    "swatch_product_image_locator",
}
CONTENT_ATTRIBUTES = _IMAGE_ATTRIBUTES | {
    "item_name",
    "brand",
    "manufacturer",
    "model_name",
    "model_number",
    "part_number",
    "product_description",
    "bullet_point",
    "generic_keyword",
    "recommended_browse_nodes",
    "item_type_keyword",
    "item_type_name",
    "country_of_origin",
    "color",
    "size",
    "style",
    "material",
    "department",
    "target_gender",
    "age_range_description",
    "number_of_items",
    "unit_count",
    "item_weight",
    "item_dimensions",
    "item_package_weight",
    "item_package_dimensions",
    "website_shipping_weight",
    "parentage_level",
    "child_parent_sku_relationship",
    "variation_theme",
    "warranty_description",
    "included_components",
    "safety_data_sheet_url",
}
RELATIONSHIP_ATTRIBUTES = {"child_parent_sku_relationship", "package_contains_sku"}
KNOWN_ATTRIBUTES = OFFER_ATTRIBUTES | CONTENT_ATTRIBUTES | RELATIONSHIP_ATTRIBUTES


def selectors_of(name: str) -> tuple[str, ...]:
    return SELECTORS.get(name, _CONTENT_SELECTORS)


def selector_key(name: str, instance: Instance) -> tuple[Any, ...]:
    """Equal keys mean the same instance. An offer without audience is for ALL."""
    return tuple(instance.get(selector, _SELECTOR_DEFAULTS.get(selector)) for selector in selectors_of(name))


def needed_selectors(name: str, held: Iterable[Instance]) -> list[str]:
    """What an instance has to carry to select one of those `held`; a language where none has one is not needed."""
    needed = [selector for selector in selectors_of(name) if selector not in _SELECTOR_DEFAULTS]
    if name in SELECTORS:
        return needed
    return [selector for selector in needed if selector == "marketplace_id" or any(selector in one for one in held)]


def is_regional(name: str) -> bool:
    """Whether the attribute belongs to the account and not to a marketplace (FACTS 5.3.5)."""
    return name in _REGIONAL


def in_marketplace(instances: Iterable[Instance], marketplace_id: str) -> list[Instance]:
    return [instance for instance in instances if instance.get("marketplace_id") == marketplace_id]


def marketplace_ids_of(attributes: Attributes) -> tuple[str, ...]:
    """Where the SKU is listed: every marketplace that some instance names."""
    named = {
        instance["marketplace_id"]
        for name, instances in attributes.items()
        if not is_regional(name)
        for instance in instances
        if "marketplace_id" in instance
    }
    return tuple(sorted(named))


def value_of(attributes: Attributes, name: str, marketplace_id: str) -> Any:
    """The `value` of a simple attribute in this marketplace, or None."""
    for instance in in_marketplace(attributes.get(name, ()), marketplace_id):
        return instance.get("value")
    return None


def price_of(offer: Instance, field: str = "our_price") -> Decimal | int | None:
    """`our_price[0].schedule[0].value_with_tax`, or None when any part of it is missing (FACTS 5.3.4)."""
    steps = offer.get(field)
    schedule = steps[0].get("schedule") if isinstance(steps, list) and steps and isinstance(steps[0], dict) else None
    if not isinstance(schedule, list) or not schedule or not isinstance(schedule[0], dict):
        return None
    value = schedule[0].get("value_with_tax")
    return value if isinstance(value, Decimal | int) and not isinstance(value, bool) else None


def offer_price(attributes: Attributes, marketplace_id: str) -> Decimal | int | None:
    """What a consumer pays in this marketplace, or None."""
    for offer in in_marketplace(attributes.get("purchasable_offer", ()), marketplace_id):
        if offer.get("audience", "ALL") == "ALL":
            return price_of(offer)
    return None


def merchant_availability(attributes: Attributes) -> Instance | None:
    """The DEFAULT instance of fulfillment_availability, or None."""
    for instance in attributes.get("fulfillment_availability", ()):
        if instance.get("fulfillment_channel_code") == MERCHANT_CHANNEL:
            return instance
    return None


def is_amazon_fulfilled(attributes: Attributes) -> bool:
    return any(
        instance.get("fulfillment_channel_code") in AMAZON_CHANNELS
        for instance in attributes.get("fulfillment_availability", ())
    )


def is_buyable(attributes: Attributes, marketplace_id: str) -> bool:
    if offer_price(attributes, marketplace_id) is None:
        return False
    availability = merchant_availability(attributes)
    return is_amazon_fulfilled(attributes) or (availability is not None and availability.get("quantity", 0) > 0)


def amount(value: Decimal | int, marketplace: Marketplace) -> str:
    """Money as Amazon answers it: a string with the currency's digits (FACTS 5.3.6)."""
    return f"{value:.{marketplace.currency_exponent}f}"
