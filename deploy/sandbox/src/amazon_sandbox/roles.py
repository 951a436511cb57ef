"""The roles an app can hold, and what each lets it see; what it does not hold is silently absent (FACTS 4.2)."""

PRODUCT_LISTING = "Product Listing"
INVENTORY_AND_ORDERS = "Inventory and Order Tracking"
DIRECT_TO_CONSUMER = "Direct-to-Consumer Delivery (Restricted)"
TAX_INVOICING = "Tax Invoicing (Restricted)"
TAX_REMITTANCE = "Tax Remittance (Restricted)"

ROLES = (
    "Selling Partner Insights",
    PRODUCT_LISTING,
    "Pricing",
    "Amazon Fulfillment",
    INVENTORY_AND_ORDERS,
    DIRECT_TO_CONSUMER,
    TAX_INVOICING,
    TAX_REMITTANCE,
)

# What an app that lists and ships for its sellers has: no taxes.
USUAL_ROLES = ROLES[:-2]

# By the first segment of the path: one of these roles is needed, or the call is 403 (FACTS 3.8).
_CATALOGUE = frozenset({PRODUCT_LISTING})
_ORDERS = frozenset({INVENTORY_AND_ORDERS, DIRECT_TO_CONSUMER, TAX_INVOICING, TAX_REMITTANCE})
REQUIRED_ROLES: dict[str, frozenset[str]] = {
    "listings": _CATALOGUE,
    "catalog": _CATALOGUE,
    "definitions": _CATALOGUE,
    "fba": frozenset({"Amazon Fulfillment", INVENTORY_AND_ORDERS}),
    "orders": _ORDERS,
}

# By feed type or report type, as each is about the catalogue or about orders.
_LISTINGS_JOBS = frozenset({PRODUCT_LISTING, INVENTORY_AND_ORDERS})


def roles_for_job(kind: str) -> frozenset[str]:
    """One of these is needed for a feed or report of this type."""
    return _ORDERS if "ORDER" in kind else _LISTINGS_JOBS
