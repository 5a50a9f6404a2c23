"""Ask an index everything once: what is damaged shows itself before people ask."""

from __future__ import annotations

import numpy as np

from crosslens.values import Modality, Space, Vectors
from crosslens.vectors.index import VectorIndex


def try_out(index: VectorIndex) -> None:
    """
    Search every column, search by keywords, and list every row.

    Raises:
        IndexBroken, Unavailable: it fails.
    """
    for space in index.spec.text:
        index.nearest(_some(space), Modality.TEXT, limit=1)
    for space in index.spec.picture:
        index.nearest(_some(space), Modality.PICTURE, limit=1)
    index.matching(["a"], limit=1)
    list(index.revisions())


def _some(space: Space) -> Vectors:
    return Vectors(space, np.eye(1, space.dim, dtype=np.float32))
