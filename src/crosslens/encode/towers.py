"""Towers: encoders cut in two, so that many callers can share the expensive half."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crosslens.values import Floats, Space

Row: TypeAlias = NDArray[Any]


class TextTower(Protocol):
    """Words → rows of token ids (cheap, per caller) → raw vectors (expensive, shared)."""

    space: Space

    def prepare_queries(self, words: Sequence[str]) -> list[Row]:
        """Cut what people ask for into token ids: int64 [L] each."""
        ...

    def prepare_items(self, texts: Sequence[str]) -> list[Row]:
        """Cut what the catalogue holds into token ids: int64 [L] each."""
        ...

    def run(self, rows: Sequence[Row]) -> Floats:
        """Compute raw vectors, in order: float32 [N, dim], of any length."""
        ...


class PictureTower(Protocol):
    """Picture bytes → pixels (per caller) → raw vectors (shared)."""

    space: Space

    def prepare(self, pictures: Sequence[bytes]) -> list[Row]:
        """
        Decode and resize: float32 [3, H, W] each.

        Raises:
            UnreadablePicture: one of them cannot be decoded; the message ends with its digest.
        """
        ...

    def run(self, rows: Sequence[Row]) -> Floats:
        """Compute raw vectors, in order: float32 [N, dim], of any length."""
        ...


def by_length(lengths: Sequence[int], *, slack: int = 8) -> list[list[int]]:
    """
    Group positions by length, so that padding is at most half of a group, or a few tokens.

    Texts are padded to the longest of their batch; one long text would make all the others
    as dear as itself.

    Args:
        slack: tokens of padding that are cheaper than another run.
    """
    groups: list[list[int]] = []
    shortest = 0
    for position in np.argsort(lengths, kind="stable").tolist():
        if not groups or lengths[position] > 2 * shortest + slack:
            groups.append([])
            shortest = lengths[position]
        groups[-1].append(position)
    return groups
