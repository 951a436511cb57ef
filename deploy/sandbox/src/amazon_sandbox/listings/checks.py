"""Amazon's own checks of submitted attributes: each finding is an issue, an ERROR makes the submission INVALID."""

from decimal import Decimal
from typing import Any

from amazon_sandbox.listings.attributes import (
    AMAZON_CHANNELS,
    CONDITION_TYPES,
    KNOWN_ATTRIBUTES,
    MERCHANT_CHANNEL,
    Attributes,
    Instance,
    in_marketplace,
    is_regional,
    price_of,
)
from amazon_sandbox.marketplaces import Marketplace

Issue = dict[str, Any]

_HIGHEST_PRICE = Decimal(10) ** 10
_HIGHEST_QUANTITY = 10**9
_PRICE_FIELDS = ("our_price", "minimum_seller_allowed_price", "maximum_seller_allowed_price", "discounted_price")


def issue(code: str, message: str, attribute: str | None, category: str | None) -> Issue:
    """An ERROR in the model's shape (FACTS 5.5)."""
    found: Issue = {"code": code, "message": message, "severity": "ERROR"}
    if attribute is not None:
        found["attributeNames"] = [attribute]
    found["categories"] = [category] if category is not None else []
    return found


def missing(attribute: str, named: str | None = None, category: str = "MISSING_ATTRIBUTE") -> Issue:
    return issue("90220", f"'{named or attribute}' is required but not supplied.", attribute, category)


def invalid(attribute: str, why: str, category: str = "INVALID_ATTRIBUTE") -> Issue:
    return issue("4000001", f"The value specified is invalid for attribute {attribute}: {why}.", attribute, category)


def unknown_attributes(names: set[str]) -> list[Issue]:
    """FACTS 5.4.6: `purchaseable_offer` and its like."""
    return [
        issue("90000900", "The attributes are invalid.", name, "INVALID_ATTRIBUTE")
        for name in sorted(names - KNOWN_ATTRIBUTES)
    ]


def required_for_offer(attributes: Attributes) -> list[Issue]:
    """What a new offer on an existing ASIN cannot do without (FACTS 5.3)."""
    issues = [] if "condition_type" in attributes else [missing("condition_type")]
    if "merchant_suggested_asin" not in attributes and "externally_assigned_product_identifier" not in attributes:
        issues.append(missing("merchant_suggested_asin"))
    return issues


def attribute_issues(attributes: Attributes, marketplace: Marketplace) -> list[Issue]:
    """What is wrong with the values, for instances of this marketplace and for regional ones."""
    issues: list[Issue] = []
    for name, instances in attributes.items():
        if not is_regional(name):
            foreign = [one for one in instances if one.get("marketplace_id") != marketplace.marketplace_id]
            if foreign:
                issues.append(invalid(name, "marketplace_id is not the one of the request"))
    for offer in in_marketplace(attributes.get("purchasable_offer", ()), marketplace.marketplace_id):
        issues += _offer_issues(offer, marketplace)
    for availability in attributes.get("fulfillment_availability", ()):
        issues += _availability_issues(availability)
    for condition in in_marketplace(attributes.get("condition_type", ()), marketplace.marketplace_id):
        if condition.get("value") not in CONDITION_TYPES:
            issues.append(invalid("condition_type", "not a condition"))
    return issues


def _offer_issues(offer: Instance, marketplace: Marketplace) -> list[Issue]:
    name = "purchasable_offer"
    if "currency" not in offer:
        return [missing(name, "currency")]
    if offer["currency"] != marketplace.currency:
        return [invalid(name, f"currency is {marketplace.currency} in this store")]
    if "our_price" not in offer:
        return [missing(name, "our_price", "MISSING_PRICE")]
    issues = []
    prices: dict[str, Decimal] = {}
    for field in _PRICE_FIELDS:
        if field not in offer:
            continue
        price = price_of(offer, field)
        if price is None or not 0 < price < _HIGHEST_PRICE:
            issues.append(invalid(name, f"{field} needs a schedule with a value_with_tax above 0", "INVALID_PRICE"))
        elif round(Decimal(price), marketplace.currency_exponent) != price:
            issues.append(invalid(name, f"{field} has too many decimals", "INVALID_PRICE"))
        else:
            prices[field] = Decimal(price)
    our_price = prices.get("our_price")
    if our_price is not None and prices.get("minimum_seller_allowed_price", our_price) > our_price:
        issues.append(issue("18155", "The minimum price is greater than the selling price.", name, "INVALID_PRICE"))
    if our_price is not None and prices.get("maximum_seller_allowed_price", our_price) < our_price:
        issues.append(issue("18156", "The maximum price is less than the selling price.", name, "INVALID_PRICE"))
    return issues


def _availability_issues(availability: Instance) -> list[Issue]:
    name = "fulfillment_availability"
    channel = availability.get("fulfillment_channel_code")
    if channel is None:
        return [missing(name, "fulfillment_channel_code")]
    if channel != MERCHANT_CHANNEL and channel not in AMAZON_CHANNELS:
        return [invalid(name, "fulfillment_channel_code is not known")]
    issues = []
    if "quantity" in availability and channel != MERCHANT_CHANNEL:
        issues.append(invalid(name, "an offer that Amazon fulfils takes no quantity"))
    elif "quantity" in availability and not _is_count(availability["quantity"]):
        issues.append(invalid(name, "quantity is a whole number, 0 or more"))
    lead_time = availability.get("lead_time_to_ship_max_days", 0)
    if not (_is_count(lead_time) and lead_time <= 30):
        issues.append(invalid(name, "lead_time_to_ship_max_days is 0 to 30"))
    return issues


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _HIGHEST_QUANTITY
