"""Who a channel sells as, and where its parcels come back to: what packing slips must name."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "compliance_0003"
down_revision = "compliance_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("channel", sa.Column("seller_of_record", sa.String(), nullable=True))
    op.add_column(
        "channel",
        sa.Column("return_address", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    )
