"""Fashion200k (Han et al. 2017): `labels/*_{split}_*.txt`, photographs, `test_queries.txt`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from crosslens.corpora.composed import ComposedSet, Wish, no_split
from crosslens.errors import InvalidRequest

QUERIES = "test_queries.txt"
SPLITS = ("train", "test")
_SEED = 200


def is_here(folder: Path) -> bool:
    """Say whether a folder looks like this set."""
    return any(folder.glob("labels/*_detect_all.txt"))


def read(folder: Path, split: str) -> ComposedSet:
    """
    Read a split.

    In training each picture is asked about once: of the captions that differ from its own in one
    word, one is drawn. The test asks what `test_queries.txt` pairs, in the same words: "replace
    blue with black".

    Raises:
        InvalidRequest: no such split, or a file of it is bad.
    """
    if split not in SPLITS:
        raise no_split(folder, split, SPLITS)
    captions = dict(_captions(folder, split))
    keys = list(captions)
    labels = [captions[key] for key in keys]
    wishes = _tested(folder, keys, captions) if split == "test" else _trained(labels)
    return ComposedSet(
        "Fashion200k", split, [folder / key for key in keys], labels, wishes, keys
    )  # fmt: skip


def _captions(folder: Path, split: str) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob(f"labels/*_{split}_*.txt")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            cells = line.split("\t")
            if len(cells) != 3:
                raise InvalidRequest(f"{path}:{number}: expected path, score and caption")
            yield cells[0], " ".join(cells[2].split())


def _tested(folder: Path, keys: Sequence[str], captions: dict[str, str]) -> list[Wish]:
    places = {key: number for number, key in enumerate(keys)}
    by_caption: dict[str, list[int]] = defaultdict(list)
    for key, number in places.items():
        by_caption[captions[key]].append(number)
    wishes = []
    for number, line in enumerate((folder / QUERIES).read_text("utf-8").splitlines(), start=1):
        cells = line.split()
        if len(cells) != 2 or not set(cells) <= set(places):
            raise InvalidRequest(f"{folder / QUERIES}:{number}: expected two pictures of the test")
        source, target = cells
        words = _difference(captions[source], captions[target])
        first = places[target]
        alike = [n for n in by_caption[captions[target]] if n != first]
        wishes.append(Wish(places[source], {"en": (words,)}, (first, *alike)))
    return wishes


def _trained(labels: Sequence[str]) -> list[Wish]:
    by_caption: dict[str, list[int]] = defaultdict(list)
    for number, caption in enumerate(labels):
        by_caption[caption].append(number)
    children: dict[str, list[str]] = defaultdict(list)
    for caption in by_caption:
        for parent in _shorter(caption):
            children[parent].append(caption)
    rng, wishes = np.random.default_rng(_SEED), []
    for number, caption in enumerate(labels):
        near = [c for p in _shorter(caption) for c in children[p] if c != caption]
        if near:
            chosen = near[int(rng.integers(len(near)))]
            words = _difference(caption, chosen)
            wishes.append(Wish(number, {"en": (words,)}, tuple(by_caption[chosen])))
    return wishes


def _shorter(caption: str) -> list[str]:
    """Leave each word out in turn; what stays may be the same caption for two of them."""
    words = caption.split()
    return list(dict.fromkeys(" ".join(words[:n] + words[n + 1 :]) for n in range(len(words))))


def _difference(source: str, target: str) -> str:
    """Say which word takes the place of which."""
    ours, theirs = source.split(), target.split()
    gone = " ".join(word for word in ours if word not in theirs)
    new = " ".join(word for word in theirs if word not in ours)
    return f"replace {gone} with {new}"
