"""The embedded engine: Zvec, HNSW and BM25 in this process, generations in one folder."""

from __future__ import annotations

import contextlib
from pathlib import Path
from shutil import rmtree

from crosslens.errors import CrosslensError, IndexBroken
from crosslens.telemetry import logger
from crosslens.vectors.endings import Ending, ending
from crosslens.vectors.generations import Generations
from crosslens.vectors.index import Damage, IndexSpec
from crosslens.vectors.one_live import OneLive
from crosslens.vectors.rehearsal import rehearse
from crosslens.vectors.zvec_index import ZvecIndex


class ZvecStore(OneLive[ZvecIndex]):
    """
    Generations of Zvec indexes in one folder, held by one process.

    Args:
        home: the folder; it is created.
        spec: what the settings ask for; the live index keeps the spec it was built with.
    """

    def __init__(self, home: Path, spec: IndexSpec) -> None:
        super().__init__(spec)
        self._home = home
        self._generations: Generations | None = None

    @property
    def doubtful(self) -> bool:
        """Say whether the live index may lack what was written to it; see IndexStore."""
        self.live()
        return self._index is not None and not self._index.whole

    @property
    def damage(self) -> Damage | None:
        """Say what the live index stands in for; see IndexStore."""
        with self._lock:
            self.live()
            return self._held().damage()

    def begin_anew(self, reason: str) -> None:
        """Set the live index aside and go on with an empty one of the wanted spec."""
        with self._lock:
            self.live()
            damaged = self._index
            fresh = self._created()
            if damaged is not None:
                self._set_aside(damaged.folder, fresh, reason)
            with contextlib.suppress(CrosslensError):  # of the damaged one, which is closed
                self._switch(fresh)

    def trust(self) -> None:
        """Say that the live index holds what the catalogue holds; see IndexStore."""
        with self._lock:
            self.live()
            self._held().made_good()
            if self._index is not None:
                self._index.whole = True

    def _found(self) -> ZvecIndex:
        generations = self._held()
        generations.sweep(self._draft.index.folder if self._draft else None)
        folder = generations.live()
        if folder is None:
            index = self._created()
            self._appoint(index)
            return index
        try:
            return self._opened(folder)
        except IndexBroken as exc:
            fresh = self._created()
            self._set_aside(folder, fresh, exc.message)
            return fresh

    def _opened(self, folder: Path) -> ZvecIndex:
        with self._held().opening(folder) as warned:
            if warned or ending(folder) is Ending.ALTERED:
                rehearse(folder)
            return ZvecIndex.open(folder)

    def _set_aside(self, damaged: Path, fresh: ZvecIndex, reason: str) -> None:
        self._held().replace(damaged, fresh.folder, reason)
        logger("index").error("index set aside; a new one is being filled", reason=reason)

    def _created(self) -> ZvecIndex:
        return ZvecIndex.create(self._held().new(), self._spec)

    def _appoint(self, index: ZvecIndex) -> None:
        self._held().point_at(index.folder)

    def _drop(self, index: ZvecIndex) -> None:
        index.close()
        rmtree(index.folder)

    def _sweep(self) -> None:
        self._held().sweep()

    def _release(self) -> None:
        if self._generations is not None:
            self._generations.close()
        self._generations = None

    def _held(self) -> Generations:
        if self._generations is None:
            self._generations = Generations(self._home)
        return self._generations
