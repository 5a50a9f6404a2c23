"""Where processes over one catalogue tell each other of the long work that each of them does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final, Protocol

from crosslens.catalog.clock import Clock, utc_now

KEPT: Final = 200  # notes of a lane about work that is over
LOST_AFTER: Final = timedelta(seconds=60)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Note:
    """
    What a process told last of a piece of its work.

    Attributes:
        lane: which sort of work it is; each is listed on its own.
        created: by which a list is ordered.
        told: as callers see it, in JSON's values.
        ended: whether nothing more will happen.
        unwanted: whether somebody called it off; told by readers, not by writers.
        heard: when its process was last heard of, by the board's clock; the same.
        lost: whether it has not ended, and that is longer ago than LOST_AFTER; the same.
    """

    id: str
    lane: str
    created: datetime
    told: Mapping[str, Any]
    ended: bool = False
    unwanted: bool = False
    heard: datetime = _NEVER
    lost: bool = False


class Board(Protocol):
    """Notes that every process over a catalogue reads, and whoever does the work writes."""

    def tell(self, note: Note) -> None:
        """
        Put a note up, or in place of the one before; what was called off remains so.

        A new one takes down the oldest of its lane about work that is over, beyond KEPT.
        """
        ...

    def renew(self, ids: Collection[str]) -> None:
        """Let it be known that the process that does this work still does."""
        ...

    def unwanted(self, ids: Collection[str]) -> set[str]:
        """Return those that somebody called off."""
        ...

    def read(self, lane: str, id: str) -> Note | None:
        """Return a note, if there is one."""
        ...

    def all(self, lane: str) -> list[Note]:
        """Return the notes of a lane, newest first."""
        ...

    def call_off(self, id: str) -> None:
        """Let the process that does this work know that nobody wants it any more."""
        ...


class MemoryBoard:
    """A `Board` within one process."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._lock = Lock()
        self._notes: dict[str, Note] = {}

    def tell(self, note: Note) -> None:
        """Put a note up."""
        with self._lock:
            former = self._notes.get(note.id)
            unwanted = former is not None and former.unwanted
            self._notes[note.id] = replace(note, unwanted=unwanted, heard=self._clock())
            if former is None:
                over = [each for each in self._of(note.lane) if each.ended or each.lost]
                for old in over[KEPT:]:
                    del self._notes[old.id]

    def renew(self, ids: Collection[str]) -> None:
        """Note that their process is there."""
        with self._lock:
            for id in self._notes.keys() & set(ids):
                self._notes[id] = replace(self._notes[id], heard=self._clock())

    def unwanted(self, ids: Collection[str]) -> set[str]:
        """Return those that were called off."""
        with self._lock:
            return {id for id in self._notes.keys() & set(ids) if self._notes[id].unwanted}

    def read(self, lane: str, id: str) -> Note | None:
        """Return a note."""
        return next((note for note in self.all(lane) if note.id == id), None)

    def all(self, lane: str) -> list[Note]:
        """Return the notes of a lane."""
        with self._lock:
            return self._of(lane)

    def call_off(self, id: str) -> None:
        """Mark it."""
        with self._lock:
            if id in self._notes:
                self._notes[id] = replace(self._notes[id], unwanted=True)

    def _of(self, lane: str) -> list[Note]:
        lost = self._clock() - LOST_AFTER
        found = [
            replace(note, lost=not note.ended and note.heard < lost)
            for note in self._notes.values()
            if note.lane == lane
        ]
        return sorted(found, key=lambda note: (note.created, note.id), reverse=True)
