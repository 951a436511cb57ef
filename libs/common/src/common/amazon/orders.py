"""Orders API 2026-01-01 (searchOrders, getOrder) and v0 confirmShipment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import msgspec

from common.amazon.client import AmazonClient, Fence, Seller, encode
from common.amazon.operations import CONFIRM_SHIPMENT, GET_ORDER, SEARCH_ORDERS
from common.amazon.order import Order
from common.amazon.values import Instant, Shape, wire_time

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


class _Pagination(Shape, frozen=True):
    next_token: str | None = None


class _RawPage(Shape, frozen=True):
    orders: list[msgspec.Raw]
    pagination: _Pagination | None = None
    last_updated_before: Instant | None = None
    created_before: Instant | None = None


class _OrderAnswer(Shape, frozen=True):
    order: Order


class _OrderId(Shape, frozen=True):
    order_id: str


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
    Raises the errors of `AmazonClient.call`.
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
    page = await client.call(SEARCH_ORDERS, seller, query=query, into=_RawPage, max_wait=max_wait)
    orders, malformed = read_orders(page.orders)
    return OrdersPage(
        tuple(orders),
        tuple(malformed),
        # An empty token would ask for the first page again.
        (page.pagination.next_token or None) if page.pagination else None,
        page.last_updated_before,
        page.created_before,
    )


async def get_order(
    client: AmazonClient,
    seller: Seller,
    order_id: str,
    *,
    included_data: Sequence[str] = INCLUDED_DATA,
    max_wait: float | None = None,
) -> Order:
    """One order. Raises `NotFound` when the seller has none of this id, else the errors of `AmazonClient.call`."""
    query = {"includedData": ",".join(included_data)} if included_data else None
    answer = await client.call(
        GET_ORDER, seller, path={"orderId": order_id}, query=query, into=_OrderAnswer, max_wait=max_wait
    )
    return answer.order


def read_orders(raw_orders: Iterable[msgspec.Raw | bytes]) -> tuple[list[Order], list[MalformedOrder]]:
    """Reads orders one by one; also those that were set aside before."""
    orders: list[Order] = []
    malformed: list[MalformedOrder] = []
    for raw in raw_orders:
        try:
            orders.append(_order_decoder.decode(raw))
        except msgspec.ValidationError as error:
            # It names the place and the rule, never the value.
            malformed.append(MalformedOrder(_order_id(raw), str(error), bytes(raw)))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            malformed.append(MalformedOrder(_order_id(raw), "not JSON", bytes(raw)))
    return orders, malformed


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
    `NotFound`, or the errors of `AmazonClient.call`.
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
