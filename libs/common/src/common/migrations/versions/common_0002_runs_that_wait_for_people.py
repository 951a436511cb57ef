"""Why a queued run is not going on: what it waits for people to do."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "common_0002"
down_revision = "common_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "operation_run",
        sa.Column("waits_for", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    )
