"""Whoever draws: the protocol that the built-in generator, pipelines and services share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crosslens.errors import InvalidRequest
from crosslens.generate.wish import Wish

Pixels: TypeAlias = NDArray[np.uint8]
Step: TypeAlias = Callable[[int, int], None]
"""Called with the steps done and to do, of all pictures; what it raises ends the drawing."""


@dataclass(frozen=True, slots=True)
class About:
    """
    What a generator is.

    Attributes:
        name: by which it is asked for, and which goes into the provenance of its pictures.
        languages: of prompts, as BCP 47 tags; empty: not known.
        native_px: side of the pictures as it draws them; others are scaled.
        sizes: sides that may be asked for.
        steps, guidance: what it does unless told; 0 steps: it decides by itself.
        note: what whoever looks at the pictures should know.
    """

    name: str
    languages: tuple[str, ...]
    native_px: int
    sizes: tuple[int, ...]
    steps: int
    guidance: float
    licence: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """
    A picture: uint8 [size, size, 3], RGB.

    Attributes:
        number: which of the wish's, from 0.
        seed: gives this very picture when asked for alone; None if whoever drew it takes none.
    """

    number: int
    seed: int | None
    pixels: Pixels


class Generator(Protocol):
    """
    Draws pictures for words. Safe to call from several threads.

    Attributes:
        about: what it is.
    """

    about: About

    def draw(self, wish: Wish, step: Step) -> Iterator[Drawn]:
        """
        Draw, one picture after the other.

        Raises:
            InvalidRequest: the wish is not one that this generator can fulfil.
            Unavailable: it cannot draw now: no memory, or the service behind it is away.
            CrosslensError: as `step` raised, to break off.
        """
        ...


def size_of(wish: Wish, about: About) -> int:
    """
    Return the side that a wish asks for.

    Raises:
        InvalidRequest: this generator does not draw it.
    """
    size = wish.size or about.native_px
    if size not in about.sizes:
        allowed = ", ".join(map(str, about.sizes))
        raise InvalidRequest(f"size is {size}, allowed with {about.name}: {allowed}")
    return size


def silent(done: int, total: int) -> None:
    """Be a step that tells nobody."""
    del done, total
