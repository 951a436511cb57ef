"""What listings keeps"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "listings_0001"
down_revision = None
branch_labels = ("listings",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("marketplace_id", sa.String(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
    )
    op.create_index("ix_channel_connection", "channel", ["connection_id"], unique=False)
    op.create_table(
        "connection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("selling_partner_id", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
    )
    op.create_index("ix_connection_seller", "connection", ["account_id", "selling_partner_id"], unique=False)
    op.create_table(
        "inventory_rejection",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.String(collation="C"), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("amount", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_rejection")),
    )
    op.create_index("ix_inventory_rejection_account", "inventory_rejection", ["account_id", "id"], unique=False)
    op.create_table(
        "listing",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.String(collation="C"), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing")),
        sa.UniqueConstraint("account_id", "channel_id", "sku", name=op.f("uq_listing_account_id_channel_id_sku")),
    )
    op.create_table(
        "variant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.String(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("link", sa.String(), server_default="unlinked", nullable=False),
        sa.Column("health", sa.String(), server_default="not_listed", nullable=False),
        sa.Column("paused", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("intent", sa.String(), server_default="none", nullable=False),
        sa.Column("last_error", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("stated_quantity", sa.Integer(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("quantity_as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quantity_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("quantity_synced_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("quantity_refused_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("currency", sa.CHAR(length=3), nullable=True),
        sa.Column("price_as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("price_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("price_synced_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("price_refused_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("asin", sa.String(), nullable=True),
        sa.Column("product_type", sa.String(), nullable=True),
        sa.Column("fulfillment_channel_code", sa.String(), nullable=True),
        sa.Column("amazon_quantity", sa.Integer(), nullable=True),
        sa.Column("amazon_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("amazon_currency", sa.CHAR(length=3), nullable=True),
        sa.Column("amazon_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("write_state", sa.String(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_quantity", sa.Integer(), nullable=True),
        sa.Column("sent_quantity_version", sa.BigInteger(), nullable=True),
        sa.Column("sent_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("sent_price_version", sa.BigInteger(), nullable=True),
        sa.Column("read_backs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("read_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("send_after", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_variant_listing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variant")),
        sa.UniqueConstraint("account_id", "channel_id", "sku", name=op.f("uq_variant_account_id_channel_id_sku")),
    )
    op.create_index(
        "ix_variant_dirty",
        "variant",
        ["connection_id"],
        unique=False,
        postgresql_where=sa.text(
            "link = 'linked' and (quantity_version > greatest(quantity_synced_version, quantity_refused_version) or price_version > greatest(price_synced_version, price_refused_version))"
        ),
    )
    op.create_index(op.f("ix_variant_listing_id"), "variant", ["listing_id"], unique=False)
    op.create_index(
        "ix_variant_open",
        "variant",
        ["connection_id", "read_back_at"],
        unique=False,
        postgresql_where=sa.text("write_state is not null"),
    )
    op.create_index("ix_variant_sku", "variant", ["connection_id", "sku"], unique=False)
    op.create_index(
        "ix_variant_unlinked",
        "variant",
        ["connection_id", "id"],
        unique=False,
        postgresql_where=sa.text("link = 'unlinked'"),
    )
    op.create_table(
        "order_effect",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("selling_partner_id", sa.String(), nullable=False),
        sa.Column("amazon_order_id", sa.String(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("purchased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["variant_id"], ["variant.id"], name=op.f("fk_order_effect_variant_id")),
        sa.PrimaryKeyConstraint(
            "account_id", "selling_partner_id", "amazon_order_id", "variant_id", name=op.f("pk_order_effect")
        ),
    )
    op.create_index("ix_order_effect_variant", "order_effect", ["variant_id", "purchased_at"], unique=False)
