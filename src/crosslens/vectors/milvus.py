"""Milvus: an index that several processes share on a server, or a file for Milvus Lite."""

from __future__ import annotations

import functools
import re
from typing import Final

from crosslens.errors import InvalidRequest, Unavailable
from crosslens.telemetry import logger
from crosslens.vectors import milvus_generations as engine
from crosslens.vectors.index import IndexSpec
from crosslens.vectors.milvus_connection import Access as Access
from crosslens.vectors.milvus_connection import Connection
from crosslens.vectors.milvus_generations import Generation, GenerationLost
from crosslens.vectors.milvus_graphs import graph_of
from crosslens.vectors.milvus_index import MilvusIndex
from crosslens.vectors.milvus_keywords import keywords_of
from crosslens.vectors.milvus_schema import create
from crosslens.vectors.one_live import OneLive

_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class MilvusStore(OneLive[MilvusIndex]):
    """
    Generations of Milvus collections; the aliases `PREFIX_text` and `PREFIX_pictures` name those
    that are live, and the alias of the text collection decides.

    Args:
        uri: `http://host:19530`, `https://…` for TLS, or a file ending in `.db` for Milvus Lite,
            held by one process.
        spec: what the settings ask for; the live index keeps the spec it was built with.
        prefix: begins the name of every collection and alias, so that several share a server.
        graph: how vectors are indexed from the next draft on; see `milvus_graphs`.

    Raises:
        InvalidRequest: the prefix is not of letters, digits and underscores, or the kind of index
            is unknown.
    """

    def __init__(
        self,
        uri: str,
        spec: IndexSpec,
        *,
        access: Access | None = None,
        prefix: str = "crosslens",
        graph: str = "HNSW",
    ) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise InvalidRequest(
                f"the Milvus prefix is {prefix!r}; allowed are letters, digits and underscores"
            )
        super().__init__(spec)
        self._prefix = prefix
        self._graph = graph_of(graph).kind
        self._connect = functools.partial(Connection, uri, access=access)
        self._connection: Connection | None = None

    def _found(self) -> MilvusIndex:
        generation = self._pointed_at() or self._first()
        engine.point_at(self._milvus(), generation)  # a crash may have left one alias
        index = MilvusIndex(self._milvus(), generation, self._latest)
        if self._milvus().can.lite:
            index.optimize()  # a killed process leaves rows that every search reads one by one
        return index

    def _created(self) -> MilvusIndex:
        return MilvusIndex(self._milvus(), self._generation())

    def _appoint(self, index: MilvusIndex) -> None:
        engine.point_at(self._milvus(), index.generation)
        index.follow(self._latest)

    def _drop(self, index: MilvusIndex) -> None:
        engine.drop(self._milvus(), index.generation)

    def _sweep(self) -> None:
        kept = engine.pointed_at(self._milvus(), self._prefix)
        engine.sweep(self._milvus(), self._prefix, kept=kept)

    def _release(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _milvus(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _latest(self, former: Generation) -> Generation:
        name = engine.pointed_at(self._milvus(), self._prefix)
        if name is None:
            raise Unavailable("the vector index was dropped", hint="run `crosslens index rebuild`")
        if name == former.name:
            return former
        return engine.opened(self._milvus(), self._prefix, name)

    def _pointed_at(self) -> Generation | None:
        name = engine.pointed_at(self._milvus(), self._prefix)
        if name is None:
            return None
        try:
            return engine.opened(self._milvus(), self._prefix, name)
        except GenerationLost as exc:
            logger("index").error("index left; a new one is being filled", reason=str(exc))
            self._new = True
            return self._generation()

    def _first(self) -> Generation:
        engine.require_free(self._milvus(), self._prefix)
        generation = self._generation()
        try:
            engine.claim(self._milvus(), generation)
        except Unavailable:
            engine.drop(self._milvus(), generation)
            winner = self._pointed_at()  # another process was first
            if winner is None:
                raise
            return winner
        self._new = True
        return generation

    def _generation(self) -> Generation:
        milvus, apart = self._milvus(), not self._milvus().can.many_vectors
        generation = Generation.new(self._prefix, self._spec, apart=apart, graph=self._graph)
        create(milvus, generation, keywords_of(milvus))
        return generation
