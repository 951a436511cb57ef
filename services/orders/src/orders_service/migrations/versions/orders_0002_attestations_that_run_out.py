"""Until when a source's attestation holds and why it is off; a withdrawal in a sentence that names the source."""

import sqlalchemy as sa
from alembic import op

revision = "orders_0002"
down_revision = "orders_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("source_compliance", sa.Column("attested_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("source_compliance", sa.Column("reason", sa.String(), nullable=True))
    op.add_column("fulfillment_request", sa.Column("detail", sa.String(), nullable=True))
