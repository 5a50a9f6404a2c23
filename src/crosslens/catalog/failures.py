"""What goes wrong in a database, in our words: whose fault it is and whether to try again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import OperationalError as SqlOperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from crosslens.errors import (
    Conflict,
    CrosslensError,
    LostRace,
    StorageFull,
    TooLarge,
    Unavailable,
)

_DRIVERS = frozenset({"pymysql", "psycopg", "sqlite3"})

_Maker: TypeAlias = Callable[[str], CrosslensError]


@dataclass(frozen=True, slots=True)
class _Kind:
    """
    One way to fail.

    Attributes:
        codes: SQLSTATE of PostgreSQL or number of MySQL.
        words: what the message says where there is no code: SQLite, and connections refused.
    """

    make: _Maker
    codes: tuple[str, ...]
    words: tuple[str, ...] = ()

    def shows(self, codes: set[str], said: str) -> bool:
        return not codes.isdisjoint(self.codes) or any(sign in said for sign in self.words)


def _unavailable(message: str, hint: str) -> _Maker:
    return lambda cause: Unavailable(f"{message} ({cause})", hint=hint)


def _full(cause: str) -> CrosslensError:
    return StorageFull(
        f"the catalogue's disk is full ({cause}); nothing was written",
        hint="free some space and send it again",
    )


def _outrun(cause: str) -> CrosslensError:
    message = f"another writer was quicker ({cause}); nothing was written"
    return LostRace(message, hint="try again")


def _too_large(cause: str) -> CrosslensError:
    return TooLarge(
        f"more than the catalogue's server takes at once ({cause}); nothing was written",
        hint="send less at once, or raise the server's max_allowed_packet",
    )


_KINDS = (
    _Kind(
        _full,
        ("53100", "1021", "1114"),
        ("disk is full", "is full", "no space left", "disk full"),
    ),
    _Kind(_outrun, ("40P01", "40001", "1213", "1020"), ("deadlock",)),
    _Kind(
        _unavailable("the catalogue is held by another writer", "try again"),
        ("55P03", "1205"),
        ("locked", "busy", "could not obtain lock"),
    ),
    _Kind(
        _unavailable(
            "the catalogue's server refuses this user or password",
            "check user and password in catalog_url; %-encode what is not a letter or digit",
        ),
        ("28P01", "28000", "1045", "1698"),
        ("password authentication failed", "no password supplied", "no pg_hba.conf entry"),
    ),
    _Kind(
        _unavailable("nobody knows the catalogue's server", "check the host in catalog_url"),
        (),
        ("not known", "failed to resolve", "getaddrinfo", "name resolution", "no address"),
    ),
    _Kind(
        _unavailable(
            "the catalogue's server does not answer",
            "is it running, and are host and port of catalog_url right?",
        ),
        ("2003",),
        ("connection refused", "no route to host", "timed out", "timeout expired"),
    ),
    _Kind(
        _unavailable(
            "the catalogue's server has no such database",
            "make it, such as `CREATE DATABASE shop`, or check its name in catalog_url",
        ),
        ("3D000", "1049"),
        ('" does not exist',),
    ),
    _Kind(
        _unavailable(
            "the catalogue's user may not do that",
            "grant it SELECT, INSERT, UPDATE and DELETE on the database, and what makes and alters "
            "tables for `crosslens catalog upgrade`",
        ),
        ("42501", "1044", "1142", "1227"),
    ),
    _Kind(
        _unavailable(
            "the catalogue's server takes no writes now", "catalog_url must name the primary server"
        ),
        ("25006", "1290", "1836"),
    ),
    _Kind(
        _unavailable(
            "the catalogue's server has no connection left",
            "lower catalog_connections, or raise the server's limit",
        ),
        ("53300", "1040", "1203"),
        ("too many clients", "remaining connection slots"),
    ),
    _Kind(_too_large, ("1153", "1406", "22001")),
)


@contextmanager
def translated() -> Iterator[None]:
    """Let no exception of SQLAlchemy out, nor of a driver."""
    try:
        yield
    except SQLAlchemyError as exc:
        raise in_our_words(exc) from exc
    except Exception as exc:
        if not _of_a_driver(exc):
            raise
        raise in_our_words(exc) from exc


def in_our_words(exc: Exception) -> CrosslensError:
    """Return the error that a failure of the database is for our callers."""
    origin = exc if _of_a_driver(exc) else getattr(exc, "orig", None)
    cause = " ".join(str(origin or exc).split())
    if isinstance(exc, IntegrityError):
        return Conflict(f"another product has the same key meanwhile ({cause})")
    if (kind := _kind_of(origin, cause.lower())) is not None:
        return kind.make(cause)
    lost = isinstance(exc, DBAPIError) and exc.connection_invalidated
    if lost or origin is exc or isinstance(exc, PoolTimeout | SqlOperationalError):
        return Unavailable(f"the catalogue does not answer ({cause})", hint="try again")
    return CrosslensError(f"the catalogue failed ({cause})")


def _of_a_driver(exc: BaseException) -> bool:
    """Whether SQLAlchemy let a driver's own error through, as where undoing fails."""
    return type(exc).__module__.partition(".")[0] in _DRIVERS


def _kind_of(origin: BaseException | None, said: str) -> _Kind | None:
    codes = {str(getattr(origin, "sqlstate", "")), *map(str, getattr(origin, "args", ())[:1])}
    return next((kind for kind in _KINDS if kind.shows(codes, said)), None)
