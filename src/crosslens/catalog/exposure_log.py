"""Writing answers down without making anyone wait for it."""

from __future__ import annotations

import threading
from collections import deque

from crosslens.catalog.exposures import Exposure, ExposureStore
from crosslens.errors import CrosslensError
from crosslens.telemetry import logger

MOST_WAITING = 20_000
EVERY_S = 0.5
_AT_ONCE = 500


class ExposureLog:
    """
    A queue before an `ExposureStore`: written twice a second, in a thread of its own.

    What does not fit is counted and dropped, for a search must not fail because of its log.
    """

    def __init__(self, store: ExposureStore) -> None:
        self.store = store
        self._waiting: deque[Exposure] = deque()
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def put(self, exposure: Exposure) -> None:
        """Take an answer; returns at once."""
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append(exposure)
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """
        Write what waits; returns when it is written.

        Raises:
            Unavailable, StorageFull: it cannot be written now; it goes on waiting.
        """
        with self._writing:
            while part := [self._waiting[n] for n in range(min(len(self._waiting), _AT_ONCE))]:
                self.store.log(part)
                for _ in part:
                    self._waiting.popleft()

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._try()

    def _start(self) -> None:
        with self._writing:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="exposures", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._try()

    def _try(self) -> None:
        try:
            self.flush()
        except CrosslensError as exc:
            logger("exposures").warning("answers wait to be written", error=exc.message)
