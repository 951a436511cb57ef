"""How an order is shown by the deprecated reads of Orders v0: its own names and values (FACTS 8.3)."""

from decimal import Decimal
from typing import Any

from amazon_sandbox.clock import HOUR_MS, iso
from amazon_sandbox.listings.attributes import amount
from amazon_sandbox.marketplaces import MARKETPLACES, Marketplace
from amazon_sandbox.orders.book import CANCELLED, STATUSES, Charges, Line, Order, shipped_quantity
from amazon_sandbox.orders.documents import ALL_SEEN, SERVICE_LEVELS, address_of, buyer_of, is_phone_suppressed

# Unshipped is UNSHIPPED, but Canceled has one L less (FACTS 8.3).
V0_STATUS = {status: status.title().replace("_", "") for status in STATUSES} | {CANCELLED: "Canceled"}
V0_CHANNEL = {"MERCHANT": "MFN", "AMAZON": "AFN"}

_V0_SERVICE_LEVEL = {
    "SAME_DAY": "SameDay",
    "NEXT_DAY": "NextDay",
    "SECOND_DAY": "SecondDay",
    "PRIORITY": "Priority",
    "EXPEDITED": "Expedited",
    "STANDARD": "Standard",
    "SCHEDULED": "Scheduled",
    "FREE_ECONOMY": "FreeEconomy",
}
# What everybody sees of an address, Restricted Data Token or not.
_OPEN_FIELDS = ("City", "StateOrRegion", "PostalCode", "CountryCode")
_ADDRESS_TYPES = {"RESIDENTIAL": "Residential", "COMMERCIAL": "Commercial"}
_ADDRESS_NAMES = {"districtOrCounty": "County"}


def order_document(order: Order, *, with_buyer: bool, with_address: bool, seen: int, now_ms: int) -> dict[str, Any]:
    """The v0 `Order`. `with_...` is what a Restricted Data Token allows, `seen` a mask of roles."""
    marketplace = MARKETPLACES[order.marketplace_id]
    promise, created_ms = SERVICE_LEVELS[order.service_level], order.created_ms
    ordered = 0 if order.status == CANCELLED else sum(line.quantity for line in order.lines)
    shipped = sum(shipped_quantity(order.packages.values(), line.order_item_id) for line in order.lines)
    document: dict[str, Any] = {
        "AmazonOrderId": order.order_id,
        "SellerOrderId": order.merchant_order_id or order.order_id,
        "PurchaseDate": iso(created_ms),
        "LastUpdateDate": iso(order.updated_ms),
        "OrderStatus": V0_STATUS[order.status],
        "FulfillmentChannel": V0_CHANNEL[order.fulfilled_by],
        "SalesChannel": marketplace.name,
        "ShipServiceLevel": f"Std {marketplace.country_code} D2D Dom",
        "NumberOfItemsShipped": shipped,
        "NumberOfItemsUnshipped": ordered - shipped,
        "MarketplaceId": marketplace.marketplace_id,
        "ShipmentServiceLevelCategory": _V0_SERVICE_LEVEL[order.service_level],
        "OrderType": "StandardOrder",
        "EarliestShipDate": iso(created_ms),
        "LatestShipDate": iso(created_ms + promise.ship_by * HOUR_MS),
        "IsBusinessOrder": "AMAZON_BUSINESS" in order.programs,
        "IsPrime": "PRIME" in order.programs,
        "IsPremiumOrder": "PREMIUM" in order.programs,
        "IsReplacementOrder": order.replaces is not None,
        "IsISPU": order.in_store_pickup,
        "HasRegulatedItems": order.regulation is not None,
    }
    if order.is_pending or order.status == CANCELLED:  # no price, tax or address (FACTS 8.3)
        return document
    total = sum((line.total for line in order.lines), Decimal(0))
    document["OrderTotal"] = _money(total, marketplace)
    document["PaymentMethod"] = "Other"
    document["EarliestDeliveryDate"] = iso(created_ms + promise.deliver_from * HOUR_MS)
    document["LatestDeliveryDate"] = iso(created_ms + promise.deliver_by * HOUR_MS)
    if order.has_address:
        document["ShippingAddress"] = shipping_address(order, seen, now_ms) if with_address else open_address(order)
    if with_buyer:
        document["BuyerInfo"] = buyer_info(order, seen)
    return document


def item_document(order: Order, line: Line, *, with_buyer: bool) -> dict[str, Any]:
    """The v0 `OrderItem`; ItemPrice is unit price times quantity (FACTS 8.2.6)."""
    marketplace = MARKETPLACES[order.marketplace_id]
    cancelled = order.status == CANCELLED
    document: dict[str, Any] = {
        "ASIN": line.asin,
        "SellerSKU": line.sku,
        "OrderItemId": line.order_item_id,
        "Title": line.title,
        "QuantityOrdered": 0 if cancelled else line.quantity,
        "QuantityShipped": shipped_quantity(order.packages.values(), line.order_item_id),
        "ProductInfo": {"NumberOfItems": "1"},
        "IsGift": "true" if order.gift_message is not None else "false",
        "ConditionId": "New",
        "ConditionSubtypeId": "New",
        "IsTransparency": False,
    }
    cancellation = order.cancellation
    if cancellation is not None and not cancellation.executed and cancellation.by == "BUYER":
        document["BuyerRequestedCancel"] = {
            "IsBuyerRequestedCancel": "true",
            "BuyerCancelReason": cancellation.reason,
        }
    if not order.is_pending and not cancelled:
        document["ItemPrice"] = _money(line.unit_price * line.quantity, marketplace)
        charges = line.charges or Charges()
        document["ItemTax"] = _money(charges.tax, marketplace)
        document["PromotionDiscount"] = _money(charges.discount, marketplace)
        if charges.shipping:
            document["ShippingPrice"] = _money(charges.shipping, marketplace)
        if with_buyer:
            document["BuyerInfo"] = item_buyer_info(order)
    return document


def buyer_info(order: Order, seen: int) -> dict[str, str]:
    return {name[0].upper() + name[1:]: value for name, value in buyer_of(order, seen).items()}


def item_buyer_info(order: Order) -> dict[str, str]:
    return {} if order.gift_message is None else {"GiftMessageText": order.gift_message}


def open_address(order: Order) -> dict[str, str]:
    """What names nobody: city, region, postal code and country; of an order without address nothing (FACTS 4.8)."""
    if not order.has_address:
        return {}
    address = shipping_address(order, ALL_SEEN, 0)
    return {name: address[name] for name in _OPEN_FIELDS if name in address}


def shipping_address(order: Order, seen: int, now_ms: int) -> dict[str, str]:
    address = address_of(order, seen)
    if is_phone_suppressed(order, now_ms):
        address = {name: value for name, value in address.items() if name != "phone"}
    shown = {_ADDRESS_NAMES.get(name, name[0].upper() + name[1:]): value for name, value in address.items()}
    if "AddressType" in shown:
        shown["AddressType"] = _ADDRESS_TYPES.get(shown["AddressType"], "Residential")
    return shown


def _money(value: Decimal, marketplace: Marketplace) -> dict[str, str]:
    return {"CurrencyCode": marketplace.currency, "Amount": amount(value, marketplace)}
