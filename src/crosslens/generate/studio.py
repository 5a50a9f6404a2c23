"""Wishes fulfilled: the generator of a name, its pictures kept with the story of their making."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from crosslens.catalog.media import MediaStore
from crosslens.errors import CannotDraw, NotFound
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
        shared: whether other processes over the same media show what this one imagined.
    """

    def __init__(
        self,
        makers: Mapping[str, Callable[[], Generator]],
        media: MediaStore,
        *,
        shared: bool = False,
    ) -> None:
        self._makers = dict(makers)
        self._media = media
        self._shared = shared
        self._loaded: dict[str, Generator] = {}
        self._loading = {name: threading.Lock() for name in makers}
        self._lock = threading.Lock()
        self._imagined: OrderedDict[str, Made] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        """Which generators there are."""
        return tuple(self._makers)

    def about(self, name: str = "") -> About:
        """Say what a generator is; see `generator`."""
        return self.generator(name).about

    def known(self, name: str = "") -> About | None:
        """Say what a generator is if it is loaded already; see `named`."""
        loaded = self._loaded.get(self.named(name))
        return None if loaded is None else loaded.about

    def named(self, name: str = "") -> str:
        """
        Return the name of a generator; empty: of the first.

        Raises:
            NotFound: there is none of this name, or none at all.
        """
        name = name or next(iter(self._makers), "")
        if name not in self._makers:
            known = ", ".join(self._makers) or "none"
            raise NotFound(
                f"there is no generator {name[:100]!r}; there are: {known}",
                hint="set `generator`, or train one: crosslens train generator",
            )
        return name

    def generator(self, name: str = "") -> Generator:
        """
        Return a generator by name; empty: the first.

        Raises:
            NotFound: see `named`.
            CrosslensError: it cannot be loaded.
        """
        name = self.named(name)
        with self._loading[name]:  # one that takes long to load keeps no other waiting
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
        found = []
        for provenance, content in _written(generator, wish, step):
            found.append(Made(self._media.put(content), content, provenance))
        return found

    def imagine(self, words: str) -> Made:
        """
        Draw what words may mean, for a search; remembered for a while, and in the media store only
        where other processes are asked for it too.

        Raises:
            CrosslensError: see `generator` and `Generator.draw`.
            StorageFull: see `draw`.
        """
        with self._lock:
            known = self._imagined.get(words)
        if known is not None:
            return known
        provenance, content = next(_written(self.generator(), Wish(words), silent))
        digest = self._media.put(content) if self._shared else sha256(content).hexdigest()
        made = Made(digest, content, provenance)
        with self._lock:
            self._imagined[words] = made
            while len(self._imagined) > IMAGINED:
                self._imagined.popitem(last=False)
        return made

    def imagined(self, digest: str) -> bytes | None:
        """Return a picture that `imagine` drew lately, by its SHA-256."""
        with self._lock:
            return next((m.content for m in self._imagined.values() if m.sha256 == digest), None)


def _written(generator: Generator, wish: Wish, step: Step) -> Iterator[tuple[Provenance, bytes]]:
    told = _filled(wish, generator.about)
    try:
        for drawn in generator.draw(wish, step):
            provenance = Provenance.of(drawn, told, generator.about.name)
            yield provenance, to_png(drawn, provenance)
    except MemoryError as exc:
        raise CannotDraw(
            f"{generator.about.name} has not enough memory to draw", hint="ask for smaller pictures"
        ) from exc


def _filled(wish: Wish, about: About) -> Wish:
    """Say what the generator does by itself where the wish says nothing."""
    guidance = about.guidance if wish.guidance is None else wish.guidance
    return replace(wish, steps=wish.steps or about.steps, guidance=guidance)
