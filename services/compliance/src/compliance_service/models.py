"""The tables: sources with stock and attestations, orders as routing knows them, decisions and reservations."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CHAR, JSON, BigInteger, CheckConstraint, Column, Identity, Index, Numeric, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from common.db import UtcField, new_registry


class ComplianceTable(SQLModel, registry=new_registry()):
    """Base of this service's tables."""


class Source(ComplianceTable, table=True):
    """A place that can fulfil. `shipping_policies` empty = all; the lower `priority` is asked first.

    `compliant`, `attested_until` and `attestation_version` repeat the newest row of its attestation history.
    """

    __tablename__ = "source"
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        Index("ix_source_attested_until", "attested_until", postgresql_where=text("compliant")),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    name: str
    kind: str
    priority: int
    shipping_policies: list[str] = Field(default_factory=list, sa_type=JSONB)
    enabled: bool = True
    compliant: bool = False
    attestation_version: int = 0
    attested_until: datetime | None = UtcField(default=None)
    created_at: datetime = UtcField()
    updated_at: datetime = UtcField()


class Attestation(ComplianceTable, table=True):
    """One line of a source's attestation history; the database refuses to change or delete it.

    `action`: given, withdrawn or expired. `by_whom` is who answers for it, `recorded_by` the key or user that called.
    """

    __tablename__ = "attestation"

    source_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    account_id: UUID
    action: str
    by_whom: str
    recorded_by: str
    agreement: str
    agreement_version: str | None = None
    document_hash: str | None = None
    expires_at: datetime | None = UtcField(default=None)
    recorded_at: datetime = UtcField()


class AttestationWarning(ComplianceTable, table=True):
    """That a warning went out, so many days before this version of a source's attestation runs out."""

    __tablename__ = "attestation_warning"

    source_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    days_before: int = Field(primary_key=True)
    account_id: UUID
    warned_at: datetime = UtcField()


class SourceStock(ComplianceTable, table=True):
    """What a source said it has of a SKU, and when that was true. SKUs are compared byte for byte."""

    __tablename__ = "source_stock"
    __table_args__ = (
        CheckConstraint("quantity >= 0", name="quantity"),
        Index("ix_source_stock_account_id_sku", "account_id", "sku"),
    )

    source_id: UUID = Field(primary_key=True)
    sku: str = Field(primary_key=True)
    account_id: UUID
    quantity: int
    cost_amount: Decimal | None = Field(default=None, sa_type=Numeric(18, 4))
    cost_currency: str | None = Field(default=None, sa_type=CHAR(3))
    as_of: datetime = UtcField()
    updated_at: datetime = UtcField()


class StockUpload(ComplianceTable, table=True):
    """How far a CSV file of source inventory has come. `status`: receiving, stored, refused, broken (the sender left).

    Counts are those of the pages that are stored; `errors` are the first of the rows that were not taken.
    """

    __tablename__ = "stock_upload"
    __table_args__ = (Index("ix_stock_upload_source_id_started_at", "source_id", "started_at"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    source_id: UUID
    status: str = "receiving"
    bytes_total: int | None = Field(default=None, sa_type=BigInteger)
    bytes_read: int = Field(default=0, sa_type=BigInteger)
    created: int = 0
    updated: int = 0
    outdated: int = 0
    failed: int = 0
    errors: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    problem: str | None = None
    started_at: datetime = UtcField()
    updated_at: datetime = UtcField()


class StockRejection(ComplianceTable, table=True):
    """A `SourceInventoryChanged` that could not be taken, with the reason, for whoever sends them."""

    __tablename__ = "stock_rejection"
    __table_args__ = (Index("ix_stock_rejection_account_id_id", "account_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    account_id: UUID
    event_id: UUID
    source_id: UUID
    sku: str
    code: str
    detail: str
    received_at: datetime = UtcField()


class KnownConnection(ComplianceTable, table=True):
    """Which version of a connection its channels were taken from."""

    __tablename__ = "known_connection"

    connection_id: UUID = Field(primary_key=True)
    account_id: UUID
    version: int


class Channel(ComplianceTable, table=True):
    """A channel as auth announced it. `id` is the channel's id everywhere.

    `seller_of_record` and `return_address` (of `contracts.connections.Address`) are what packing slips must name; null
    until auth has told them.
    """

    __tablename__ = "channel"
    __table_args__ = (Index("ix_channel_connection_id", "connection_id"),)

    id: UUID = Field(primary_key=True)
    account_id: UUID
    connection_id: UUID
    name: str
    integration_type: str
    marketplace_id: str
    seller_of_record: str | None = None
    return_address: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))


class RoutingGroup(ComplianceTable, table=True):
    """How a channel's orders are routed; a channel without one uses `routing.DEFAULT_GROUP`."""

    __tablename__ = "routing_group"

    channel_id: UUID = Field(primary_key=True)
    account_id: UUID
    source_ids: list[str] = Field(default_factory=list, sa_type=JSONB)
    priorities: list[str] = Field(default_factory=list, sa_type=JSONB)
    allow_split: bool = True
    updated_at: datetime = UtcField()


class RoutedOrder(ComplianceTable, table=True):
    """An order as routing knows it: orders' newest word, and where its routing stands.

    `state`: waiting (not ours to route now), routed, held, closed. `hold` is {code, detail, rejected} while held.
    """

    __tablename__ = "routed_order"
    __table_args__ = (
        UniqueConstraint("account_id", "selling_partner_id", "amazon_order_id"),
        Index("ix_routed_order_held", "account_id", "purchased_at", "id", postgresql_where=text("state = 'held'")),
        Index("ix_routed_order_held_skus", "skus", postgresql_using="gin", postgresql_where=text("state = 'held'")),
        Index("ix_routed_order_account_id_amazon_order_id", "account_id", "amazon_order_id"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    selling_partner_id: str
    amazon_order_id: str
    order_version: int
    channel_id: UUID | None = None
    channel_type: str
    marketplace_id: str
    status: str
    fulfilled_by: str
    purchased_at: datetime = UtcField()
    ship_by: datetime | None = UtcField(default=None)
    shipping_policy: str | None = None
    currency: str | None = None
    holds: list[str] = Field(default_factory=list, sa_type=JSONB)
    lines: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    skus: list[str] = Field(default_factory=list, sa_type=JSONB)
    cancelled: bool = False
    state: str = "waiting"
    hold: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    decision_version: int = 0
    decided_order_version: int = 0


class RoutingDecision(ComplianceTable, table=True):
    """One decision, whole and replayable: `inputs` and the sources' snapshot give `plan` and `rejected` again.

    The database refuses to change or delete it.

    `cause`: order, reroute, withdrawn or refused. `outcome`: routed or held; `skus` are those the hold is about.
    """

    __tablename__ = "routing_decision"

    order_id: UUID = Field(primary_key=True)
    decision_version: int = Field(primary_key=True)
    account_id: UUID
    order_version: int
    cause: str
    outcome: str
    code: str | None = None
    # JSON, not JSONB: nothing looks inside, and a row is written in a third of the time (measured).
    inputs: dict[str, Any] = Field(sa_type=JSON)
    sources_digest: str
    plan: list[dict[str, Any]] = Field(sa_type=JSON)
    rejected: list[dict[str, Any]] = Field(sa_type=JSON)
    skus: list[str] = Field(sa_type=JSON)
    decided_at: datetime = UtcField()


class SourcesSnapshot(ComplianceTable, table=True):
    """All sources of an account as some decisions saw them, kept once for all of these and never changed."""

    __tablename__ = "sources_snapshot"

    account_id: UUID = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    sources: list[dict[str, Any]] = Field(sa_type=JSONB)


class StockReservation(ComplianceTable, table=True):
    """Units of a source promised to an order line. `state`: held, then once released, refused, killed or shipped.

    Units that left without a promise are shipped, too; `source_id` is the nil UUID when nobody knows from where."""

    __tablename__ = "stock_reservation"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        Index("ix_stock_reservation_order_id", "order_id"),
        Index("ix_stock_reservation_held", "source_id", "sku", postgresql_where=text("state = 'held'")),
        Index(
            "ix_stock_reservation_shipped", "source_id", "sku", "closed_at", postgresql_where=text("state = 'shipped'")
        ),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    order_id: UUID
    decision_version: int
    source_id: UUID
    order_item_id: str
    sku: str
    quantity: int
    state: str = "held"
    reserved_at: datetime = UtcField()
    closed_at: datetime | None = UtcField(default=None)
    shipment_id: UUID | None = None


METADATA = (ComplianceTable.metadata,)
