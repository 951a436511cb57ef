"""What keeps an accepted listing from selling: by rule, or because a dial said so (FACTS 5.5, 5.6.1)."""

from typing import Any

from amazon_sandbox.listings.attributes import Attributes, in_marketplace, is_buyable, offer_price
from amazon_sandbox.listings.catalogue import Snapshot
from amazon_sandbox.listings.checks import Issue, issue
from amazon_sandbox.marketplaces import Marketplace
from amazon_sandbox.wire import decode

_OUT_OF_SALE = {"LISTING_SUPPRESSED", "CATALOG_ITEM_REMOVED"}
_OUT_OF_SIGHT = {*_OUT_OF_SALE, "SEARCH_SUPPRESSED"}


def issues_in_sight(attributes: Attributes, marketplace: Marketplace, state: Snapshot | None = None) -> list[Issue]:
    """`state` adds what a dial made of this very listing."""
    found = []
    if offer_price(attributes, marketplace.marketplace_id) is None:
        missing = issue("18448", "The offer is incomplete: it has no price.", "purchasable_offer", "MISSING_PRICE")
        found.append({**missing, **_enforced("LISTING_SUPPRESSED")})
    image = main_image(attributes, marketplace.marketplace_id)
    if image is not None and not image.startswith(("http://", "https://")):
        bad = issue("18027", "The main image cannot be fetched.", "main_product_image_locator", "INVALID_IMAGE")
        found.append({**bad, "severity": "WARNING", **_enforced("SEARCH_SUPPRESSED")})
    by_rule = [{**one, "marketplaceIds": [marketplace.marketplace_id]} for one in found]
    return by_rule + (_by_dial(state, marketplace) if state is not None else [])


def statuses(attributes: Attributes, marketplace: Marketplace, state: Snapshot | None = None) -> list[str]:
    """Empty means neither, not an error (FACTS 5.6.4)."""
    actions = {
        action["action"]
        for one in issues_in_sight(attributes, marketplace, state)
        for action in one.get("enforcements", {}).get("actions", ())
    }
    status = []
    if is_buyable(attributes, marketplace.marketplace_id) and actions.isdisjoint(_OUT_OF_SALE):
        status.append("BUYABLE")
    if offer_price(attributes, marketplace.marketplace_id) is not None and actions.isdisjoint(_OUT_OF_SIGHT):
        status.append("DISCOVERABLE")
    return status


def main_image(attributes: Attributes, marketplace_id: str) -> str | None:
    for locator in in_marketplace(attributes.get("main_product_image_locator", ()), marketplace_id):
        link = locator.get("media_location")
        if isinstance(link, str):
            return link
    return None


def _enforced(action: str) -> dict[str, Any]:
    return {"enforcements": {"actions": [{"action": action}], "exemption": {"status": "NOT_EXEMPT"}}}


def _by_dial(state: Snapshot, marketplace: Marketplace) -> list[Issue]:
    if not state.problems:
        return []
    issues: list[Issue] = decode(state.problems)
    return [one for one in issues if marketplace.marketplace_id in one["marketplaceIds"]]
