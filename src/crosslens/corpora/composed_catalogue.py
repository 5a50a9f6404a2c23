"""A catalogue with wishes: `items.jsonl` and `composed.jsonl` {id, kind, ref, text…, targets}."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosslens.corpora.composed import ComposedSet, Wish, no_split
from crosslens.corpora.jsonl import read_objects
from crosslens.corpora.records import Record
from crosslens.corpora.sources import open_source
from crosslens.errors import InvalidRequest

WISHES = "composed.jsonl"
SPLITS = ("all", "train", "test")
TESTED = 0.3  # of the families of products that a wish leads within


def is_here(folder: Path) -> bool:
    """Say whether a folder looks like this layout."""
    return (folder / WISHES).is_file()


def read(folder: Path, split: str) -> ComposedSet:
    """
    Read a split; the gallery is always whole, the first picture of each product.

    The file knows no splits. Wishes whose products are tied together, by one leading to another,
    are one family, and a hash of the family's first key decides: 30 % are the test.

    Raises:
        InvalidRequest: no such split, or a wish speaks of a product that is not there.
    """
    if split not in SPLITS:
        raise no_split(folder, split, SPLITS)
    pictures = {
        entry.key: entry.pictures[0]
        for entry in open_source(folder)
        if isinstance(entry, Record) and entry.pictures and isinstance(entry.pictures[0], Path)
    }
    places = {key: number for number, key in enumerate(pictures)}
    rows = [(str(where), row) for where, row in read_objects(folder / WISHES)]
    families = _families([row for _, row in rows])
    wishes = [
        _wish(row, places, where)
        for where, row in rows
        if split == "all" or (_share(families[str(row["ref"])]) < TESTED) == (split == "test")
    ]
    keys = list(pictures)
    return ComposedSet(folder.name, split, [pictures[k] for k in keys], keys, wishes, keys)


def _wish(row: Mapping[str, Any], places: Mapping[str, int], where: str) -> Wish:
    try:
        source = places[str(row["ref"])]
        targets = tuple(places[str(key)] for key in row["targets"] if str(key) != str(row["ref"]))
    except (KeyError, TypeError) as exc:
        raise InvalidRequest(f"{where}: ref and targets must be products with pictures") from exc
    words = {
        language: tuple(map(str, texts if isinstance(texts, list) else [texts]))
        for language in ("en", "zh")
        if (texts := row.get(f"text_{language}"))
    }
    if not words and row.get("text"):
        words = {"en": (str(row["text"]),)}
    return Wish(source, words, targets, str(row.get("kind") or ""))


def _families(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Name each product by the first one that it is tied to."""
    first: dict[str, str] = {}

    def root(key: str) -> str:
        while first.setdefault(key, key) != key:
            key = first[key]
        return key

    for row in rows:
        for key in row.get("targets", ()):
            one, other = sorted((root(str(row.get("ref"))), root(str(key))))
            first[other] = one
    return {key: root(key) for key in first}


def _share(key: str) -> float:
    """Spread keys evenly over [0, 1), the same everywhere."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") / 2**48
