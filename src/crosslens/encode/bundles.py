"""A bundle on disk: a folder that is an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from crosslens.encode.cards import CARD, Card, format_card, parse_card
from crosslens.encode.folders import GOLDENS, Kind
from crosslens.encode.goldens import Goldens, dump_goldens, goldens_of

HASHED_ON_LOAD = 64 * 2**20

BUNDLE = Kind(
    "bundle", CARD, parse_card, format_card, "`crosslens model export` or `crosslens train`"
)
read_card, verify = BUNDLE.read, BUNDLE.verify


def read_goldens(folder: Path) -> Goldens:
    """
    Read the goldens of a bundle.

    Raises:
        BrokenBundle: there are none, or they cannot be read.
    """
    return BUNDLE.goldens(folder, goldens_of)


def write_bundle(
    folder: Path, card: Card, *, files: Mapping[str, bytes | Path], goldens: Goldens
) -> Card:
    """
    Write a bundle; see `Kind.write`.

    Args:
        files: content or path per file name; every file that the card names.
    """
    return BUNDLE.write(folder, card, {**files, GOLDENS: dump_goldens(goldens)})
