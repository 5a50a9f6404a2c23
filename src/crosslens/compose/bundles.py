"""A composer on disk: a folder, complete and unaltered or not accepted; found by its space."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from crosslens.compose.cards import FILES, GOLDENS, ComposerCard, format_card, parse_card
from crosslens.encode.bundles import digest_of, drafted, fill
from crosslens.errors import BrokenBundle, NotFound
from crosslens.values import Floats, Space

CARD = "composer.toml"


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


def read_card(folder: Path) -> ComposerCard:
    """
    Read the card of a composer.

    Raises:
        NotFound: there is none.
        BrokenBundle: the card cannot be read.
    """
    try:
        return parse_card((folder / CARD).read_text("utf-8"))
    except FileNotFoundError as exc:
        raise NotFound(f"{folder} is not a composer: it has no {CARD}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise BrokenBundle(f"{folder / CARD} cannot be read: {exc}") from exc


def verify(folder: Path) -> ComposerCard:
    """
    Check that a composer is complete and unaltered, and return its card.

    Raises:
        NotFound: there is none.
        BrokenBundle: a file is missing, altered or has no digest; the message names it.
    """
    card = read_card(folder)
    for name in FILES:
        path = folder / name
        if name not in card.digests:
            raise BrokenBundle(f"{folder}: {CARD} has no digest of {name}")
        if not path.is_file() or digest_of(path) != card.digests[name]:
            what = "was altered" if path.is_file() else "is missing"
            raise BrokenBundle(f"{path} {what}", hint="export the composer again")
    return card


def write(folder: Path, card: ComposerCard, files: Mapping[str, bytes | Path]) -> ComposerCard:
    """
    Write a composer: beside its place first, then renamed, so that nobody sees a part of it.

    Returns:
        The card as it was written, digests included.

    Raises:
        BrokenBundle: the folder cannot be written.
        StorageFull: no room; nothing is left behind.
    """
    with drafted(folder, f"composer {folder.name}") as draft:
        written = replace(card, digests=fill(draft, files))
        (draft / CARD).write_text(format_card(written), "utf-8")
        verify(draft)
    return written


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
    out = io.BytesIO()
    np.savez_compressed(
        out,
        pictures=goldens.pictures,
        words=np.array(goldens.words, dtype=np.str_),
        spoken=goldens.spoken,
        vectors=goldens.vectors,
        tolerance=np.float64(goldens.tolerance),
    )
    return out.getvalue()


def read_goldens(folder: Path) -> Goldens:
    """
    Read the goldens of a composer.

    Raises:
        BrokenBundle: they cannot be read.
    """
    try:
        with np.load(folder / GOLDENS, allow_pickle=False) as arrays:
            return Goldens(
                np.asarray(arrays["pictures"], np.float32),
                tuple(map(str, arrays["words"])),
                np.asarray(arrays["spoken"], np.float32),
                np.asarray(arrays["vectors"], np.float32),
                float(arrays["tolerance"]),
            )
    except Exception as exc:
        raise BrokenBundle(f"{folder / GOLDENS} cannot be read: {exc}") from exc
