"""What the contract tests of vector indexes share: engines, a spec, rows, filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import strategies as st

from crosslens.values import Attributes, AttributeType, Floats, Space, Vectors
from crosslens.vectors.filters import And, Compare, Filter, IsSet, Not, OneOf, Or
from crosslens.vectors.index import IndexSpec, IndexStore, ProductRows
from crosslens.vectors.memory import MemoryStore

if TYPE_CHECKING:
    from dashvector_stand_in import StandIn
    from milvus_server import MilvusServer

TITLES = Space("titles", 8)
WORDS = Space("words", 8)
LOOKS = Space("looks", 12)
TYPES = {
    "colour": AttributeType.KEYWORD,
    "usage": AttributeType.KEYWORDS,
    "year": AttributeType.NUMBER,
    "sale": AttributeType.BOOL,
    "day": AttributeType.DATE,
    "颜 色": AttributeType.KEYWORD,
}
SPEC = IndexSpec((TITLES, WORDS), (WORDS, LOOKS), TYPES)

HOSTILE = [
    "it's", 'say "red"', "back\\", "\\'", "; drop", "100%_", "a\nb", "红色", "or 1=1",
    "x' or 'a'='a", "x') or (1=1", "長" * 3_000, "a" * 10_000, "\x01", "{a}", "`", "null",
    "true", "🧦", "  blank  ",
]  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """
    Opens stores of one kind at one place; `durable` ones keep their rows, and those that weigh
    words by statistics of their own are told of a corpus by `learn`.
    """

    name: str
    open: Callable[[IndexSpec], IndexStore]
    durable: bool
    most_words: int = 20_000
    learn: Callable[[Iterable[Sequence[str]]], None] = lambda corpus: None

    @contextmanager
    def store(self, spec: IndexSpec = SPEC) -> Iterator[IndexStore]:
        store = self.open(spec)
        try:
            yield store
        finally:
            store.close()


def engine(request: pytest.FixtureRequest, folder: Path) -> Engine:
    name = request.param
    if name == "memory":
        return Engine(name, MemoryStore, durable=False)
    if name == "zvec":
        from crosslens.vectors.zvec import ZvecStore

        return Engine(name, lambda spec: ZvecStore(folder / "index", spec), durable=True)
    if name == "dashvector":
        return _dashvector(request.getfixturevalue("dashvector_service"))
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")
    if name == "milvus-server":
        return _emptied(request.getfixturevalue("milvus_server"))
    from crosslens.vectors.milvus import MilvusStore

    return Engine(name, lambda spec: MilvusStore(str(folder / "m.db"), spec), durable=True)


def _dashvector(service: StandIn) -> Engine:
    from crosslens.vectors.dashvector import DashVectorStore
    from crosslens.vectors.term_statistics import TermStatistics

    prefix, trained = f"shop{next(_shops)}", [TermStatistics()]

    def store(spec: IndexSpec) -> IndexStore:
        return DashVectorStore(
            service.endpoint, spec, key=service.key, training=lambda: trained[-1], prefix=prefix
        )

    def learn(corpus: Iterable[Sequence[str]]) -> None:
        trained.append(TermStatistics.train(corpus))

    return Engine("dashvector", store, durable=True, learn=learn)


def _emptied(server: MilvusServer) -> Engine:
    """The same collections for every test, since a server takes seconds to make some."""
    engine = Engine("milvus-server", server.store, durable=True, most_words=4_096)
    with engine.store() as store:
        if store.live().spec == SPEC:
            store.live().delete([held for held, _, _ in store.live().revisions()])
        else:
            store.begin_anew("")
    return engine


MILVUS = [pytest.param(name, marks=pytest.mark.milvus) for name in ("milvus", "milvus-server")]
ENGINES = ["memory", "zvec", "dashvector", *MILVUS]
_shops = count(1)


def unit(seed: object, space: Space) -> Floats:
    """A unit vector that depends on the seed only."""
    number = sum(ord(c) * 31**i for i, c in enumerate(str((seed, space.name)))) % 2**32
    row = np.random.default_rng(number).standard_normal(space.dim).astype("f4")
    return row / np.linalg.norm(row)


def vectors(space: Space, *seeds: object) -> Vectors:
    rows = [unit(seed, space) for seed in seeds]
    return Vectors(space, np.array(rows, "f4").reshape(len(seeds), space.dim))


def rows(
    product_id: int,
    *,
    revision: int = 1,
    text: object = None,
    pictures: Sequence[object] = (),
    tokens: Sequence[str] = (),
    attributes: Attributes | None = None,
) -> ProductRows:
    seed = product_id if text is None else text
    return ProductRows(
        product_id,
        revision,
        tuple(vectors(space, seed) for space in SPEC.text),
        tuple(vectors(space, *pictures) for space in SPEC.picture),
        tokens,
        attributes or {},
    )


def ids(candidates: Sequence[object]) -> list[int]:
    return [c.product_id for c in candidates]  # type: ignore[attr-defined]


keywords = st.sampled_from(
    ["Red", "red", "ＲＥＤ", "blue", "红", "Straße", "STRASSE", *HOSTILE[:9]]
)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 2012.0, 2012.5, -3.0, 1e300, 1e-7, 5e-324, 2**53 + 0.0]),
)
dates = st.sampled_from(
    ["2020-01-01", "2020-01-01T10:00:00", "2020-01-01T10:00:00+08:00", "2020-01-01T02:00:00Z",
     "1999-12-31", "0001-01-01", "9999-12-31", "20200101", "2020-01-01T00:00:00.000001"]
)  # fmt: skip
VALUES = {
    AttributeType.KEYWORD: keywords,
    AttributeType.KEYWORDS: keywords,
    AttributeType.NUMBER: numbers,
    AttributeType.BOOL: st.booleans(),
    AttributeType.DATE: dates,
}
_STORED = {**VALUES, AttributeType.KEYWORDS: st.lists(keywords, max_size=4)}
_UNFIT = st.sampled_from(["unknown", "", 7.0, True, ["a"], []])
attribute_maps = st.fixed_dictionaries(
    {}, optional={name: st.one_of(_STORED[type_], _UNFIT) for name, type_ in TYPES.items()}
)


def _compare(name: str) -> st.SearchStrategy[Filter]:
    ordered = TYPES[name] in (AttributeType.NUMBER, AttributeType.DATE)
    ops = ["=", "!=", "<", "<=", ">", ">="] if ordered else ["=", "!="]
    return st.builds(Compare, st.just(name), st.sampled_from(ops), VALUES[TYPES[name]])


def _one_of(name: str) -> st.SearchStrategy[Filter]:
    values = st.lists(VALUES[TYPES[name]], min_size=1, max_size=4).map(tuple)
    return st.builds(OneOf, st.just(name), values)


leaves = st.sampled_from(list(TYPES)).flatmap(
    lambda name: st.one_of(_compare(name), _one_of(name), st.just(IsSet(name)))
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=1, max_size=3).map(tuple).map(Or),
        inner.map(Not),
    ),
    max_leaves=6,
)
