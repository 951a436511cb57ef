"""The tables of listings: connections and channels as auth told of them, listings, variants, sales, refused figures."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CHAR, Column, Identity, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import BigInteger, Field, SQLModel

from common.db import UtcField, new_registry

# SKUs are compared and sorted byte for byte, whatever the database's own collation (edge 16).
_BYTES = String(collation="C")

DIRTY = (
    "quantity_version > greatest(quantity_synced_version, quantity_refused_version)"
    " or price_version > greatest(price_synced_version, price_refused_version)"
)


def _Version() -> Any:  # noqa: N802 - reads as a kind of Field
    return Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


def _State(default: str) -> Any:  # noqa: N802 - reads as a kind of Field
    return Field(default=default, sa_column_kwargs={"server_default": default})


def _Currency() -> Any:  # noqa: N802 - reads as a kind of Field
    return Field(default=None, sa_type=CHAR(3))


def _Amount() -> Any:  # noqa: N802 - reads as a kind of Field
    return Field(default=None, max_digits=18, decimal_places=4)


class ListingsTable(SQLModel, registry=new_registry()):
    """Base of this service's tables."""


class Connection(ListingsTable, table=True):
    """A seller's connection as auth last told of it; the highest `version` wins."""

    __tablename__ = "connection"
    __table_args__ = (Index("ix_connection_seller", "account_id", "selling_partner_id"),)

    id: UUID = Field(primary_key=True)
    account_id: UUID
    version: int
    status: str
    selling_partner_id: str
    region: str


class Channel(ListingsTable, table=True):
    """A marketplace of a connection as auth last told of it. A deleted one keeps its listings; nothing is sent."""

    __tablename__ = "channel"
    __table_args__ = (Index("ix_channel_connection", "connection_id"),)

    id: UUID = Field(primary_key=True)
    account_id: UUID
    connection_id: UUID
    name: str
    marketplace_id: str
    paused: bool
    deleted: bool = False


class Listing(ListingsTable, table=True):
    """The parent: a channel's copy of a product. A product without variants is a parent of one variant, same SKU."""

    __tablename__ = "listing"
    __table_args__ = (UniqueConstraint("account_id", "channel_id", "sku"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    channel_id: UUID
    sku: str = Field(sa_type=_BYTES)
    title: str | None = None
    created_at: datetime = UtcField()


class Variant(ListingsTable, table=True):
    """What is linked and pushed: one SKU of one channel.

    Quantity and price each have what is desired with a version that moves on every real change, what Amazon last
    showed, what was sent and is not seen yet (`sent_*`; null when nothing is open), and the newest version that Amazon
    was seen to show (`*_synced_version`) or refused (`*_refused_version`). A part is dirty while its version is above
    both. `write_state` of the open intent: `sending` (written before the call), `accepted`, or `unknown`.
    """

    __tablename__ = "variant"
    __table_args__ = (
        UniqueConstraint("account_id", "channel_id", "sku"),
        Index("ix_variant_sku", "connection_id", "sku"),
        Index("ix_variant_unlinked", "connection_id", "id", postgresql_where=text("link = 'unlinked'")),
        Index("ix_variant_dirty", "connection_id", postgresql_where=text(f"link = 'linked' and ({DIRTY})")),
        Index("ix_variant_open", "connection_id", "read_back_at", postgresql_where=text("write_state is not null")),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    account_id: UUID
    connection_id: UUID
    channel_id: UUID
    listing_id: UUID = Field(foreign_key="listing.id", index=True)
    sku: str = Field(sa_type=_BYTES)
    created_at: datetime = UtcField()

    link: str = _State("unlinked")
    health: str = _State("not_listed")
    paused: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    intent: str = _State("none")
    last_error: dict[str, Any] | None = Field(default=None, sa_type=JSONB)

    stated_quantity: int | None = None
    quantity: int | None = None
    quantity_as_of: datetime | None = UtcField(default=None)
    quantity_version: int = _Version()
    quantity_synced_version: int = _Version()
    quantity_refused_version: int = _Version()
    price: Decimal | None = _Amount()
    currency: str | None = _Currency()
    price_as_of: datetime | None = UtcField(default=None)
    price_version: int = _Version()
    price_synced_version: int = _Version()
    price_refused_version: int = _Version()

    asin: str | None = None
    product_type: str | None = None
    fulfillment_channel_code: str | None = None
    amazon_quantity: int | None = None
    amazon_price: Decimal | None = _Amount()
    amazon_currency: str | None = _Currency()
    amazon_read_at: datetime | None = UtcField(default=None)

    write_state: str | None = None
    sent_at: datetime | None = UtcField(default=None)
    sent_quantity: int | None = None
    sent_quantity_version: int | None = Field(default=None, sa_type=BigInteger)
    sent_price: Decimal | None = _Amount()
    sent_price_version: int | None = Field(default=None, sa_type=BigInteger)
    read_backs: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    read_back_at: datetime | None = UtcField(default=None)
    send_after: datetime | None = UtcField(default=None)


class OrderEffect(ListingsTable, table=True):
    """How many units an order holds of a variant at this moment; 0 after it gave them back. Makes order events exact.

    `pending`: Amazon itself gives the units of a pending order back when it is cancelled, those of a later one not.
    """

    __tablename__ = "order_effect"
    __table_args__ = (Index("ix_order_effect_variant", "variant_id", "purchased_at"),)

    account_id: UUID = Field(primary_key=True)
    selling_partner_id: str = Field(primary_key=True)
    amazon_order_id: str = Field(primary_key=True)
    variant_id: UUID = Field(primary_key=True, foreign_key="variant.id")
    quantity: int
    pending: bool
    purchased_at: datetime = UtcField()
    version: int


class InventoryRejection(ListingsTable, table=True):
    """An `InventoryChanged` that could not be applied: what it said and why it was refused. Never lost, listable."""

    __tablename__ = "inventory_rejection"
    __table_args__ = (Index("ix_inventory_rejection_account", "account_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    account_id: UUID
    channel_id: UUID
    sku: str = Field(sa_type=_BYTES)
    quantity: int | None = None
    amount: str | None = None
    currency: str | None = None
    as_of: datetime = UtcField()
    code: str
    detail: str
    received_at: datetime = UtcField()


METADATA = (ListingsTable.metadata,)
