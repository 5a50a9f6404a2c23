"""One index of the embedded engine: two collections in a folder, written and asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import zvec
from numpy.typing import NDArray

from crosslens.errors import IndexBroken, Unavailable
from crosslens.values import Candidate, Floats, Modality, Space, Vectors
from crosslens.vectors import endings, saved_spec
from crosslens.vectors import zvec_collections as engine
from crosslens.vectors.columns import query_words, space_column, words
from crosslens.vectors.endings import Ending
from crosslens.vectors.filters import Filter, check
from crosslens.vectors.index import Counts, IndexSpec, ProductRows, RowKey
from crosslens.vectors.picture_rows import Hit, best_products, picture_key, rank, surplus_keys
from crosslens.vectors.rendering import PROXIMA, render
from crosslens.vectors.revisions import agreed

# Candidates by 8-bit vectors, exact distances for the best of them: recall@10 was 1.000 on 20,000
# rows of benchmarks/recall.py. Rows without a graph are scanned, and only a factor refines those.
EF: Final = 128
MOST_EF: Final = 2_048  # the engine's limit
REFINED_PER_HIT: Final = 4.0
MOST_HITS: Final = 100_000  # the engine's limit

_TEXT_FIELDS: Final = (engine.REVISION, engine.PICTURES)
_PICTURE_FIELDS: Final = (engine.REVISION,)


class ZvecIndex:
    """
    One generation on disk: a text collection and a picture collection.

    A product's text row is written after its pictures and removed after them, and its pictures
    are always positions 0..P-1 without a gap; so a crash in between leaves rows that disagree,
    never rows that nobody finds.

    Killed while it moves rows, Zvec 0.8 may leave a collection that refuses the next write, and
    acknowledges later ones without keeping them. Optimizing before any write mends that; so after
    an end that was not `close`, and after a write that failed, writing waits for it.

    Attributes:
        whole: whether it is known to hold what was written; after a failure of the engine it is
            not. Only a whole index leaves the mark of a proper end when it is closed.

    Args:
        sound: whether the files can be written as they are.
    """

    def __init__(
        self, folder: Path, spec: IndexSpec, text: Any, pictures: Any, *, sound: bool = True
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.whole = False
        self._text = text
        self._pictures = pictures
        self._writing = threading.Lock()
        self._maintaining = threading.Lock()
        self._count_pictures_per_product()
        self._sound = sound

    @classmethod
    def create(cls, folder: Path, spec: IndexSpec) -> ZvecIndex:
        """
        Create an empty index in a folder that does not exist yet.

        Raises:
            StorageFull, Unavailable: the folder cannot be written.
        """
        engine.start_engine()
        with engine.translated(folder):
            folder.mkdir(parents=True)
            engine.require_space(folder, 0)
            text = engine.create_text(folder / "text", spec.text, spec.attributes)
            pictures = engine.create_pictures(folder / "pictures", spec.picture, spec.attributes)
            (folder / "spec.json").write_text(saved_spec.to_json(spec), "utf-8")
            endings.begin(folder)
        return cls(folder, spec, text, pictures)

    @classmethod
    def open(cls, folder: Path) -> ZvecIndex:
        """
        Open what `create` made, with the spec it was made with.

        Raises:
            IndexBroken: the files are incomplete or cannot be read.
            Unavailable: another process holds them, or this one may not touch them.
            StorageFull: the disk is full.
        """
        engine.start_engine()
        closed = endings.ending(folder) is Ending.CLOSED
        with engine.readable(folder), ExitStack() as opened:
            spec = saved_spec.from_json((folder / "spec.json").read_text("utf-8"))
            text = engine.open_collection(folder / "text")
            opened.callback(text.close)
            pictures = engine.open_collection(folder / "pictures")
            opened.callback(pictures.close)
            endings.begin(folder)
            opened.pop_all()
        index = cls(folder, spec, text, pictures, sound=closed)
        index.whole = closed
        return index

    def upsert(self, rows: Sequence[ProductRows]) -> None:
        """Write products, pictures first; see VectorIndex."""
        latest = {row.product_id: row for row in rows}
        for row in latest.values():
            self.spec.require(row)
        self._mend()
        with self._writing, self._watched(), self._noticing_failure():
            engine.require_space(self.folder, sum(map(_bytes, latest.values())))
            for part in engine.batches(list(latest.values())):
                engine.write(
                    self._pictures, (doc for row in part for doc in self._picture_docs(row))
                )
                self._delete_pictures({row.product_id: row.picture_count for row in part})
                engine.write(self._text, map(self._text_doc, part))
            self._count_pictures_per_product()

    def delete(self, product_ids: Sequence[int]) -> None:
        """Forget products, pictures first; unknown ids are no error."""
        self._mend()
        with self._writing, self._watched(), self._noticing_failure():
            for part in engine.batches(list(dict.fromkeys(product_ids))):
                self._delete_pictures(dict.fromkeys(part, 0))
                engine.delete(self._text, [str(product_id) for product_id in part])

    def nearest(
        self, query: Vectors, modality: Modality, *, limit: int, where: Filter | None = None
    ) -> list[list[Candidate]]:
        """Find the products nearest to each query vector; see VectorIndex."""
        self.spec.column(modality, query.space)
        condition = self._condition(where)
        find = self._texts_near if modality is Modality.TEXT else self._pictures_near
        if limit < 1:
            return [[] for _ in range(len(query))]
        with self._watched(*engine.UNREADABLE):
            return [find(query.space, row, min(limit, MOST_HITS), condition) for row in query.array]

    def matching(
        self, tokens: Sequence[str], *, limit: int, where: Filter | None = None
    ) -> list[Candidate]:
        """Find products by keywords; see VectorIndex."""
        condition = self._condition(where)
        asked = query_words(tokens)
        if not asked or limit < 1:
            return []
        query = zvec.Query(
            engine.TOKENS, fts=zvec.Fts(match_string=asked), param=zvec.FtsQueryParam("OR")
        )
        with self._watched(*engine.UNREADABLE):
            hits = engine.search(self._text, query, min(limit, MOST_HITS), condition)
        return sorted((Candidate(int(d.id), d.score) for d in hits), key=rank)

    def vectors(
        self, keys: Sequence[RowKey], modality: Modality, space: Space
    ) -> dict[RowKey, Floats]:
        """Read stored vectors; see VectorIndex."""
        self.spec.column(modality, space)
        of_text = modality is Modality.TEXT
        named = {
            str(k[0]) if of_text else picture_key(*k): k for k in keys if not of_text or not k[1]
        }
        collection = self._text if of_text else self._pictures
        with self._watched(*engine.UNREADABLE):
            found = engine.vectors(collection, list(named), space_column(space))
            return {named[name]: row for name, row in found}

    def revisions(self) -> Iterator[tuple[int, int, int]]:
        """List what both collections hold; waits for `optimize`, writes wait for its snapshot."""
        with self._maintaining, self._watched(*engine.UNREADABLE):
            with self._writing:
                text = engine.snapshot(self._text, _TEXT_FIELDS)
                pictures = engine.snapshot(self._pictures, _PICTURE_FIELDS)
            with text, pictures:
                texts = [
                    (int(d.id), d.fields[engine.REVISION], d.fields[engine.PICTURES]) for d in text
                ]
                shown = [(int(d.id.partition(":")[0]), d.fields[engine.REVISION]) for d in pictures]
        return agreed(_table(texts, 3), _table(shown, 2))

    def counts(self) -> Counts:
        """Count rows; takes a microsecond."""
        return Counts(self._text.stats.doc_count, self._pictures.stats.doc_count)

    def needs_optimize(self) -> bool:
        """Say whether 2,000 rows and 5 % of a collection have no graph yet."""
        return any(map(engine.unindexed_enough, (self._text, self._pictures)))

    def optimize(self) -> None:
        """
        Build the graphs of what was written since; reads and writes go on.

        Raises:
            StorageFull: the disk has no room for the new graphs beside the old ones.
            IndexBroken: the files contradict themselves.
        """
        with self._maintaining, self._watched(*engine.UNREADABLE):
            self._optimize()

    def _optimize(self) -> None:
        engine.require_space(self.folder, 2 * _folder_bytes(self.folder))
        for collection in (self._pictures, self._text):
            collection.optimize()
        self._sound = True

    def _mend(self) -> None:
        """Make the collections fit for writing again, if they may not be."""
        if self._sound:
            return
        with self._maintaining, self._writing, self._watched(*engine.UNREADABLE):
            if not self._sound:
                self._optimize()

    @contextmanager
    def _watched(self, *errors: type[Exception]) -> Iterator[None]:
        """
        Say what failures of the engine mean: from the first on, the files are in doubt.

        Raises:
            Unavailable: it failed.
            IndexBroken: it failed on files that were in doubt already.
        """
        try:
            with engine.translated(self.folder, *errors):
                yield
        except Unavailable as exc:
            if self.whole:
                self.whole = False
                raise
            raise IndexBroken(exc.message, hint=engine.MENDED) from exc

    @contextmanager
    def _noticing_failure(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError:
            self._sound = False
            raise

    def close(self) -> None:
        """Flush and release the files."""
        with self._maintaining, self._writing, engine.translated(self.folder):
            self._pictures.close()
            self._text.close()
            if self._sound and self.whole:
                endings.end(self.folder)

    def _condition(self, where: Filter | None) -> str | None:
        types = self.spec.attributes
        return None if where is None else render(check(where, types), types, PROXIMA)

    def _texts_near(
        self, space: Space, row: Floats, limit: int, condition: str | None
    ) -> list[Candidate]:
        hits = engine.search(self._text, _near(space, row, limit), limit, condition)
        return sorted((Candidate(int(d.id), _cosine(d.score)) for d in hits), key=rank)

    def _pictures_near(
        self, space: Space, row: Floats, limit: int, condition: str | None
    ) -> list[Candidate]:
        def hits(asked: int) -> list[Hit]:
            query = _near(space, row, asked)
            found = engine.search(self._pictures, query, asked, condition)
            return [(d.id, _cosine(d.score)) for d in found]

        return best_products(hits, limit, self._pictures_per_product, most=MOST_HITS)

    def _count_pictures_per_product(self) -> None:
        counts = self.counts()  # not while searching: it stops the engine for a moment
        self._pictures_per_product = counts.pictures / max(1, counts.products)

    def _text_doc(self, row: ProductRows) -> zvec.Doc:
        fields = engine.attribute_fields(row.attributes, self.spec.attributes) | {
            engine.REVISION: row.revision,
            engine.PICTURES: row.picture_count,
            engine.TOKENS: words(row.tokens),
        }
        vectors = {space_column(v.space): v.array[0] for v in row.text}
        return zvec.Doc(str(row.product_id), vectors=vectors, fields=fields)

    def _picture_docs(self, row: ProductRows) -> Iterator[zvec.Doc]:
        fields = engine.attribute_fields(row.attributes, self.spec.attributes) | {
            engine.REVISION: row.revision
        }
        for position in range(row.picture_count):
            vectors = {space_column(v.space): v.array[position] for v in row.pictures}
            key = picture_key(row.product_id, position)
            yield zvec.Doc(key, vectors=vectors, fields=fields)

    def _delete_pictures(self, kept: Mapping[int, int]) -> None:
        surplus = surplus_keys(kept, lambda keys: engine.present(self._pictures, keys))
        engine.delete(self._pictures, surplus)


def _near(space: Space, row: Floats, asked: int) -> zvec.Query:
    param = zvec.HnswQueryParam(
        ef=min(MOST_EF, max(EF, 2 * asked)), is_using_refiner=True, scale_factor=REFINED_PER_HIT
    )
    return zvec.Query(space_column(space), vector=row, param=param)


def _cosine(distance: float) -> float:
    return max(-1.0, min(1.0, round(1.0 - distance, 6)))


def _bytes(row: ProductRows) -> int:
    vectors = sum(v.array.nbytes for v in (*row.text, *row.pictures))
    return 4 * vectors + 4 * sum(map(len, row.tokens))  # log, rows, graph, and headroom


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _table(rows: Sequence[tuple[int, ...]], width: int) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64).reshape(-1, width)
