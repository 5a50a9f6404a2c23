"""MySQL, MariaDB and PostgreSQL: drivers, sessions, versions, and one time for all workers."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from crosslens.catalog.clock import SetClock
from crosslens.errors import InvalidRequest, MissingExtra, Unavailable

CONNECT_S = 5
_KEPT_S = 600  # a connection is opened anew after so long, which also sets the clock again
_SCHEMA_LOCK = 0x63726F73736C656E  # "crosslen", in PostgreSQL's numbers for advisory locks


@dataclass(frozen=True, slots=True)
class Server:
    """
    What differs between servers.

    Attributes:
        session: statement for each new connection; `{wait_s}` is how long to wait for a lock.
        time: statement for the server's time in UTC.
        oldest: name → first version that has all that is needed, SKIP LOCKED above all.
    """

    driver: str
    module: str
    extra: str
    session: str
    time: str
    oldest: Mapping[str, tuple[int, ...]]


# MySQL sorts by the first kilobyte of a title unless told otherwise, and cuts what is too long.
_MYSQL = Server(
    driver="mysql+pymysql",
    module="pymysql",
    extra="mysql",
    session=(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
        "max_sort_length = 16384, innodb_lock_wait_timeout = {wait_s}"
    ),
    time="SELECT UTC_TIMESTAMP(6)",
    oldest={"MariaDB": (10, 6), "MySQL": (8, 0, 1)},
)
_POSTGRES = Server(
    driver="postgresql+psycopg",
    module="psycopg",
    extra="postgres",
    session="SET lock_timeout = '{wait_s}s'",
    time="SELECT clock_timestamp() AT TIME ZONE 'UTC'",
    oldest={"PostgreSQL": (12,)},
)
SERVERS = {"mysql": _MYSQL, "mariadb": _MYSQL, "postgresql": _POSTGRES, "postgres": _POSTGRES}


def server_of(url: URL) -> Server:
    """
    Say which kind of server a URL names.

    Raises:
        InvalidRequest: none that is known, or through a driver that is not the tested one.
        MissingExtra: its driver is not installed.
    """
    kind, _, driver = url.drivername.partition("+")
    server = SERVERS.get(kind)
    if server is None:
        raise InvalidRequest(
            f"catalog_url begins with {kind}:, allowed are sqlite:, {', '.join(SERVERS)}:"
        )
    if driver not in ("", server.module):
        raise InvalidRequest(
            f"catalog_url names the driver {driver}, crosslens speaks through {server.module}",
            hint=f"write {kind}://…",
        )
    if not url.database:
        raise InvalidRequest("catalog_url names no database", hint=f"such as {kind}://…/shop")
    if importlib.util.find_spec(server.module) is None:
        raise MissingExtra(
            f"a catalogue on {kind} needs {server.module}, which is not installed",
            hint=f"pip install 'crosslens[{server.extra}]'",
        )
    return server


def open_server(
    url: URL, *, busy_s: float, connections: int, clock: SetClock, **options: Any
) -> Engine:
    """
    Open a pool of connections that are tried before use; nothing is asked of the server yet.

    Reading is repeatable, so that a product and its pictures are of one moment.

    Args:
        busy_s: how long to wait for another writer, or for a free connection.
        clock: set to the server's time whenever a connection is opened.
        options: further ones of SQLAlchemy's engine.
    """
    server = server_of(url)
    engine = create_engine(
        url.set(drivername=server.driver),
        connect_args=_driver_options(server, url, busy_s),
        isolation_level="REPEATABLE READ",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=busy_s,
        pool_pre_ping=True,
        pool_recycle=_KEPT_S,
        **options,
    )
    session = server.session.format(wait_s=max(1, round(busy_s)))

    def set_up(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(session)
            cursor.execute(server.time)
            clock.set(cursor.fetchone()[0].replace(tzinfo=UTC))
        connection.commit()

    event.listen(engine, "connect", set_up)
    return engine


def _driver_options(server: Server, url: URL, busy_s: float) -> dict[str, Any]:
    if server is _MYSQL:
        silent_s = round(busy_s) + 30  # longer than any wait for a lock
        return {
            "connect_timeout": CONNECT_S,
            "read_timeout": silent_s,
            "write_timeout": silent_s,
            "charset": "utf8mb4",
            "password": (url.password or "").encode(),  # as text, pymysql takes only Latin-1
        }
    return {
        "connect_timeout": CONNECT_S,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": round(busy_s + 30) * 1_000,
        "client_encoding": "UTF8",
    }


def check_server(connection: Connection) -> None:
    """
    Refuse a server that lacks what the catalogue relies on.

    Raises:
        Unavailable: it is too old, or its database cannot keep every character.
    """
    dialect: Any = connection.dialect
    maria = getattr(dialect, "is_mariadb", False)
    name = "PostgreSQL" if dialect.name == "postgresql" else "MariaDB" if maria else "MySQL"
    check_version(name, dialect.server_version_info)
    if dialect.name == "postgresql":
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise Unavailable(
                f"the catalogue's database has the encoding {encoding}, which lacks characters",
                hint="make it anew with ENCODING 'UTF8' TEMPLATE template0",
            )


def check_version(name: str, version: tuple[int | str, ...]) -> None:
    """
    Compare a server's version with the oldest that will do.

    Raises:
        Unavailable: it is older.
    """
    oldest = next(server.oldest[name] for server in SERVERS.values() if name in server.oldest)
    have = tuple(part for part in version if isinstance(part, int))[: len(oldest)]
    if have < oldest:
        shown, needed = ".".join(map(str, version)), ".".join(map(str, oldest))
        raise Unavailable(
            f"the catalogue's server is {name} {shown}, needed is {needed} or newer",
            hint="several workers rely on SKIP LOCKED, which older servers lack",
        )


def lock_schema(connection: Connection, *, wait_s: float) -> None:
    """
    Let one process at a time make or alter tables; the lock goes with the connection.

    Raises:
        Unavailable: another one has held it for longer than `wait_s`.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
        return
    name = f"crosslens {connection.engine.url.database}"[:64]
    got = connection.exec_driver_sql("SELECT GET_LOCK(%s, %s)", (name, round(wait_s))).scalar()
    if got != 1:
        raise Unavailable("another process makes or alters the catalogue's tables", hint="wait")


def unlock_schema(connection: Connection) -> None:
    """Release what a transaction's end does not."""
    if connection.dialect.name == "mysql":
        name = f"crosslens {connection.engine.url.database}"[:64]
        connection.exec_driver_sql("SELECT RELEASE_LOCK(%s)", (name,))
