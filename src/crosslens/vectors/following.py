"""An index on a shared server: it turns to whichever generation another process has made live."""

from __future__ import annotations

import functools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast

from crosslens.errors import Unavailable
from crosslens.vectors.index import IndexSpec, ProductRows

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Index = TypeVar("_Index", bound="Following[Any]")


class CollectionGone(Unavailable):
    """There is no such collection, perhaps because another generation has taken over."""


class AnyGeneration(Protocol):
    """The collections that belong together."""

    @property
    def name(self) -> str:
        """What tells it from others."""
        ...

    @property
    def spec(self) -> IndexSpec:
        """What it was built to hold."""
        ...


GenerationT = TypeVar("GenerationT", bound=AnyGeneration)


def following(
    call: Callable[Concatenate[_Index, _P], _R],
) -> Callable[Concatenate[_Index, _P], _R]:
    """
    Repeat a call that failed over a generation which is no longer the live one.

    Calls run side by side, and any of them may be the first to notice: what counts is the
    generation that a call began with.
    """

    @functools.wraps(call)
    def followed(self: _Index, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        while True:
            begun = self.generation
            try:
                return call(self, *args, **kwargs)
            except Exception as exc:
                if not self.left(begun, look=isinstance(exc, CollectionGone)):
                    raise

    return cast("Callable[Concatenate[_Index, _P], _R]", followed)


class Following(ABC, Generic[GenerationT]):
    """
    One generation, written one call at a time; what was written to a former one is written again.

    Args:
        latest: returns the generation that is live now, given the one that was; another process
            may exchange it. None: this one for ever.
    """

    def __init__(
        self,
        generation: GenerationT,
        latest: Callable[[GenerationT], GenerationT] | None = None,
    ) -> None:
        self.generation = generation
        self._latest = latest
        self._writing = threading.Lock()

    @property
    def spec(self) -> IndexSpec:
        """What this index was built to hold."""
        return self.generation.spec

    def follow(self, latest: Callable[[GenerationT], GenerationT]) -> None:
        """Turn to whichever generation is live from now on; see `latest`."""
        self._latest = latest

    def left(self, begun: GenerationT, *, look: bool = True) -> bool:
        """
        Say whether a generation is no longer the one in use.

        Args:
            look: whether to turn to the one that is live now first.
        """
        if look and self._latest is not None:
            self.generation = self._latest(self.generation)
        return self.generation.name != begun.name

    @following
    def upsert(self, rows: Sequence[ProductRows]) -> None:
        """Write products, pictures first; see VectorIndex."""
        latest = list({row.product_id: row for row in rows}.values())
        self._everywhere(lambda: self._write(latest))

    @following
    def delete(self, product_ids: Sequence[int]) -> None:
        """Forget products, pictures first; unknown ids are no error."""
        known = list(dict.fromkeys(product_ids))
        self._everywhere(lambda: self._erase(known))

    def _everywhere(self, write: Callable[[], None]) -> None:
        """Write, and again to each generation that becomes live meanwhile."""
        with self._writing:
            while True:
                begun = self.generation  # a search beside may turn to the next before we look
                write()
                if not self.left(begun):
                    return

    def close(self) -> None:
        """Wait for a running write; the connection belongs to the store."""
        with self._writing:
            self._latest = None

    @abstractmethod
    def _write(self, rows: Sequence[ProductRows]) -> None: ...

    @abstractmethod
    def _erase(self, product_ids: Sequence[int]) -> None: ...
