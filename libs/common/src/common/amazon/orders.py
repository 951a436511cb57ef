"""Orders API 2026-01-01 (reading) and v0 confirmShipment (writing), with the fields that our orders service needs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec

from common.amazon.client import AmazonClient, Seller, encode
from common.amazon.operations import CONFIRM_SHIPMENT, GET_ORDER, SEARCH_ORDERS
from common.amazon.values import Instant, Money, Personal, Quantity, wire_time

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


class _Struct(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Unknown fields are ignored and enums are plain strings, so a new value of Amazon's breaks nothing (edge 28)."""


class Alias(_Struct):
    """Another id of the order; `SELLER_ORDER_ID` is v0's SellerOrderId."""

    alias_id: str
    alias_type: str


class AssociatedOrder(_Struct):
    """For a replacement or exchange: the original order."""

    order_id: str | None = None
    association_type: str | None = None


class SalesChannel(_Struct):
    """Where the order was placed."""

    channel_name: str
    marketplace_id: str | None = None
    marketplace_name: str | None = None


class Buyer(Personal, frozen=True):
    """Who bought; every field needs a role and may be absent (FACTS 4.2)."""

    buyer_name: str | None = None
    buyer_email: str | None = None
    buyer_company_name: str | None = None
    buyer_purchase_order_number: str | None = None


class AddressExtendedFields(Personal, frozen=True):
    """The parts of a Brazilian address."""

    street_name: str | None = None
    street_number: str | None = None
    complement: str | None = None
    neighborhood: str | None = None


class DeliveryAddress(Personal, frozen=True):
    """Where to deliver; absent while an order is pending."""

    name: str | None = None
    company_name: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    city: str | None = None
    district_or_county: str | None = None
    state_or_region: str | None = None
    municipality: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone: str | None = None
    address_type: str | None = None
    extended_fields: AddressExtendedFields | None = None


class DeliveryPreference(Personal, frozen=True):
    """What the buyer tells the carrier."""

    drop_off_location: str | None = None
    address_instruction: str | None = None


class Recipient(Personal, frozen=True):
    """To whom the order goes."""

    delivery_address: DeliveryAddress | None = None
    delivery_preference: DeliveryPreference | None = None


class DateTimeRange(_Struct):
    """A window; either end may be open."""

    earliest_date_time: Instant | None = None
    latest_date_time: Instant | None = None


class OrderFulfillment(_Struct):
    """Status, who fulfils (`MERCHANT`, `AMAZON`), service level (FACTS 8.2.8) and the windows."""

    fulfillment_status: str
    fulfilled_by: str | None = None
    fulfillment_service_level: str | None = None
    ship_by_window: DateTimeRange | None = None
    deliver_by_window: DateTimeRange | None = None


class DetailedBreakdown(_Struct):
    """A part of a TAX or DISCOUNT breakdown."""

    subtype: str | None = None
    value: Money | None = None


class ProceedsBreakdown(_Struct):
    """One kind of money: ITEM, SHIPPING, GIFT_WRAP, COD_FEE, OTHER, TAX, DISCOUNT; for orders also DELIVERY_TIP."""

    type: str
    subtotal: Money
    status: str | None = None
    detailed_breakdowns: tuple[DetailedBreakdown, ...] = ()


class OrderProceeds(_Struct):
    """What the seller receives for the order (FACTS 8.3: not always what the buyer pays)."""

    grand_total: Money | None = None
    breakdowns: tuple[ProceedsBreakdown, ...] = ()


class ItemProceeds(_Struct):
    """What the seller receives for the line."""

    proceeds_total: Money | None = None
    breakdowns: tuple[ProceedsBreakdown, ...] = ()


class ItemPrice(_Struct):
    """`unit_price` is for one unit; v0's ItemPrice was for the line (FACTS 8.2.6)."""

    unit_price: Money | None = None
    price_designation: str | None = None


class ItemCustomization(Personal, frozen=True):
    """Where the buyer's customisation lies."""

    customized_url: str | None = None


class ItemCondition(_Struct):
    """New, used...; Amazon's own words."""

    condition_type: str | None = None
    condition_subtype: str | None = None


class ItemProduct(_Struct):
    """What was bought. A SKU or ASIN may be absent."""

    asin: str | None = None
    title: str | None = None
    seller_sku: str | None = None
    condition: ItemCondition | None = None
    price: ItemPrice | None = None
    customization: ItemCustomization | None = None


class CancellationRequest(_Struct):
    """The buyer asks to cancel the line; look before shipping (FACTS 8.2.9)."""

    requester: str | None = None
    cancel_reason: str | None = None


class CancellationExecution(_Struct):
    """The line was cancelled."""

    cancelled_by: str | None = None
    cancel_reason: str | None = None


class ItemCancellation(_Struct):
    """A line's cancellation, asked for or done."""

    cancellation_request: CancellationRequest | None = None
    cancellation_execution: CancellationExecution | None = None


class GiftOption(Personal, frozen=True):
    """The buyer's message and wrapping."""

    gift_message: str | None = None
    gift_wrap_level: str | None = None


class ItemPacking(_Struct):
    """How the line is to be packed."""

    gift_option: GiftOption | None = None


class ItemShipping(_Struct):
    """How the line is to be shipped."""

    scheduled_delivery_window: DateTimeRange | None = None


class ItemFulfillment(_Struct):
    """How much of the line is shipped."""

    quantity_fulfilled: Quantity = 0
    quantity_unfulfilled: Quantity = 0
    packing: ItemPacking | None = None
    shipping: ItemShipping | None = None


class OrderItem(_Struct):
    """One line of an order."""

    order_item_id: str
    quantity_ordered: Quantity
    product: ItemProduct
    programs: tuple[str, ...] = ()
    proceeds: ItemProceeds | None = None
    cancellation: ItemCancellation | None = None
    fulfillment: ItemFulfillment | None = None


class PackageStatus(_Struct):
    """PENDING, IN_TRANSIT, SHIPPED, DELIVERED, CANCELLED, UNDELIVERABLE."""

    status: str
    detailed_status: str | None = None


class PackageItem(_Struct):
    """A line's part in a package."""

    order_item_id: str
    quantity: Quantity


class OrderPackage(_Struct):
    """A confirmed package, as Amazon has stored it (FACTS 8.2.10)."""

    package_reference_id: str
    carrier: str | None = None
    shipping_service: str | None = None
    tracking_number: str | None = None
    ship_time: Instant | None = None
    created_time: Instant | None = None
    package_status: PackageStatus | None = None
    package_items: tuple[PackageItem, ...] = ()


class Order(_Struct):
    """One order with its lines. What a dataset of `included_data` or a role would bring is None without it."""

    order_id: str
    created_time: Instant
    last_updated_time: Instant
    sales_channel: SalesChannel
    order_items: tuple[OrderItem, ...]
    order_aliases: tuple[Alias, ...] = ()
    programs: tuple[str, ...] = ()
    associated_orders: tuple[AssociatedOrder, ...] = ()
    buyer: Buyer | None = None
    recipient: Recipient | None = None
    proceeds: OrderProceeds | None = None
    fulfillment: OrderFulfillment | None = None
    packages: tuple[OrderPackage, ...] = ()


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


class _Pagination(_Struct):
    next_token: str | None = None


class _RawPage(_Struct):
    orders: list[msgspec.Raw]
    pagination: _Pagination | None = None
    last_updated_before: Instant | None = None
    created_before: Instant | None = None


class _OrderAnswer(_Struct):
    order: Order


class _OrderId(_Struct):
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
    return read_page(await client.call(SEARCH_ORDERS, seller, query=query, into=_RawPage, max_wait=max_wait))


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


def read_page(page: _RawPage) -> OrdersPage:
    """Reads a page's orders one by one."""
    orders: list[Order] = []
    malformed: list[MalformedOrder] = []
    for raw in page.orders:
        try:
            orders.append(_order_decoder.decode(raw))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            # A validation error names the place and the rule, never the value; others may quote the body.
            reason = str(error) if isinstance(error, msgspec.ValidationError) else "not JSON"
            malformed.append(MalformedOrder(_order_id(raw), reason, bytes(raw)))
    return OrdersPage(
        tuple(orders),
        tuple(malformed),
        # An empty token would ask for the first page again.
        (page.pagination.next_token or None) if page.pagination else None,
        page.last_updated_before,
        page.created_before,
    )


def _order_id(raw: msgspec.Raw) -> str | None:
    try:
        return _order_id_decoder.decode(raw).order_id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class ConfirmShipmentOrderItem(_Struct):
    """A line's part in the package that is confirmed."""

    order_item_id: str
    quantity: int


class PackageDetail(_Struct, omit_defaults=True):
    """The package of a confirmShipment.

    `package_reference_id` is a string of digits, a positive number (FACTS 8.4.1): the same one again edits the package.
    `carrier_code` is of Amazon's list, or `Other` with `carrier_name`. `ship_date` is aware, not in the future.
    """

    package_reference_id: str
    carrier_code: str
    tracking_number: str
    ship_date: str
    order_items: tuple[ConfirmShipmentOrderItem, ...]
    carrier_name: str | None = None
    shipping_method: str | None = None


class _ConfirmShipment(_Struct, omit_defaults=True):
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
) -> None:
    """Confirms one package of an order. Returning is not success: read the order's packages back (FACTS 8.4.7).

    Raises `InvalidInput` with Amazon's words (`PackageToUpdateNotFound`: already shipped under another reference),
    `NotFound`, or the errors of `AmazonClient.call`.
    """
    reference = package.package_reference_id
    if not (reference.isascii() and reference.isdigit() and int(reference) > 0):
        raise ValueError("packageReferenceId must be a string of digits, a positive number")
    body = encode(
        _ConfirmShipment(
            marketplace_id=marketplace_id, package_detail=package, cod_collection_method=cod_collection_method
        )
    )
    await client.call(CONFIRM_SHIPMENT, seller, path={"orderId": order_id}, body=body, into=type(None))
