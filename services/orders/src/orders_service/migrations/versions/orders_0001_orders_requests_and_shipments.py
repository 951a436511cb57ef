"""Orders requests and shipments"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "orders_0001"
down_revision = None
branch_labels = ("orders",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "carrier_method",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "carrier", "method", name=op.f("pk_carrier_method")),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("marketplace_id", sa.String(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("seller_of_record", sa.String(), nullable=True),
        sa.Column("return_address", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("statuses", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_within_days", sa.Integer(), nullable=False),
        sa.Column("acknowledge", sa.Boolean(), nullable=False),
        sa.Column("shipping_mappings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
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
        "import_cursor",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("last_updated_after", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_import_cursor")),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("selling_partner_id", sa.String(), nullable=False),
        sa.Column("amazon_order_id", sa.String(), nullable=False),
        sa.Column("marketplace_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("fulfilled_by", sa.String(), nullable=False),
        sa.Column("service_level", sa.String(), nullable=True),
        sa.Column("purchased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ship_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("total", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("replaces", sa.String(), nullable=True),
        sa.Column("special_program", sa.String(), nullable=True),
        sa.Column("has_address", sa.Boolean(), nullable=False),
        sa.Column("facts", sa.Integer(), nullable=False),
        sa.Column("shipping_policy", sa.String(), nullable=True),
        sa.Column("holds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("personal_data", sa.LargeBinary(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_package_reference", sa.Integer(), server_default="1", nullable=False),
        sa.Column("decision_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("held_code", sa.String(), nullable=True),
        sa.Column("held_detail", sa.String(), nullable=True),
        sa.Column("held_sources", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint(
            "account_id",
            "selling_partner_id",
            "amazon_order_id",
            name=op.f("uq_orders_account_id_selling_partner_id_amazon_order_id"),
        ),
    )
    op.create_index("ix_orders_held", "orders", ["channel_id"], unique=False, postgresql_where=sa.text("holds <> '[]'"))
    op.create_index("ix_orders_newest", "orders", ["account_id", "purchased_at", "id"], unique=False)
    op.create_table(
        "recipient_access",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipient_access")),
    )
    op.create_index("ix_recipient_access_order", "recipient_access", ["account_id", "order_id"], unique=False)
    op.create_table(
        "shipping_policy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipping_policy")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_shipping_policy_account_id_name")),
    )
    op.create_table(
        "source_compliance",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("source_name", sa.String(), nullable=False),
        sa.Column("compliant", sa.Boolean(), nullable=False),
        sa.Column("attestation_version", sa.Integer(), nullable=False),
        sa.Column("attested_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "source_id", name=op.f("pk_source_compliance")),
    )
    op.create_table(
        "unimported_order",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amazon_order_id", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("marketplace_id", sa.String(), nullable=True),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "reference", name=op.f("pk_unimported_order")),
    )
    op.create_index(
        "ix_unimported_order_due",
        "unimported_order",
        ["connection_id", "next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("next_attempt_at is not null"),
    )
    op.create_table(
        "fulfillment_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("decision_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_fulfillment_request_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fulfillment_request")),
        sa.UniqueConstraint(
            "order_id",
            "decision_version",
            "source_id",
            name=op.f("uq_fulfillment_request_order_id_decision_version_source_id"),
        ),
    )
    op.create_index(
        "ix_fulfillment_request_source", "fulfillment_request", ["account_id", "source_id", "status"], unique=False
    )
    op.create_table(
        "order_key",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_key_order_id")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_key")),
    )
    op.create_table(
        "order_line",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_item_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("asin", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("quantity_fulfilled", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_line_order_id")),
        sa.PrimaryKeyConstraint("order_id", "order_item_id", name=op.f("pk_order_line")),
    )
    op.create_table(
        "shipment",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("selling_partner_id", sa.String(), nullable=False),
        sa.Column("amazon_order_id", sa.String(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=True),
        sa.Column("fulfillment_request_id", sa.Uuid(), nullable=True),
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("tracking_number", sa.String(), nullable=False),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("items", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error_detail", sa.String(), nullable=True),
        sa.Column("suggestion", sa.String(), nullable=True),
        sa.Column("package_reference_id", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("alarmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_shipment_order_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_shipment")),
    )
    op.create_index("ix_shipment_due", "shipment", ["status", "next_attempt_at"], unique=False)
    op.create_index("ix_shipment_order", "shipment", ["order_id"], unique=False)
    op.create_index(
        "ix_shipment_waiting",
        "shipment",
        ["account_id", "selling_partner_id"],
        unique=False,
        postgresql_where=sa.text("status = 'waiting'"),
    )
