"""Whether the rows of each product agree with each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

DISAGREE = -1


def agreed(text: NDArray[np.int64], pictures: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """
    Merge the rows of both collections into (product id, revision, pictures) by rising id.

    Args:
        text: [N, 3], product id, revision and the number of pictures written with it.
        pictures: [P, 2], product id and revision of each picture row.

    Returns:
        One triple per product of either collection; the revision is -1 where a row is missing,
        left over or of another revision.
    """
    text = text[np.argsort(text[:, 0], kind="stable")]
    pictures = pictures[np.lexsort((pictures[:, 1], pictures[:, 0]))]
    ids = np.union1d(text[:, 0], pictures[:, 0])
    start = np.searchsorted(pictures[:, 0], ids, side="left")
    end = np.searchsorted(pictures[:, 0], ids, side="right")
    held = end - start
    revision = np.full(len(ids), DISAGREE)
    at = np.searchsorted(ids, text[:, 0])
    revision[at] = np.where(held[at] == text[:, 2], text[:, 1], DISAGREE)
    some = held > 0
    lowest, highest = pictures[start[some], 1], pictures[end[some] - 1, 1]
    same = (lowest == revision[some]) & (highest == revision[some])
    revision[some] = np.where(same, revision[some], DISAGREE)
    return zip(ids.tolist(), revision.tolist(), held.tolist(), strict=True)
