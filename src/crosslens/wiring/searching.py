"""What answers: the engine, and the scenes it answers within."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Final

from crosslens.encode.keywords import query_tokens
from crosslens.encode.onnx import load as load_bundle
from crosslens.errors import BrokenBundle, CrosslensError, NotFound
from crosslens.search.crossing import CrossEncoder
from crosslens.search.engine import SearchEngine, Searcher
from crosslens.search.learned import read_ranker
from crosslens.search.match import Matcher
from crosslens.search.relevance import read_curves
from crosslens.search.reranking import Reranker
from crosslens.search.scene_file import SceneFile
from crosslens.search.scenes import Known
from crosslens.search.stage import Stage
from crosslens.settings import Settings
from crosslens.vectors.index import VectorIndex
from crosslens.wiring.changes import Changes
from crosslens.wiring.models import BUILT_IN

RELEVANCE: Final = "relevance.json"
RANKERS: Final = "rankers"
SHIPPED_SETS: Final = {"sample": BUILT_IN / "sample"}
PROBE_THREADS: Final = 32


class Searching(Changes):
    """What searches the live index."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._rerankers: dict[str, Reranker] = {}

    @cached_property
    def engine(self) -> SearchEngine:
        """Search."""
        engine = self._engine_over(self.index)
        engine.notes = self._notes
        engine.curves = read_curves(self.settings.home / RELEVANCE, self.probe_spaces)
        return engine

    def _engine_over(self, index: VectorIndex) -> SearchEngine:
        pool = ThreadPoolExecutor(PROBE_THREADS, thread_name_prefix="probe")
        self._closing.callback(pool.shutdown, cancel_futures=True)
        matcher = Matcher(self.query_encoders, index, query_tokens, pool, self.composer)
        return SearchEngine(self.catalog, self.media, matcher, shares=self.shares)

    def _notes(self) -> tuple[str, ...]:
        left = self.mending.filling()
        return () if left is None else (str(left),)

    def stage(self, engine: Searcher) -> Stage:
        """Make what answers within scenes, by asking an engine."""
        return Stage(
            engine,
            self.scene_file,
            index=self.index_store.live,
            looks=lambda: self.index_store.live().spec.picture[-1],
            tokens=query_tokens,
            types=self.settings.attributes,
            rerankers=lambda: self._rerankers,
            log=self.exposures.put,
        )

    @cached_property
    def scene_file(self) -> SceneFile:
        """
        The scenes of the home, over those that come along.

        Raises:
            InvalidRequest: the file is wrong; the message begins with file and line.
        """
        shipped = BUILT_IN / "scenes.yaml"
        return SceneFile(self.settings.home / "scenes.yaml", shipped, self.known)

    def known(self) -> Known:
        """Return what scenes may speak of; reads the rankers of the home anew."""
        folder = self.settings.home / RANKERS
        rankers = {
            path.stem: read_ranker(path, query_tokens) for path in sorted(folder.glob("*.json"))
        }
        self._rerankers |= rankers  # scenes that still answer may name one that is gone
        crossing, others = self._bundles_that_rank()
        return Known(
            rerankers=(*rankers, *crossing),
            others={name: why for name, why in others.items() if name not in rankers},
            load=lambda name: None if name in rankers else self._load_cross_encoder(name),
            types=self.settings.attributes,
        )

    def _bundles_that_rank(self) -> tuple[list[str], dict[str, str]]:
        """Return the cross-encoders of the shelf, and why its other bundles are none."""
        crossing, others = [], {}
        for name in self.shelf.names():
            try:
                card = self.shelf.card(name)
            except CrosslensError as exc:
                others[name] = f"a bundle that cannot be used: {exc.message}"
                continue
            if card.reranker is not None:
                crossing.append(name)
            else:
                others[name] = f"a bundle that is no cross-encoder: it has {_and(card.towers)}"
        return crossing, others

    def _load_cross_encoder(self, name: str) -> None:
        """Load a cross-encoder once; it runs where searches run."""
        if name in self._rerankers:
            return
        loaded = load_bundle(self.shelf.folder(name), device=self.settings.device)
        if loaded.reranker is None:
            raise BrokenBundle(f"bundle {name} is no cross-encoder")
        loaded.check().require(name)
        self._rerankers[name] = CrossEncoder(loaded.reranker)

    def judged_folder(self, name: str) -> Path:
        """
        Find a judged set: of the home, else one that comes along.

        Raises:
            NotFound: there is none of this name.
        """
        for folder in (self.settings.home / "judged" / name, SHIPPED_SETS.get(name)):
            if folder is not None and folder.is_dir():
                return folder
        raise NotFound(f"there is no judged set {name!r}")


def _and(towers: Sequence[str]) -> str:
    return " and ".join(f"a {tower} tower" for tower in towers)
