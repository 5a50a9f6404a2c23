"""
Lanes: where blocking work waits its turn, first come, first served.

A lane counts the requests that it let into the house and refuses the next one at once when there
are enough, before a byte of its body is read. The count is only touched on the event loop, so it
needs no lock.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from crosslens.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")

_SMOOTH = 0.05  # share of the newest piece of work in the mean


class Crowded(Overloaded):
    """Says when those who are in the house now should be done."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message, hint=f"try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Lane:
    """
    Threads for one sort of work.

    Args:
        threads: pieces of work side by side.
        admitted: requests that may be in the house, waiting ones included.
        patience_s: seconds a piece of work may wait for its thread.
    """

    def __init__(self, name: str, *, threads: int, admitted: int, patience_s: float) -> None:
        self.name = name
        self.threads = threads
        self.inside = 0
        self.refused = 0
        self._admitted = admitted
        self._patience_s = patience_s
        self._mean_s = 0.02
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    @contextmanager
    def admission(self) -> Iterator[None]:
        """
        Be in the house.

        Raises:
            Overloaded: enough requests are.
        """
        if self.inside >= self._admitted:
            self.refused += 1
            raise Crowded(
                f"{self.inside} requests are waiting or being answered already", self.retry_after_s
            )
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    @property
    def retry_after_s(self) -> int:
        """Whole seconds in which what is in the house now should be done."""
        return max(1, min(60, math.ceil(self.inside * self._mean_s / self.threads)))

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """
        Do blocking work in a thread, in the order of asking.

        Raises:
            Overloaded: its turn did not come in time.
        """
        call = partial(copy_context().run, work, *args, **kwargs)
        timed = partial(self._timed, call, self.due())
        return await asyncio.get_running_loop().run_in_executor(self._pool, timed)

    def submit(self, work: Callable[[], object]) -> None:
        """
        Do blocking work in a thread, behind what waits already.

        Raises:
            RuntimeError: the lane is closed.
        """
        self._pool.submit(work)

    def due(self) -> float:
        """Return when work that is handed in now will have waited too long."""
        return monotonic() + self._patience_s

    def too_late(self) -> Overloaded:
        """Return what work that waited too long is told."""
        return Crowded(f"no turn within {self._patience_s:g} s", self.retry_after_s)

    def note(self, seconds: float) -> None:
        """Count how long a piece of work took a thread."""
        self._mean_s += _SMOOTH * (seconds - self._mean_s)

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        self._pool.shutdown(cancel_futures=True)

    def _timed(self, call: Callable[[], Any], due: float) -> Any:
        started = monotonic()
        if started > due:
            raise self.too_late()
        try:
            return call()
        finally:
            self.note(monotonic() - started)
