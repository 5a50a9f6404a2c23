"""An index that can be exchanged while it is being used."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from crosslens.errors import Unavailable
from crosslens.values import Candidate, Floats, Modality, Space, Vectors
from crosslens.vectors.filters import Filter
from crosslens.vectors.index import Counts, IndexSpec, ProductRows, RowKey, VectorIndex


class _Held:
    def __init__(self, index: VectorIndex) -> None:
        self.index = index
        self.callers = 0


class LiveIndex:
    """
    Forward every call to the index that is live when the call begins.

    Args:
        index: the one that is live at first.
        store: what must live as long as this, such as the owner of a lock.
    """

    def __init__(self, index: VectorIndex, store: object = None) -> None:
        self._held: _Held | None = _Held(index)
        self._store = store
        self._idle = threading.Condition()

    def switch(self, index: VectorIndex) -> VectorIndex:
        """
        Make another index live in one step, wait for the calls that the former one still answers.

        Returns:
            The former index; nothing uses it any more.
        """
        return self._exchange(_Held(index))

    def close(self) -> None:
        """Wait for running calls and close the index; calls afterwards raise Unavailable."""
        if self._held is not None:
            self._exchange(None).close()

    def _exchange(self, following: _Held | None) -> VectorIndex:
        with self._idle:
            former, self._held = self._opened(), following
            self._idle.wait_for(lambda: former.callers == 0)
        return former.index

    def _opened(self) -> _Held:
        if self._held is None:
            raise Unavailable("the vector index is closed")
        return self._held

    @contextmanager
    def _in_use(self) -> Iterator[VectorIndex]:
        with self._idle:
            held = self._opened()
            held.callers += 1
        try:
            yield held.index
        finally:
            with self._idle:
                held.callers -= 1
                if not held.callers:
                    self._idle.notify_all()

    @property
    def spec(self) -> IndexSpec:
        """What the live index holds."""
        return self._opened().index.spec

    def upsert(self, rows: Sequence[ProductRows]) -> None:
        """Write to the live index."""
        with self._in_use() as index:
            index.upsert(rows)

    def delete(self, product_ids: Sequence[int]) -> None:
        """Delete from the live index."""
        with self._in_use() as index:
            index.delete(product_ids)

    def nearest(
        self, query: Vectors, modality: Modality, *, limit: int, where: Filter | None = None
    ) -> list[list[Candidate]]:
        """Ask the live index."""
        with self._in_use() as index:
            return index.nearest(query, modality, limit=limit, where=where)

    def matching(
        self, tokens: Sequence[str], *, limit: int, where: Filter | None = None
    ) -> list[Candidate]:
        """Ask the live index."""
        with self._in_use() as index:
            return index.matching(tokens, limit=limit, where=where)

    def vectors(
        self, keys: Sequence[RowKey], modality: Modality, space: Space
    ) -> dict[RowKey, Floats]:
        """Read vectors of the live index."""
        with self._in_use() as index:
            return index.vectors(keys, modality, space)

    def revisions(self) -> Iterator[tuple[int, int, int]]:
        """List what the live index holds; read before it returns, so a switch does no harm."""
        with self._in_use() as index:
            return iter(list(index.revisions()))

    def counts(self) -> Counts:
        """Count the rows of the live index."""
        with self._in_use() as index:
            return index.counts()

    def needs_optimize(self) -> bool:
        """Say whether the live index has grown enough since it was optimized."""
        with self._in_use() as index:
            return index.needs_optimize()

    def optimize(self) -> None:
        """Optimize the live index."""
        with self._in_use() as index:
            index.optimize()
