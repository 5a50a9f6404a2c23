"""Losses over one batch, as plain functions of scores; which pairs belong together is an input."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BELONGS = 1
IGNORED = 0
DIFFERS = -1
INSTANCE_SCALE = 10.0
_FAR = -1e4


def contrast(scores: Tensor, relation: Tensor) -> Tensor:
    """
    Put each row's positives above its negatives: InfoNCE with several positives.

    Positives do not compete with each other: each is set against the negatives alone, and a row
    counts once however many it has. A row without a positive counts nothing.

    Args:
        scores: scaled similarities [Q, K].
        relation: [Q, K] of 1 (belongs), 0 (ignored) and -1 (differs).

    Returns:
        A scalar ≥ 0; 0 when no row has a positive.
    """
    positives = relation == BELONGS
    against = scores.masked_fill(relation != DIFFERS, _FAR).logsumexp(1, keepdim=True)
    each = functional.softplus(against - scores).masked_fill(~positives, 0.0)
    counts = positives.sum(1)
    rows = each.sum(1) / counts.clamp(min=1)
    return rows.sum() / (counts > 0).sum().clamp(min=1)


def both_ways(scores: Tensor, relation: Tensor) -> Tensor:
    """Mean of `contrast` over rows and over columns."""
    return (contrast(scores, relation) + contrast(scores.T, relation.T)) / 2


def same_product(first: Tensor, second: Tensor) -> Tensor:
    """
    Draw two pictures of each product together, apart from every other product's.

    Products with equal attributes are negatives here, so they stay separable.

    Args:
        first, second: unit vectors [P, dim]; row i of both shows product i.
    """
    scores = INSTANCE_SCALE * first @ second.T
    wanted = torch.arange(len(scores), device=scores.device)
    return (
        functional.cross_entropy(scores, wanted) + functional.cross_entropy(scores.T, wanted)
    ) / 2


def same_meaning(first: Tensor, second: Tensor, relation: Tensor, *, scale: Tensor) -> Tensor:
    """
    Draw phrases and their paraphrases together, apart from phrases that say something else.

    Beside the ranking, row i of both is drawn to one point: only so does a word that was never
    seen with a picture land where the pictures are.

    Args:
        first, second: unit vectors [T, dim]; row i of both says the same.
        relation: [T, T] as `alike` gives it.
    """
    ranked = both_ways(scale * first @ second.T, relation)
    return ranked + (1 - (first * second).sum(1)).mean()


def name_attributes(guesses: dict[str, Tensor], codes: Tensor) -> Tensor:
    """
    Mean cross-entropy over all known attributes; a code of -1 is unknown and counts nothing.

    Args:
        guesses: attribute → logits [P, values], in the order of the columns of `codes`.
        codes: int64 [P, attributes].
    """
    losses = [
        functional.cross_entropy(logits, column, ignore_index=-1, reduction="sum")
        for logits, column in zip(guesses.values(), codes.T, strict=True)
    ]
    if not losses:
        return codes.new_zeros((), dtype=torch.float32)
    return torch.stack(losses).sum() / (codes >= 0).sum().clamp(min=1)


def misnamed(guesses: dict[str, Tensor], codes: Tensor) -> float:
    """Return the share of known attributes that are named wrong; see `name_attributes`."""
    wrong = [
        (logits.argmax(1) != column)[column >= 0]
        for logits, column in zip(guesses.values(), codes.T, strict=True)
    ]
    return float(torch.cat(wrong).float().mean())
