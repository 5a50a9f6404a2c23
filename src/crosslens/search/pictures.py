"""Whether an index holds any picture: where it does not, none need be looked for."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from crosslens.errors import CrosslensError
from crosslens.vectors.index import VectorIndex

LOOK_AGAIN_S = 2.0
STAYS_S = 60.0  # where there are some, there will be some in a while


class Pictures:
    """
    Asks an index now and then; safe to call from many threads.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, index: VectorIndex, *, clock: Callable[[], float] = monotonic) -> None:
        self._index = index
        self._clock = clock
        self._found = True
        self._due = clock()

    def any(self) -> bool:
        """Say whether there is any picture; true where the index cannot say."""
        if self._clock() >= self._due:
            self._due = self._clock() + LOOK_AGAIN_S  # others go on with what was known
            self._found = self._counted()
            self._due = self._clock() + (STAYS_S if self._found else LOOK_AGAIN_S)
        return self._found

    def _counted(self) -> bool:
        try:
            return self._index.counts().pictures > 0
        except CrosslensError:
            return True
