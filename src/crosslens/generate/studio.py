"""Wishes fulfilled: the generator of a name, its pictures kept with the story of their making."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from crosslens.catalog.media import MediaStore
from crosslens.errors import NotFound
from crosslens.generate.generator import About, Generator, Step, silent
from crosslens.generate.provenance import Provenance, to_png
from crosslens.generate.wish import Wish

IMAGINED = 200  # pictures kept in memory, a few kilobytes each


@dataclass(frozen=True, slots=True)
class Made:
    """
    A picture that was drawn and kept.

    Attributes:
        sha256: under which the media store has it.
        content: a PNG that says how it came to be.
    """

    sha256: str
    content: bytes
    provenance: Provenance


class Studio:
    """
    Draws with generators that are loaded when first asked for. Safe to call from many threads.

    Args:
        makers: name → what loads that generator; the first is meant by who names none.
        media: where the pictures go.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Generator]], media: MediaStore) -> None:
        self._makers = dict(makers)
        self._media = media
        self._loaded: dict[str, Generator] = {}
        self._lock = threading.Lock()
        self._imagined: OrderedDict[str, bytes] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        """Which generators there are."""
        return tuple(self._makers)

    def about(self, name: str = "") -> About:
        """Say what a generator is; see `generator`."""
        return self.generator(name).about

    def generator(self, name: str = "") -> Generator:
        """
        Return a generator by name; empty: the first.

        Raises:
            NotFound: there is none of this name, or none at all.
            CrosslensError: it cannot be loaded.
        """
        name = name or next(iter(self._makers), "")
        if name not in self._makers:
            known = ", ".join(self._makers) or "none"
            raise NotFound(
                f"there is no generator {name[:100]!r}; there are: {known}",
                hint="set `generator`, or train one: crosslens train generator",
            )
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._makers[name]()
            return self._loaded[name]

    def draw(self, wish: Wish, *, name: str = "", step: Step = silent) -> list[Made]:
        """
        Draw and keep the pictures of a wish.

        Raises:
            CrosslensError: see `generator` and `Generator.draw`; what was drawn before is kept.
            StorageFull: no room for a picture.
        """
        generator = self.generator(name)
        told = _filled(wish, generator.about)
        found = []
        for drawn in generator.draw(wish, step):
            provenance = Provenance.of(drawn, told, generator.about.name)
            content = to_png(drawn, provenance)
            found.append(Made(self._media.put(content), content, provenance))
        return found

    def imagine(self, words: str) -> bytes:
        """
        Draw what words may mean, for a search: a PNG, not kept in the media store.

        Raises:
            CrosslensError: see `generator` and `Generator.draw`.
        """
        with self._lock:
            known = self._imagined.get(words)
        if known is not None:
            return known
        generator = self.generator()
        wish = Wish(words)
        drawn = next(iter(generator.draw(wish, silent)))
        content = to_png(drawn, Provenance.of(drawn, wish, generator.about.name))
        with self._lock:
            self._imagined[words] = content
            while len(self._imagined) > IMAGINED:
                self._imagined.popitem(last=False)
        return content


def _filled(wish: Wish, about: About) -> Wish:
    """Say what the generator does by itself where the wish says nothing."""
    guidance = about.guidance if wish.guidance is None else wish.guidance
    return replace(wish, steps=wish.steps or about.steps, guidance=guidance)
