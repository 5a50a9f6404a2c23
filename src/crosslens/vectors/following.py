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
    """Repeat a call whose collection is gone, if another generation is live by now."""

    @functools.wraps(call)
    def followed(self: _Index, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return call(self, *args, **kwargs)
        except CollectionGone:
            if not self.moved():
                raise
            return call(self, *args, **kwargs)

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

    def moved(self) -> bool:
        """Turn to the generation that is live now; say whether it is another one."""
        former = self.generation
        if self._latest is not None:
            self.generation = self._latest(former)
        return self.generation.name != former.name

    @following
    def upsert(self, rows: Sequence[ProductRows]) -> None:
        """Write products, pictures first; see VectorIndex."""
        latest = list({row.product_id: row for row in rows}.values())
        with self._writing:
            self._write(latest)
            while self.moved():
                self._write(latest)

    @following
    def delete(self, product_ids: Sequence[int]) -> None:
        """Forget products, pictures first; unknown ids are no error."""
        known = list(dict.fromkeys(product_ids))
        with self._writing:
            self._erase(known)
            while self.moved():
                self._erase(known)

    def close(self) -> None:
        """Wait for a running write; the connection belongs to the store."""
        with self._writing:
            self._latest = None

    @abstractmethod
    def _write(self, rows: Sequence[ProductRows]) -> None: ...

    @abstractmethod
    def _erase(self, product_ids: Sequence[int]) -> None: ...
