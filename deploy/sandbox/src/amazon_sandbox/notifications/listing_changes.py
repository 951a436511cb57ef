"""The three LISTINGS_ITEM notifications: told when what get and search show has changed (FACTS 9.4, 9.6, 9.9)."""

from typing import TYPE_CHECKING, Any, NamedTuple

from amazon_sandbox.clock import iso
from amazon_sandbox.listings.attributes import MERCHANT_CHANNEL, merchant_availability
from amazon_sandbox.listings.catalogue import Listing, Publication, Snapshot
from amazon_sandbox.listings.checks import Issue
from amazon_sandbox.listings.documents import asin_of
from amazon_sandbox.listings.issues import issues_in_sight, statuses
from amazon_sandbox.marketplaces import MARKETPLACES
from amazon_sandbox.notifications.emitting import emit, is_subscribed
from amazon_sandbox.notifications.types import (
    LISTINGS_ITEM_ISSUES_CHANGE,
    LISTINGS_ITEM_MFN_QUANTITY_CHANGE,
    LISTINGS_ITEM_STATUS_CHANGE,
)

if TYPE_CHECKING:
    from amazon_sandbox.world import Seller, World

_TYPES = (LISTINGS_ITEM_STATUS_CHANGE, LISTINGS_ITEM_ISSUES_CHANGE, LISTINGS_ITEM_MFN_QUANTITY_CHANGE)


class ListingShows(NamedTuple):
    """An accepted state on its way to be seen; who subscribed hears of it then."""

    seller: "Seller"
    publication: Publication

    def take_place(self, world: "World") -> None:
        before = self.publication.listing.visible
        self.publication.publish()
        tell_listing(world, self.seller, self.publication.listing, before)


def sell_and_tell(world: "World", seller: "Seller", sku: str, quantity: int) -> int:
    """Amazon lowers its own quantity when it sells (a negative `quantity` raises it), and says so.

    Returns the units that were there to take.
    """
    listing = seller.catalogue.find(sku)
    before = listing.visible if listing is not None else None
    taken = seller.catalogue.sell(sku, quantity)
    if listing is not None:
        tell_listing(world, seller, listing, before)
    return taken


def tell_listing(world: "World", seller: "Seller", listing: Listing, before: Snapshot | None) -> None:
    """Compares what showed before with what shows now; call it after the change."""
    after = listing.visible
    if after is before or not is_subscribed(world, seller, *_TYPES):
        return
    old, new = (state.attributes() if state is not None else {} for state in (before, after))
    shown_before, shown_now = (state.marketplace_ids if state is not None else () for state in (before, after))
    for marketplace_id in sorted({*shown_before, *shown_now}):
        marketplace = MARKETPLACES[marketplace_id]
        where: dict[str, Any] = {
            "SellerId": seller.selling_partner_id,
            "MarketplaceId": marketplace_id,
            "Sku": listing.sku,
        }
        asin = asin_of(new, marketplace) or asin_of(old, marketplace)
        if asin is not None:
            where["Asin"] = asin
        is_gone = marketplace_id not in shown_now
        status = ["DELETED"] if is_gone else statuses(new, marketplace, after)  # FACTS 9.9
        if marketplace_id not in shown_before or status != statuses(old, marketplace, before):
            payload = {**where, "CreatedDate": iso(listing.created_ms), "Status": status}
            emit(world, seller, LISTINGS_ITEM_STATUS_CHANGE, payload)
        now_issues = [] if is_gone else issues_in_sight(new, marketplace, after)
        was_issues = issues_in_sight(old, marketplace, before) if marketplace_id in shown_before else []
        if _kinds(now_issues) != _kinds(was_issues):
            severities, actions = _kinds(now_issues)
            payload = {**where, "Severities": severities or ["NONE"], "EnforcementActions": actions}
            emit(world, seller, LISTINGS_ITEM_ISSUES_CHANGE, payload)
    _tell_quantity(world, seller, listing.sku, old, new)


def _tell_quantity(world: "World", seller: "Seller", sku: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    """No marketplace in it: the quantity belongs to the account (FACTS 5.3.5)."""
    was, quantity = (int((merchant_availability(one) or {}).get("quantity", 0)) for one in (old, new))
    if was != quantity:
        payload = {
            "SellerId": seller.selling_partner_id,
            "FulfillmentChannelCode": MERCHANT_CHANNEL,
            "Sku": sku,
            "Quantity": quantity,
        }
        emit(world, seller, LISTINGS_ITEM_MFN_QUANTITY_CHANGE, payload)


def _kinds(issues: list[Issue]) -> tuple[list[str], list[str]]:
    """Severities and enforcement actions, each once."""
    actions = {action["action"] for one in issues for action in one.get("enforcements", {}).get("actions", ())}
    return sorted({one["severity"] for one in issues}), sorted(actions)
