"""The catalogue's tables. Times are microseconds since 1970 in UTC: exact on every engine."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

SCHEMA = "0001"  # the newest migration
OLDER: frozenset[str] = frozenset()  # migrations that can be upgraded from

metadata = MetaData()

_LONG_TEXT = Text().with_variant(Text(1_000_000), "mysql", "mariadb")  # their TEXT ends at 64 KB
_ID = BigInteger().with_variant(Integer, "sqlite")  # there, INTEGER is 64-bit and the row's address
_KEY = String(500).with_variant(String(500, collation="utf8mb4_bin"), "mysql", "mariadb")


# Where a product's newest change stands. Leased ones wait too: until their lease runs out.
SETTLED, WAITING, PARKED = 0, 1, 2

products = Table(
    "products",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("source_key", _KEY, unique=True),
    Column("title", Text, nullable=False),
    Column("description", _LONG_TEXT, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("retired", Boolean, nullable=False),
    Index("products_live", "retired", "id"),
)

pictures = Table(
    "pictures",
    metadata,
    Column("product_id", BigInteger, ForeignKey("products.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("format", String(16), nullable=False),
    Column("size", BigInteger, nullable=False),
    sqlite_with_rowid=False,  # one product's pictures lie together
)

# One row per product ever announced, settled or not: `id` is its newest announcement. A leased
# row is due when its lease ends, so one index finds all that may be taken. No foreign key:
# products that never were can be announced, for the vector index to forget them.
changes = Table(
    "changes",
    metadata,
    Column("product_id", _ID, primary_key=True, autoincrement=False),
    Column("id", BigInteger, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("announced_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("lease_owner", String(200)),
    Column("lease_until", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text),
    Index("changes_due", "state", "due_at", "id"),
    Index("changes_announced", "state", "announced_at"),
)

# Last ids given out. A locked row, unlike AUTOINCREMENT, makes ids rise in the order of commits,
# so that `changed_since` misses nothing on engines with several writers.
counters = Table(
    "counters",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
