"""`entrepot.orders`: what happened to orders. References only: no event carries anything of the buyer."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from common.contracts.event import Contract, Event, Money, OrderedQuantity, Quantity

TOPIC = "entrepot.orders"

OrderHold = Literal[
    "pending",
    "unmapped_shipping",
    "unknown_channel",
    "cancel_requested",
    "no_address",
    "in_store_pick_up",
    "easy_ship",
    "ship_plus",
    "seller_flex",
]


class OrderLine(Contract):
    """One item of an order; `unit_price` is per unit and absent while the order is pending.

    `quantity_fulfilled` are the units of `quantity` that left, as Amazon counts them.
    """

    order_item_id: str
    sku: str
    quantity: OrderedQuantity
    unit_price: Money | None = None
    quantity_fulfilled: Quantity = 0


class FulfillmentLine(Contract):
    """How many of one order item."""

    order_item_id: str
    sku: str
    quantity: OrderedQuantity


class OrderReference(Event):
    """Names one order; the topic's key."""

    TOPIC: ClassVar[str] = TOPIC

    selling_partner_id: str
    amazon_order_id: str

    def key(self) -> str:
        return f"{self.account_id}:{self.selling_partner_id}:{self.amazon_order_id}"


class OrderEvent(OrderReference):
    """The order as it stands; the highest `version` wins.

    `status` is Amazon's fulfillmentStatus as sent (an open enum), `fulfilled_by` MERCHANT or AMAZON, `holds` are the
    reasons of orders' own why it must not be routed, `shipping_policy` the account's bucket or null when unmapped.
    """

    channel_id: UUID | None
    channel_type: str = "amazon"
    marketplace_id: str
    status: str
    fulfilled_by: str
    purchased_at: datetime
    ship_by: datetime | None = None
    lines: tuple[OrderLine, ...]
    shipping_policy: str | None = None
    holds: tuple[str, ...] = ()
    version: int


class OrderImported(OrderEvent):
    """An order was seen for the first time; once per order in business effect."""


class OrderChanged(OrderEvent):
    """Something that matters changed: released, mapped, shipped, a cancellation requested."""


class OrderCancelled(OrderEvent):
    """The order was cancelled, by whomever."""


class FulfillmentRequested(OrderReference):
    """A source is asked to ship these lines: the request is released. The recipient is fetched by API."""

    fulfillment_request_id: UUID
    source_id: UUID
    decision_version: int
    lines: tuple[FulfillmentLine, ...]


class FulfillmentWithdrawn(OrderReference):
    """The route of this decision is not (or no longer) followed; only that version's stock is freed."""

    decision_version: int
    reason: str
    detail: str = ""


class FulfillmentRefused(OrderReference):
    """A source refused a request; `resolution` says whether it is filled elsewhere or killed."""

    fulfillment_request_id: UUID
    source_id: UUID
    decision_version: int
    resolution: Literal["fill", "kill"]
    reason: str = ""


class FulfillmentShipped(OrderReference):
    """A source shipped these lines; their reservation becomes final. `shipped_at` is when they left it."""

    fulfillment_request_id: UUID | None
    shipment_id: UUID
    source_id: UUID | None
    decision_version: int | None
    lines: tuple[FulfillmentLine, ...]
    shipped_at: datetime | None = None


class TrackingConfirmed(OrderReference):
    """Amazon shows the shipment's package: read back, not assumed."""

    shipment_id: UUID
    package_reference_id: str
    carrier: str


class TrackingRejected(OrderReference):
    """A shipment's tracking was refused, by our own check or by Amazon; it waits to be edited."""

    shipment_id: UUID
    code: str
    detail: str
    suggestion: str | None = None


class PiiErased(OrderReference):
    """The buyer's data of this order was destroyed."""

    erased_at: datetime
