"""How an order is shown in Orders 2026-01-01: what is always there, and what each dataset adds (FACTS 8.2)."""

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from amazon_sandbox.clock import HOUR_MS, iso
from amazon_sandbox.listings.attributes import amount
from amazon_sandbox.marketplaces import MARKETPLACES, Marketplace
from amazon_sandbox.orders.book import (
    AMAZON,
    CANCELLED,
    MERCHANT,
    PARTIALLY_SHIPPED,
    PICKED_UP,
    SHIPPED,
    UNSHIPPED,
    Line,
    Order,
    Package,
    shipped_quantity,
)
from amazon_sandbox.orders.people import buyer_email, buyer_name, delivery_address
from amazon_sandbox.roles import DIRECT_TO_CONSUMER, TAX_INVOICING, TAX_REMITTANCE
from amazon_sandbox.wire import encode

DATASETS = (
    "BUYER",
    "RECIPIENT",
    "PROCEEDS",
    "EXPENSE",
    "PROMOTION",
    "CANCELLATION",
    "FULFILLMENT",
    "PACKAGES",
    "TAX",
    "PAYMENT",
    "FULFILLMENT_ORDERS",
)
_BIT = {name: 1 << position for position, name in enumerate(DATASETS)}
_PHONE_SUPPRESSED = 1 << len(DATASETS)
# What the roles let be seen (FACTS 4.2); these ride in the same mask as the data sets.
_RECIPIENT_SEEN = 1 << (len(DATASETS) + 1)  # name, address lines, postal code, phone, gift message
_EMAIL_SEEN = 1 << (len(DATASETS) + 2)
_MERCHANT_BUYER_SEEN = 1 << (len(DATASETS) + 3)  # the buyer's name, by who fulfils the order
_AMAZON_BUYER_SEEN = 1 << (len(DATASETS) + 4)
ALL_SEEN = _RECIPIENT_SEEN | _EMAIL_SEEN | _MERCHANT_BUYER_SEEN | _AMAZON_BUYER_SEEN
_EMAIL_STATUSES = (UNSHIPPED, PARTIALLY_SHIPPED, SHIPPED)  # FACTS 4.3
_FOREVER_MS = 1 << 62


class _Promise(NamedTuple):
    """Hours after the order was placed."""

    ship_by: int
    deliver_from: int
    deliver_by: int


SERVICE_LEVELS: dict[str, _Promise] = {  # FACTS 8.2.8
    "SAME_DAY": _Promise(4, 6, 12),
    "NEXT_DAY": _Promise(12, 24, 36),
    "SECOND_DAY": _Promise(24, 40, 60),
    "PRIORITY": _Promise(24, 48, 72),
    "EXPEDITED": _Promise(24, 48, 96),
    "STANDARD": _Promise(48, 96, 192),
    "SCHEDULED": _Promise(72, 120, 168),
    "FREE_ECONOMY": _Promise(72, 144, 264),
}


def included_mask(datasets: Iterable[str]) -> int:
    return sum(_BIT[name] for name in set(datasets))


@lru_cache(maxsize=64)
def roles_mask(roles: frozenset[str]) -> int:
    """What an app with these roles may see of people; the rest is silently absent (FACTS 4.1, 4.2)."""
    mask = 0
    if DIRECT_TO_CONSUMER in roles:
        mask |= _RECIPIENT_SEEN | _EMAIL_SEEN | _MERCHANT_BUYER_SEEN
    if not roles.isdisjoint((TAX_INVOICING, TAX_REMITTANCE)):
        mask |= _MERCHANT_BUYER_SEEN | _AMAZON_BUYER_SEEN
    return mask


def is_phone_suppressed(order: Order, now_ms: int) -> bool:
    """FACTS 4.8: always when Amazon fulfils, and once the latest delivery date of a shipped order has passed."""
    if order.fulfilled_by == AMAZON:
        return True
    delivered_ms = order.created_ms + SERVICE_LEVELS[order.service_level].deliver_by * HOUR_MS
    return order.status == SHIPPED and now_ms >= delivered_ms


def render(order: Order, included: int, now_ms: int) -> bytes:
    """The `Order` document. The last one made is kept: pages are asked for with the same datasets again and again."""
    rendered = order.rendered
    if rendered is not None and rendered[0] == included and now_ms < rendered[1]:
        return rendered[2]
    shown, until_ms = included, _FOREVER_MS
    if order.fulfilled_by == AMAZON:
        shown |= _PHONE_SUPPRESSED
    elif order.status == SHIPPED:  # FACTS 4.8: the phone goes when the latest delivery date has passed
        delivered_ms = order.created_ms + SERVICE_LEVELS[order.service_level].deliver_by * HOUR_MS
        if now_ms < delivered_ms:
            until_ms = delivered_ms
        else:
            shown |= _PHONE_SUPPRESSED
    document = encode(_document(order, shown))
    order.rendered = (included, until_ms, document)
    return document


def _document(order: Order, included: int) -> dict[str, Any]:
    marketplace = MARKETPLACES[order.marketplace_id]
    # A pending order has no prices yet, a cancelled one has them no more (EDGE_CASES 1 and 7).
    settled = not order.is_pending and order.status != CANCELLED
    document: dict[str, Any] = {
        "orderId": order.order_id,
        "createdTime": iso(order.created_ms),
        "lastUpdatedTime": iso(order.updated_ms),
        "salesChannel": {
            "channelName": "AMAZON",
            "marketplaceId": marketplace.marketplace_id,
            "marketplaceName": marketplace.name,
        },
        "orderItems": [_item(order, line, marketplace, included, settled) for line in order.lines],
    }
    if order.programs:
        document["programs"] = order.programs
    if order.merchant_order_id is not None:
        document["orderAliases"] = [{"aliasId": order.merchant_order_id, "aliasType": "SELLER_ORDER_ID"}]
    if order.replaces is not None:
        document["associatedOrders"] = [{"orderId": order.replaces, "associationType": "REPLACEMENT_ORIGINAL_ID"}]
    if included & _BIT["BUYER"] and settled:
        document["buyer"] = buyer_of(order, included)
    if included & _BIT["RECIPIENT"] and order.has_address:
        document["recipient"] = {"deliveryAddress": address_of(order, included)}
    if included & _BIT["PROCEEDS"] and settled:
        items = sum((line.unit_price * line.quantity for line in order.lines), Decimal(0))
        charged = [line.charges for line in order.lines if line.charges is not None]
        document["proceeds"] = {
            "grandTotal": _money(sum((line.total for line in order.lines), Decimal(0)), marketplace),
            "breakdowns": [
                {"type": "ITEM", "subtotal": _money(items, marketplace)},
                *(
                    {"type": kind, "subtotal": _money(total, marketplace)}
                    for kind, field in _CHARGES
                    if (total := sum((getattr(one, field) for one in charged), Decimal(0)))
                ),
            ],
        }
    if included & _BIT["FULFILLMENT"]:
        document["fulfillment"] = _fulfillment(order)
    if included & _BIT["PACKAGES"]:
        packages = [_package(one) for one in order.packages.values() if one.reference_id != PICKED_UP]
        if packages:
            document["packages"] = packages
    return document


def _item(order: Order, line: Line, marketplace: Marketplace, included: int, settled: bool) -> dict[str, Any]:
    product: dict[str, Any] = {
        "asin": line.asin,
        "title": line.title,
        "sellerSku": line.sku,
        "condition": {"conditionType": "NEW", "conditionSubtype": "NEW"},
    }
    if line.customized_url is not None and settled:
        product["customization"] = {"customizedUrl": line.customized_url}
    item: dict[str, Any] = {
        "orderItemId": line.order_item_id,
        "quantityOrdered": 0 if order.status == CANCELLED else line.quantity,
        "product": product,
    }
    if line.programs:
        item["programs"] = line.programs
    if included & _BIT["PROCEEDS"] and settled:
        product["price"] = {"unitPrice": _money(line.unit_price, marketplace)}
        if "AMAZON_BUSINESS" in order.programs:
            product["price"]["priceDesignation"] = "BUSINESS_PRICE"
        item["proceeds"] = {
            "proceedsTotal": _money(line.total, marketplace),
            "breakdowns": [
                {"type": "ITEM", "subtotal": _money(line.unit_price * line.quantity, marketplace)},
                *_charges(line, marketplace),
            ],
        }
    if included & _BIT["PROMOTION"] and settled and line.charges is not None and line.charges.discount:
        item["promotion"] = {"breakdowns": [{"promotionId": f"PROMO-{line.order_item_id}"}]}
    if included & _BIT["FULFILLMENT"]:
        shipped = shipped_quantity(order.packages.values(), line.order_item_id)
        fulfillment: dict[str, Any] = {
            "quantityFulfilled": shipped,
            "quantityUnfulfilled": item["quantityOrdered"] - shipped,
        }
        gift = {"giftMessage": order.gift_message, "giftWrapLevel": order.gift_wrap_level}
        if settled and included & _RECIPIENT_SEEN and any(gift.values()):
            given = {name: value for name, value in gift.items() if value is not None}
            fulfillment["packing"] = {"giftOption": given}
        item["fulfillment"] = fulfillment
    cancellation = line.cancellation or order.cancellation
    if included & _BIT["CANCELLATION"] and cancellation is not None:
        item["cancellation"] = (
            {"cancellationExecution": {"cancelledBy": cancellation.by, "cancelReason": cancellation.reason}}
            if cancellation.executed
            else {"cancellationRequest": {"requester": cancellation.by, "cancelReason": cancellation.reason}}
        )
    return item


_CHARGES = (("SHIPPING", "shipping"), ("GIFT_WRAP", "gift_wrap"), ("TAX", "tax"), ("DISCOUNT", "discount"))


def _charges(line: Line, marketplace: Marketplace) -> list[dict[str, Any]]:
    """What comes on top; tax and discount say what they are of (FACTS 8.2.6)."""
    breakdowns = []
    for kind, field in _CHARGES:
        value: Decimal = getattr(line.charges, field) if line.charges is not None else Decimal(0)
        if value:
            breakdown: dict[str, Any] = {"type": kind, "subtotal": _money(value, marketplace)}
            if kind in ("TAX", "DISCOUNT"):
                breakdown["detailedBreakdowns"] = [{"subtype": "ITEM", "value": breakdown["subtotal"]}]
            breakdowns.append(breakdown)
    return breakdowns


def buyer_of(order: Order, seen: int) -> dict[str, str]:
    """`seen` is a mask of roles. Of an order that Amazon fulfils nobody learns the e-mail address (FACTS 4.2, 4.3)."""
    by_merchant = order.fulfilled_by == MERCHANT
    buyer = {}
    if seen & (_MERCHANT_BUYER_SEEN if by_merchant else _AMAZON_BUYER_SEEN):
        buyer["buyerName"] = buyer_name(order.number)
    if seen & _EMAIL_SEEN and by_merchant and order.status in _EMAIL_STATUSES:
        buyer["buyerEmail"] = buyer_email(order.number)
    business = {
        "buyerCompanyName": order.buyer_company_name,
        "buyerPurchaseOrderNumber": order.purchase_order_number,
    }
    return buyer | {name: value for name, value in business.items() if value is not None}


def address_of(order: Order, seen: int) -> dict[str, str]:
    """The `CustomerAddress`, as far as it is seen."""
    address = order.address or delivery_address(order.number, MARKETPLACES[order.marketplace_id].country_code)
    if order.fulfilled_by == AMAZON or not seen & _RECIPIENT_SEEN:
        kept = ("city", "stateOrRegion", "countryCode") + (("postalCode",) if seen & _RECIPIENT_SEEN else ())
        return {name: address[name] for name in kept if name in address}
    if seen & _PHONE_SUPPRESSED:
        return {name: value for name, value in address.items() if name != "phone"}
    return address


def _fulfillment(order: Order) -> dict[str, Any]:
    promise = SERVICE_LEVELS[order.service_level]
    created_ms = order.created_ms
    return {
        "fulfillmentStatus": order.status,
        "fulfilledBy": order.fulfilled_by,
        "fulfillmentServiceLevel": order.service_level,
        "shipByWindow": {
            "earliestDateTime": iso(created_ms),
            "latestDateTime": iso(created_ms + promise.ship_by * HOUR_MS),
        },
        "deliverByWindow": {
            "earliestDateTime": iso(created_ms + promise.deliver_from * HOUR_MS),
            "latestDateTime": iso(created_ms + promise.deliver_by * HOUR_MS),
        },
    }


def _package(package: Package) -> dict[str, Any]:
    document: dict[str, Any] = {
        "packageReferenceId": package.reference_id,
        "createdTime": iso(package.created_ms),
        "packageStatus": {"status": package.status},
        "carrier": package.carrier,
        "shipTime": iso(package.ship_ms),
        "trackingNumber": package.tracking_number,
        "packageItems": [
            {"orderItemId": order_item_id, "quantity": quantity}
            for order_item_id, quantity in package.quantities.items()
        ],
    }
    if package.shipping_method is not None:
        document["shippingService"] = package.shipping_method
    return document


def _money(value: Decimal, marketplace: Marketplace) -> dict[str, str]:
    return {"amount": amount(value, marketplace), "currencyCode": marketplace.currency}
