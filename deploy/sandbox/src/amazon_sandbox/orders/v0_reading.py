"""The deprecated reads of Orders v0, in their `payload` envelope (FACTS 3.7, 8.3); people's data needs an RDT (4.7)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from amazon_sandbox import page_tokens
from amazon_sandbox.calls import Call
from amazon_sandbox.clock import HOUR_MS, SECOND_MS, iso, parse_iso
from amazon_sandbox.orders.book import CANCELLED, Line, Order, is_served
from amazon_sandbox.orders.documents import SERVICE_LEVELS, roles_mask
from amazon_sandbox.orders.people import buyer_email
from amazon_sandbox.orders.v0_documents import (
    V0_CHANNEL,
    V0_STATUS,
    buyer_info,
    item_buyer_info,
    item_document,
    order_document,
    shipping_address,
)
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, json_answer, unauthorized

_MOST_A_PAGE = 100
_MOST_IDS = 50
_ITEMS_A_PAGE = 100
_TWO_MINUTES_MS = 120 * SECOND_MS
_TIMES = ("CreatedAfter", "CreatedBefore", "LastUpdatedAfter", "LastUpdatedBefore")
_STATUSES = (*V0_STATUS.values(), "InvoiceUnconfirmed")
# Nothing in this world has any of these: asking for one finds nothing.
_NEVER_MATCH = (
    "EasyShipShipmentStatuses",
    "ElectronicInvoiceStatuses",
    "ActualFulfillmentSupplySourceId",
    "StoreChainStoreId",
)
_NOT_BESIDE_SELLER_ORDER_ID = (
    "FulfillmentChannels",
    "OrderStatuses",
    "PaymentMethods",
    "LastUpdatedAfter",
    "LastUpdatedBefore",
    "BuyerEmail",
)


class _Page(NamedTuple):
    kind: str  # Created or LastUpdated
    start: tuple[int, int]
    end_ms: int


def get_orders(call: Call) -> Answer:
    """A NextToken holds the place and not the filters: whoever leaves them out loses them (PAINS 10)."""
    marketplace_ids = call.many("MarketplaceIds")
    if not marketplace_ids:
        raise invalid_input("Missing required parameter MarketplaceIds.")
    if len(marketplace_ids) > _MOST_IDS:
        raise invalid_input(f"MarketplaceIds takes at most {_MOST_IDS}.")
    limit = call.whole_number("MaxResultsPerPage", _MOST_A_PAGE, 1, _MOST_A_PAGE)
    now_ms = call.world.clock.now_ms()
    wanted = _wanted(call, set(marketplace_ids), now_ms)
    token = call.one("NextToken")
    page = _window(call, now_ms) if token is None else _page(token)
    book = call.seller.orders
    index = book.by_created if page.kind == "Created" else book.by_updated
    orders, next_start = index.page(page.start, page.end_ms, limit, wanted)
    elements = call.data_elements() or frozenset()
    payload: dict[str, Any] = {"Orders": [_order(call, order, elements, now_ms) for order in orders]}
    if next_start is not None:
        payload["NextToken"] = page_tokens.seal_to_encode([page.kind, *next_start, page.end_ms])
    payload[f"{page.kind}Before"] = iso(page.end_ms)
    return json_answer({"payload": payload})


def get_order(call: Call) -> Answer:
    elements = call.data_elements() or frozenset()
    return json_answer({"payload": _order(call, _found(call), elements, call.world.clock.now_ms())})


def get_order_items(call: Call) -> Answer:
    elements = call.data_elements() or frozenset()
    order = _found(call)
    lines, tail = _items_page(call, order)
    items = [item_document(order, line, with_buyer="buyerInfo" in elements) for line in lines]
    return json_answer({"payload": {"AmazonOrderId": order.order_id, "OrderItems": items, **tail}})


def get_order_address(call: Call) -> Answer:
    _restricted_only(call)
    order = _found(call)
    payload: dict[str, Any] = {"AmazonOrderId": order.order_id}
    if order.has_address:
        payload["ShippingAddress"] = shipping_address(order, roles_mask(call.roles), call.world.clock.now_ms())
    return json_answer({"payload": payload})


def get_order_buyer_info(call: Call) -> Answer:
    _restricted_only(call)
    order = _found(call)
    info = buyer_info(order, roles_mask(call.roles)) if _is_settled(order) else {}
    return json_answer({"payload": {"AmazonOrderId": order.order_id, **info}})


def get_order_items_buyer_info(call: Call) -> Answer:
    _restricted_only(call)
    order = _found(call)
    lines, tail = _items_page(call, order)
    info = item_buyer_info(order) if _is_settled(order) else {}
    items = [{"OrderItemId": line.order_item_id, **info} for line in lines]
    return json_answer({"payload": {"AmazonOrderId": order.order_id, "OrderItems": items, **tail}})


def get_order_regulated_info(call: Call) -> Answer:
    _restricted_only(call)
    order = _found(call)
    regulation = order.regulation
    if regulation is None:
        raise SpApiError(404, "NotFound", "The order has no regulated items.", order.order_id)
    status: dict[str, Any] = {
        "Status": regulation.status,
        "RequiresMerchantAction": regulation.status == "Pending",
        "ValidRejectionReasons": list(regulation.rejection_reasons),
    }
    if regulation.reviewed_ms is not None:
        status |= {"ReviewDate": iso(regulation.reviewed_ms), "ExternalReviewerId": regulation.reviewer_id}
    for reason in regulation.rejection_reasons:
        if reason["RejectionReasonId"] == regulation.rejection_reason_id:
            status["RejectionReason"] = reason
    payload = {
        "AmazonOrderId": order.order_id,
        "RegulatedInformation": {"Fields": list(regulation.fields)},
        "RequiresDosageLabel": regulation.requires_dosage_label,
        "RegulatedOrderVerificationStatus": status,
    }
    return json_answer({"payload": payload})


def _restricted_only(call: Call) -> None:
    """FACTS 4.7: these show nothing but people's data."""
    if call.data_elements() is None:
        raise unauthorized("This operation needs a Restricted Data Token.")


def _found(call: Call) -> Order:
    order = call.seller.orders.orders.get(call.arguments[0])
    if order is None or not is_served(order, call.world.clock.now_ms()):
        raise SpApiError(404, "NotFound", "The order was not found.", call.arguments[0])
    return order


def _is_settled(order: Order) -> bool:
    return not order.is_pending and order.status != CANCELLED


def _order(call: Call, order: Order, elements: frozenset[str], now_ms: int) -> dict[str, Any]:
    return order_document(
        order,
        with_buyer="buyerInfo" in elements,
        with_address="shippingAddress" in elements,
        seen=roles_mask(call.roles),
        now_ms=now_ms,
    )


def _items_page(call: Call, order: Order) -> tuple[tuple[Line, ...], dict[str, str]]:
    token = call.one("NextToken")
    start = 0
    if token is not None:
        try:
            order_id, start = page_tokens.unseal_encoded(token)
        except (ValueError, TypeError) as error:
            raise invalid_input("Invalid Input", "NextToken cannot be decoded.") from error
        if order_id != order.order_id:
            raise invalid_input("Invalid Input", "NextToken belongs to another order.")
    end = start + _ITEMS_A_PAGE
    more = end < len(order.lines)
    return order.lines[start:end], {"NextToken": page_tokens.seal_to_encode([order.order_id, end])} if more else {}


def _window(call: Call, now_ms: int) -> _Page:
    given = {name: _moment(call, name) for name in _TIMES if call.one(name) is not None}
    if ("CreatedAfter" in given) == ("LastUpdatedAfter" in given):
        raise invalid_input("Exactly one of CreatedAfter and LastUpdatedAfter must be provided.")
    kind, other = ("Created", "LastUpdated") if "CreatedAfter" in given else ("LastUpdated", "Created")
    if f"{other}Before" in given:
        raise invalid_input(f"{other}Before cannot be combined with {kind}After.")
    after_ms, before_ms = given[f"{kind}After"], given.get(f"{kind}Before")
    if before_ms is not None and (before_ms < after_ms or before_ms > now_ms - _TWO_MINUTES_MS):
        raise invalid_input("Invalid Input")  # PAINS 9: Amazon does not say why
    lagging_ms = now_ms - round(call.world.settings.search_lag_s * SECOND_MS)
    return _Page(kind, (after_ms, 0), lagging_ms if before_ms is None else min(before_ms, lagging_ms))


def _page(token: str) -> _Page:
    try:
        kind, moment_ms, number, end_ms = page_tokens.unseal_encoded(token)
    except (ValueError, TypeError) as error:
        raise invalid_input("Invalid Input", "NextToken cannot be decoded.") from error
    return _Page(kind, (moment_ms, number), end_ms)


def _wanted(call: Call, marketplace_ids: set[str], now_ms: int) -> Callable[[Order], bool]:
    unknown = marketplace_ids - set(call.seller.marketplace_ids)
    if unknown:
        raise invalid_input(f"Invalid MarketplaceIds for this seller in this region: {', '.join(sorted(unknown))}")
    statuses = set(call.many("OrderStatuses", _STATUSES))
    channels = set(call.many("FulfillmentChannels", tuple(V0_CHANNEL.values())))
    payments = set(call.many("PaymentMethods", ("COD", "CVS", "Other")))
    order_ids = call.many("AmazonOrderIds")
    if len(order_ids) > _MOST_IDS:
        raise invalid_input(f"AmazonOrderIds takes at most {_MOST_IDS}.")
    _refuse_beside_seller_order_id(call)
    email, seller_order_id, pickup = call.one("BuyerEmail"), call.one("SellerOrderId"), call.one("IsISPU")
    deliveries = _delivery_windows(call)
    nothing = any(call.one(name) is not None for name in _NEVER_MATCH)

    def wanted(order: Order) -> bool:
        return (
            not nothing
            and order.marketplace_id in marketplace_ids
            and is_served(order, now_ms)
            and (not statuses or V0_STATUS[order.status] in statuses)
            and (not channels or V0_CHANNEL[order.fulfilled_by] in channels)
            and (not payments or "Other" in payments)
            and (not order_ids or order.order_id in order_ids)
            and (email is None or email == buyer_email(order.number))
            and (seller_order_id is None or seller_order_id == (order.merchant_order_id or order.order_id))
            and (pickup is None or (pickup.lower() == "true") is order.in_store_pickup)
            and all(fits(order) for fits in deliveries)
        )

    return wanted


def _refuse_beside_seller_order_id(call: Call) -> None:
    if call.one("SellerOrderId") is None:
        return
    refused = [name for name in _NOT_BESIDE_SELLER_ORDER_ID if call.one(name) is not None]
    if refused:
        raise invalid_input(f"{', '.join(refused)} cannot be specified when SellerOrderId is specified.")


def _delivery_windows(call: Call) -> list[Callable[[Order], bool]]:
    tests: list[Callable[[Order], bool]] = []
    for edge in ("Earliest", "Latest"):
        after, before = (_optional_moment(call, f"{edge}DeliveryDate{end}") for end in ("After", "Before"))
        if after is not None or before is not None:
            tests.append(_delivery_window(edge, after or 0, before))
    return tests


def _delivery_window(edge: str, after_ms: int, before_ms: int | None) -> Callable[[Order], bool]:
    def fits(order: Order) -> bool:
        promise = SERVICE_LEVELS[order.service_level]
        hours = promise.deliver_from if edge == "Earliest" else promise.deliver_by
        moment_ms = order.created_ms + hours * HOUR_MS
        return after_ms <= moment_ms and (before_ms is None or moment_ms <= before_ms)

    return fits


def _optional_moment(call: Call, name: str) -> int | None:
    return None if call.one(name) is None else _moment(call, name)


def _moment(call: Call, name: str) -> int:
    try:
        return parse_iso(call.one(name) or "")
    except ValueError as error:
        raise invalid_input("Invalid Input", f"{name} is not an ISO 8601 time.") from error
