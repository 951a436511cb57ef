"""The health of connections, authorisations that begin at Amazon, notifications, and an audit trail that only grows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "auth_0002"
down_revision = "auth_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connection", sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("connection", sa.Column("check_problem", sa.String(), nullable=True))
    op.add_column("consent", sa.Column("begun_by", sa.String(), server_default="", nullable=False))
    op.add_column("consent", sa.Column("browser_hash", sa.LargeBinary(), nullable=True))
    op.create_table(
        "authorization",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("selling_partner_id", sa.String(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("home_marketplace_id", sa.String(), nullable=False),
        sa.Column("callback_uri", sa.String(), nullable=False),
        sa.Column("amazon_state", sa.LargeBinary(), nullable=False),
        sa.Column("draft", sa.Boolean(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorization")),
    )
    op.create_index(op.f("ix_authorization_expires_at"), "authorization", ["expires_at"], unique=False)
    op.create_table(
        "notification",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("fix", sa.String(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("occasion", name=op.f("uq_notification_occasion")),
    )
    op.create_index("ix_notification_account", "notification", ["account_id", "created_at", "id"], unique=False)
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_entry_account", "audit_entry", ["account_id", "created_at", "id"], unique=False)
    op.execute(
        "create function audit_entry_only_grows() returns trigger language plpgsql as "
        "$$ begin raise exception 'audit entries are never changed or removed'; end $$"
    )
    op.execute(
        "create trigger audit_entry_only_grows before update or delete or truncate on audit_entry "
        "for each statement execute function audit_entry_only_grows()"
    )
