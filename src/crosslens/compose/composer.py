"""Composers, and how several references and unwanted words become one wish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from crosslens.errors import InvalidRequest
from crosslens.values import Floats, Space, Vectors

UNWANTED = 0.5  # weight of the words that are not wanted; the wish itself has 1


class Composer(Protocol):
    """
    Changes pictures by words, in one space. Safe to call from many threads.

    Attributes:
        name: what answers call it.
    """

    name: str
    space: Space

    def compose(self, pictures: Vectors, words: Sequence[str], spoken: Vectors) -> Vectors:
        """
        Compose row by row: [N, dim].

        Args:
            pictures: vectors of the references.
            words: what is to change; not blank.
            spoken: the same words as the text encoder of the space says them.

        Raises:
            WrongSpace: the vectors are of another space.
        """
        ...


class Sum:
    """Adds picture and words as vectors of equal length: what is done without a composer."""

    name = "sum"

    def __init__(self, space: Space) -> None:
        self.space = space

    def compose(self, pictures: Vectors, words: Sequence[str], spoken: Vectors) -> Vectors:
        """Add row by row."""
        return Vectors.normalized(self.space, pictures.array + spoken.array)


def mean(pictures: Vectors, weights: Sequence[float] = ()) -> Vectors:
    """
    Make one reference of several: [1, dim].

    Args:
        weights: one per picture; equal ones unless said.

    Raises:
        InvalidRequest: there is not one weight per picture, or they cancel out.
    """
    shares = np.array(weights or [1.0] * len(pictures), np.float32)
    if len(shares) != len(pictures):
        raise InvalidRequest(
            f"there are {len(shares)} weights for {len(pictures)} pictures; give one each"
        )
    total: Floats = shares @ pictures.array
    if not np.linalg.norm(total) > 1e-6:
        raise InvalidRequest("the weights of the pictures cancel out, so nothing is left to search")
    return Vectors.normalized(pictures.space, total[None])


def away_from(wish: Vectors, unwanted: Vectors, weight: float = UNWANTED) -> Vectors:
    """Move a wish [1, dim] away from what is not wanted [1, dim]."""
    return Vectors.normalized(wish.space, wish.array - weight * unwanted.array)
