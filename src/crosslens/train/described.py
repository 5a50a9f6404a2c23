"""Pictures that are described once, for runs in which only words are learned."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crosslens.train.augment import normalise
from crosslens.train.disk import write_whole
from crosslens.train.model import DualEncoder
from crosslens.train.source import Rows, Source
from crosslens.values import Floats

VECTORS = "described.npy"
CHUNK = 64
_SEED = 30_000


class Described:
    """
    The vectors of two pictures of every training product.

    Args:
        rows: the products.
        vectors: unit vectors [N, 2, dim] of their pictures, in the same order.
    """

    def __init__(self, rows: Rows, vectors: Floats) -> None:
        self._vectors = torch.from_numpy(vectors)  # [N, 2, dim]
        self._places = np.full(int(rows.max()) + 1, -1, np.int64)
        self._places[rows] = np.arange(len(rows))

    def __call__(self, rows: Rows, rng: np.random.Generator, *, px: int) -> Tensor:
        """Give unit vectors [2 P, dim]; neither chance nor size changes them."""
        del rng, px
        found = self._vectors[torch.from_numpy(self._places[rows])]
        return torch.cat([found[:, 0], found[:, 1]])


def described(model: DualEncoder, source: Source, *, kept: Path) -> Described:
    """
    Describe the training products' pictures as a search meets them, undisturbed; or read them.

    Args:
        kept: where the vectors are written, for the run that resumes this one.

    Raises:
        StorageFull: there is no room for them.
    """
    rows = source.shelf.training
    if not kept.exists():
        rng = np.random.default_rng(_SEED)
        chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        model.eval()
        found = torch.cat([_vectors(model, source, chunk, rng) for chunk in chunks])
        content = io.BytesIO()
        np.save(content, found.numpy())
        write_whole(kept, content.getbuffer())
    return Described(rows, np.load(kept))


def _vectors(model: DualEncoder, source: Source, rows: Rows, rng: np.random.Generator) -> Tensor:
    device = next(model.parameters()).device
    views = source.pictures(rows, rng)  # [P, 2, S, S, 3]
    with torch.no_grad():
        values = normalise(views.reshape(-1, *views.shape[2:])).to(device)
        found: Tensor = model.picture(values).cpu()
        return found.view(len(rows), 2, -1)
