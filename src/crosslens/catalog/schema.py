"""
The catalogue's tables. Times are microseconds since 1970 in UTC: exact on every engine.

Text compares by code point on every engine, or pages of titles would differ between them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects.mysql import MEDIUMBLOB, MEDIUMTEXT, VARBINARY
from sqlalchemy.types import TypeEngine

SCHEMA = "0006"  # the newest migration
OLDER = frozenset({"0001", "0002", "0003", "0004", "0005"})  # that can be upgraded from

metadata = MetaData()

MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
_BYTES_OF_A_CHARACTER = 4


class ExactText(TypeDecorator[str]):
    """
    Text that equals nothing but itself.

    Every collation that MySQL and MariaDB share takes "a" and "a " for the same; bytes are not.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type on an engine."""
        if dialect.name == "mysql":
            return dialect.type_descriptor(VARBINARY(self._length * _BYTES_OF_A_CHARACTER))
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(String(self._length, collation=collation))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Turn text into what the engine compares."""
        return value.encode() if value is not None and dialect.name == "mysql" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Turn what the engine keeps into text."""
        return value.decode() if isinstance(value, bytes) else value


_TITLE = Text().with_variant(Text(collation="C"), "postgresql")
_LONG_TEXT = Text().with_variant(MEDIUMTEXT(), "mysql")  # its TEXT ends at 64 KB
_ID = BigInteger().with_variant(Integer, "sqlite")  # there, INTEGER is 64-bit and the row's address
_DIGEST = String(64).with_variant(String(64, collation="C"), "postgresql")
_CONTENT = LargeBinary().with_variant(MEDIUMBLOB(), "mysql")
_TOKEN = String(32).with_variant(String(32, collation="C"), "postgresql")

# Where a product's newest change stands. Leased ones wait too: until their lease runs out.
SETTLED, WAITING, PARKED = 0, 1, 2

products = Table(
    "products",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=False),
    Column("source_key", ExactText(500), unique=True),
    Column("title", _TITLE, nullable=False),
    Column(
        "title_key", ExactText(100), nullable=False, server_default=text("''")
    ),  # what titles sort by
    Column("description", _LONG_TEXT, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("retired", Boolean, nullable=False),
    Index("products_live", "retired", "id"),
    Index("products_by_update", "retired", "updated", "id"),
    Index("products_by_title", "retired", "title_key", "id"),
    **MYSQL,
)

pictures = Table(
    "pictures",
    metadata,
    Column("product_id", BigInteger, ForeignKey("products.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sha256", _DIGEST, nullable=False, index=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("format", String(16), nullable=False),
    Column("size", BigInteger, nullable=False),
    sqlite_with_rowid=False,  # one product's pictures lie together
    **MYSQL,
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
    **MYSQL,
)

# Last ids given out, how many products are retired, and how many pictures are shown: counting
# those takes the longer the more there are. A locked row, unlike AUTOINCREMENT, makes ids rise in
# the order of commits, so that `changed_since` misses nothing on engines with several writers.
counters = Table(
    "counters",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("value", BigInteger, nullable=False),
    **MYSQL,
)

# Found by the last scan, the smaller id left. No foreign keys: products come and go meanwhile.
duplicates = Table(
    "duplicates",
    metadata,
    Column("left_id", BigInteger, primary_key=True, autoincrement=False),
    Column("right_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tier", String(16), nullable=False),
    Column("evidence", JSON, nullable=False),
    **MYSQL,
)

duplicate_decisions = Table(
    "duplicate_decisions",
    metadata,
    Column("left_id", BigInteger, primary_key=True, autoincrement=False),
    Column("right_id", BigInteger, primary_key=True, autoincrement=False),
    Column("verdict", String(16), nullable=False),
    Column("decided", BigInteger, nullable=False),
    **MYSQL,
)

exposures = Table(
    "exposures",
    metadata,
    Column("answer", _TOKEN, primary_key=True),
    Column("shown_at", BigInteger, nullable=False),
    Column("scene", ExactText(100), nullable=False),
    Column("asker", _TOKEN, nullable=False),
    Column("experiments", JSON, nullable=False),
    Column("asked", JSON, nullable=False),
    Column("shown", JSON, nullable=False),
    Column("first", Integer, nullable=False),
    Index("exposures_of_scene", "scene", "shown_at"),
    Index("exposures_at", "shown_at"),
    **MYSQL,
)

feedback = Table(
    "feedback",
    metadata,
    Column("answer", _TOKEN, primary_key=True),
    Column("product_id", BigInteger, primary_key=True, autoincrement=False),
    Column("action", String(16), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("told_at", BigInteger, nullable=False),
    **MYSQL,
)

# What writes answered, for a day: one row per idempotency key that was used.
receipts = Table(
    "receipts",
    metadata,
    Column("caller", ExactText(64), primary_key=True),
    Column("key", ExactText(200), primary_key=True),
    Column("fingerprint", _DIGEST, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("content", _CONTENT, nullable=False),
    Column("made", BigInteger, nullable=False),
    Index("receipts_made", "made"),
    **MYSQL,
)

# A bundle that settings may name, and the one that serves in its place since a switch.
switches = Table(
    "switches",
    metadata,
    Column("purpose", String(16), primary_key=True),
    Column("former", ExactText(500), primary_key=True),
    Column("bundle", ExactText(500), nullable=False),
    **MYSQL,
)

# Long work of processes over one catalogue, as its own process last told of it.
tasks = Table(
    "tasks",
    metadata,
    Column("id", _TOKEN, primary_key=True),
    Column("lane", String(16), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("told", JSON, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("unwanted", Boolean, nullable=False),
    Column("heard", BigInteger, nullable=False),
    Index("tasks_of_lane", "lane", "created"),
    **MYSQL,
)
