"""The file of scenes, read again when it changes; what is wrong never replaces what is right."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from crosslens.errors import CrosslensError, InvalidRequest
from crosslens.search.marked import Marked, read_marked
from crosslens.search.scenes import Known, Scenes, compiled
from crosslens.telemetry import logger

LOOK_AGAIN_S = 1.0


class SceneFile:
    """
    The scenes of a home over those that are shipped.

    Calling it costs a comparison of times; once a second it asks whether the file has changed.
    A change is read once the file has held still from one look to the next, as whoever saves a
    file in place empties it first.

    Args:
        path: of the home; it may be away.
        shipped: scenes that are there without it.
        known: what scenes may speak of, asked at each reading.

    Raises:
        InvalidRequest: the file is wrong from the start.
    """

    def __init__(
        self,
        path: Path,
        shipped: Path,
        known: Callable[[], Known] = Known,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._path = path
        self._shipped = shipped
        self._known = known
        self._clock = clock
        self._lock = threading.Lock()
        self._taken = self._seen = self._stamp()
        self._scenes = self._read()
        self._looked = clock()
        self.error: str | None = None

    def __call__(self) -> Scenes:
        """Return the scenes of the newest file that was right."""
        if self._clock() - self._looked >= LOOK_AGAIN_S and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        return self._scenes

    def _look(self) -> None:
        self._looked = self._clock()
        last, self._seen = self._seen, self._stamp()
        if self._seen == last and self._seen != self._taken:
            self._take()

    def _take(self) -> None:
        try:
            scenes, error = self._read(), None
        except CrosslensError as exc:
            scenes, error = self._scenes, exc
        if self._stamp() != self._seen:
            return
        self._taken, self._scenes = self._seen, scenes
        self.error = None if error is None else str(error)
        if error is None:
            logger("scenes").info("scenes read", scenes=sorted(scenes.scenes))
        else:
            logger("scenes").error("scenes kept as they were", error=error.message)

    def _read(self) -> Scenes:
        files = [_marked(self._shipped)]
        if self._path.exists():
            files.append(_marked(self._path))
        return compiled(*files, known=self._known())

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size


def _marked(path: Path) -> Marked:
    try:
        return read_marked(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc}") from exc
