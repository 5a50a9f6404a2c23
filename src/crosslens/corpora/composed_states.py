"""MIT-States (Isola et al. 2015): `images/{adjective} {noun}/*.jpg`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from crosslens.corpora.composed import ComposedSet, Wish, no_split

SPLITS = ("train", "test")
NO_STATE = "adj"  # what the set calls pictures without a state
# The nouns that Vo et al. 2019 keep for the test.
TESTED = frozenset((
    "armor", "bracelet", "bush", "camera", "candy", "castle", "ceramic", "cheese", "clock",
    "clothes", "coffee", "fan", "fig", "fish", "foam", "forest", "fruit", "furniture", "garden",
    "gate", "glass", "horse", "island", "laptop", "lead", "lightning", "mirror", "orange",
    "paint", "persimmon", "plastic", "plate", "potato", "road", "rubber", "sand", "shell", "sky",
    "smoke", "steel", "stream", "table", "tea", "tomato", "vacuum", "wax", "wheel", "window",
    "wool",
))  # fmt: skip


def is_here(folder: Path) -> bool:
    """Say whether a folder looks like this set."""
    images = folder / "images"
    return images.is_dir() and any(" " in path.name for path in images.iterdir() if path.is_dir())


def read(folder: Path, split: str) -> ComposedSet:
    """
    Read a split: each picture with each other state that its noun has; the words are the state.

    Raises:
        InvalidRequest: no such split.
    """
    if split not in SPLITS:
        raise no_split(folder, split, SPLITS)
    pictures, labels = [], []
    for place in sorted((folder / "images").iterdir()):
        state, _, noun = place.name.partition(" ")
        if place.is_dir() and state != NO_STATE and (noun in TESTED) == (split == "test"):
            found = sorted(path for path in place.iterdir() if path.suffix.lower() == ".jpg")
            pictures += found
            labels += [place.name] * len(found)
    by_label: dict[str, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        by_label[label].append(number)
    states: dict[str, list[str]] = defaultdict(list)
    for label in by_label:
        state, _, noun = label.partition(" ")
        states[noun].append(state)
    wishes = [
        Wish(number, {"en": (state,)}, tuple(by_label[f"{state} {noun}"]))
        for number, label in enumerate(labels)
        for own, _, noun in [label.partition(" ")]
        for state in states[noun]
        if state != own
    ]
    keys = [str(path.relative_to(folder)) for path in pictures]
    return ComposedSet("MIT-States", split, pictures, labels, wishes, keys)
