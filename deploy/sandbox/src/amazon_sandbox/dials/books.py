"""The books: what Amazon knows to be true, for whoever wants to check a client against it."""

from typing import Any

from amazon_sandbox.clock import iso
from amazon_sandbox.dials.dial import Dial, DialCall
from amazon_sandbox.listings.attributes import merchant_availability, offer_price
from amazon_sandbox.listings.catalogue import Listing
from amazon_sandbox.marketplaces import REGION_CODES
from amazon_sandbox.orders.book import PICKED_UP, Order, shipped_quantity


def totals(call: DialCall) -> dict[str, Any]:
    world = call.world
    regions = {}
    for region in REGION_CODES:
        sellers = world.sellers_of(region)
        listings = [listing for seller in sellers for listing in seller.catalogue.listings.values()]
        orders = [order for seller in sellers for order in seller.orders.orders.values()]
        regions[region] = {
            "sellers": len(sellers),
            "listings": sum(listing.accepted is not None for listing in listings),
            "listing_writes": sum(len(listing.writes) for listing in listings),
            "orders": len(orders),
            "confirmations": sum(order.confirmations for order in orders),
        }
    return {"now": iso(world.clock.now_ms()), "effects_outstanding": world.effects_outstanding(), "regions": regions}


def calls(call: DialCall) -> dict[str, Any]:
    """Counts by operation and HTTP status; status 0 is a connection cut without an answer."""
    counts: dict[str, dict[str, int]] = {}
    for (operation, status), count in sorted(call.world.calls.items()):
        counts.setdefault(operation, {})[str(status)] = count
    return {"calls": counts}


def listings(call: DialCall) -> dict[str, Any]:
    marketplace_id = call.required("marketplace_id")
    catalogue = call.seller_in(marketplace_id, call.required("selling_partner_id")).catalogue
    if "sku" in call.query:
        found = catalogue.find(call.query["sku"])
        chosen = [found] if found is not None else []
    else:
        chosen = list(catalogue.listings.values())
    if call.query.get("written") == "true":
        chosen = [listing for listing in chosen if listing.writes]
    return {"listings": [_listing(listing, marketplace_id) for listing in chosen]}


def orders(call: DialCall) -> dict[str, Any]:
    book = call.seller(call.required("selling_partner_id")).orders
    return {"orders": [_order(order) for order in book.orders.values()]}


def tokens(call: DialCall) -> dict[str, Any]:
    return {**call.world.grants.counts(), "issued_by_grant_type": dict(call.world.token_calls)}


def _listing(listing: Listing, marketplace_id: str) -> dict[str, Any]:
    listed = listing.accepted is not None and marketplace_id in listing.accepted.marketplace_ids
    attributes = listing.accepted.attributes() if listing.accepted is not None and listed else {}
    availability = merchant_availability(attributes) or {}
    writes = [write for write in listing.writes if write.marketplace_id == marketplace_id]
    return {
        "sku": listing.sku,
        "listed": listed,
        "in_sight": listing.visible is not None and marketplace_id in listing.visible.marketplace_ids,
        "price": offer_price(attributes, marketplace_id),
        "quantity": availability.get("quantity"),
        "lead_time_to_ship_max_days": availability.get("lead_time_to_ship_max_days"),
        "sold": listing.sold,
        "writes": len(writes),
        "history": [
            {"at": iso(write.at_ms), "operation": write.operation, "price": write.price, "quantity": write.quantity}
            for write in writes
        ],
    }


def _order(order: Order) -> dict[str, Any]:
    """No buyer, no address: whoever checks a client's books needs neither."""
    return {
        "amazon_order_id": order.order_id,
        "marketplace_id": order.marketplace_id,
        "status": order.status,
        "fulfilled_by": order.fulfilled_by,
        "created_time": iso(order.created_ms),
        "last_updated_time": iso(order.updated_ms),
        "lines": [
            {
                "order_item_id": line.order_item_id,
                "sku": line.sku,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "shipped": shipped_quantity(order.accepted.values(), line.order_item_id),
            }
            for line in order.lines
        ],
        "packages": [
            {
                "package_reference_id": package.reference_id,
                "carrier": package.carrier,
                "shipping_method": package.shipping_method,
                "tracking_number": package.tracking_number,
                "in_sight": order.packages.get(package.reference_id) is package,
                "quantities": package.quantities,
            }
            for package in order.accepted.values()
            if package.reference_id != PICKED_UP
        ],
        "confirmations": order.confirmations,
    }


_SELLER = "?selling_partner_id="

DIALS = (
    Dial("GET", "/sandbox/books", "totals by region", totals),
    Dial("GET", "/sandbox/books/calls", "calls by operation and HTTP status", calls),
    Dial(
        "GET",
        "/sandbox/books/listings",
        f"listings as accepted, with the history of their writes: {_SELLER}&marketplace_id=[&sku=][&written=true]",
        listings,
    ),
    Dial("GET", "/sandbox/books/orders", f"orders with lines, packages and confirmations: {_SELLER}", orders),
    Dial("GET", "/sandbox/books/tokens", "how many grants and tokens there are; never the tokens", tokens),
)
