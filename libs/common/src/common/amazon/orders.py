"""Orders API 2026-01-01 (searchOrders, getOrder) and v0 confirmShipment."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from common.amazon.client import AmazonClient, Fence, Seller, Unread, encode
from common.amazon.errors import MalformedAnswer
from common.amazon.operations import CONFIRM_SHIPMENT, GET_ORDER, SEARCH_ORDERS
from common.amazon.order import Order
from common.amazon.values import Id, Instant, Shape, place_of_nul, wire_time
from common.moments import moment_problem

FulfillmentStatus = Literal[
    "PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE"
]
# Without FULFILLMENT an order comes without its status (FACTS 8.2.3).
INCLUDED_DATA = (
    "BUYER",
    "RECIPIENT",
    "PROCEEDS",
    "PROMOTION",
    "CANCELLATION",
    "FULFILLMENT",
    "PACKAGES",
)


@dataclass(frozen=True, slots=True)
class MalformedOrder:
    """An order of a page that could not be read. `raw` holds a buyer's data: encrypt it before it is stored."""

    order_id: str | None
    reason: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """A page of orders; one that does not parse takes none of the others with it (F13).

    `next_token` is None on the last page. `last_updated_before` is how far the search saw: the cursor never passes it.
    """

    orders: tuple[Order, ...]
    malformed: tuple[MalformedOrder, ...]
    next_token: str | None
    last_updated_before: datetime | None
    created_before: datetime | None


class UnreadableOrder(MalformedAnswer):
    """getOrder's answer is not an order. `order.raw` holds a buyer's data; nothing of it is in the error's text."""

    def __init__(self, order: MalformedOrder, request_id: str | None) -> None:
        super().__init__(GET_ORDER.name, status=200, reason=order.reason, request_id=request_id)
        self.order = order


class UnreadablePage(MalformedAnswer):
    """A page that is not JSON at some place, and what can be known of it all the same.

    `order_ids` are those that it names (also of associated orders), `whole` says that nothing was cut off, `all_named`
    that no order is without its id; the rest is as in `OrdersPage`. `raw` holds buyers' data: encrypt it.
    """

    def __init__(self, raw: bytes, request_id: str | None) -> None:
        super().__init__(SEARCH_ORDERS.name, status=200, reason="not JSON", request_id=request_id)
        self.raw = raw
        self.order_ids = tuple(dict.fromkeys(found.decode() for found in _NAMED.findall(raw)))
        self.whole = _is_whole(raw)
        self.all_named = 0 < len(_ITEMS.findall(raw)) <= len(self.order_ids)
        self.next_token = _last_text(_NEXT_TOKEN, raw) or None
        self.last_updated_before = _instant(_last_text(_LAST_UPDATED_BEFORE, raw))


# For bytes that no JSON reader takes. A quote inside of a text is escaped, so no match begins there.
_NAMED = re.compile(rb'"orderId"\s*:\s*"([!-~]{1,100}?)"')
_ITEMS = re.compile(rb'"orderItems"\s*:')
_NEXT_TOKEN = re.compile(rb'"nextToken"\s*:\s*("(?:[^"\\]|\\.)*")')
_LAST_UPDATED_BEFORE = re.compile(rb'"lastUpdatedBefore"\s*:\s*("[^"\\]*")')
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_AFTER_THE_ORDERS = re.compile(
    rb'\]\s*(?:,\s*"(?:pagination|lastUpdatedBefore|createdBefore)"\s*:\s*(?:"[^"]*"|\{[^{}]*\}|null)\s*)+\}\s*\Z'
)


def _is_whole(raw: bytes) -> bool:
    """Whether the page goes to its end: it closes all that it opens, or ends with what follows the orders."""
    marks = _TEXT.sub(b"", raw).strip()
    closed = marks.count(b"{") == marks.count(b"}") and marks.count(b"[") == marks.count(b"]")
    return (closed and marks[:1] + marks[-1:] == b"{}") or _AFTER_THE_ORDERS.search(raw) is not None


def _last_text(pattern: re.Pattern[bytes], raw: bytes) -> str | None:
    found = pattern.findall(raw)
    try:
        return msgspec.json.decode(found[-1], type=str) if found else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _instant(value: Any) -> datetime | None:
    """A time that narrows the next window; one that cannot be read narrows nothing."""
    try:
        instant = msgspec.convert(value, Instant)
    except msgspec.ValidationError:
        return None
    return instant if moment_problem(instant) is None else None


class _Pagination(Shape, frozen=True):
    next_token: str | None = None


class _RawPage(Shape, frozen=True):
    orders: list[msgspec.Raw]
    pagination: _Pagination | None = None
    last_updated_before: Any = None
    created_before: Any = None


class _OrderAnswer(Shape, frozen=True):
    order: msgspec.Raw


class _OrderId(Shape, frozen=True):
    order_id: Id


_page_decoder = msgspec.json.Decoder(_RawPage)
_answer_decoder = msgspec.json.Decoder(_OrderAnswer)
_order_decoder = msgspec.json.Decoder(Order)
_order_id_decoder = msgspec.json.Decoder(_OrderId)


async def search_orders(
    client: AmazonClient,
    seller: Seller,
    *,
    last_updated_after: datetime | None = None,
    last_updated_before: datetime | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    marketplace_ids: Sequence[str] = (),
    fulfillment_statuses: Sequence[FulfillmentStatus] = (),
    fulfilled_by: Sequence[Literal["MERCHANT", "AMAZON"]] = (),
    included_data: Sequence[str] = INCLUDED_DATA,
    max_results_per_page: int = 100,
    pagination_token: str | None = None,
    max_wait: float | None = None,
) -> OrdersPage:
    """One page of the seller's orders, of all their marketplaces unless some are named.

    Exactly one of the `_after`s; a `_before` at least 2 minutes old (FACTS 8.2.1). With a `pagination_token` (good for
    24 h) all filters must be those of the first page. Refills at one call per 180 s: pass a short `max_wait`.
    Raises `UnreadablePage` for one that is not JSON, and the errors of `AmazonClient.call`.
    """
    times = {
        "lastUpdatedAfter": last_updated_after,
        "lastUpdatedBefore": last_updated_before,
        "createdAfter": created_after,
        "createdBefore": created_before,
    }
    lists = {
        "marketplaceIds": marketplace_ids,
        "fulfillmentStatuses": fulfillment_statuses,
        "fulfilledBy": fulfilled_by,
        "includedData": included_data,
    }
    query = {name: wire_time(moment) for name, moment in times.items() if moment is not None}
    query |= {name: ",".join(values) for name, values in lists.items() if values}
    query["maxResultsPerPage"] = str(max_results_per_page)
    if pagination_token is not None:
        query["paginationToken"] = pagination_token
    page = _read_page(await client.call(SEARCH_ORDERS, seller, query=query, into=Unread, max_wait=max_wait))
    orders, malformed = read_orders(page.orders)
    return OrdersPage(
        tuple(orders),
        tuple(malformed),
        # An empty token would ask for the first page again.
        (page.pagination.next_token or None) if page.pagination else None,
        _instant(page.last_updated_before),
        _instant(page.created_before),
    )


def _read_page(answer: Unread) -> _RawPage:
    try:
        return _page_decoder.decode(answer.body)
    except msgspec.ValidationError as error:
        # The error names the place and the rule, never the value.
        raise MalformedAnswer(SEARCH_ORDERS.name, status=200, reason=str(error), request_id=answer.request_id) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UnreadablePage(answer.body, answer.request_id) from None


async def get_order(
    client: AmazonClient,
    seller: Seller,
    order_id: str,
    *,
    included_data: Sequence[str] = INCLUDED_DATA,
    max_wait: float | None = None,
) -> Order:
    """One order. Raises `AmazonNotFound` when the seller has none of this id, `UnreadableOrder`, else what the client
    raises."""
    query = {"includedData": ",".join(included_data)} if included_data else None
    answer = await client.call(
        GET_ORDER, seller, path={"orderId": order_id}, query=query, into=Unread, max_wait=max_wait
    )
    order = _read_order(_unwrapped(answer.body))
    if isinstance(order, Order):
        return order
    raise UnreadableOrder(MalformedOrder(order_id, order.reason, answer.body), answer.request_id)


def _unwrapped(body: bytes) -> msgspec.Raw | bytes:
    """The order of getOrder's answer; the whole body when there is none to be found, which then is no order."""
    try:
        return _answer_decoder.decode(body).order
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return body


def read_orders(raw_orders: Iterable[msgspec.Raw | bytes]) -> tuple[list[Order], list[MalformedOrder]]:
    """Reads orders one by one; also those that were set aside before."""
    orders: list[Order] = []
    malformed: list[MalformedOrder] = []
    for raw in raw_orders:
        order = _read_order(raw)
        if isinstance(order, Order):
            orders.append(order)
        else:
            malformed.append(order)
    return orders, malformed


def _read_order(raw: msgspec.Raw | bytes) -> Order | MalformedOrder:
    try:
        order = _order_decoder.decode(raw)
    except msgspec.ValidationError as error:
        # It names the place and the rule, never the value.
        return MalformedOrder(_order_id(raw), str(error), bytes(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return MalformedOrder(_order_id(raw), "not JSON", bytes(raw))
    # Only an escape brings U+0000 past the reader, and hardly any order has one: the others are not walked through.
    if b"\\u0000" in bytes(raw) and (place := place_of_nul(msgspec.to_builtins(order))):
        return MalformedOrder(order.order_id, f"Text with U+0000 - at `{place}`", bytes(raw))
    return order


def _order_id(raw: msgspec.Raw | bytes) -> str | None:
    try:
        return _order_id_decoder.decode(raw).order_id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class ConfirmShipmentOrderItem(Shape, frozen=True):
    """A line's part in the package that is confirmed."""

    order_item_id: str
    quantity: int


class PackageDetail(Shape, frozen=True, omit_defaults=True):
    """The package of a confirmShipment.

    `package_reference_id` is a string of digits, a positive number (FACTS 8.4.1): the same one again edits the package.
    `carrier_code` is of Amazon's list, or `Other` with `carrier_name`. `ship_date` is aware, not in the future.
    """

    package_reference_id: str
    carrier_code: str
    tracking_number: str
    ship_date: datetime
    order_items: tuple[ConfirmShipmentOrderItem, ...]
    carrier_name: str | None = None
    shipping_method: str | None = None


class _ConfirmShipment(Shape, frozen=True, omit_defaults=True):
    marketplace_id: str
    package_detail: PackageDetail
    cod_collection_method: str | None = None


async def confirm_shipment(
    client: AmazonClient,
    seller: Seller,
    order_id: str,
    package: PackageDetail,
    *,
    marketplace_id: str,
    cod_collection_method: Literal["DirectPayment"] | None = None,
    fence: Fence | None = None,
) -> None:
    """Confirms one package of an order. Returning is not success: read the order's packages back (FACTS 8.4.7).

    Raises `InvalidInput` with Amazon's words (`PackageToUpdateNotFound`: already shipped under another reference),
    `AmazonNotFound`, or the errors of `AmazonClient.call`.
    """
    reference = package.package_reference_id
    if not (reference.isascii() and reference.isdigit() and int(reference) > 0):
        raise ValueError("packageReferenceId must be a string of digits, a positive number")
    package = msgspec.structs.replace(package, ship_date=package.ship_date.astimezone(UTC).replace(microsecond=0))
    body = encode(
        _ConfirmShipment(
            marketplace_id=marketplace_id, package_detail=package, cod_collection_method=cod_collection_method
        )
    )
    await client.call(CONFIRM_SHIPMENT, seller, path={"orderId": order_id}, body=body, into=type(None), fence=fence)
