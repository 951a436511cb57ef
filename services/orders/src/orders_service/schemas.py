"""What the HTTP doors take and answer. Nothing of a buyer is here but `RecipientView`, behind its own scope."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from pydantic import BaseModel, Field, model_validator

from common.amazon.values import Personal
from common.contracts.event import Money
from common.contracts.shipments import ShippedItem, TrackingNumber
from common.jobs import OperationRun
from common.moments import MomentOrUtc
from orders_service.models import Channel, FulfillmentRequest, Order, Shipment
from orders_service.order_state import LineState, to_minor_units
from orders_service.personal_data import PersonalData

# Orders that are cancelled when first seen are never imported (MISSION C4), so CANCELLED is not offered.
ImportableStatus = Literal[
    "PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "UNFULFILLABLE"
]
PolicyName = Annotated[str, Field(min_length=1, max_length=100)]
Text50 = Annotated[str, Field(min_length=1, max_length=50)]


class OrderSettings(BaseModel):
    """Which new orders of a channel are imported; orders that are known are always followed."""

    statuses: Annotated[list[ImportableStatus], Field(min_length=1)] = [
        *("PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED"),
    ]
    created_within_days: int = Field(default=30, ge=1, le=730, description="Amazon serves two years (FACTS 8.1.3)")
    acknowledge: bool = Field(default=False, description="send Amazon an acknowledgement of each imported order")


class PolicyRequest(BaseModel):
    name: PolicyName


class PolicyView(BaseModel):
    id: UUID
    name: str


class MappingRow(BaseModel):
    """Binds Amazon's shipping text and/or the service level of Orders 2026-01-01 to a policy."""

    policy: PolicyName
    amazon_text: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    service_level: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _binds_something(self) -> "MappingRow":
        if self.amazon_text is None and self.service_level is None:
            raise ValueError("give amazon_text, service_level or both")
        return self


class Mappings(BaseModel):
    mappings: Annotated[list[MappingRow], Field(max_length=200)]


class GetOrdersRequest(BaseModel):
    """Empty for the normal run; with ids, only these orders are read (a back-fill)."""

    amazon_order_ids: Annotated[list[Annotated[str, Field(min_length=1, max_length=50)]], Field(max_length=100)] = []


class RunView(BaseModel):
    """One operation run: who asked, how far it is, what it counted and what went wrong (first hundred).

    `waits_for` (code, detail, fix) is why a queued run is not going on before somebody does something.
    """

    id: UUID
    connection_id: UUID
    operation: str
    requested_by: str
    status: str
    progress: float
    counts: dict[str, int]
    errors: list[dict[str, Any]]
    waits_for: dict[str, Any] | None = None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class LineView(BaseModel):
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


class OrderView(BaseModel):
    """An order; `holds` are orders' own reasons not to route it, `routing_hold` is compliance's."""

    id: UUID
    connection_id: UUID
    channel_id: UUID
    selling_partner_id: str
    amazon_order_id: str
    marketplace_id: str
    status: str
    fulfilled_by: str
    service_level: str | None
    shipping_policy: str | None
    holds: list[str]
    routing_hold: dict[str, Any] | None
    purchased_at: datetime
    last_updated_at: datetime
    ship_by: datetime | None
    region: str | None
    country: str | None
    total: Money | None
    replaces: str | None
    version: int
    decision_version: int
    lines: list[LineView]


class RecipientView(BaseModel):
    """The buyer's data as Amazon sent it, for who ships the order. Reading it is recorded."""

    amazon_order_id: str
    buyer: dict[str, Any] | None
    delivery_address: dict[str, Any] | None
    delivery_preference: dict[str, Any] | None
    items: list[dict[str, Any]]


class ReasonView(BaseModel):
    code: str
    what: str
    fix: str


class Explanation(BaseModel):
    """Why an order is not imported, held or not routed; no reasons when nothing stands in its way."""

    amazon_order_id: str
    reasons: list[ReasonView]


class RefusalRequest(BaseModel):
    """`fill` has the lines routed to another source, `kill` gives them up."""

    resolution: Literal["fill", "kill"]
    reason: Annotated[str, Field(max_length=500)] = ""


class RequestView(BaseModel):
    """`lines` are {order_item_id, sku, quantity}, and `cancelled` where some of the units must not be shipped any more.

    With `cancel_requested_at` and no `cancelled` in any line, the whole order is cancelled.
    """

    id: UUID
    order_id: UUID
    source_id: UUID
    decision_version: int
    status: str
    lines: list[dict[str, Any]]
    reason: str | None
    detail: str | None
    resolution: str | None
    cancel_requested_at: datetime | None
    created_at: datetime
    released_at: datetime | None


class ShipmentRequest(BaseModel):
    """A parcel. `shipment_id` is the sender's own, so that telling of it twice is harmless."""

    shipment_id: UUID | None = None
    source_id: UUID | None = None
    carrier: Text50
    method: Annotated[str, Field(max_length=50)] = ""
    tracking_number: TrackingNumber
    shipped_at: MomentOrUtc | None = Field(default=None, description="now when absent")
    items: Annotated[list[ShippedItem], Field(min_length=1)]


class ShipmentChange(BaseModel):
    """What is given is changed; the shipment is queued again, also without a change."""

    carrier: Text50 | None = None
    method: Annotated[str, Field(max_length=50)] | None = None
    tracking_number: TrackingNumber | None = None


class ShipmentView(BaseModel):
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
    lines: list[dict[str, Any]]
    status: str
    error_code: str | None
    error_detail: str | None
    suggestion: str | None
    package_reference_id: int | None
    attempts: int
    created_at: datetime
    confirmed_at: datetime | None
    alarmed_at: datetime | None


class CarrierMethodRequest(BaseModel):
    carrier: Text50
    method: Text50


class CarrierView(BaseModel):
    """A carrier of Amazon's and the methods we know of it; one without methods takes any."""

    carrier: str
    methods: list[str]


def settings_view(channel: Channel) -> OrderSettings:
    return OrderSettings.model_validate(channel, from_attributes=True)


def mappings_view(channel: Channel) -> Mappings:
    return Mappings.model_validate({"mappings": channel.shipping_mappings})


def run_view(run: OperationRun) -> RunView:
    return RunView.model_validate(run, from_attributes=True)


def request_view(request: FulfillmentRequest) -> RequestView:
    return RequestView.model_validate(request, from_attributes=True)


def shipment_view(shipment: Shipment) -> ShipmentView:
    return ShipmentView.model_validate(shipment, from_attributes=True)


def order_view(order: Order, lines: Sequence[LineState]) -> OrderView:
    hold = None
    if order.held_code:
        hold = {"code": order.held_code, "detail": order.held_detail, "rejected": order.held_sources}
    own = OrderView.model_fields.keys() - {"routing_hold", "total", "lines"}
    return OrderView(
        **{name: getattr(order, name) for name in own},
        routing_hold=hold,
        total=_money(order.total, order.currency),
        lines=[_line_view(line, order.currency) for line in lines],
    )


def _line_view(line: LineState, currency: str | None) -> LineView:
    total = None if line.unit_price is None else line.unit_price * line.quantity
    own = LineView.model_fields.keys() - {"unit_price", "line_total"}
    return LineView(
        **{name: getattr(line, name) for name in own},
        unit_price=_money(line.unit_price, currency),
        line_total=_money(total, currency),
    )


def _money(amount: Decimal | None, currency: str | None) -> Money | None:
    if amount is None or currency is None:
        return None
    return Money(amount=to_minor_units(amount, currency), currency=currency)


def recipient_view(order: Order, personal: PersonalData) -> RecipientView:
    recipient = personal.recipient
    return RecipientView(
        amazon_order_id=order.amazon_order_id,
        buyer=_fields(personal.buyer),
        delivery_address=_fields(recipient.delivery_address) if recipient else None,
        delivery_preference=_fields(recipient.delivery_preference) if recipient else None,
        items=[msgspec.to_builtins(item) for item in personal.items],
    )


def _fields(part: Personal | None) -> dict[str, Any] | None:
    """What is there of a part, under Amazon's names."""
    if part is None:
        return None
    named: dict[str, Any] = msgspec.to_builtins(part)
    return {name: value for name, value in named.items() if value is not None}
