"""Warnings before attestations run out, uploads with their progress; decisions are kept as they were made, by trigger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "compliance_0002"
down_revision = "compliance_0001"
branch_labels = None
depends_on = None

# The table's name in the error: three histories refuse now.
_REFUSE = """
create or replace function refuse_to_rewrite_history() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name;
end $$
"""
_PROTECT = """
create trigger {table}_is_append_only before update or delete or truncate on {table}
    for each statement execute function refuse_to_rewrite_history()
"""


def upgrade() -> None:
    op.create_table(
        "attestation_warning",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("days_before", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "version", "days_before", name=op.f("pk_attestation_warning")),
    )
    op.create_table(
        "stock_upload",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=True),
        sa.Column("bytes_read", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("outdated", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("errors", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_upload")),
    )
    op.create_index("ix_stock_upload_source_id_started_at", "stock_upload", ["source_id", "started_at"], unique=False)
    op.execute(_REFUSE)
    for table in ("routing_decision", "sources_snapshot"):
        op.execute(_PROTECT.format(table=table))
