"""The tables of orders: channels with their order settings, orders, what was not imported, requests and shipments.

Nothing of a buyer is in clear but region and country: the rest is sealed in `Order.personal_data` under the key in
`OrderKey`, and destroying that key erases the person (MISSION C9)."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from common.db import UtcField, new_registry


class OrdersTable(SQLModel, registry=new_registry()):
    """Base of this service's tables."""


class Connection(OrdersTable, table=True):
    """A seller's connection as auth last told of it; the highest `version` wins."""

    __tablename__ = "connection"
    __table_args__ = (Index("ix_connection_seller", "account_id", "selling_partner_id"),)

    id: UUID = Field(primary_key=True)
    account_id: UUID
    version: int
    status: str
    selling_partner_id: str
    region: str


class Channel(OrdersTable, table=True):
    """A marketplace of a connection as auth last told of it, and orders' own settings for it.

    `seller_of_record` and `return_address` (of `contracts.connections.Address`) are what packing slips name; null until
    auth has told them.
    `shipping_mappings` are {amazon_text, service_level, policy}. They live in the channel's row on purpose: a page of
    orders holds it for share, so that a new mapping sees every order that was held without it.
    """

    __tablename__ = "channel"
    __table_args__ = (Index("ix_channel_connection", "connection_id"),)

    id: UUID = Field(primary_key=True)
    account_id: UUID
    connection_id: UUID
    name: str
    marketplace_id: str
    paused: bool = False
    deleted: bool = False
    seller_of_record: str | None = None
    return_address: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    statuses: list[str] = Field(sa_type=JSONB)
    created_within_days: int
    acknowledge: bool
    shipping_mappings: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)


class ShippingPolicy(OrdersTable, table=True):
    """A named bucket of the account, such as Standard; its name is what events and sources speak of."""

    __tablename__ = "shipping_policy"
    __table_args__ = (UniqueConstraint("account_id", "name"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    name: str
    created_at: datetime = UtcField()


class Order(OrdersTable, table=True):
    """One order of Amazon's, exactly once per (account, seller, Amazon order id).

    `holds` are our own reasons why it must not be routed, `held_*` is what compliance said last. `version` counts the
    changes that matter. `next_package_reference` is the next packageReferenceId to give out.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("account_id", "selling_partner_id", "amazon_order_id"),
        Index("ix_orders_newest", "account_id", "purchased_at", "id"),
        Index("ix_orders_held", "channel_id", postgresql_where=text("holds <> '[]'")),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID
    connection_id: UUID
    channel_id: UUID
    selling_partner_id: str
    amazon_order_id: str
    marketplace_id: str
    status: str
    fulfilled_by: str
    service_level: str | None = None
    purchased_at: datetime = UtcField()
    last_updated_at: datetime = UtcField()
    ship_by: datetime | None = UtcField(default=None)
    region: str | None = None
    country: str | None = None
    currency: str | None = Field(default=None, max_length=3)
    total: Decimal | None = Field(default=None, max_digits=18, decimal_places=4)
    replaces: str | None = None
    special_program: str | None = None
    has_address: bool = False
    facts: int = 0
    shipping_policy: str | None = None
    holds: list[str] = Field(default_factory=list, sa_type=JSONB)
    version: int
    personal_data: bytes | None = Field(default=None, sa_type=LargeBinary)
    imported_at: datetime = UtcField()
    next_package_reference: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    decision_version: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    held_code: str | None = None
    held_detail: str | None = None
    held_sources: list[dict[str, Any]] | None = Field(default=None, sa_type=JSONB)


class OrderLine(OrdersTable, table=True):
    """One item of an order. `quantity` is what was ordered; `unit_price` is for one unit and null while pending."""

    __tablename__ = "order_line"

    order_id: UUID = Field(primary_key=True, foreign_key="orders.id")
    order_item_id: str = Field(primary_key=True)
    account_id: UUID
    position: int
    sku: str
    asin: str | None = None
    title: str | None = None
    quantity: int
    quantity_fulfilled: int
    unit_price: Decimal | None = Field(default=None, max_digits=18, decimal_places=4)
    cancelled: bool
    cancel_requested: bool


class OrderKey(OrdersTable, table=True):
    """The data key of one order's personal data, wrapped by the key ring. A destroyed one is never replaced."""

    __tablename__ = "order_key"

    order_id: UUID = Field(primary_key=True, foreign_key="orders.id")
    account_id: UUID
    wrapped: bytes | None = Field(default=None, sa_type=LargeBinary)
    destroyed_at: datetime | None = UtcField(default=None)


class RecipientAccess(OrdersTable, table=True):
    """Who read the recipient of which order, and when (Amazon's Data Protection Policy asks for it)."""

    __tablename__ = "recipient_access"
    __table_args__ = (Index("ix_recipient_access_order", "account_id", "order_id"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    order_id: UUID
    subject: str
    read_at: datetime = UtcField()


class UnimportedOrder(OrdersTable, table=True):
    """An order that Amazon showed and we did not take: unreadable, without a channel, too old, of another status.

    `reference` is the Amazon order id or, when even that could not be read, a digest of the body. It is read again by
    itself from `next_attempt_at` on, so that the cursor may pass it. `failures` counts how often in a row that was in
    vain; one that is parked has had its tries and waits for a person.
    """

    __tablename__ = "unimported_order"
    __table_args__ = (
        Index(
            "ix_unimported_order_due",
            "connection_id",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at is not null"),
        ),
    )

    connection_id: UUID = Field(primary_key=True)
    reference: str = Field(primary_key=True)
    account_id: UUID
    amazon_order_id: str | None = None
    code: str
    detail: str
    marketplace_id: str | None = None
    sealed_body: bytes | None = Field(default=None, sa_type=LargeBinary)
    failures: int = 0
    next_attempt_at: datetime | None = UtcField(default=None)
    parked_at: datetime | None = UtcField(default=None)
    seen_at: datetime = UtcField()


class ImportCursor(OrdersTable, table=True):
    """From which last update the next Get Orders asks; survives a revoked and renewed authorisation."""

    __tablename__ = "import_cursor"

    connection_id: UUID = Field(primary_key=True)
    account_id: UUID
    last_updated_after: datetime = UtcField()


class SourceCompliance(OrdersTable, table=True):
    """What orders knows of a source's attestation: the highest version from either event of compliance.

    While `compliant` it holds until `attested_until` (null: for ever); `reason` is why it is as it is.
    """

    __tablename__ = "source_compliance"

    account_id: UUID = Field(primary_key=True)
    source_id: UUID = Field(primary_key=True)
    source_name: str
    compliant: bool
    attestation_version: int
    attested_until: datetime | None = UtcField(default=None)
    reason: str | None = None


class FulfillmentRequest(OrdersTable, table=True):
    """What one source is asked to ship of one order. `lines` are {order_item_id, sku, quantity, cancelled}.

    `cancelled` (absent: none) are those of the units that are not ordered any more and must not be shipped.
    `reason` is a withdrawal's code or a refusal's text; `detail` says a withdrawal in a sentence that names the source.
    """

    __tablename__ = "fulfillment_request"
    __table_args__ = (
        UniqueConstraint("order_id", "decision_version", "source_id"),
        Index("ix_fulfillment_request_source", "account_id", "source_id", "status"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    order_id: UUID = Field(foreign_key="orders.id")
    source_id: UUID
    decision_version: int
    status: str
    lines: list[dict[str, Any]] = Field(sa_type=JSONB)
    reason: str | None = None
    detail: str | None = None
    resolution: str | None = None
    cancel_requested_at: datetime | None = UtcField(default=None)
    created_at: datetime = UtcField()
    released_at: datetime | None = UtcField(default=None)


class Shipment(OrdersTable, table=True):
    """A parcel that left a source, and how far its confirmation to Amazon has come (statuses: `shipping.py`).

    `items` are as the sender gave them, `lines` those of the order that they mean (empty until they are accepted).
    `package_reference_id` is allocated and committed before the first call, so that a repeat edits the same package.
    `attempts` counts the sendings, `looks` the looks since the last one, `failures` the looks in a row that Amazon did
    not answer. One that is sent or unverified without a `next_attempt_at` is parked until somebody edits it.
    """

    __tablename__ = "shipment"
    __table_args__ = (
        Index("ix_shipment_order", "order_id"),
        Index("ix_shipment_due", "status", "next_attempt_at"),
        Index("ix_shipment_waiting", "account_id", "selling_partner_id", postgresql_where=text("status = 'waiting'")),
    )

    account_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    order_id: UUID | None = Field(default=None, foreign_key="orders.id")
    selling_partner_id: str
    amazon_order_id: str
    source_id: UUID | None = None
    fulfillment_request_id: UUID | None = None
    carrier: str
    method: str
    tracking_number: str
    shipped_at: datetime = UtcField()
    items: list[dict[str, Any]] = Field(sa_type=JSONB)
    lines: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    status: str
    error_code: str | None = None
    error_detail: str | None = None
    suggestion: str | None = None
    package_reference_id: int | None = None
    attempts: int = 0
    looks: int = 0
    failures: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    next_attempt_at: datetime | None = UtcField(default=None)
    created_at: datetime = UtcField()
    confirmed_at: datetime | None = UtcField(default=None)
    alarmed_at: datetime | None = UtcField(default=None)


class CarrierMethod(OrdersTable, table=True):
    """A method of a carrier that the account added to our own table (`carriers.py`)."""

    __tablename__ = "carrier_method"

    account_id: UUID = Field(primary_key=True)
    carrier: str = Field(primary_key=True)
    method: str = Field(primary_key=True)


METADATA = (OrdersTable.metadata,)
