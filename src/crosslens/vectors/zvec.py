"""The embedded engine: Zvec, HNSW and BM25 in this process, one folder per collection."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import numpy as np
import zvec
from numpy.typing import NDArray

from crosslens.errors import IndexBroken, Unavailable
from crosslens.values import Candidate, Floats, Modality, Space, Vectors
from crosslens.vectors import saved_spec
from crosslens.vectors import zvec_collections as engine
from crosslens.vectors.columns import query_words, space_column, words
from crosslens.vectors.filters import Filter, check
from crosslens.vectors.generations import Generations
from crosslens.vectors.index import Counts, IndexSpec, ProductRows, RowKey
from crosslens.vectors.live import LiveIndex
from crosslens.vectors.picture_rows import Hit, best_products, picture_key, rank, surplus_keys
from crosslens.vectors.rendering import render
from crosslens.vectors.revisions import agreed

# Candidates by 8-bit vectors, exact distances for the best of them: recall@10 was 1.000 on 20,000
# rows of benchmarks/recall.py. Rows without a graph are scanned, and only a factor refines those.
EF: Final = 128
MOST_EF: Final = 2_048  # the engine's limit
REFINED_PER_HIT: Final = 4.0
MOST_HITS: Final = 100_000  # the engine's limit

_CLOSED: Final = "closed"  # stands in the folder while nobody has it open

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

    Args:
        closed: whether the files were closed properly, or are new.
    """

    def __init__(
        self, folder: Path, spec: IndexSpec, text: Any, pictures: Any, *, closed: bool = True
    ) -> None:
        self.folder = folder
        self.spec = spec
        self._text = text
        self._pictures = pictures
        self._writing = threading.Lock()
        self._maintaining = threading.Lock()
        self._count_pictures_per_product()
        self.closed_properly = closed
        self._sound = closed

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
        return cls(folder, spec, text, pictures)

    @classmethod
    def open(cls, folder: Path) -> ZvecIndex:
        """
        Open what `create` made, with the spec it was made with.

        Raises:
            IndexBroken: the files are incomplete or cannot be read.
            Unavailable: another process holds them.
        """
        engine.start_engine()
        try:
            spec = saved_spec.from_json((folder / "spec.json").read_text("utf-8"))
            text = engine.open_collection(folder / "text")
            pictures = engine.open_collection(folder / "pictures")
        except (OSError, ValueError, RuntimeError) as exc:
            if "lock" in str(exc).lower():
                raise Unavailable(f"the index in {folder} is in use by another process") from exc
            raise IndexBroken(
                f"the vector index in {folder} cannot be read: {exc}",
                hint="run `crosslens index rebuild`; the catalogue has everything it needs",
            ) from exc
        closed = (folder / _CLOSED).exists()
        (folder / _CLOSED).unlink(missing_ok=True)
        return cls(folder, spec, text, pictures, closed=closed)

    def upsert(self, rows: Sequence[ProductRows]) -> None:
        """Write products, pictures first; see VectorIndex."""
        latest = {row.product_id: row for row in rows}
        for row in latest.values():
            self.spec.require(row)
        self._mend()
        with self._writing, engine.translated(self.folder), self._noticing_failure():
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
        with self._writing, engine.translated(self.folder), self._noticing_failure():
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
        with engine.translated(self.folder):
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
        with engine.translated(self.folder):
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
        with engine.translated(self.folder):
            found = engine.vectors(collection, list(named), space_column(space))
            return {named[name]: row for name, row in found}

    def revisions(self) -> Iterator[tuple[int, int, int]]:
        """List what both collections hold; waits for `optimize`, writes wait for its snapshot."""
        with self._maintaining, engine.translated(self.folder):
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
        """
        with self._maintaining, engine.translated(self.folder):
            self._optimize()
            self._sound = True

    def _optimize(self) -> None:
        engine.require_space(self.folder, 2 * _folder_bytes(self.folder))
        for collection in (self._pictures, self._text):
            collection.optimize()

    def _mend(self) -> None:
        """
        Make the collections fit for writing again, if they may not be.

        Raises:
            IndexBroken: that is not possible.
        """
        if self._sound:
            return
        with self._maintaining, self._writing, engine.translated(self.folder):
            if self._sound:
                return
            try:
                self._optimize()
            except RuntimeError as exc:
                raise IndexBroken(
                    f"the vector index in {self.folder} cannot be written: {exc}",
                    hint="run `crosslens index rebuild`; the catalogue has everything it needs",
                ) from exc
            self._sound = True

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
            if self._sound:
                (self.folder / _CLOSED).touch()

    def _condition(self, where: Filter | None) -> str | None:
        types = self.spec.attributes
        return None if where is None else render(check(where, types), types, engine.DIALECT)

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


class ZvecStore:
    """
    Generations of Zvec indexes in one folder, held by one process.

    Args:
        home: the folder; it is created.
        spec: what the settings ask for; the live index keeps the spec it was built with.
    """

    def __init__(self, home: Path, spec: IndexSpec) -> None:
        self._home = home
        self._spec = spec
        self._generations: Generations | None = None
        self._live: LiveIndex | None = None
        self._draft: ZvecDraft | None = None
        self._lock = threading.RLock()
        self._interrupted = False

    @property
    def interrupted(self) -> bool:
        """Say whether the live index was opened after an end that was not `close`."""
        self.live()
        return self._interrupted

    def live(self) -> LiveIndex:
        """Return the live index; see IndexStore."""
        with self._lock:
            if self._live is None:
                self._live = LiveIndex(self._opened(), self)
            return self._live

    def draft(self) -> ZvecDraft:
        """Create an empty index beside the live one; a former draft is dropped."""
        with self._lock:
            generations = self._held()
            if self._draft is not None:
                self._draft.discard()
            generations.sweep()
            self._draft = ZvecDraft(ZvecIndex.create(generations.new(), self._spec), self)
            return self._draft

    def wanted(self) -> IndexSpec:
        """Return the spec that drafts are built with."""
        return self._spec

    def want(self, spec: IndexSpec) -> None:
        """Ask for another spec from the next draft on, as a change of settings does."""
        self._spec = spec

    def close(self) -> None:
        """Close the indexes and let other processes in."""
        with self._lock:
            if self._draft is not None:
                self._draft.discard()
            if self._live is not None:
                self._live.close()
            if self._generations is not None:
                self._generations.close()
            self._live = self._generations = None

    def switch_to(self, index: ZvecIndex) -> None:
        """Make a generation of this folder the live one and drop the former."""
        with self._lock:
            generations = self._held()
            generations.point_at(index.folder)
            self._draft = None
            if self._live is None:
                self._live = LiveIndex(index, self)
            else:
                self._live.switch(index).close()
            generations.sweep()

    def drop(self, index: ZvecIndex) -> None:
        """Remove a generation that is not live."""
        with self._lock:
            self._draft = None
            index.close()
            rmtree(index.folder)

    def _held(self) -> Generations:
        if self._generations is None:
            self._generations = Generations(self._home)
        return self._generations

    def _opened(self) -> ZvecIndex:
        generations = self._held()
        generations.sweep(self._draft.index.folder if self._draft else None)
        folder = generations.live()
        if folder is not None:
            found = ZvecIndex.open(folder)
            self._interrupted = not found.closed_properly
            return found
        index = ZvecIndex.create(generations.new(), self._spec)
        generations.point_at(index.folder)
        return index


class ZvecDraft:
    """A generation that is not live yet."""

    def __init__(self, index: ZvecIndex, store: ZvecStore) -> None:
        self.index = index
        self._store: ZvecStore | None = store

    def take_over(self) -> None:
        """Become the live index in one step; returns when the former one is dropped."""
        if self._store is not None:
            self._store.switch_to(self.index)
            self._store = None

    def discard(self) -> None:
        """Drop the draft; nothing happens when it has taken over."""
        if self._store is not None:
            self._store.drop(self.index)
            self._store = None


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
