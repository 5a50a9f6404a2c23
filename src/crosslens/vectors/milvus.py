"""Milvus: an index that several processes share on a server, or a file for Milvus Lite."""

from __future__ import annotations

import functools
import re
import threading
from typing import Final

from crosslens.errors import InvalidRequest, Unavailable
from crosslens.vectors import milvus_collections as engine
from crosslens.vectors.index import IndexSpec
from crosslens.vectors.live import LiveIndex
from crosslens.vectors.milvus_collections import Generation
from crosslens.vectors.milvus_connection import Connection
from crosslens.vectors.milvus_index import MilvusIndex

_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class MilvusStore:
    """
    Generations of Milvus collections; the aliases `PREFIX_text` and `PREFIX_pictures` name those
    that are live, and the alias of the text collection decides.

    Args:
        uri: `http://host:19530`, or a file ending in `.db` for Milvus Lite, held by one process.
        spec: what the settings ask for; the live index keeps the spec it was built with.
        prefix: begins the name of every collection and alias, so that several share a server.
        timeout_s: how long an answer may take.

    Raises:
        InvalidRequest: the prefix is not of letters, digits and underscores.
    """

    def __init__(
        self,
        uri: str,
        spec: IndexSpec,
        *,
        token: str | None = None,
        prefix: str = "crosslens",
        timeout_s: float = 10.0,
    ) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise InvalidRequest(
                f"the Milvus prefix is {prefix!r}; allowed are letters, digits and underscores"
            )
        self._spec = spec
        self._prefix = prefix
        self._connect = functools.partial(Connection, uri, token=token, timeout_s=timeout_s)
        self._connection: Connection | None = None
        self._live: LiveIndex | None = None
        self._draft: MilvusDraft | None = None
        self._lock = threading.RLock()

    def live(self) -> LiveIndex:
        """Return the live index; see IndexStore."""
        with self._lock:
            if self._live is None:
                generation = self._pointed_at() or self._first()
                engine.point_at(self._milvus(), generation)  # a crash may have left one alias
                self._live = LiveIndex(self._index(generation), self)
            return self._live

    @property
    def interrupted(self) -> bool:
        """Say no: what was acknowledged is kept, or nothing is."""
        return False

    def draft(self) -> MilvusDraft:
        """Create an empty index beside the live one; former drafts are dropped."""
        with self._lock:
            milvus = self._milvus()
            if self._draft is not None:
                self._draft.discard()
            engine.sweep(milvus, self._prefix, kept=engine.pointed_at(milvus, self._prefix))
            self._draft = MilvusDraft(MilvusIndex(milvus, self._created()), self)
            return self._draft

    def wanted(self) -> IndexSpec:
        """Return the spec that drafts are built with."""
        return self._spec

    def want(self, spec: IndexSpec) -> None:
        """Ask for another spec from the next draft on, as a change of settings does."""
        self._spec = spec

    def close(self) -> None:
        """Drop a draft and close the connection."""
        with self._lock:
            if self._draft is not None:
                self._draft.discard()
            if self._live is not None:
                self._live.close()
            if self._connection is not None:
                self._connection.close()
            self._live = self._connection = None

    def switch_to(self, generation: Generation) -> None:
        """Make a generation the live one and drop the former."""
        with self._lock:
            milvus = self._milvus()
            engine.point_at(milvus, generation)
            self._draft = None
            if self._live is None:
                self._live = LiveIndex(self._index(generation), self)
            else:
                self._live.switch(self._index(generation)).close()
            engine.sweep(milvus, self._prefix, kept=generation.name)

    def drop(self, generation: Generation) -> None:
        """Drop a generation that is not live."""
        with self._lock:
            self._draft = None
            engine.drop(self._milvus(), generation)

    def _milvus(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _index(self, generation: Generation) -> MilvusIndex:
        index = MilvusIndex(self._milvus(), generation, self._latest)
        if self._milvus().lite:
            index.optimize()  # a killed process leaves rows that every search reads one by one
        return index

    def _latest(self, former: Generation) -> Generation:
        name = engine.pointed_at(self._milvus(), self._prefix)
        if name is None:
            raise Unavailable("the vector index was dropped", hint="run `crosslens index rebuild`")
        if name == former.name:
            return former
        return engine.opened(self._milvus(), self._prefix, name)

    def _pointed_at(self) -> Generation | None:
        name = engine.pointed_at(self._milvus(), self._prefix)
        return None if name is None else engine.opened(self._milvus(), self._prefix, name)

    def _created(self) -> Generation:
        generation = Generation.new(self._prefix, self._spec)
        engine.create(self._milvus(), generation)
        return generation

    def _first(self) -> Generation:
        engine.require_free(self._milvus(), self._prefix)
        generation = self._created()
        try:
            engine.claim(self._milvus(), generation)
        except Unavailable:
            engine.drop(self._milvus(), generation)
            winner = self._pointed_at()  # another process was first
            if winner is None:
                raise
            return winner
        return generation


class MilvusDraft:
    """A generation that is not live yet."""

    def __init__(self, index: MilvusIndex, store: MilvusStore) -> None:
        self.index = index
        self._store: MilvusStore | None = store

    def take_over(self) -> None:
        """Become the live index in one step; returns when the former one is dropped."""
        if self._store is not None:
            self._store.switch_to(self.index.generation)
            self._store = None

    def discard(self) -> None:
        """Drop the draft; nothing happens when it has taken over."""
        if self._store is not None:
            self._store.drop(self.index.generation)
            self._store = None
