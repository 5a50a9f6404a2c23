"""A store in which one index is live and at most one draft fills beside it, whoever keeps them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from crosslens.vectors.index import Damage, IndexSpec, VectorIndex
from crosslens.vectors.live import LiveIndex

IndexT = TypeVar("IndexT", bound=VectorIndex)


class OneLive(ABC, Generic[IndexT]):
    """
    The choreography of an IndexStore; an engine says how indexes are kept.

    Args:
        spec: what the settings ask for; the live index keeps the spec it was built with.
    """

    def __init__(self, spec: IndexSpec) -> None:
        self._spec = spec
        self._index: IndexT | None = None
        self._live: LiveIndex | None = None
        self._draft: StoreDraft[IndexT] | None = None
        self._new = False  # begun by this process, and not compared with the catalogue yet
        self._lock = threading.RLock()

    @abstractmethod
    def _found(self) -> IndexT:
        """Open the live index; make an empty one where there is none."""

    @abstractmethod
    def _created(self) -> IndexT:
        """Create an empty index of the wanted spec that is not live."""

    @abstractmethod
    def _appoint(self, index: IndexT) -> None:
        """Make an index the live one, wherever that is written down, in one step."""

    @abstractmethod
    def _drop(self, index: IndexT) -> None:
        """Close an index that is not live, and remove it."""

    @abstractmethod
    def _sweep(self) -> None:
        """Remove what is neither live nor set aside."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of what the store holds beside its indexes."""

    def live(self) -> LiveIndex:
        """Return the live index; see IndexStore."""
        with self._lock:
            if self._live is None:
                self._index = self._found()
                self._live = LiveIndex(self._index, self)
            return self._live

    @property
    def doubtful(self) -> bool:
        """Say whether this process began the index and has not compared it yet."""
        self.live()
        return self._new

    @property
    def damage(self) -> Damage | None:
        """Return None: nothing was set aside."""
        return None

    def draft(self) -> StoreDraft[IndexT]:
        """Create an empty index beside the live one; a former draft is dropped."""
        with self._lock:
            if self._draft is not None:
                self._draft.discard()
            self._sweep()
            self._draft = StoreDraft(self._created(), self._take_over, self._discard)
            return self._draft

    def begin_anew(self, reason: str) -> None:
        """Exchange the live index for an empty one of the wanted spec."""
        self.draft().take_over()

    def trust(self) -> None:
        """Say that the live index holds what the catalogue holds; see IndexStore."""
        self._new = False

    def wanted(self) -> IndexSpec:
        """Return the spec that drafts are built with."""
        return self._spec

    def want(self, spec: IndexSpec) -> None:
        """Ask for another spec from the next draft on, as a change of settings does."""
        self._spec = spec

    def close(self) -> None:
        """Drop a draft, close the live index and release what is held; see IndexStore."""
        with self._lock:
            if self._draft is not None:
                self._draft.discard()
            if self._live is not None:
                self._live.close()
            self._release()
            self._live = self._index = None

    def _take_over(self, index: IndexT) -> None:
        with self._lock:
            self._appoint(index)
            self._draft = None
            self._switch(index)
            self._sweep()

    def _switch(self, index: IndexT) -> None:
        self._index = index
        if self._live is None:
            self._live = LiveIndex(index, self)
        else:
            self._live.switch(index).close()

    def _discard(self, index: IndexT) -> None:
        with self._lock:
            self._draft = None
            self._drop(index)


class StoreDraft(Generic[IndexT]):
    """An index that is not live yet."""

    def __init__(
        self,
        index: IndexT,
        take_over: Callable[[IndexT], None],
        discard: Callable[[IndexT], None],
    ) -> None:
        self.index = index
        self._take_over: Callable[[IndexT], None] | None = take_over
        self._discard = discard

    def take_over(self) -> None:
        """Become the live index in one step; returns when the former one is dropped."""
        if self._take_over is not None:
            self._take_over(self.index)
            self._take_over = None

    def discard(self) -> None:
        """Drop the draft; nothing happens when it has taken over."""
        if self._take_over is not None:
            self._take_over = None
            self._discard(self.index)
