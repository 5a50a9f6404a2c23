"""Which bundle serves in place of which."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import VARBINARY

revision = "0005"
down_revision = "0004"

MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
BUNDLE = (
    sa.String(500)
    .with_variant(VARBINARY(2_000), "mysql")
    .with_variant(sa.String(500, collation="C"), "postgresql")
)


def upgrade() -> None:
    """Create the table; until the first switch, settings are right."""
    op.create_table(
        "switches",
        sa.Column("purpose", sa.String(16), primary_key=True),
        sa.Column("former", BUNDLE, primary_key=True),
        sa.Column("bundle", BUNDLE, nullable=False),
        **MYSQL,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("switches")
