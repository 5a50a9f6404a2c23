"""What a process tells the others over its catalogue of its long work, and hears of theirs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final, Generic, ParamSpec, TypeVar

from crosslens.catalog.board import Board, Note
from crosslens.errors import Conflict, NotFound
from crosslens.telemetry import logger

P = ParamSpec("P")
T = TypeVar("T")
STEP_S: Final = 0.5  # between steps that are told
LOOK_S: Final = 1.0  # between looks at what was called off elsewhere
BEAT_S: Final = 10.0  # between signs of life; far below the board's LOST_AFTER


@dataclass(frozen=True, slots=True)
class Wording(Generic[T]):
    """
    How a sort of work becomes a note, and a note becomes what callers see.

    Attributes:
        note: the note about a piece of work.
        work: the work of a note; of one whose process is lost, in the state that this means.
    """

    note: Callable[[T], Note]
    work: Callable[[Note], T]


class Notices(Generic[T]):
    """Those of a process that has its catalogue to itself: there is nobody to tell, or to ask."""

    def start(self) -> None:
        """Begin to tell and to listen."""

    def stop(self) -> None:
        """Tell the last, then be silent."""

    def post(self, id: str, work: T) -> None:
        """
        Tell of new work, before this returns.

        Raises:
            Unavailable: the others cannot be told, so nothing is.
        """

    def say(self, id: str, work: T, *, at_once: bool) -> None:
        """Tell how far work is, at once or with the next step."""

    def elsewhere(self, id: str) -> T | None:
        """Return work of any process, as it was told last; None: there is none."""

    def all_elsewhere(self) -> dict[str, T]:
        """Return the work of all processes by id."""
        return {}

    def call_off(self, id: str) -> None:
        """Let the process that does this work know that nobody wants it any more."""


class SharedNotices(Notices[T]):
    """
    Those of one lane on a board, told by a thread of their own, so that work never waits for it.

    Args:
        lane: the lane's name on the board.
        cancel: called with the id of own work that was called off elsewhere.
    """

    def __init__(
        self,
        board: Board,
        lane: str,
        wording: Wording[T],
        cancel: Callable[[str], object],
    ) -> None:
        self._board = board
        self._lane = lane
        self._wording = wording
        self._cancel = cancel
        self._said: dict[str, T] = {}  # not on the board yet
        self._open: set[str] = set()
        self._urgent = self._closing = self._troubled = False
        self._wake = threading.Condition()
        self._writing = threading.Lock()  # so that no older word follows a newer one
        self._looked_at = self._beat_at = -math.inf
        self._thread = threading.Thread(target=self._run, name=f"{lane}-notices")
        self._log = logger("notices")

    def start(self) -> None:
        """Begin to tell and to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Tell the last, then be silent."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def post(self, id: str, work: T) -> None:
        """Tell of new work."""
        with self._wake:
            self._said[id] = work
        try:
            self._write(id)
        except BaseException:
            with self._wake:
                self._said.pop(id, None)
            raise
        with self._wake:
            self._urgent = True
            self._wake.notify()

    def say(self, id: str, work: T, *, at_once: bool) -> None:
        """Tell how far work is."""
        with self._wake:
            self._said[id] = work
            if at_once:
                self._urgent = True
                self._wake.notify()

    def elsewhere(self, id: str) -> T | None:
        """Return work of any process."""
        note = self._board.read(self._lane, id)
        return None if note is None else self._wording.work(note)

    def all_elsewhere(self) -> dict[str, T]:
        """Return the work of all processes by id."""
        return {note.id: self._wording.work(note) for note in self._board.all(self._lane)}

    def call_off(self, id: str) -> None:
        """Let its process know."""
        self._board.call_off(id)

    def _run(self) -> None:
        closing = False
        while not closing:
            closing = self._wait()
            with self._wake:
                said = list(self._said)
            for id in said:
                self._try(self._write, id)
            with self._wake:
                own = frozenset(self._open)
            if own and not closing:
                self._try(self._listen, own)

    def _wait(self) -> bool:
        """Wait until there is something to do; say whether it is the last."""
        with self._wake:
            pause = STEP_S if self._open or self._said else None
            self._wake.wait_for(lambda: self._urgent or self._closing, pause)
            self._urgent = False
            return self._closing

    def _try(self, action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do what may fail; it is done again later, and work goes on meanwhile."""
        try:
            action(*args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - else nothing more would ever be told
            if not self._troubled:
                self._log.warning("the others cannot be told", lane=self._lane, error=str(exc))
            self._troubled = True
        else:
            self._troubled = False

    def _write(self, id: str) -> None:
        with self._writing:
            with self._wake:
                work = self._said.get(id)
            if work is None:
                return
            note = self._wording.note(work)
            self._board.tell(note)
            with self._wake:
                if self._said.get(id) is work:
                    del self._said[id]
                (self._open.discard if note.ended else self._open.add)(id)

    def _listen(self, own: frozenset[str]) -> None:
        now = monotonic()
        if now - self._beat_at >= BEAT_S:
            self._board.renew(own)
            self._beat_at = now
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            for id in self._board.unwanted(own):
                with suppress(NotFound, Conflict):
                    self._cancel(id)


def notices(
    board: Board | None, lane: str, wording: Wording[T], cancel: Callable[[str], object]
) -> Notices[T]:
    """Make the notices of a lane; without a board there is nobody to tell."""
    return Notices() if board is None else SharedNotices(board, lane, wording, cancel)
