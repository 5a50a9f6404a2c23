"""A composer on disk: a folder, complete and unaltered or not accepted; found by its space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosslens.compose.cards import CARD, format_card, parse_card
from crosslens.encode.folders import Arrays, Kind, packed
from crosslens.values import Floats, Space


@dataclass(frozen=True, slots=True, eq=False)
class Goldens:
    """
    Inputs and the vectors that the exporter measured for them.

    Attributes:
        pictures, spoken: unit vectors [N, dim]; `words` [N] are what was spoken.
        vectors: what the composer must give, [N, dim].
        tolerance: the largest absolute difference that a component may show.
    """

    pictures: Floats
    words: tuple[str, ...]
    spoken: Floats
    vectors: Floats
    tolerance: float = 1e-3


COMPOSER = Kind("composer", CARD, parse_card, format_card, "`crosslens train export-composer`")
read_card, verify, write = COMPOSER.read, COMPOSER.verify, COMPOSER.write


def find(folders: Sequence[Path], space: Space) -> Path | None:
    """
    Find the composer of a space: the first by folder, then by name.

    A composer of a space of the same dimension but another name is none.
    """
    for folder in folders:
        for path in sorted(folder.glob(f"*/{CARD}")):
            if read_card(path.parent).vector_space == space:
                return path.parent
    return None


def dump_goldens(goldens: Goldens) -> bytes:
    """Write `goldens.npz`: plain arrays, nothing pickled."""
    return packed(
        pictures=goldens.pictures,
        words=np.array(goldens.words, dtype=np.str_),
        spoken=goldens.spoken,
        vectors=goldens.vectors,
        tolerance=np.float64(goldens.tolerance),
    )


def read_goldens(folder: Path) -> Goldens:
    """
    Read the goldens of a composer.

    Raises:
        BrokenBundle: there are none, or they cannot be read.
    """
    return COMPOSER.goldens(folder, _goldens)


def _goldens(arrays: Arrays) -> Goldens:
    return Goldens(
        np.asarray(arrays["pictures"], np.float32),
        tuple(map(str, arrays["words"])),
        np.asarray(arrays["spoken"], np.float32),
        np.asarray(arrays["vectors"], np.float32),
        float(arrays["tolerance"]),
    )
