"""A generator on disk: a folder, complete and unaltered or not accepted."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from crosslens.encode.bundles import CARD, GOLDENS, digest_of, drafted, fill
from crosslens.errors import BrokenBundle, NotFound
from crosslens.generate.cards import (
    FILES,
    GeneratorCard,
    format_generator_card,
    parse_generator_card,
)
from crosslens.generate.generator import Pixels

_AGAIN = "fetch or export the generator again"


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
        out = io.BytesIO()
        np.savez_compressed(
            out,
            prompts=np.array(self.prompts, np.str_),
            seeds=np.array(self.seeds, np.int64),
            steps=np.int64(self.steps),
            pictures=self.pictures,
            tolerance=np.float64(self.tolerance),
        )
        return out.getvalue()


def read_drawings(folder: Path) -> Drawings:
    """
    Read the goldens of a generator.

    Raises:
        BrokenBundle: there are none, or they cannot be read.
    """
    try:
        with np.load(folder / GOLDENS, allow_pickle=False) as arrays:
            return Drawings(
                prompts=tuple(map(str, arrays["prompts"])),
                seeds=tuple(map(int, arrays["seeds"])),
                steps=int(arrays["steps"]),
                pictures=np.asarray(arrays["pictures"], np.uint8),
                tolerance=float(arrays["tolerance"]),
            )
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as exc:
        raise BrokenBundle(f"{folder / GOLDENS} cannot be read: {exc}", hint=_AGAIN) from exc


def read_generator_card(folder: Path) -> GeneratorCard:
    """
    Read the card of a generator.

    Raises:
        NotFound: there is none.
        BrokenBundle: it cannot be read; the message names the key.
    """
    try:
        return parse_generator_card((folder / CARD).read_text("utf-8"))
    except FileNotFoundError as exc:
        raise NotFound(f"{folder} is not a generator: it has no {CARD}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise BrokenBundle(f"{folder / CARD} cannot be read: {exc}") from exc


def verify_generator(folder: Path) -> GeneratorCard:
    """
    Check that a generator is complete and unaltered, and return its card.

    Raises:
        NotFound: there is none.
        BrokenBundle: a file is missing, altered or not listed; the message names it.
    """
    card = read_generator_card(folder)
    for name in (*FILES, GOLDENS):
        if name not in card.digests:
            raise BrokenBundle(f"{folder}: {CARD} has no digest of {name}", hint=_AGAIN)
    for name, digest in card.digests.items():
        path = folder / name
        if not path.is_file():
            raise BrokenBundle(f"{path} is missing", hint=_AGAIN)
        if digest_of(path) != digest:
            raise BrokenBundle(f"{path} was altered: it is not what its card says", hint=_AGAIN)
    return card


def write_generator(
    folder: Path, card: GeneratorCard, *, files: Mapping[str, bytes | Path], drawings: Drawings
) -> GeneratorCard:
    """
    Write a generator beside its place, then rename it, so that nobody sees a part of it.

    Args:
        files: content or path of each of `cards.FILES`.

    Returns:
        The card as it was written, digests included.

    Raises:
        BrokenBundle: the folder cannot be written.
        StorageFull: no room; nothing is left behind.
    """
    with drafted(folder, f"generator {card.name}") as draft:
        written = replace(card, digests=fill(draft, {**files, GOLDENS: drawings.dump()}))
        (draft / CARD).write_text(format_generator_card(written), "utf-8")
        verify_generator(draft)
    return written
