"""Opening the catalogue's database: engine, schema version, and errors in our words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import OperationalError as SqlOperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from crosslens.catalog.schema import OLDER, SCHEMA
from crosslens.errors import Conflict, CrosslensError, InvalidRequest, StorageFull, Unavailable

WRITING = {"crosslens_begin": "BEGIN IMMEDIATE"}
_FULL = ("disk is full", "is full", "no space left", "disk full")
_BUSY = ("locked", "busy", "lock wait timeout", "deadlock", "could not obtain lock")


@contextmanager
def translated() -> Iterator[None]:
    """Let no exception of SQLAlchemy out."""
    try:
        yield
    except SQLAlchemyError as exc:
        raise _in_our_words(exc) from exc


def _in_our_words(exc: SQLAlchemyError) -> CrosslensError:
    cause = str(getattr(exc, "orig", None) or exc)
    if isinstance(exc, IntegrityError):
        return Conflict(f"another product has the same key meanwhile ({cause})")
    if any(sign in cause.lower() for sign in _FULL):
        return StorageFull(
            f"the catalogue's disk is full ({cause}); nothing was written",
            hint="free some space and send it again",
        )
    if any(sign in cause.lower() for sign in _BUSY):
        return Unavailable(f"the catalogue is held by another writer ({cause})", hint="try again")
    if isinstance(exc, PoolTimeout | SqlOperationalError):
        return Unavailable(f"the catalogue does not answer ({cause})")
    return CrosslensError(f"the catalogue failed ({cause})")


def open_engine(url: str, *, busy_s: float) -> Engine:
    """
    Open a database and bring a SQLite file to the newest schema.

    Args:
        busy_s: how long to wait for another writer.

    Raises:
        InvalidRequest: not a database URL, or SQLite without a file.
        Conflict: the schema is newer than this version, or not there on a server.
        Unavailable: the database cannot be opened.
    """
    parsed = _parse(url)
    with translated():
        engine = _sqlite(parsed, busy_s) if _is_sqlite(parsed) else _server(parsed, busy_s)
        try:
            _ensure_schema(engine)
        except BaseException:
            engine.dispose()
            raise
    return engine


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing; several processes may try at once."""
    with engine.execution_options(**WRITING).begin() as connection:
        if _version(connection) != SCHEMA:
            _migrate(connection)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise InvalidRequest(
            f"catalogue URL {url!r} cannot be read", hint="such as sqlite:////srv/shop/catalog.db"
        ) from exc
    if _is_sqlite(parsed) and parsed.database in (None, "", ":memory:"):
        raise InvalidRequest(
            f"catalogue URL {url!r} names no file, and SQLite in memory is not shared by threads",
            hint="name a file, such as sqlite:////srv/shop/catalog.db",
        )
    return parsed


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _sqlite(url: URL, busy_s: float) -> Engine:
    _make_folder(Path(str(url.database)).parent)
    engine = create_engine(
        url,
        connect_args={"timeout": busy_s, "check_same_thread": False},
        json_serializer=_dumps,
        json_deserializer=json.loads,
        pool_size=8,
        max_overflow=56,
        pool_timeout=busy_s,
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise Unavailable(f"the catalogue's folder cannot be opened ({exc})") from exc


def _server(url: URL, busy_s: float) -> Engine:
    return create_engine(
        url,
        json_serializer=_dumps,
        json_deserializer=json.loads,
        isolation_level="READ COMMITTED",
        pool_size=8,
        max_overflow=24,
        pool_timeout=busy_s,
        pool_pre_ping=True,
    )


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
        version = _version(connection)
    if version == SCHEMA:
        return
    if version is not None and version not in OLDER:
        raise Conflict(
            f"the catalogue has schema {version}, this version of crosslens knows up to {SCHEMA}",
            hint="use the newer crosslens that wrote it",
        )
    if engine.dialect.name != "sqlite":
        raise Conflict(
            f"the catalogue has schema {version or 'none'}, needed is {SCHEMA}",
            hint="run crosslens.catalog.connection.upgrade(engine) once, as a user who may",
        )
    upgrade(engine)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: Connection) -> None:
    from alembic import command  # 150 ms, and needed once in a catalogue's life
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    scripts = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", scripts)
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
