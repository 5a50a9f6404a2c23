"""Products, their pictures, and the changes that keep the vector index true."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

LONG_TEXT = sa.Text().with_variant(sa.Text(1_000_000), "mysql", "mariadb")
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
KEY = sa.String(500).with_variant(sa.String(500, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    """Create the tables of an empty catalogue."""
    _create_products()
    _create_pictures()
    _create_changes()
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
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
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", LONG_TEXT, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("retired", sa.Boolean, nullable=False),
        sa.Index("products_live", "retired", "id"),
    )


def _create_pictures() -> None:
    op.create_table(
        "pictures",
        sa.Column("product_id", sa.BigInteger, sa.ForeignKey("products.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, index=True),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
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
    )
