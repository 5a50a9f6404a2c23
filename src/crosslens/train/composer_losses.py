"""What a batch of composed vectors and targets teaches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from crosslens.train.composer_config import Loss

TRIPLETS = 3
NEVER = -1e4


def compare(loss: Loss, composed: Tensor, targets: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    """
    Compute a loss.

    Args:
        composed, targets: unit vectors [B, dim]; row r of both belong together.
        labels: int64 [B]; where two are equal, each target is right for both.
        scale: inverse temperature; its root is the length of the vectors in the triplet loss.
    """
    composed, targets = composed.float(), targets.float()
    if loss is Loss.SOFT_TRIPLET:
        return soft_triplet(composed, targets, length=scale.float().sqrt())
    scores = scale.float() * composed @ targets.T
    own = torch.arange(len(scores), device=scores.device)
    if loss is Loss.BATCH_CLASSIFICATION:
        return functional.cross_entropy(scores, own)
    same = (labels[:, None] == labels[None]) & ~torch.eye(
        len(labels), dtype=torch.bool, device=labels.device
    )
    scores = scores.masked_fill(same, NEVER)
    there = functional.cross_entropy(scores, own)
    return there + 0.5 * functional.cross_entropy(scores.T, own)


def soft_triplet(composed: Tensor, targets: Tensor, *, length: Tensor | float) -> Tensor:
    """
    Mean of log(1 + exp(d²(a, p) - d²(a, n))) over up to three wrong ones for each anchor.

    As in the reference, both composed vectors and targets are anchors, wrong ones are drawn from
    both, and all are given a length that is learned (Vo et al. 2019).
    """
    both = length * torch.cat([composed, targets])
    count = len(composed)
    own = torch.arange(count, device=both.device)
    partner = torch.cat([own + count, own])
    pair = torch.cat([own, own])
    drawn = torch.randint(0, 2 * count - 2, (2 * count, TRIPLETS), device=both.device)
    # Numbers that skip the two of the anchor's own pair.
    drawn = drawn + (drawn >= pair[:, None]).long()
    drawn = drawn + (drawn >= pair[:, None] + count).long()
    right = (both - both[partner]).square().sum(1)
    wrong = (both[:, None] - both[drawn]).square().sum(2)
    return functional.softplus(right[:, None] - wrong).mean()
