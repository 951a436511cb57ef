"""Whether a token that replaced a refused one has been refused as well, which its renewal goes by."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0004"
down_revision = "auth_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("access_token", sa.Column("refused_as_well", sa.Boolean(), server_default="false", nullable=False))
