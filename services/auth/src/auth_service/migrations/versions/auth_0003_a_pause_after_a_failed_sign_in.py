"""When Login with Amazon, after it has failed, is asked again for a connection."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0003"
down_revision = "auth_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("access_token", sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
    op.add_column("access_token", sa.Column("ask_again_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("access_token", sa.Column("app_refusal", sa.String(), nullable=True))
