"""The bundles that answer, exchangeable while they do."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import Any, Protocol

from crosslens.encode.model import Model
from crosslens.errors import CrosslensError, Overloaded, Unavailable, WrongSpace
from crosslens.indexing.rebuild import Rebuilt
from crosslens.search.engine import SearchEngine, Searcher
from crosslens.search.present import Answer
from crosslens.search.request import SearchRequest

Step = Callable[[int, int], None]
"""Called with how many products are done, and of how many."""
Switching = Callable[[], AbstractContextManager[object]]
_OF_THE_FORMER = (WrongSpace, Unavailable, Overloaded)  # what an engine that was replaced says
_SHORT_S = 0.05
_LOOK_AGAIN_S = 2.0


class Wing(Protocol):
    """One choice of bundles over the catalogue and index that all wings share."""

    @property
    def engine(self) -> SearchEngine:
        """What searches with these bundles."""
        ...

    @property
    def fits(self) -> bool:
        """Whether the live index is for these bundles."""
        ...

    def follow(self) -> Wing | None:
        """Make a wing for the live index, where another process has exchanged a bundle."""
        ...

    def purposes(self) -> dict[str, list[str]]:
        """Bundle name → what it is used for."""
        ...

    def bundles(self) -> Mapping[str, Model]:
        """The bundles themselves, by name."""
        ...

    def keep_indexed(self, stop: threading.Event) -> None:
        """Settle changes with these bundles until told to stop, or the index is for others."""
        ...

    def rebuild(self, progress: Step, switching: Switching = ...) -> Rebuilt:
        """Build an index for these bundles beside the live one, and switch."""
        ...

    def succeed(
        self, former: Callable[[], Searcher], progress: Step, switching: Switching = ...
    ) -> Rebuilt:
        """Take over from another wing, if the gate lets these bundles pass; else raise."""
        ...

    def close(self) -> None:
        """Release these bundles."""
        ...


class Serving:
    """
    Search and index with one wing, and exchange it for another without a pause.

    A search that meets the exchange is asked again of the new wing. The worker pauses for the
    switch alone. When another process over the same index has exchanged its wing, this one follows.

    Args:
        wing: the one that serves at first; whoever made it closes it.
        beside: makes a wing with another bundle, of a purpose and a name, that is checked.
        chosen: called when a bundle has taken over, with the purpose and the name.
    """

    def __init__(
        self,
        wing: Wing,
        beside: Callable[[str, str], Wing] | None = None,
        chosen: Callable[[str, str], None] = lambda purpose, name: None,
    ) -> None:
        self._wing = self._first = wing
        self._engine = wing.engine
        self._beside = beside
        self._chosen = chosen
        self._lock = threading.RLock()
        self._turn = threading.Lock()  # held while changes are settled, and while wings change
        self._pause = threading.Event()
        self._fitted = wing.fits  # else a person has other bundles in mind than the index has
        self._looked_at = -_LOOK_AGAIN_S
        self.models: dict[str, list[str]] = wing.purposes()

    def search(self, request: SearchRequest) -> Answer:
        """Answer with the wing that serves; see SearchEngine."""
        [outcome] = self.search_many([request])
        if isinstance(outcome, CrosslensError):
            raise outcome
        return outcome

    def search_many(self, requests: Sequence[SearchRequest]) -> list[Answer | CrosslensError]:
        """Answer several questions with the wing that serves; see SearchEngine."""
        engine = self._engine
        outcomes = engine.search_many(requests)
        met = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, _OF_THE_FORMER)]
        if any(isinstance(outcomes[n], WrongSpace) for n in met):
            self._follow(engine)
        with self._lock if met else nullcontext():
            current = self._engine
        if met and current is not engine:
            again = current.search_many([requests[n] for n in met])
            for n, outcome in zip(met, again, strict=True):
                outcomes[n] = outcome
        return outcomes

    def work(self, stop: threading.Event) -> None:
        """Settle changes until told to stop, with whichever wing serves."""
        while not stop.is_set():
            if self._pause.is_set():
                stop.wait(_SHORT_S)
                continue
            with self._turn:
                engine = self._engine
                self._wing.keep_indexed(_Either(stop, self._pause))
            if not stop.is_set() and not self._pause.is_set() and not self._follow(engine):
                stop.wait(_LOOK_AGAIN_S)

    def _follow(self, engine: SearchEngine) -> bool:
        """Exchange the wing of an engine if the index is for another one now; say whether it is."""
        with self._lock:
            if self._engine is not engine:
                return True
            if not self._fitted or monotonic() - self._looked_at < _LOOK_AGAIN_S:
                return False
            self._looked_at = monotonic()
            other, former = self._wing.follow(), self._wing
            if other is None:
                return False
            self._enthrone(other)
        if former is not self._first:
            former.close()
        return True

    def _enthrone(self, wing: Wing) -> None:
        self._wing, self._engine = wing, wing.engine
        self.models.clear()
        self.models.update(wing.purposes())

    def rebuild(self, progress: Step) -> Mapping[str, Any]:
        """Build the index anew for the bundles in use."""
        return told(self._wing.rebuild(progress, lambda: self._exchange(self._wing)))

    def bundles(self) -> Mapping[str, Model]:
        """Return the bundles that serve, by name."""
        return self._wing.bundles()

    def use(self, purpose: str, name: str, progress: Step) -> Mapping[str, Any]:
        """
        Switch to a bundle: check it, build the index for it beside the live one, and exchange.

        Raises:
            CrosslensError: it is missing or broken, or the gate does not let it pass; what served
                goes on serving.
        """
        if self._beside is None:
            raise Unavailable("this service has one set of bundles only")
        other = self._beside(purpose, name)
        former = self._wing
        try:
            done = other.succeed(lambda: former.engine, progress, lambda: self._exchange(other))
        except BaseException:
            other.close()
            raise
        if former is not self._first:
            former.close()
        self._chosen(purpose, name)
        return told(done)

    @contextmanager
    def _exchange(self, wing: Wing) -> Iterator[None]:
        """Let the worker rest while the index is switched, and go on with the wing afterwards."""
        with self._lock:
            self._pause.set()
            try:
                with self._turn:
                    yield
                    self._enthrone(wing)
            finally:
                self._pause.clear()

    def close(self) -> None:
        """Release the wing that serves, unless it is the first."""
        if self._wing is not self._first:
            self._wing.close()


def told(done: Rebuilt) -> dict[str, Any]:
    """Return what a rebuild did, for the wire."""
    return {
        "products": done.products,
        "replayed": done.replayed,
        "left_out": list(done.left_out),
        "seconds": round(done.seconds, 2),
    }


class _Either(threading.Event):
    """Set when either of two events is."""

    def __init__(self, *events: threading.Event) -> None:
        super().__init__()
        self._events = events

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)

    def wait(self, timeout: float | None = None) -> bool:
        due = math.inf if timeout is None else monotonic() + timeout
        while not self.is_set() and (left := due - monotonic()) > 0:
            self._events[0].wait(min(left, _SHORT_S))
        return self.is_set()
