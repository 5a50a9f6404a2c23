"""Long work of the processes over one catalogue."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
TOKEN = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table; what runs while it is made is told from its next start on."""
    op.create_table(
        "tasks",
        sa.Column("id", TOKEN, primary_key=True),
        sa.Column("lane", sa.String(16), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("told", sa.JSON, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("unwanted", sa.Boolean, nullable=False),
        sa.Column("heard", sa.BigInteger, nullable=False),
        sa.Index("tasks_of_lane", "lane", "created"),
        **MYSQL,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("tasks")
