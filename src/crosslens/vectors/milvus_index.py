"""One index in Milvus: what is written and asked, whichever generation is live."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crosslens.values import Candidate, Floats, Modality, Space, Vectors
from crosslens.vectors import milvus_rows as engine
from crosslens.vectors.columns import query_words, space_column, words
from crosslens.vectors.filters import Filter, check
from crosslens.vectors.following import Following, following
from crosslens.vectors.index import Counts, ProductRows, RowKey
from crosslens.vectors.milvus_connection import Connection
from crosslens.vectors.milvus_generations import Generation, Part
from crosslens.vectors.milvus_keywords import keywords_of
from crosslens.vectors.milvus_schema import (
    DIALECT,
    FLAGGED,
    KEY,
    PICTURES,
    PRODUCT,
    REVISION,
    Row,
    attribute_fields,
    vector_fields,
)
from crosslens.vectors.picture_rows import (
    Hit,
    best_products,
    picture_key,
    rank,
    rows_for,
    surplus_keys,
)
from crosslens.vectors.rendering import render
from crosslens.vectors.revisions import agreed

MAY_BE_UNFLUSHED: Final = 2_000
PICTURES_PER_PRODUCT: Final = 4.0


class MilvusIndex(Following[Generation]):
    """
    One generation in Milvus: a text collection and a picture collection, each in parts on servers
    that keep one column of vectors per collection.

    As with Zvec, a product's text row is written after its pictures and removed after them; and the
    main part of a collection after the others.

    Args:
        latest: returns the generation that is live now, given the one that was; another process
            may exchange it. What was written to a former one meanwhile is written again. None:
            this one for ever.
    """

    def __init__(
        self,
        milvus: Connection,
        generation: Generation,
        latest: Callable[[Generation], Generation] | None = None,
    ) -> None:
        super().__init__(generation, latest)
        self._milvus = milvus
        self._keywords = keywords_of(milvus)
        self._unflushed = 0
        self._gate = _Gate()

    @following
    def nearest(
        self, query: Vectors, modality: Modality, *, limit: int, where: Filter | None = None
    ) -> list[list[Candidate]]:
        """Find the products nearest to each query vector; see VectorIndex."""
        self.spec.column(modality, query.space)
        condition = self._condition(where)
        find = self._texts_near if modality is Modality.TEXT else self._pictures_near
        if limit < 1 or not len(query):
            return [[] for _ in range(len(query))]
        with self._gate.reading():
            return find(query, min(limit, engine.MOST_HITS), condition)

    @following
    def matching(
        self, tokens: Sequence[str], *, limit: int, where: Filter | None = None
    ) -> list[Candidate]:
        """Find products by keywords; see VectorIndex."""
        condition = self._condition(where)
        asked = query_words(tokens)
        if not asked or limit < 1:
            return []
        most = min(limit, engine.MOST_HITS)
        name = self.generation.text
        with self._gate.reading():
            hits = self._keywords.matching(name, asked, limit=most, where=condition)
        return sorted(itertools.starmap(Candidate, hits), key=rank)

    @following
    def vectors(
        self, keys: Sequence[RowKey], modality: Modality, space: Space
    ) -> dict[RowKey, Floats]:
        """Read stored vectors; see VectorIndex."""
        self.spec.column(modality, space)
        column, collection = space_column(space), self.generation.holding(modality, space)
        with self._gate.reading():
            if modality is Modality.TEXT:
                texts = {key[0]: key for key in keys if not key[1]}
                rows = engine.vectors(self._milvus, collection, list(texts), column)
                return {texts[int(name)]: row for name, row in rows}
            named = {picture_key(*key): key for key in keys}
            rows = engine.vectors(self._milvus, collection, list(named), column)
            return {named[str(name)]: row for name, row in rows}

    @following
    def revisions(self) -> Iterator[tuple[int, int, int]]:
        """List what both collections hold; writes of this process wait meanwhile."""
        of_text = (KEY, REVISION, PICTURES)
        of_pictures = (PRODUCT, REVISION)
        with self._writing:
            text = _table(engine.scanned(self._milvus, self.generation.text, of_text), 3)
            shown = _table(engine.scanned(self._milvus, self.generation.pictures, of_pictures), 2)
        return agreed(text, shown)

    @following
    def counts(self) -> Counts:
        """Count rows."""
        with self._gate.reading():
            return Counts(
                engine.count(self._milvus, self.generation.text),
                engine.count(self._milvus, self.generation.pictures),
            )

    def needs_optimize(self) -> bool:
        """
        Say whether Milvus Lite holds 2,000 rows that were not flushed; searches read each of them.

        A server looks after its rows itself.
        """
        return self._milvus.can.lite and self._unflushed >= MAY_BE_UNFLUSHED

    @following
    def optimize(self) -> None:
        """
        Seal what was written: a server builds graphs of it, Milvus Lite searches it faster.

        Searches go on; those of Milvus Lite wait for the moment in which rows change places.
        """
        with self._writing:
            alone = self._gate.alone() if self._milvus.can.lite else contextlib.nullcontext()
            with alone:
                engine.flush(self._milvus, self.generation)
            self._unflushed = 0

    def _condition(self, where: Filter | None) -> str:
        types = self.spec.attributes
        dialect = DIALECT if self._milvus.can.nulls else FLAGGED
        return "" if where is None else render(check(where, types), types, dialect)

    def _texts_near(self, query: Vectors, limit: int, where: str) -> list[list[Candidate]]:
        near = self._near(Modality.TEXT, query, limit, where)
        return [sorted(itertools.starmap(Candidate, hits), key=rank) for hits in near]

    def _pictures_near(self, query: Vectors, limit: int, where: str) -> list[list[Candidate]]:
        enough = rows_for(limit, PICTURES_PER_PRODUCT, most=engine.MOST_HITS)
        near = self._near(Modality.PICTURE, query, enough, where)

        def products(number: int) -> list[Candidate]:
            def hits(asked: int) -> list[Hit]:
                if asked == enough:
                    return near[number]
                alone = Vectors(query.space, query.array[number : number + 1])
                return self._near(Modality.PICTURE, alone, asked, where)[0]

            return best_products(hits, limit, PICTURES_PER_PRODUCT, most=engine.MOST_HITS)

        return [products(number) for number in range(len(query))]

    def _near(
        self, modality: Modality, query: Vectors, limit: int, where: str
    ) -> list[list[engine.Rated]]:
        live = self.generation
        name = live.holding(modality, query.space)
        return engine.nearest(self._milvus, name, query, limit=limit, where=where, graph=live.graph)

    def _write(self, rows: Sequence[ProductRows]) -> None:
        for row in rows:
            self.spec.require(row)
        for at in range(0, len(rows), engine.BATCH):
            batch = rows[at : at + engine.BATCH]
            for part in self.generation.parts(Modality.PICTURE):
                shown = (shown for row in batch for shown in self._picture_rows(row, part))
                engine.upsert(self._milvus, part.name, shown)
            self._erase_pictures({row.product_id: row.picture_count for row in batch})
            for part in self.generation.parts(Modality.TEXT):
                engine.upsert(self._milvus, part.name, (self._text_row(row, part) for row in batch))
            self._keywords.changed()
            self._unflushed += len(batch) + sum(row.picture_count for row in batch)

    def _erase(self, product_ids: Sequence[int]) -> None:
        for at in range(0, len(product_ids), engine.BATCH):
            batch = product_ids[at : at + engine.BATCH]
            self._erase_pictures(dict.fromkeys(batch, 0))
            for part in self.generation.parts(Modality.TEXT):
                engine.delete(self._milvus, part.name, batch)
            self._keywords.changed()

    def _erase_pictures(self, kept: Mapping[int, int]) -> None:
        name = self.generation.pictures
        surplus = surplus_keys(kept, lambda keys: engine.present(self._milvus, name, keys))
        for part in self.generation.parts(Modality.PICTURE):
            engine.delete(self._milvus, part.name, surplus)

    def _text_row(self, row: ProductRows, part: Part) -> Row:
        own = self._keywords.fields(words(row.tokens)) if part.main else {}
        if part.main:
            own[PICTURES] = row.picture_count
        return {
            KEY: row.product_id,
            **own,
            **vector_fields((v.space, v.array[0]) for v in row.text if v.space in part.spaces),
            **self._shared_fields(row),
        }

    def _picture_rows(self, row: ProductRows, part: Part) -> Iterator[Row]:
        shared = self._shared_fields(row)
        shown = [vectors for vectors in row.pictures if vectors.space in part.spaces]
        for position in range(row.picture_count):
            yield {
                KEY: picture_key(row.product_id, position),
                PRODUCT: row.product_id,
                **vector_fields((v.space, v.array[position]) for v in shown),
                **shared,
            }

    def _shared_fields(self, row: ProductRows) -> Row:
        nulls = self._milvus.can.nulls
        return {
            REVISION: row.revision,
            **attribute_fields(row.attributes, self.spec.attributes, nulls=nulls),
        }


class _Gate:
    """Many may read, or one is alone: while Milvus Lite flushes, reads miss what it moves."""

    def __init__(self) -> None:
        self._idle = threading.Condition()
        self._readers = 0
        self._busy = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        with self._idle:
            self._idle.wait_for(lambda: not self._busy)
            self._readers += 1
        try:
            yield
        finally:
            with self._idle:
                self._readers -= 1
                self._idle.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        with self._idle:
            self._idle.wait_for(lambda: not self._busy)
            self._busy = True
            self._idle.wait_for(lambda: self._readers == 0)
        try:
            yield
        finally:
            with self._idle:
                self._busy = False
                self._idle.notify_all()


def _table(rows: Iterator[tuple[int, ...]], width: int) -> NDArray[np.int64]:
    return np.array(list(rows), dtype=np.int64).reshape(-1, width)
