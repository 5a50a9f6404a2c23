"""What a precision costs: vectors and neighbours of real words and pictures, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosslens.encode.cards import PictureCard, TextCard
from crosslens.encode.pixels import Pixels
from crosslens.encode.words import Words
from crosslens.errors import BrokenBundle
from crosslens.hubs.precision import Feeds, Precision
from crosslens.train.graphs import OUTPUT
from crosslens.values import Floats

BATCH = 16
NEIGHBOURS = 10
LEAST = 32  # inputs, below which nothing can be said
MOST_BATCH_EFFECT = 1e-3  # of a component, between a vector alone and in a batch

# least mean cosine, least share of the ten nearest that stay
_LIMITS = {
    Precision.FP16: (0.9999, 0.99),
    Precision.INT8_WEIGHTS: (0.998, 0.90),
    Precision.INT8: (0.97, 0.80),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Real words and pictures, to calibrate and to measure with."""

    words: tuple[str, ...] = ()
    pictures: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """
    How far vectors moved.

    Attributes:
        compared: how many inputs.
        mean_cosine, worst_cosine: between a vector before and after.
        score_change: largest change of a cosine between two inputs.
        neighbours: share of each input's ten nearest that are the same before and after.
        batch_effect: largest difference of a component between a vector alone and in a batch.
    """

    compared: int
    mean_cosine: float
    worst_cosine: float
    score_change: float
    neighbours: float
    batch_effect: float

    def __str__(self) -> str:
        return (
            f"{self.compared} inputs: cosine {self.mean_cosine:.5f} "
            f"(worst {self.worst_cosine:.5f}), scores change by up to {self.score_change:.4f}, "
            f"{self.neighbours:.1%} of the ten nearest stay, batch effect {self.batch_effect:.0e}"
        )

    def require(self, precision: Precision, name: str) -> None:
        """
        Stop a precision that costs too much.

        Raises:
            BrokenBundle: beyond a limit, or a vector depends on its batch.
        """
        cosine, neighbours = _LIMITS[precision]
        if self.batch_effect > MOST_BATCH_EFFECT:
            raise BrokenBundle(
                f"{name} in {precision}: a vector changes with its batch by "
                f"{self.batch_effect:.2g}, allowed is {MOST_BATCH_EFFECT:g}"
            )
        if not (self.mean_cosine >= cosine and self.neighbours >= neighbours):
            raise BrokenBundle(
                f"{name} in {precision} is too far from fp32: {self}; "
                f"allowed are cosine {cosine} and {neighbours:.0%}",
                hint="take int8w or fp16, or fp32",
            )


def text_feeds(words: Words, card: TextCard, texts: Sequence[str], inputs: set[str]) -> list[Feeds]:
    """Prepare texts one by one: what the graph takes for each."""
    rows = words.rows(texts, prefix=card.item_prefix)
    feeds = [dict(zip(("input_ids", "attention_mask"), words.pad([r]), strict=True)) for r in rows]
    return [{name: feed[name] for name in inputs} for feed in feeds]


def picture_feeds(card: PictureCard, pictures: Sequence[bytes]) -> list[Feeds]:
    """Prepare pictures one by one."""
    return [{"pixel_values": row[None]} for row in Pixels(card).rows(pictures)]


def drift(before: Any, after: Any, feeds: Sequence[Feeds]) -> Drift:
    """
    Compare two sessions of one tower.

    Raises:
        BrokenBundle: there are too few inputs to say anything.
    """
    if len(feeds) < LEAST:
        raise BrokenBundle(
            f"a precision is judged on at least {LEAST} real inputs, {len(feeds)} are there",
            hint="import products first, or choose fp32",
        )
    old, new = (_alone(session, feeds) for session in (before, after))
    cosines = np.einsum("nd,nd->n", old, new)
    scores = [vectors @ vectors.T for vectors in (old, new)]
    return Drift(
        compared=len(feeds),
        mean_cosine=float(cosines.mean()),
        worst_cosine=float(cosines.min()),
        score_change=float(np.abs(scores[0] - scores[1]).max()),
        neighbours=_kept(*scores),
        batch_effect=_batch_effect(after, feeds, new),
    )


def _alone(session: Any, feeds: Sequence[Feeds]) -> Floats:
    return _unit(np.concatenate([session.run([OUTPUT], feed)[0] for feed in feeds]))


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _kept(before: Floats, after: Floats) -> float:
    """Share of the nearest that stay; the input itself is not its neighbour."""
    nearest = []
    for scores in (before, after):
        np.fill_diagonal(scores, -np.inf)
        nearest.append(np.argsort(-scores, axis=1, kind="stable")[:, :NEIGHBOURS])
    pairs = zip(*(map(set, found.tolist()) for found in nearest), strict=True)
    return float(np.mean([len(a & b) / NEIGHBOURS for a, b in pairs]))


def _batch_effect(session: Any, feeds: Sequence[Feeds], alone: Floats) -> float:
    """Run inputs of one shape together, and compare with each alone."""
    worst = 0.0
    for group in _like_shaped(feeds):
        together = {key: np.concatenate([feeds[n][key] for n in group]) for key in feeds[group[0]]}
        found = _unit(session.run([OUTPUT], together)[0])
        worst = max(worst, float(np.abs(found - alone[group]).max()))
    return worst


def _like_shaped(feeds: Sequence[Feeds]) -> list[list[int]]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for n, feed in enumerate(feeds):
        groups.setdefault(next(iter(feed.values())).shape, []).append(n)
    return [group[:BATCH] for group in groups.values() if len(group) > 1]
