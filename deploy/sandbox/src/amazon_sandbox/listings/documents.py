"""How a listing is shown: the data sets of `includedData`, all derived from its attributes."""

from collections.abc import Iterable
from typing import Any

from amazon_sandbox.clock import iso
from amazon_sandbox.listings.attributes import (
    CONDITION_TYPES,
    Attributes,
    amount,
    in_marketplace,
    is_amazon_fulfilled,
    is_regional,
    price_of,
    value_of,
)
from amazon_sandbox.listings.catalogue import Listing, Snapshot
from amazon_sandbox.listings.issues import issues_in_sight, main_image, statuses
from amazon_sandbox.marketplaces import Marketplace

DATA_SETS = (
    "summaries",
    "attributes",
    "issues",
    "offers",
    "fulfillmentAvailability",
    "procurement",
    "relationships",
    "productTypes",
)


def item(listing: Listing, state: Snapshot, marketplaces: list[Marketplace], included: Iterable[str]) -> dict[str, Any]:
    """The model's `Item`. `procurement` is for vendors: always empty here."""
    attributes = state.attributes()
    listed = [marketplace for marketplace in marketplaces if marketplace.marketplace_id in state.marketplace_ids]
    document: dict[str, Any] = {"sku": listing.sku}
    for name in included:
        if name == "summaries":
            document[name] = [_summary(listing, state, attributes, marketplace) for marketplace in listed]
        elif name == "attributes":
            document[name] = _requested_attributes(attributes, listed)
        elif name == "issues":
            document[name] = [found for one in listed for found in issues_in_sight(attributes, one, state)]
        elif name == "offers":
            document[name] = [offer for marketplace in listed for offer in _offers(attributes, marketplace)]
        elif name == "fulfillmentAvailability":
            document[name] = [_availability(one) for one in attributes.get("fulfillment_availability", ())]
        elif name == "relationships":
            document[name] = [
                {"marketplaceId": one.marketplace_id, "relationships": _relationships(attributes, one)}
                for one in listed
            ]
        elif name == "productTypes":
            document[name] = [
                {"marketplaceId": one.marketplace_id, "productType": state.product_type} for one in listed
            ]
        else:
            document[name] = []
    return document


def asin_of(attributes: Attributes, marketplace: Marketplace) -> str | None:
    asin = value_of(attributes, "merchant_suggested_asin", marketplace.marketplace_id)
    return asin if isinstance(asin, str) else None


def fn_sku_of(attributes: Attributes, marketplace: Marketplace) -> str | None:
    """The label of the units in Amazon's warehouses."""
    asin = asin_of(attributes, marketplace)
    return f"X00{asin[-7:]}" if asin is not None and is_amazon_fulfilled(attributes) else None


def _summary(listing: Listing, state: Snapshot, attributes: Attributes, marketplace: Marketplace) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "marketplaceId": marketplace.marketplace_id,
        "productType": state.product_type,
        "status": statuses(attributes, marketplace, state),
        "createdDate": iso(listing.created_ms),
        "lastUpdatedDate": iso(state.updated_ms),
    }
    asin = asin_of(attributes, marketplace)
    if asin is not None:
        summary["asin"] = asin
    fn_sku = fn_sku_of(attributes, marketplace)
    if fn_sku is not None:
        summary["fnSku"] = fn_sku
    condition = value_of(attributes, "condition_type", marketplace.marketplace_id)
    if condition in CONDITION_TYPES:
        summary["conditionType"] = condition
    item_name = value_of(attributes, "item_name", marketplace.marketplace_id)
    if isinstance(item_name, str):
        summary["itemName"] = item_name
    image = main_image(attributes, marketplace.marketplace_id)
    if image is not None:
        summary["mainImage"] = {"link": image, "height": 500, "width": 500}
    return summary


def parent_skus(attributes: Attributes, marketplace: Marketplace) -> list[str]:
    """Whose variation this is."""
    related = in_marketplace(attributes.get("child_parent_sku_relationship", ()), marketplace.marketplace_id)
    return [one["parent_sku"] for one in related if isinstance(one.get("parent_sku"), str)]


def contained_skus(attributes: Attributes, marketplace: Marketplace) -> list[str]:
    """Of what this is a package."""
    contained = in_marketplace(attributes.get("package_contains_sku", ()), marketplace.marketplace_id)
    return [one["sku"] for one in contained if isinstance(one.get("sku"), str)]


def _relationships(attributes: Attributes, marketplace: Marketplace) -> list[dict[str, Any]]:
    """The listing's own side only: a parent does not know its children here."""
    relationships: list[dict[str, Any]] = []
    if parents := parent_skus(attributes, marketplace):
        relationships.append({"type": "VARIATION", "parentSkus": parents})
    if contained := contained_skus(attributes, marketplace):
        relationships.append({"type": "PACKAGE_HIERARCHY", "childSkus": contained})
    return relationships


def _requested_attributes(attributes: Attributes, listed: list[Marketplace]) -> Attributes:
    """Instances of the requested marketplaces, and those that belong to no marketplace."""
    marketplace_ids = {marketplace.marketplace_id for marketplace in listed}
    requested = {
        name: [one for one in instances if is_regional(name) or one.get("marketplace_id") in marketplace_ids]
        for name, instances in attributes.items()
    }
    return {name: instances for name, instances in requested.items() if instances}


def _offers(attributes: Attributes, marketplace: Marketplace) -> list[dict[str, Any]]:
    offers = []
    for offer in in_marketplace(attributes.get("purchasable_offer", ()), marketplace.marketplace_id):
        price = price_of(offer)
        if price is None:
            continue
        business = offer.get("audience", "ALL") == "B2B"
        offers.append(
            {
                "marketplaceId": marketplace.marketplace_id,
                "offerType": "B2B" if business else "B2C",
                "price": {"currencyCode": marketplace.currency, "amount": amount(price, marketplace)},
                "audience": (
                    {"value": "B2B", "displayName": "Amazon Business"}
                    if business
                    else {"value": "ALL", "displayName": "Sell on Amazon"}
                ),
            }
        )
    return offers


def _availability(instance: dict[str, Any]) -> dict[str, Any]:
    shown = {"fulfillmentChannelCode": instance["fulfillment_channel_code"]}
    if "quantity" in instance:
        shown["quantity"] = instance["quantity"]
    return shown
