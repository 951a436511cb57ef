"""What the HTTP doors take and answer. Nothing of a buyer is here but `RecipientAnswer`, behind its own scope."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, get_args
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from common.amazon.order import DeliveryAddress, DeliveryPreference
from common.contracts.event import Money, OrderedQuantity
from common.contracts.orders import OrderHold
from common.contracts.shipments import TrackingNumber
from common.moments import MomentOrUtc
from common.schemas import AmazonOrderId, Answer, Body, Flag, Remark, Sku, Values, Whole
from orders_service.models import Channel, FulfillmentRequest, Order, Shipment
from orders_service.order_state import LineState, to_minor_units
from orders_service.personal_data import PersonalData

# Orders that are cancelled when first seen are never imported (MISSION C4), so CANCELLED is not offered.
ImportableStatus = Literal[
    "PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "UNFULFILLABLE"
]
PolicyName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
CarrierText = Annotated[str, StringConstraints(min_length=1, max_length=50)]


class OrderSettings(Body):
    """Which new orders of a channel are imported; orders that are known are always followed."""

    statuses: Annotated[list[ImportableStatus], Field(min_length=1, max_length=10)] = Field(
        default=["PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED"]
    )
    created_within_days: Whole = Field(default=30, ge=1, le=730, description="Amazon serves two years (FACTS 8.1.3)")
    acknowledge: Flag = Field(default=False, description="send Amazon an acknowledgement of each imported order")


class NewPolicy(Body):
    """A shipping policy, such as Standard, that mappings and sources speak of."""

    name: PolicyName


class PolicyAnswer(Answer):
    """A shipping policy of the account."""

    id: UUID
    name: str


class MappingRow(Body):
    """Binds Amazon's shipping text and/or the service level of Orders 2026-01-01 to a policy."""

    policy: PolicyName
    amazon_text: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    service_level: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _binds_something(self) -> "MappingRow":
        if self.amazon_text is None and self.service_level is None:
            raise ValueError("give amazon_text, service_level or both")
        return self


class Mappings(Body):
    """All of a channel's shipping mappings."""

    mappings: Annotated[list[MappingRow], Field(max_length=200)]


class GetOrders(Body):
    """Reads what changed at Amazon in all marketplaces of the connection; with ids, only these orders (a back-fill)."""

    operation: Literal["get_orders"]
    connection_id: UUID
    amazon_order_ids: Annotated[list[AmazonOrderId], Field(max_length=100)] = Field(default=[])


class SyncOrders(Body):
    """Confirms the connection's shipments to Amazon."""

    operation: Literal["sync_orders"]
    connection_id: UUID


StartedOperation = Annotated[GetOrders | SyncOrders, Field(discriminator="operation")]


class OrderLineAnswer(Answer):
    """One item of an order; `unit_price` is for one unit and null while the order is pending."""

    order_item_id: str
    sku: str
    asin: str | None
    title: str | None
    quantity: int
    quantity_fulfilled: int
    unit_price: Money | None
    line_total: Money | None
    cancelled: bool
    cancel_requested: bool


class RejectedSourceAnswer(Answer):
    """Why routing did not choose a source."""

    source_id: UUID
    source_name: str
    code: str = Field(description="stable, for programs; more may be added")
    detail: str


class RoutingHoldAnswer(Answer):
    """Why compliance holds the order."""

    code: str = Field(description="stable, for programs; more may be added")
    detail: str | None
    rejected: list[RejectedSourceAnswer] | None


class OrderAnswer(Answer):
    """An order; `holds` are orders' own reasons not to route it, `routing_hold` is compliance's."""

    id: UUID
    connection_id: UUID
    channel_id: UUID
    selling_partner_id: str
    amazon_order_id: str
    marketplace_id: str
    status: str = Values(*get_args(ImportableStatus), "CANCELLED", description="Amazon's fulfillmentStatus")
    fulfilled_by: str = Values("MERCHANT", "AMAZON", description="who ships it")
    service_level: str | None
    shipping_policy: str | None = Field(description="the account's policy that its service level is mapped to")
    holds: list[str] = Values(*get_args(OrderHold), description="orders' own reasons not to route it")
    routing_hold: RoutingHoldAnswer | None
    purchased_at: datetime
    last_updated_at: datetime
    ship_by: datetime | None
    region: str | None
    country: str | None
    total: Money | None
    replaces: str | None
    version: int
    decision_version: int
    lines: list[OrderLineAnswer]


class BuyerAnswer(Answer):
    """Who bought; what Amazon did not tell is not there."""

    buyer_name: str | None = None
    buyer_email: str | None = None
    buyer_company_name: str | None = None
    buyer_purchase_order_number: str | None = None


class BrazilianAddressAnswer(Answer):
    """The parts of a Brazilian address."""

    street_name: str | None = None
    street_number: str | None = None
    complement: str | None = None
    neighborhood: str | None = None


class DeliveryAddressAnswer(Answer):
    """Where to deliver."""

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
    extended_fields: BrazilianAddressAnswer | None = None


class DeliveryPreferenceAnswer(Answer):
    """What the buyer tells the carrier."""

    drop_off_location: str | None = None
    address_instruction: str | None = None


class GiftOptionAnswer(Answer):
    """The buyer's message and wrapping."""

    gift_message: str | None = None
    gift_wrap_level: str | None = None


class CustomizationAnswer(Answer):
    """Where the buyer's customisation lies."""

    customized_url: str | None = None


class RecipientItemAnswer(Answer):
    """What one order item says of its buyer."""

    order_item_id: str
    gift_option: GiftOptionAnswer | None = None
    customization: CustomizationAnswer | None = None


class RecipientAnswer(Answer):
    """The buyer's data as Amazon sent it, under Amazon's names, for who ships the order. Reading it is recorded."""

    amazon_order_id: str
    buyer: BuyerAnswer | None
    delivery_address: DeliveryAddressAnswer | None
    delivery_preference: DeliveryPreferenceAnswer | None
    items: list[RecipientItemAnswer]


class ReasonAnswer(Answer):
    """One thing that stands in an order's way."""

    code: str = Field(description="stable, for programs; more may be added")
    detail: str
    fix: str = Field(description="what a person can change; empty when there is nothing to do")


class ExplanationAnswer(Answer):
    """Why an order is not imported, held or not routed; no reasons when nothing stands in its way."""

    amazon_order_id: str
    reasons: list[ReasonAnswer]


class Refusal(Body):
    """`fill` has the lines routed to another source, `kill` gives them up."""

    resolution: Literal["fill", "kill"]
    reason: Remark = ""


class FulfillmentLineAnswer(Answer):
    """Units of an order item; `cancelled` (null: none) are those of them that must not be shipped any more."""

    order_item_id: str
    sku: str
    quantity: int
    cancelled: int | None = None


class FulfillmentRequestAnswer(Answer):
    """What one source is asked to ship of one order.

    With `cancel_requested_at` and no `cancelled` in any line, the whole order is cancelled.
    """

    id: UUID
    order_id: UUID
    source_id: UUID
    decision_version: int
    status: str = Values(
        *("planned", "released", "acknowledged", "shipped", "refused", "withdrawn"), description="how it stands"
    )
    lines: list[FulfillmentLineAnswer]
    reason: str | None = Field(description="a withdrawal's code, or the text of a refusal")
    detail: str | None = Field(description="a withdrawal in a sentence")
    resolution: str | None = Values("fill", "kill", description="what becomes of refused lines")
    cancel_requested_at: datetime | None
    created_at: datetime
    released_at: datetime | None


class NewShippedItem(Body):
    """Units in the parcel, named by Amazon's id of the order item or, when the order has it once, by SKU."""

    order_item_id: AmazonOrderId | None = None
    sku: Sku | None = None
    quantity: OrderedQuantity

    @model_validator(mode="after")
    def _named(self) -> "NewShippedItem":
        if self.order_item_id is None and self.sku is None:
            raise ValueError("give order_item_id or sku")
        return self


class NewShipment(Body):
    """A parcel. `shipment_id` is the sender's own, so that telling of it twice is harmless."""

    shipment_id: UUID | None = None
    source_id: UUID | None = None
    carrier: CarrierText
    method: Annotated[str, Field(max_length=50)] = ""
    tracking_number: TrackingNumber
    shipped_at: MomentOrUtc | None = Field(default=None, description="now when absent")
    items: Annotated[list[NewShippedItem], Field(min_length=1, max_length=1000)]


class ShipmentChanges(Body):
    """What is given is changed; the shipment is queued again, also without a change."""

    carrier: CarrierText | None = None
    method: Annotated[str, Field(max_length=50)] | None = None
    tracking_number: TrackingNumber | None = None


class ShipmentLineAnswer(Answer):
    """Units of an order item that are in the parcel."""

    order_item_id: str
    sku: str
    quantity: int


class ShipmentAnswer(Answer):
    """A parcel, and how far its confirmation to Amazon has come."""

    id: UUID
    order_id: UUID | None
    selling_partner_id: str
    amazon_order_id: str
    source_id: UUID | None
    fulfillment_request_id: UUID | None
    carrier: str
    method: str
    tracking_number: str
    shipped_at: datetime
    lines: list[ShipmentLineAnswer]
    status: str = Values(
        *("waiting", "queued", "sending", "unverified", "confirmed", "rejected", "conflict"),
        description="how far its confirmation to Amazon has come; `rejected` and `conflict` wait for an edit",
    )
    error_code: str | None = Field(description="why it is refused; stable, more may be added")
    error_detail: str | None
    suggestion: str | None = Field(description="what was probably meant")
    package_reference_id: int | None
    attempts: int
    created_at: datetime
    confirmed_at: datetime | None
    alarmed_at: datetime | None


class NewCarrierMethod(Body):
    """A further method of a carrier that Amazon knows."""

    carrier: CarrierText
    method: CarrierText


class CarrierAnswer(Answer):
    """A carrier of Amazon's and the methods we know of it; one without methods takes any."""

    carrier: str
    methods: list[str]


def settings_view(channel: Channel) -> OrderSettings:
    return OrderSettings.model_validate(channel, from_attributes=True)


def mappings_view(channel: Channel) -> Mappings:
    return Mappings.model_validate({"mappings": channel.shipping_mappings})


def request_view(request: FulfillmentRequest) -> FulfillmentRequestAnswer:
    return FulfillmentRequestAnswer.model_validate(request)


def shipment_view(shipment: Shipment) -> ShipmentAnswer:
    return ShipmentAnswer.model_validate(shipment)


def order_view(order: Order, lines: Sequence[LineState]) -> OrderAnswer:
    hold = None
    if order.held_code:
        held = {"code": order.held_code, "detail": order.held_detail, "rejected": order.held_sources}
        hold = RoutingHoldAnswer.model_validate(held)
    own = OrderAnswer.model_fields.keys() - {"routing_hold", "total", "lines"}
    return OrderAnswer(
        **{name: getattr(order, name) for name in own},
        routing_hold=hold,
        total=_money(order.total, order.currency),
        lines=[_line_view(line, order.currency) for line in lines],
    )


def _line_view(line: LineState, currency: str | None) -> OrderLineAnswer:
    total = None if line.unit_price is None else line.unit_price * line.quantity
    own = OrderLineAnswer.model_fields.keys() - {"unit_price", "line_total"}
    return OrderLineAnswer(
        **{name: getattr(line, name) for name in own},
        unit_price=_money(line.unit_price, currency),
        line_total=_money(total, currency),
    )


def _money(amount: Decimal | None, currency: str | None) -> Money | None:
    if amount is None or currency is None:
        return None
    return Money(amount=to_minor_units(amount, currency), currency=currency)


def recipient_view(order: Order, personal: PersonalData) -> RecipientAnswer:
    recipient = personal.recipient
    return RecipientAnswer(
        amazon_order_id=order.amazon_order_id,
        buyer=BuyerAnswer.model_validate(personal.buyer) if personal.buyer else None,
        delivery_address=_address(recipient.delivery_address) if recipient else None,
        delivery_preference=_preference(recipient.delivery_preference) if recipient else None,
        items=[RecipientItemAnswer.model_validate(item) for item in personal.items],
    )


def _address(given: DeliveryAddress | None) -> DeliveryAddressAnswer | None:
    return DeliveryAddressAnswer.model_validate(given) if given else None


def _preference(given: DeliveryPreference | None) -> DeliveryPreferenceAnswer | None:
    return DeliveryPreferenceAnswer.model_validate(given) if given else None
