"""A generator on disk: a folder with its card, graphs and drawings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosslens.encode.cards import CARD
from crosslens.encode.folders import GOLDENS, Arrays, Kind, packed
from crosslens.generate.cards import GeneratorCard, format_generator_card, parse_generator_card
from crosslens.generate.generator import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Drawings:
    """
    Prompts, their seeds, and the pictures that the exporter saw: uint8 [P, px, px, 3].

    Attributes:
        steps: sampling steps of each.
        tolerance: the largest mean absolute difference of a picture, in levels of 255.
    """

    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: int
    pictures: Pixels
    tolerance: float = 1.0

    def dump(self) -> bytes:
        """Write `goldens.npz`: plain arrays, nothing pickled."""
        return packed(
            prompts=np.array(self.prompts, np.str_),
            seeds=np.array(self.seeds, np.int64),
            steps=np.int64(self.steps),
            pictures=self.pictures,
            tolerance=np.float64(self.tolerance),
        )


GENERATOR = Kind(
    "generator",
    CARD,
    parse_generator_card,
    format_generator_card,
    "`crosslens train export-generator`",
)
read_generator_card, verify_generator = GENERATOR.read, GENERATOR.verify


def read_drawings(folder: Path) -> Drawings:
    """
    Read the goldens of a generator.

    Raises:
        BrokenBundle: there are none, or they cannot be read.
    """
    return GENERATOR.goldens(folder, _drawings)


def _drawings(arrays: Arrays) -> Drawings:
    return Drawings(
        prompts=tuple(map(str, arrays["prompts"])),
        seeds=tuple(map(int, arrays["seeds"])),
        steps=int(arrays["steps"]),
        pictures=np.asarray(arrays["pictures"], np.uint8),
        tolerance=float(arrays["tolerance"]),
    )


def write_generator(
    folder: Path, card: GeneratorCard, *, files: Mapping[str, bytes | Path], drawings: Drawings
) -> GeneratorCard:
    """
    Write a generator; see `Kind.write`.

    Args:
        files: content or path of each of `cards.FILES`.
    """
    return GENERATOR.write(folder, card, {**files, GOLDENS: drawings.dump()})
