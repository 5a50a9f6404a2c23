"""Duplicates with decisions, and the log of answers with feedback."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import VARBINARY

revision = "0002"
down_revision = "0001"

TOKEN = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")
SCENE = (
    sa.String(100)
    .with_variant(VARBINARY(400), "mysql")
    .with_variant(sa.String(100, collation="C"), "postgresql")
)
MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "duplicates",
        *_two_products(),
        sa.Column("tier", sa.String(16), nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        **MYSQL,
    )
    op.create_table(
        "duplicate_decisions",
        *_two_products(),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("decided", sa.BigInteger, nullable=False),
        **MYSQL,
    )
    _create_log()


def downgrade() -> None:
    """Drop them."""
    for table in ("feedback", "exposures", "duplicate_decisions", "duplicates"):
        op.drop_table(table)


def _two_products() -> tuple[sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("left_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("right_id", sa.BigInteger, primary_key=True, autoincrement=False),
    )


def _create_log() -> None:
    op.create_table(
        "exposures",
        sa.Column("answer", TOKEN, primary_key=True),
        sa.Column("shown_at", sa.BigInteger, nullable=False),
        sa.Column("scene", SCENE, nullable=False),
        sa.Column("asker", TOKEN, nullable=False),
        sa.Column("experiments", sa.JSON, nullable=False),
        sa.Column("asked", sa.JSON, nullable=False),
        sa.Column("shown", sa.JSON, nullable=False),
        sa.Column("first", sa.Integer, nullable=False),
        sa.Index("exposures_of_scene", "scene", "shown_at"),
        sa.Index("exposures_at", "shown_at"),
        **MYSQL,
    )
    op.create_table(
        "feedback",
        sa.Column("answer", TOKEN, primary_key=True),
        sa.Column("product_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("action", sa.String(16), primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
        **MYSQL,
    )
