"""What an order of the Orders API 2026-01-01 looks like: the fields that our orders service needs (FACTS 8.2).

Unknown fields are ignored and enums are plain strings, so a new value of Amazon's breaks nothing (edge 28).
"""

from common.amazon.values import Id, Instant, Money, Personal, Quantity, Shape, refuse_odd_moments


class Alias(Shape, frozen=True):
    """Another id of the order; `SELLER_ORDER_ID` is v0's SellerOrderId."""

    alias_id: str
    alias_type: str


class AssociatedOrder(Shape, frozen=True):
    """For a replacement or exchange: the original order."""

    order_id: str | None = None
    association_type: str | None = None


class SalesChannel(Shape, frozen=True):
    """Where the order was placed."""

    channel_name: str
    marketplace_id: Id | None = None
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

    @property
    def is_deliverable(self) -> bool:
        """Whether it names a place; without the role for addresses only city, region and country come (FACTS 4.1)."""
        street = self.extended_fields.street_name if self.extended_fields else None
        return any((self.address_line1, self.address_line2, self.address_line3, street))


class DeliveryPreference(Personal, frozen=True):
    """What the buyer tells the carrier."""

    drop_off_location: str | None = None
    address_instruction: str | None = None


class Recipient(Personal, frozen=True):
    """To whom the order goes."""

    delivery_address: DeliveryAddress | None = None
    delivery_preference: DeliveryPreference | None = None


class DateTimeRange(Shape, frozen=True):
    """A window; either end may be open."""

    earliest_date_time: Instant | None = None
    latest_date_time: Instant | None = None

    def __post_init__(self) -> None:
        refuse_odd_moments(self.earliest_date_time, self.latest_date_time)


class OrderFulfillment(Shape, frozen=True):
    """Status, who fulfils (`MERCHANT`, `AMAZON`), service level (FACTS 8.2.8) and the windows."""

    fulfillment_status: str
    fulfilled_by: str | None = None
    fulfillment_service_level: str | None = None
    ship_by_window: DateTimeRange | None = None
    deliver_by_window: DateTimeRange | None = None


class DetailedBreakdown(Shape, frozen=True):
    """A part of a TAX or DISCOUNT breakdown."""

    subtype: str | None = None
    value: Money | None = None


class ProceedsBreakdown(Shape, frozen=True):
    """One kind of money: ITEM, SHIPPING, GIFT_WRAP, COD_FEE, OTHER, TAX, DISCOUNT; for orders also DELIVERY_TIP."""

    type: str
    subtotal: Money
    status: str | None = None
    detailed_breakdowns: tuple[DetailedBreakdown, ...] = ()


class OrderProceeds(Shape, frozen=True):
    """What the seller receives for the order (FACTS 8.3: not always what the buyer pays)."""

    grand_total: Money | None = None
    breakdowns: tuple[ProceedsBreakdown, ...] = ()


class ItemProceeds(Shape, frozen=True):
    """What the seller receives for the line."""

    proceeds_total: Money | None = None
    breakdowns: tuple[ProceedsBreakdown, ...] = ()


class ItemPrice(Shape, frozen=True):
    """`unit_price` is for one unit; v0's ItemPrice was for the line (FACTS 8.2.6)."""

    unit_price: Money | None = None
    price_designation: str | None = None


class ItemCustomization(Personal, frozen=True):
    """Where the buyer's customisation lies."""

    customized_url: str | None = None


class ItemCondition(Shape, frozen=True):
    """New, used...; Amazon's own words."""

    condition_type: str | None = None
    condition_subtype: str | None = None


class ItemProduct(Shape, frozen=True):
    """What was bought. A SKU or ASIN may be absent."""

    asin: str | None = None
    title: str | None = None
    seller_sku: str | None = None
    condition: ItemCondition | None = None
    price: ItemPrice | None = None
    customization: ItemCustomization | None = None


class CancellationRequest(Shape, frozen=True):
    """The buyer asks to cancel the line; look before shipping (FACTS 8.2.9)."""

    requester: str | None = None
    cancel_reason: str | None = None


class CancellationExecution(Shape, frozen=True):
    """The line was cancelled."""

    cancelled_by: str | None = None
    cancel_reason: str | None = None


class ItemCancellation(Shape, frozen=True):
    """A line's cancellation, asked for or done."""

    cancellation_request: CancellationRequest | None = None
    cancellation_execution: CancellationExecution | None = None


class GiftOption(Personal, frozen=True):
    """The buyer's message and wrapping."""

    gift_message: str | None = None
    gift_wrap_level: str | None = None


class ItemPacking(Shape, frozen=True):
    """How the line is to be packed."""

    gift_option: GiftOption | None = None


class ItemShipping(Shape, frozen=True):
    """How the line is to be shipped."""

    scheduled_delivery_window: DateTimeRange | None = None


class ItemFulfillment(Shape, frozen=True):
    """How much of the line is shipped."""

    quantity_fulfilled: Quantity = 0
    quantity_unfulfilled: Quantity = 0
    packing: ItemPacking | None = None
    shipping: ItemShipping | None = None


class OrderItem(Shape, frozen=True):
    """One line of an order."""

    order_item_id: Id
    quantity_ordered: Quantity
    product: ItemProduct
    programs: tuple[str, ...] = ()
    proceeds: ItemProceeds | None = None
    cancellation: ItemCancellation | None = None
    fulfillment: ItemFulfillment | None = None


class PackageStatus(Shape, frozen=True):
    """PENDING, IN_TRANSIT, SHIPPED, DELIVERED, CANCELLED, UNDELIVERABLE."""

    status: str
    detailed_status: str | None = None


class PackageItem(Shape, frozen=True):
    """A line's part in a package."""

    order_item_id: Id
    quantity: Quantity


class OrderPackage(Shape, frozen=True):
    """A confirmed package, as Amazon has stored it (FACTS 8.2.10)."""

    package_reference_id: str
    carrier: str | None = None
    shipping_service: str | None = None
    tracking_number: str | None = None
    ship_time: Instant | None = None
    created_time: Instant | None = None
    package_status: PackageStatus | None = None
    package_items: tuple[PackageItem, ...] = ()


class Order(Shape, frozen=True):
    """One order with its lines. What a dataset of `included_data` or a role would bring is None without it."""

    order_id: Id
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

    def __post_init__(self) -> None:
        refuse_odd_moments(self.created_time, self.last_updated_time)
        if len({item.order_item_id for item in self.order_items}) < len(self.order_items):
            raise ValueError("two of the order's items have one orderItemId")
