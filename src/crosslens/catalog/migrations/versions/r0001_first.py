"""Products, their pictures, and the changes that keep the vector index true."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMTEXT, VARBINARY

revision = "0001"
down_revision = None

TITLE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
LONG_TEXT = sa.Text().with_variant(MEDIUMTEXT(), "mysql")
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
KEY = (
    sa.String(500)
    .with_variant(VARBINARY(2_000), "mysql")
    .with_variant(sa.String(500, collation="C"), "postgresql")
)
DIGEST = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Create the tables of an empty catalogue."""
    _create_products()
    _create_pictures()
    _create_changes()
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
        **MYSQL,
    )
    op.bulk_insert(counters, [{"name": "product", "value": 0}, {"name": "change", "value": 0}])


def downgrade() -> None:
    """Drop everything."""
    for table in ("counters", "changes", "pictures", "products"):
        op.drop_table(table)


def _create_products() -> None:
    op.create_table(
        "products",
        sa.Column("id", ID, primary_key=True, autoincrement=False),
        sa.Column("source_key", KEY, unique=True),
        sa.Column("title", TITLE, nullable=False),
        sa.Column("description", LONG_TEXT, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("retired", sa.Boolean, nullable=False),
        sa.Index("products_live", "retired", "id"),
        **MYSQL,
    )


def _create_pictures() -> None:
    op.create_table(
        "pictures",
        sa.Column("product_id", sa.BigInteger, sa.ForeignKey("products.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("sha256", DIGEST, nullable=False, index=True),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
        **MYSQL,
    )


def _create_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("product_id", ID, primary_key=True, autoincrement=False),
        sa.Column("id", sa.BigInteger, nullable=False, unique=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("announced_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("lease_owner", sa.String(200)),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Index("changes_due", "state", "due_at", "id"),
        sa.Index("changes_announced", "state", "announced_at"),
        **MYSQL,
    )
