"""The embedded index must find what exact search finds: nearly always, filtered or not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from crosslens.values import AttributeType, Floats, Modality, Space, Vectors
from crosslens.vectors.filters import Filter, parse
from crosslens.vectors.index import IndexSpec, ProductRows, VectorIndex
from crosslens.vectors.memory import MemoryIndex
from crosslens.vectors.zvec_index import ZvecIndex

ROWS, DIM, PICTURES = 10_000, 128, 3
SPACE = Space("cloud", DIM)
SPEC = IndexSpec((SPACE,), (SPACE,), {"share": AttributeType.NUMBER})
WHERE = {"all": None, "a tenth": parse("share < 10"), "a hundredth": parse("share < 1")}


def cloud(count: int, seed: int) -> Floats:
    """Unit vectors in a hundred clusters, each flat in directions of its own."""
    fixed, draw = np.random.default_rng(0), np.random.default_rng(seed)
    centres = fixed.standard_normal((100, DIM), dtype="f4")
    directions = fixed.standard_normal((100, 24, DIM), dtype="f4")
    of = draw.integers(0, 100, count)
    inner = draw.standard_normal((count, 24), dtype="f4") * np.float32(0.15)
    rows = centres[of] + np.einsum("nk,nkd->nd", inner, directions[of])
    rows += draw.standard_normal((count, DIM), dtype="f4") * np.float32(0.3)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def written() -> list[ProductRows]:
    """Ten thousand products; every third has three pictures."""
    text, pictures = cloud(ROWS, 1), cloud(ROWS, 2)
    draw = np.random.default_rng(3)
    return [
        ProductRows(
            key,
            1,
            (Vectors(SPACE, text[key : key + 1]),),
            (Vectors(SPACE, pictures[key : key + PICTURES * (key % PICTURES == 0)]),),
            (),
            {"share": float(draw.uniform(0, 100))},
        )
        for key in range(ROWS)
    ]


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MemoryIndex, ZvecIndex]]:
    oracle = MemoryIndex(SPEC)
    index = ZvecIndex.create(tmp_path_factory.mktemp("recall") / "generation", SPEC)
    rows = written()
    for target in (oracle, index):
        for at in range(0, ROWS, 2_000):
            target.upsert(rows[at : at + 2_000])
    yield oracle, index
    index.close()


def recall(
    oracle: VectorIndex, index: VectorIndex, modality: Modality, where: Filter | None, limit: int
) -> float:
    """The share of the oracle's products that the index finds too, over 50 queries."""
    queries = Vectors(SPACE, cloud(50, 4))
    found, true = (
        target.nearest(queries, modality, limit=limit, where=where) for target in (index, oracle)
    )
    shares = [
        len({c.product_id for c in ours} & {c.product_id for c in theirs}) / len(theirs)
        for ours, theirs in zip(found, true, strict=True)
    ]
    return sum(shares) / len(shares)


@pytest.mark.parametrize("state", ["scanned", "indexed", "indexed, then more written"])
def test_recall_at_ten_and_a_hundred(indexes: tuple[MemoryIndex, ZvecIndex], state: str) -> None:
    oracle, index = indexes
    if state == "indexed":
        assert index.needs_optimize()
        index.optimize()
        assert not index.needs_optimize()
    elif state != "scanned":
        for target in (oracle, index):
            target.upsert(written()[:500])
    for modality in Modality:
        for name, where in WHERE.items():
            for limit in (10, 100):
                share = recall(oracle, index, modality, where, limit)
                assert share >= 0.99, (state, modality, name, limit, share)
