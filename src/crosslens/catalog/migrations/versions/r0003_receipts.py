"""Receipts of writes, and indexes for the orders in which products are listed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMBLOB, VARBINARY

from crosslens.values import fold

revision = "0003"
down_revision = "0002"

DIGEST = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
CONTENT = sa.LargeBinary().with_variant(MEDIUMBLOB(), "mysql")
MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
AT_ONCE = 1_000


def upgrade() -> None:
    """Create the table, the column of folded titles, and the indexes."""
    op.create_table(
        "receipts",
        sa.Column("caller", _exact(64), primary_key=True),
        sa.Column("key", _exact(200), primary_key=True),
        sa.Column("fingerprint", DIGEST, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("content", CONTENT, nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Index("receipts_made", "made"),
        **MYSQL,
    )
    title_key = sa.Column("title_key", _exact(100), nullable=False, server_default=sa.text("''"))
    op.add_column("products", title_key)
    _fold_titles()
    op.create_index("products_by_update", "products", ["retired", "updated", "id"])
    op.create_index("products_by_title", "products", ["retired", "title_key", "id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("products_by_title", "products")
    op.drop_index("products_by_update", "products")
    with op.batch_alter_table("products") as products:
        products.drop_column("title_key")
    op.drop_table("receipts")


def _exact(length: int) -> Any:
    """Return a column of text that compares by code point, which on MySQL means by bytes."""
    return (
        sa.String(length)
        .with_variant(VARBINARY(4 * length), "mysql")
        .with_variant(sa.String(length, collation="C"), "postgresql")
    )


def _fold_titles() -> None:
    """Fill the new column; which characters are alike is for Python to say, not for engines."""
    connection = op.get_bind()
    products = sa.table("products", *map(sa.column, ("id", "title", "title_key")))
    batch = sa.select(products.c.id, products.c.title).where(products.c.id > sa.bindparam("after"))
    batch = batch.order_by(products.c.id).limit(AT_ONCE)
    fill = sa.update(products).where(products.c.id == sa.bindparam("product"))
    after = 0
    while rows := connection.execute(batch, {"after": after}).all():
        keys: list[Any] = [fold(row.title)[:100] for row in rows]
        if connection.dialect.name == "mysql":
            keys = [key.encode() for key in keys]
        values = [
            {"product": row.id, "title_key": key} for row, key in zip(rows, keys, strict=True)
        ]
        connection.execute(fill, values)
        after = rows[-1].id
