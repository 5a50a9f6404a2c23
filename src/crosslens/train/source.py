"""What a trainer learns from: products with pictures, and phrases that say what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crosslens.errors import InvalidRequest
from crosslens.train.losses import BELONGS, DIFFERS, IGNORED

Rows = NDArray[np.int64]
Pixels = NDArray[np.uint8]
Codes = NDArray[np.int64]


class Style(StrEnum):
    """
    What a phrase names and how it is worded.

    ANY is what training shows with pictures. MAIN names the main attributes alone, FULL everything
    that tells products apart. Their `unseen` forms use phrasings that training never has and words
    that it meets in texts alone; `new` words it never meets at all.
    """

    ANY = "any"
    MAIN = "main"
    FULL = "full"
    MAIN_UNSEEN = "main, unseen"
    FULL_UNSEEN = "full, unseen"
    MAIN_NEW = "main, new"


@dataclass(frozen=True, slots=True)
class Phrase:
    """
    Words, and the columns of `Shelf.codes` that they speak of.

    Attributes:
        doubtful: columns that they may speak of; a product that differs in these alone is ignored.
    """

    text: str
    mentions: tuple[int, ...]
    doubtful: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """
    What is known of the products, as arrays; row r is product r.

    Attributes:
        names: what the columns of `codes` are called.
        codes: int64 [N, columns]; -1 where unknown. A phrase fits a product when its own
            product's codes and that product's agree in every mentioned column.
        groups: int64 [N]; products of one group that a phrase does not fit are ignored, neither
            right nor wrong. -1 is a group of its own.
        kinds: int64 [N]; products of one kind make hard batches; all equal where there are none.
        heads: how many of the first columns are worth a head that names them.
        training, validation: rows; they share no product.
    """

    names: tuple[str, ...]
    codes: Codes
    groups: Rows
    kinds: Rows
    training: Rows
    validation: Rows
    heads: int = 0

    @property
    def head_sizes(self) -> dict[str, int]:
        """How many values each attribute with a head takes."""
        sizes = self.codes.max(0, initial=-1)[: self.heads] + 1
        return {name: int(size) for name, size in zip(self.names, sizes, strict=False)}


def chances(shelf: Shelf, attribute: str) -> NDArray[np.float64] | None:
    """
    Return how likely each training product is shown: [training], sums to 1.

    None: all alike. Else a value of the attribute that n products have is shown √n times as often
    as one that a single product has.

    Raises:
        InvalidRequest: products have no such attribute.
    """
    if not attribute:
        return None
    values = shelf.codes[shelf.training, column_of(shelf, "balance", attribute)]
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(counts[which])
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def often(
    before: NDArray[np.float64] | None, shelf: Shelf, attribute: str, wrong: Sequence[float]
) -> NDArray[np.float64] | None:
    """
    Return how likely each training product is shown, if what goes wrong is shown more often.

    Args:
        before: how likely it was; None: all alike.
        wrong: per value of the attribute, how often it goes wrong; one that never does is shown
            half as often as one that does as the mean of all. Empty: as before.
    """
    if not wrong:
        return before
    rates = np.asarray(wrong)
    values = shelf.codes[shelf.training, shelf.names.index(attribute)]
    weights = rates.mean() + np.where(values < 0, rates.mean(), rates[values])
    if not weights.any():
        return before
    weights = weights if before is None else weights * before
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def column_of(shelf: Shelf, setting: str, attribute: str) -> int:
    """
    Say in which column of the codes an attribute is.

    Raises:
        InvalidRequest: products have none of this name; the message names the setting.
    """
    if attribute not in shelf.names:
        known = ", ".join(shelf.names)
        raise InvalidRequest(f"{setting} is {attribute!r}, products have {known}")
    return shelf.names.index(attribute)


class Source(Protocol):
    """
    Pictures and phrases on demand; all that is random comes from the generator that is passed in.

    Attributes:
        languages: such as ("zh", "en").
        provenance: what the card says of the data: a digest, sizes, where it is from.
    """

    shelf: Shelf
    languages: tuple[str, ...]
    provenance: dict[str, Any]

    def pictures(self, rows: Rows, rng: np.random.Generator) -> Pixels:
        """Give two pictures of each product, different ones where it has them: [P, 2, S, S, 3]."""
        ...

    def portraits(self, rows: Rows) -> Pixels:
        """Give the picture by which a product is judged: [P, S, S, 3]."""
        ...

    def phrase(
        self, row: int, language: str, rng: np.random.Generator, *, style: Style = Style.ANY
    ) -> Phrase | None:
        """Word the product; None if it has no words in this language or style."""
        ...

    def paraphrase(self, row: int, phrase: Phrase, rng: np.random.Generator) -> Phrase | None:
        """Say the same in other words, which need not be shown with pictures; None if unable."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Phrases with the row of the product each was made for."""

    rows: Rows
    phrases: tuple[Phrase, ...]
    texts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", tuple(p.text for p in self.phrases))


def ask(
    source: Source,
    rows: Sequence[int] | Rows,
    rng: np.random.Generator,
    *,
    style: Style = Style.ANY,
    languages: Sequence[str] = (),
) -> Asked:
    """Word each product once per language; languages it has no words in are left out."""
    found = [
        (int(row), phrase)
        for row in rows
        for language in languages or source.languages
        if (phrase := source.phrase(int(row), language, rng, style=style)) is not None
    ]
    return Asked(np.array([row for row, _ in found], np.int64), tuple(p for _, p in found))


def relate(shelf: Shelf, asked: Asked, products: Rows) -> NDArray[np.int8]:
    """
    Say which phrase fits which product.

    Returns:
        [phrases, products] of 1 (fits), 0 (ignored: doubtful, or same group), -1 (does not fit).
    """
    own, theirs = shelf.codes[asked.rows], shelf.codes[products]  # [T, C], [P, C]
    differs = own[:, None] != theirs[None]
    certain, doubtful = (_columns(shelf, asked, name) for name in ("mentions", "doubtful"))
    wrong = (differs & certain[:, None]).any(2)
    unsure = (differs & doubtful[:, None]).any(2)
    groups = shelf.groups
    near = (groups[asked.rows][:, None] == groups[products]) & (groups[products] >= 0)
    relation = np.where(near, IGNORED, DIFFERS)
    relation = np.where(wrong, relation, np.where(unsure, IGNORED, BELONGS))
    return np.where(asked.rows[:, None] == products, BELONGS, relation).astype(np.int8)


def alike(shelf: Shelf, first: Asked, second: Asked) -> NDArray[np.int8]:
    """
    Say which phrases mean the same.

    Returns:
        [first, second] of 1 (they say the same of the same attributes), -1 (of something that both
        mention they say different things) and 0 (one says more than the other, or same group).
    """
    ours, theirs = _columns(shelf, first, "mentions"), _columns(shelf, second, "mentions")
    differs = shelf.codes[first.rows][:, None] != shelf.codes[second.rows][None]
    opposed = (differs & ours[:, None] & theirs[None]).any(2)
    same = (ours[:, None] == theirs[None]).all(2)
    groups = shelf.groups
    near = (groups[first.rows][:, None] == groups[second.rows]) & (groups[second.rows] >= 0)
    relation = np.where(opposed & ~near, DIFFERS, IGNORED)
    return np.where(same & ~opposed, BELONGS, relation).astype(np.int8)


def _columns(shelf: Shelf, asked: Asked, name: str) -> NDArray[np.bool_]:
    spoken = np.zeros((len(asked.phrases), shelf.codes.shape[1]), bool)
    for place, phrase in enumerate(asked.phrases):
        spoken[place, list(getattr(phrase, name))] = True
    return spoken
