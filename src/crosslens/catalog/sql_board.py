"""The board in SQL, beside the catalogue."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    bindparam,
    delete,
    insert,
    or_,
    select,
    true,
    update,
)

from crosslens.catalog.board import KEPT, LOST_AFTER, Note
from crosslens.catalog.clock import Clock
from crosslens.catalog.connection import writing
from crosslens.catalog.failures import translated
from crosslens.catalog.races import until_won
from crosslens.catalog.rows import as_datetime, as_micros
from crosslens.catalog.schema import tasks

_c = tasks.c
_LOST_MICROS = LOST_AFTER // timedelta(microseconds=1)
_THESE = _c.id.in_(bindparam("ids", expanding=True))
_OVER = (_c.lane == bindparam("of")) & or_(
    _c.ended == true(), _c.heard < bindparam("lost")
)  # also work whose process is gone
_OF_LANE = select(tasks).where(_c.lane == bindparam("of")).order_by(_c.created.desc(), _c.id.desc())
_ONE = select(tasks).where(_c.lane == bindparam("of"), _c.id == bindparam("named"))
_UNWANTED = select(_c.id).where(_THESE, _c.unwanted == true())
_RENEW = update(tasks).where(_THESE)
_CALL_OFF = update(tasks).where(_c.id == bindparam("named")).values(unwanted=True)
_BEYOND = select(_c.created).where(_OVER).order_by(_c.created.desc()).offset(KEPT).limit(1)
_FORGET = delete(tasks).where(_OVER, _c.created <= bindparam("until"))


class SqlBoard:
    """
    A `Board` in the catalogue's database; the engine belongs to who made it.

    Args:
        clock: the same time for all processes; a server's own.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._writer = writing(engine)
        self._clock = clock

    def tell(self, note: Note) -> None:
        """Put a note up, or in place of the one before."""
        row = {"told": dict(note.told), "ended": note.ended, "heard": self._now()}
        until_won(lambda: self._tell(note, row))

    def _tell(self, note: Note, row: dict[str, Any]) -> None:
        with translated(), self._writer.begin() as connection:
            mine = update(tasks).where(_c.id == note.id).values(row)
            if connection.execute(mine).rowcount:
                return
            first = {"id": note.id, "lane": note.lane, "created": as_micros(note.created)}
            connection.execute(insert(tasks), {**first, **row, "unwanted": False})
            _forget(connection, note.lane, lost=row["heard"] - _LOST_MICROS)

    def renew(self, ids: Collection[str]) -> None:
        """Let it be known that their process is there."""
        with translated(), self._writer.begin() as connection:
            connection.execute(_RENEW.values(heard=self._now()), {"ids": sorted(ids)})

    def unwanted(self, ids: Collection[str]) -> set[str]:
        """Return those that somebody called off."""
        with translated(), self._engine.connect() as connection:
            return set(connection.scalars(_UNWANTED, {"ids": sorted(ids)}))

    def read(self, lane: str, id: str) -> Note | None:
        """Return a note, if there is one."""
        with translated(), self._engine.connect() as connection:
            row = connection.execute(_ONE, {"of": lane, "named": id}).one_or_none()
        return None if row is None else self._note(row)

    def all(self, lane: str) -> list[Note]:
        """Return the notes of a lane, newest first."""
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(_OF_LANE, {"of": lane}).all()
        return list(map(self._note, rows))

    def call_off(self, id: str) -> None:
        """Let its process know that nobody wants it any more."""
        with translated(), self._writer.begin() as connection:
            connection.execute(_CALL_OFF, {"named": id})

    def _note(self, row: Row[Any]) -> Note:
        return Note(
            id=row.id,
            lane=row.lane,
            created=as_datetime(row.created),
            told=row.told,
            ended=row.ended,
            unwanted=row.unwanted,
            heard=as_datetime(row.heard),
            lost=not row.ended and row.heard < self._now() - _LOST_MICROS,
        )

    def _now(self) -> int:
        return as_micros(self._clock())


def _forget(connection: Connection, lane: str, *, lost: int) -> None:
    """Take down the oldest that are over, beyond those that are kept."""
    until = connection.scalar(_BEYOND, {"of": lane, "lost": lost})
    if until is not None:
        connection.execute(_FORGET, {"of": lane, "lost": lost, "until": until})
