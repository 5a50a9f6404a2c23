"""Messages that have arrived: lent to a worker again until settled, committed in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from crosslens.catalog.changes import Change

Place: TypeAlias = tuple[str, int]
"""A topic and one of its partitions."""


class Underway:
    """
    Which messages are not settled yet.

    None is committed before those in front of it in its partition, and none is forgotten: what a
    worker was lent and has not settled in time is due again, since it may have failed on the way.
    """

    def __init__(self) -> None:
        self._waiting: dict[Place, dict[int, Change]] = {}
        self._next: dict[Place, int] = {}
        self._lent: dict[int, tuple[float, Change]] = {}

    @property
    def waiting(self) -> int:
        """How many messages have arrived and are not settled."""
        return sum(map(len, self._waiting.values()))

    def add(self, place: Place, offset: int, change: Change) -> None:
        """Note a message that has arrived."""
        self.pass_over(place, offset)
        self._waiting[place][offset] = change

    def pass_over(self, place: Place, offset: int) -> None:
        """Note that everything up to here has arrived; an earlier offset is of a log made anew."""
        if offset < self._next.get(place, 0):
            self._waiting[place] = {}
        self._waiting.setdefault(place, {})
        self._next[place] = offset + 1

    def lend(self, change: Change, *, until: float) -> None:
        """Note that a product's change is not to be given out before `until`, by any clock."""
        self._lent[change.product_id] = until, change

    def due(self, now: float) -> Iterator[Change]:
        """Yield what was lent until now and is not settled."""
        yield from [change for until, change in self._lent.values() if until <= now]

    def close(self, changes: Sequence[Change]) -> dict[Place, int]:
        """Forget what these changes settle; return up to where each place may be committed."""
        newest = {change.product_id: change.id for change in changes}
        for product_id, id in newest.items():
            if product_id in self._lent and self._lent[product_id][1].id <= id:
                del self._lent[product_id]
        ends = {}
        for place, waiting in self._waiting.items():
            settled = [n for n, c in waiting.items() if c.id <= newest.get(c.product_id, -1)]
            for offset in settled:
                del waiting[offset]
            if settled:
                ends[place] = min(waiting, default=self._next[place])
        return ends

    def drop(self, places: set[Place]) -> None:
        """Forget places that others have now."""
        for place in places:
            for change in self._waiting.pop(place, {}).values():
                self._lent.pop(change.product_id, None)
            self._next.pop(place, None)
