"""Composed sets: a picture, words that change it, and the pictures that are right then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosslens.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Wish:
    """
    One composed question.

    Attributes:
        source: which picture it starts from; never an answer.
        words: language → phrasings, all of the same meaning.
        targets: which pictures are right, in order of how well they fit where the set says so.
        kind: the kind of change, where the set says so.
    """

    source: int
    words: Mapping[str, tuple[str, ...]]
    targets: tuple[int, ...]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ComposedSet:
    """
    A split of a composed set.

    Attributes:
        pictures: the gallery, all of it.
        labels: per picture; two pictures of one label are each other's right answer.
        wishes: in the order of the file.
        keys: per picture, what the set calls it.
        about: what a card says of the data.
    """

    name: str
    split: str
    pictures: Sequence[Path] = field(repr=False)
    labels: Sequence[str] = field(repr=False)
    wishes: Sequence[Wish] = field(repr=False)
    keys: Sequence[str] = field(repr=False)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.pictures)
        if not count == len(self.labels) == len(self.keys):
            raise InvalidRequest(
                f"{self.name} has {count} pictures, {len(self.labels)} labels, "
                f"{len(self.keys)} keys"
            )
        for number, wish in enumerate(self.wishes):
            _check(wish, count, f"{self.name}, {self.split}: wish {number}")

    def languages(self) -> tuple[str, ...]:
        """Return the languages of the words, in the order of their first use."""
        return tuple(dict.fromkeys(name for wish in self.wishes for name in wish.words))


def no_split(path: Path, split: str, known: Sequence[str]) -> InvalidRequest:
    """Say which splits there are."""
    there = ", ".join(known) or "none"
    return InvalidRequest(f"{path} has no split {split!r}; there are: {there}")


def _check(wish: Wish, count: int, where: str) -> None:
    for number in (wish.source, *wish.targets):
        if not 0 <= number < count:
            raise InvalidRequest(f"{where} speaks of picture {number}, there are {count}")
    if not wish.targets:
        raise InvalidRequest(f"{where} has no target")
    if not any(text.strip() for texts in wish.words.values() for text in texts):
        raise InvalidRequest(f"{where} has no words")
