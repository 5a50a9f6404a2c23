"""Many rows per product: their keys, the best of them, and those left over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from crosslens.values import Candidate

Hit: TypeAlias = tuple[str, float]

MOST_PER_PRODUCT: Final = 8.0
SPARE_HITS: Final = 4


def picture_key(product_id: int, position: int) -> str:
    """Return the key of a picture row."""
    return f"{product_id}:{position}"


def rank(candidate: Candidate) -> tuple[float, int]:
    """Order candidates by falling score, ties by rising product id."""
    return (-candidate.score, candidate.product_id)


def rows_for(limit: int, per_product: float, *, most: int) -> int:
    """Return how many picture rows usually hold so many products."""
    return min(most, int(limit * min(MOST_PER_PRODUCT, max(1.0, per_product))) + SPARE_HITS)


def best_products(
    hits: Callable[[int], Sequence[Hit]], limit: int, per_product: float, *, most: int
) -> list[Candidate]:
    """
    Find the best `limit` products among picture rows, each with its best picture.

    Asks for as many rows as usually hold that many products, and for three times as many while
    too few products are among them.

    Args:
        hits: returns at most that many (picture key, score), best first.
        per_product: pictures that a product has on average.
        most: rows that the engine gives at most.
    """
    asked = rows_for(limit, per_product, most=most)
    while True:
        given = hits(asked)
        found = _best_pictures(given)
        if len(found) >= limit or len(given) < asked or asked == most:
            return found[:limit]
        asked = min(most, 3 * asked)


def surplus_keys(
    kept: Mapping[int, int], present: Callable[[Collection[str]], Iterable[str]]
) -> list[str]:
    """
    Return the keys of picture rows that products no longer have, last positions first.

    Pictures of a product are positions 0..P-1 without a gap, so one look at the first position
    beyond tells whether there are any; each further look is at twice as many. Deleted in this
    order they never leave a gap.

    Args:
        kept: how many pictures each product has now.
        present: returns those of the keys that have a row.
    """
    surplus: list[tuple[int, str]] = []
    beyond, width = dict(kept), 1
    while beyond:
        asked = {
            picture_key(key, position): (key, position)
            for key, first in beyond.items()
            for position in range(first, first + width)
        }
        left = [(asked[name][1], name) for name in present(asked)]
        surplus.extend(left)
        beyond = _whole_windows(beyond, {asked[name] for _, name in left}, width)
        width *= 2
    return [name for _, name in sorted(surplus, reverse=True)]


def _whole_windows(
    beyond: Mapping[int, int], left: Collection[tuple[int, int]], width: int
) -> dict[int, int]:
    """Return where to look next, for the products whose rows went on to the end of the window."""
    return {key: first + width for key, first in beyond.items() if (key, first + width - 1) in left}


def _best_pictures(hits: Iterable[Hit]) -> list[Candidate]:
    best: dict[int, tuple[float, int]] = {}
    for key, score in hits:
        product, _, position = key.partition(":")
        product_id, offer = int(product), (score, -int(position))
        if product_id not in best or offer > best[product_id]:
            best[product_id] = offer
    found = [Candidate(key, score, -negated) for key, (score, negated) in best.items()]
    return sorted(found, key=rank)
