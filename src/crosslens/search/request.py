"""What is asked: valid from birth, so that nothing behind the door checks again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from crosslens.errors import InvalidRequest
from crosslens.values import Kind
from crosslens.vectors.filters import Filter

if TYPE_CHECKING:
    from crosslens.search.plan import Plan

MAX_WORDS = 2_000
MAX_LIMIT = 1_000
MAX_OFFSET = 10_000
MAX_PICTURES = 10
MAX_WEIGHT = 10.0
LAST_PUNCTUATION = 0x206F  # above it are symbols and emoji, which mean something


class Fusion(StrEnum):
    """
    How the lists of several probes become one.

    RRF adds 1 / (60 + rank), which needs no comparable scores; SCORE adds scores scaled by what
    each kind of score can be at least and the best one found.
    """

    RRF = "rrf"
    SCORE = "score"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """
    One question.

    Attributes:
        words: what is looked for, at most 2,000 characters.
        pictures: encoded pictures to look like; several are several views of one wish.
        product_id: look like this product, by its own pictures; it is left out of the answer.
        alpha: share of dense probes against keywords in [0, 1]; 1 is exactly dense only, 0 exactly
            keywords only. None leaves it to the bundle in use.
        where: only products that fit.
        facets: attributes to count values of, over the products found.
        limit, offset: a page of the ranking: 1 to 1,000 from 0 to 10,000.
        explain: say which probe gave which score.
        plan: how to answer; None leaves it to the kind.
        keywords: what keywords are cut from; None: the words.
        imagined: whether the picture was drawn from the words, which then count as without it.
        weights: of a composed search, how much each picture counts, then the product where there
            is one; empty: all alike.
        without: of a composed search, words for what is not wanted.

    Raises:
        InvalidRequest: the message names the field, its value and what is allowed.
    """

    words: str = ""
    pictures: tuple[bytes, ...] = ()
    product_id: int | None = None
    kind: Kind = Kind.AUTO
    alpha: float | None = None
    fusion: Fusion = Fusion.RRF
    where: Filter | None = None
    facets: tuple[str, ...] = ()
    limit: int = 10
    offset: int = 0
    explain: bool = False
    plan: Plan | None = None
    keywords: str | None = None
    imagined: bool = False
    weights: tuple[float, ...] = ()
    without: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", self.words.strip())
        object.__setattr__(self, "without", self.without.strip())
        _within("limit", self.limit, 1, MAX_LIMIT)
        _within("offset", self.offset, 0, MAX_OFFSET)
        _within("words (characters)", len(self.words), 0, MAX_WORDS)
        _within("without (characters)", len(self.without), 0, MAX_WORDS)
        _within("pictures (number)", len(self.pictures), 0, MAX_PICTURES)
        if not all(math.isfinite(weight) and abs(weight) <= MAX_WEIGHT for weight in self.weights):
            raise InvalidRequest(f"weights are {list(self.weights)}, allowed is -10 to 10 each")
        if self.alpha is not None and not (math.isfinite(self.alpha) and 0 <= self.alpha <= 1):
            raise InvalidRequest(f"alpha is {self.alpha}, allowed is 0 to 1")
        if not (self.words or self.pictures or self.product_id is not None):
            raise InvalidRequest(
                "nothing to look for", hint="give words, a picture, or a product to look like"
            )
        for name, text in (("words", self.words), ("without", self.without)):
            if text and not any(c.isalnum() or ord(c) > LAST_PUNCTUATION for c in text):
                raise InvalidRequest(f"{name} {text[:40]!r} hold no letter, digit or symbol")


def _within(name: str, value: int, least: int, most: int) -> None:
    whole: object = value  # callers outside of type checking pass what users typed
    if isinstance(whole, bool) or not isinstance(whole, int) or not least <= whole <= most:
        shown = f"{value:,}" if type(value) is int else repr(value)
        raise InvalidRequest(f"{name} is {shown}, allowed is {least:,} to {most:,}")
