"""Scenes over a house in memory, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from crosslens.catalog.exposures import Exposure
from crosslens.encode.keywords import query_tokens
from crosslens.search.marked import read_marked
from crosslens.search.reranking import Reranker
from crosslens.search.scenes import Known, Scenes, compiled
from crosslens.search.stage import Stage
from house import ATTRIBUTES, CROSS, House


def scenes(text: str, *, rerankers: Sequence[str] = ()) -> Scenes:
    known = Known(rerankers, ATTRIBUTES)
    return compiled(read_marked(text, "scenes.yaml"), known=known)


@dataclass
class Staging:
    """A stage that remembers what it logged."""

    house: House
    text: str
    rerankers: dict[str, Reranker] = field(default_factory=dict)
    logged: list[Exposure] = field(default_factory=list)

    def stage(self) -> Stage:
        read = scenes(self.text, rerankers=list(self.rerankers))
        return Stage(
            self.house.engine(),
            lambda: read,
            index=self.house.store.live,
            looks=lambda: CROSS,
            tokens=query_tokens,
            types=ATTRIBUTES,
            rerankers=lambda: self.rerankers,
            log=self.logged.append,
        )
