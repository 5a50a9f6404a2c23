"""Opening the catalogue's database: engine and schema version."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from crosslens.catalog.clock import SetClock
from crosslens.catalog.failures import translated
from crosslens.catalog.schema import OLDER, SCHEMA, metadata
from crosslens.catalog.servers import check_server, lock_schema, open_server, unlock_schema
from crosslens.catalog.writing import recount
from crosslens.errors import Conflict, InvalidRequest, Unavailable

CONNECTIONS = 16
MIGRATION_S = 3_600.0  # altering a large table takes its time
_SECRET = re.compile(r"(?<=:)[^:/@][^/@]*(?=@)")


def open_engine(
    url: str, *, busy_s: float, clock: SetClock, connections: int = CONNECTIONS
) -> Engine:
    """
    Open a database; an empty one gets its tables, a SQLite file is brought to the newest schema.

    Args:
        busy_s: how long to wait for another writer.
        clock: set to a server's time, and again now and then; a file has no time of its own.
        connections: most connections to a server.

    Raises:
        InvalidRequest: not a database URL, or SQLite without a file.
        MissingExtra: the driver of a server is not installed.
        Conflict: the schema is newer than this version, older on a server, or of another program.
        Unavailable: the database cannot be opened.
    """
    parsed = _parse(url)
    with translated():
        engine = _opened(parsed, busy_s, clock, connections)
        try:
            _ensure_schema(engine)
        except BaseException:
            engine.dispose()
            raise
    return engine


def upgrade(url: str) -> tuple[str | None, str]:
    """
    Run the migrations that are missing, and count anew; several processes may try at once.

    Returns:
        The schema before, None where there was none, and after.

    Raises:
        Conflict: the schema is newer than this version knows, or of another program.
        Unavailable: the database cannot be opened, or its user may not alter tables.
    """
    with translated():
        engine = _opened(_parse(url), MIGRATION_S, SetClock(), 1)
        try:
            with engine.connect() as connection:
                before = _known_version(connection)
            if before != SCHEMA:
                _upgrade(engine)
            with writing(engine).begin() as connection:
                recount(connection)
        finally:
            engine.dispose()
    return before, SCHEMA


def _upgrade(engine: Engine) -> None:
    with writing(engine).begin() as connection, _alone(connection):
        version = _known_version(connection)
        if version is None:
            _refuse_strangers(connection)
        if version != SCHEMA:
            _migrate(connection)


def writing(engine: Engine) -> Engine:
    """Return the same engine for transactions that write: they see what was committed last."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(crosslens_begin="BEGIN IMMEDIATE")
    return engine.execution_options(isolation_level="READ COMMITTED")


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "sqlite":
        yield
        return
    lock_schema(connection, wait_s=60)
    try:
        yield
    finally:
        unlock_schema(connection)


def _opened(url: URL, busy_s: float, clock: SetClock, connections: int) -> Engine:
    coding = {"json_serializer": _dumps, "json_deserializer": json.loads}
    if _is_sqlite(url):
        return _sqlite(url, busy_s, coding)
    engine = open_server(url, busy_s=busy_s, connections=connections, clock=clock, **coding)
    try:
        with engine.connect() as connection:
            check_server(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as exc:  # the latter: a port that is none
        raise InvalidRequest(
            f"catalogue URL {_SECRET.sub('***', url)!r} cannot be read",
            hint="such as sqlite:////srv/shop/catalog.db or mysql://user:password@host/shop",
        ) from exc
    if _is_sqlite(parsed) and parsed.database in (None, "", ":memory:"):
        raise InvalidRequest(
            f"catalogue URL {url!r} names no file, and SQLite in memory is not shared by threads",
            hint="name a file, such as sqlite:////srv/shop/catalog.db",
        )
    return parsed


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _sqlite(url: URL, busy_s: float, coding: dict[str, Any]) -> Engine:
    _make_folder(Path(str(url.database)).parent)
    engine = create_engine(
        url,
        connect_args={"timeout": busy_s, "check_same_thread": False},
        pool_size=8,
        max_overflow=56,
        pool_timeout=busy_s,
        **coding,
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise Unavailable(f"the catalogue's folder cannot be opened ({exc})") from exc


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # else sqlite3 begins transactions of its own
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("crosslens_begin", "BEGIN"))


def _ensure_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        version = _known_version(connection)
    if version == SCHEMA:
        return
    if version is not None and engine.dialect.name != "sqlite":
        version = _settled_version(engine)
        if version == SCHEMA:
            return
        raise Conflict(
            f"the catalogue has schema {version}, this version of crosslens needs {SCHEMA}",
            hint="stop older processes, then run `crosslens catalog upgrade`",
        )
    _upgrade(engine)


def _settled_version(engine: Engine) -> str | None:
    """Wait for who alters tables now: on MySQL, others see each step of that."""
    with writing(engine).begin() as connection, _alone(connection):
        return _known_version(connection)


def _known_version(connection: Connection) -> str | None:
    version = _version(connection)
    if version not in (None, SCHEMA, *OLDER):
        raise Conflict(
            f"the catalogue has schema {version}, this version of crosslens knows up to {SCHEMA}",
            hint="use the newer crosslens that wrote it",
        )
    return version


def _refuse_strangers(connection: Connection) -> None:
    """Keep off the tables of another shop, and off those of a migration that was killed."""
    found = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if found:
        raise Conflict(
            f"the database has a table {found[0]!r} that is not a catalogue's",
            hint="give crosslens a database of its own",
        )


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: Connection, schema: str = "head") -> None:
    from alembic import command  # 150 ms, and needed once in a catalogue's life
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    scripts = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", scripts)
    config.set_main_option("path_separator", "os")
    command.upgrade(config, schema)
