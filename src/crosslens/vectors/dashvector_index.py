"""One index in DashVector: what is written and asked, whichever generation is live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from crosslens.errors import UnusableVector
from crosslens.values import Candidate, Floats, Modality, Space, Vectors
from crosslens.vectors import dashvector_rows as layout
from crosslens.vectors.bm25 import K1
from crosslens.vectors.columns import query_words, space_column, words
from crosslens.vectors.dashvector_connection import Connection
from crosslens.vectors.filters import Filter
from crosslens.vectors.following import Following, following
from crosslens.vectors.index import Counts, IndexSpec, ProductRows, RowKey
from crosslens.vectors.picture_rows import Hit, best_products, picture_key, rank, surplus_keys
from crosslens.vectors.revisions import agreed
from crosslens.vectors.term_statistics import TermStatistics, Training, scaled

MOST_HITS: Final = 1_024
PICTURES_PER_PRODUCT: Final = 4.0
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Generation:
    """The two collections of one index."""

    name: str
    spec: IndexSpec

    @property
    def text(self) -> str:
        """The text collection."""
        return f"{self.name}_t"

    @property
    def pictures(self) -> str:
        """The picture collection."""
        return f"{self.name}_p"


class DashVectorIndex(Following[Generation]):
    """
    One generation in DashVector: a text collection and a picture collection.

    The service shows what is written a little later: each write waits until it is shown. A
    product's text row is written after its pictures and removed after them.

    Args:
        training: statistics of terms, by which keywords are weighed.
        latest: returns the generation that is live now; None: this one for ever.
    """

    def __init__(
        self,
        service: Connection,
        generation: Generation,
        training: Training,
        latest: Callable[[Generation], Generation] | None = None,
    ) -> None:
        super().__init__(generation, latest)
        self._service = service
        self._training = training

    @following
    def nearest(
        self, query: Vectors, modality: Modality, *, limit: int, where: Filter | None = None
    ) -> list[list[Candidate]]:
        """Find products near vectors; see VectorIndex."""
        self.spec.column(modality, query.space)
        condition = layout.condition(where, self.spec.attributes)
        most = min(limit, MOST_HITS)
        if most < 1:
            return [[] for _ in range(len(query))]
        near = self._texts_near if modality is Modality.TEXT else self._pictures_near
        return [near(query.space, row, most, condition) for row in query.array]

    @following
    def matching(
        self, tokens: Sequence[str], *, limit: int, where: Filter | None = None
    ) -> list[Candidate]:
        """Find products by keywords, with the scores of BM25; see VectorIndex."""
        condition = layout.condition(where, self.spec.attributes)
        asked = query_words(tokens).split()
        if not asked or limit < 1:
            return []
        training = self._training()
        whole = sum(training.weights(asked).values()) * (K1 + 1)  # undoes the scaling to 1
        question = {"sparse_vector": layout.sparse_of(training.query(asked))}
        rows = self._found(
            self.generation.text,
            limit,
            condition,
            sparse_vectors={layout.KEYWORDS: question},
        )
        found = [Candidate(int(key), score * whole) for key, score in rows if score > 0]
        return sorted(found, key=rank)

    @following
    def hybrid(
        self,
        query: Vectors,
        tokens: Sequence[str],
        *,
        alpha: float,
        limit: int,
        where: Filter | None = None,
    ) -> list[Candidate]:
        """
        Let the service add vector and words: score = α · cosine + (1 − α) · words, words in 0..1.

        Exact at both ends: 1 asks for the vector alone, 0 for the words alone. Searches of
        crosslens do not need it, since they fuse probes of every engine alike; it is here for who
        wants the service's own sum, as the reference has it.

        Args:
            query: one vector of a space of the text collection.

        Raises:
            WrongSpace, InvalidFilter: see VectorIndex.
            InvalidRequest: alpha is not from 0 to 1.
        """
        self.spec.column(Modality.TEXT, query.space)
        training = self._training()
        dense, asked = scaled(query.array[0], training.query(query_words(tokens).split()), alpha)
        condition = layout.condition(where, self.spec.attributes)
        if alpha == 0.0:
            sides: dict[str, Any] = {}
        else:
            sides = {"vectors": {space_column(query.space): {"vector": layout.numbers(dense)}}}
        if asked:
            sides["sparse_vectors"] = {layout.KEYWORDS: {"sparse_vector": layout.sparse_of(asked)}}
        if not sides or limit < 1:
            return []
        rows = self._found(self.generation.text, limit, condition, **sides)
        kept = [Candidate(int(key), score) for key, score in rows if alpha or score > 0]
        return sorted(kept, key=rank)

    @following
    def vectors(
        self, keys: Sequence[RowKey], modality: Modality, space: Space
    ) -> dict[RowKey, Floats]:
        """Read stored vectors; see VectorIndex."""
        self.spec.column(modality, space)
        text = modality is Modality.TEXT
        name = self.generation.text if text else self.generation.pictures
        named = {str(key[0]) if text else _picture_id(*key): key for key in keys}
        if text:
            named = {str(key[0]): key for key in keys if not key[1]}
        rows = self._service.fetch(name, list(named))
        column = space_column(space)
        return {
            named[id]: np.array(row["vectors"][column], dtype=np.float32)
            for id, row in rows.items()
        }

    @following
    def revisions(self) -> Iterator[tuple[int, int, int]]:
        """List what both collections hold; writes of this process wait meanwhile."""
        with self._writing:
            text = self._scanned(self.generation.text, (layout.REVISION, layout.PICTURES))
            shown = self._scanned(self.generation.pictures, (layout.REVISION,))
        shown[:, 0] //= layout.SEATS
        return agreed(text, shown)

    @following
    def counts(self) -> Counts:
        """Count rows."""
        return Counts(
            self._service.count(self.generation.text),
            self._service.count(self.generation.pictures),
        )

    def needs_optimize(self) -> bool:
        """Say no: the service looks after its rows itself."""
        return False

    def optimize(self) -> None:
        """Do nothing: the service looks after its rows itself."""

    def _texts_near(self, space: Space, row: Floats, limit: int, condition: str) -> list[Candidate]:
        hits = self._near(self.generation.text, space, row, limit, condition)
        return sorted((Candidate(int(key), score) for key, score in hits), key=rank)

    def _pictures_near(
        self, space: Space, row: Floats, limit: int, condition: str
    ) -> list[Candidate]:
        def hits(asked: int) -> list[Hit]:
            found = self._near(self.generation.pictures, space, row, asked, condition)
            return [(key.replace("-", ":"), score) for key, score in found]

        return best_products(hits, limit, PICTURES_PER_PRODUCT, most=MOST_HITS)

    def _near(
        self, name: str, space: Space, row: Floats, limit: int, condition: str
    ) -> list[tuple[str, float]]:
        question = {space_column(space): {"vector": layout.numbers(row)}}
        return self._found(name, limit, condition, vectors=question)

    def _found(
        self, name: str, limit: int, condition: str, **sides: Any
    ) -> list[tuple[str, float]]:
        filtered = {"filter": condition} if condition else {}
        rows = self._service.query(
            name, topk=min(limit, MOST_HITS), include_vector=False, output_fields=[],
            **filtered, **sides,
        )  # fmt: skip
        return [(row["id"], float(row["score"])) for row in rows]

    def _scanned(self, name: str, fields: Sequence[str]) -> NDArray[np.int64]:
        """Read columns of all rows, by rising place: [N, 1 + fields]."""
        rows: list[list[int]] = []
        last = -1
        while True:
            page = self._service.query(
                name, topk=MOST_HITS, include_vector=False,
                filter=f"{layout.PLACE} > {last}",
                output_fields=[layout.PLACE, *fields],
                order_by_fields=[{"field": layout.PLACE, "desc": False}],
            )  # fmt: skip
            read = [[int(row["fields"][n]) for n in (layout.PLACE, *fields)] for row in page]
            if not read:
                break
            rows += read
            last = max(row[0] for row in read)
        return np.array(rows, dtype=np.int64).reshape(-1, 1 + len(fields))

    def _write(self, rows: Sequence[ProductRows]) -> None:
        for row in rows:
            self.spec.require(row)
            if not 0 <= row.product_id <= layout.LARGEST_ID:
                raise UnusableVector(f"DashVector has no place for product {row.product_id}")
        training = self._training()
        for at in range(0, len(rows), BATCH):
            part = rows[at : at + BATCH]
            shown = [made for row in part for made in self._picture_rows(row)]
            self._service.upsert(self.generation.pictures, shown)
            self._erase_pictures({row.product_id: row.picture_count for row in part})
            texts = [self._text_row(row, training) for row in part]
            self._service.upsert(self.generation.text, texts)
            self._await(self.generation.pictures, shown[-1:])
            self._await(self.generation.text, texts[-1:])

    def _await(self, name: str, last: Sequence[Mapping[str, Any]]) -> None:
        """Wait until the last row written is shown; the service keeps the order of writes."""
        for row in last:
            wanted = row["fields"][layout.REVISION]

            def shown(id: str = row["id"], wanted: Any = wanted) -> bool:
                found = self._service.fetch(name, [id]).get(id)
                return found is not None and int(found["fields"][layout.REVISION]) == wanted

            self._service.wait(shown, f"row {row['id']} of {name}")

    def _erase(self, product_ids: Sequence[int]) -> None:
        for at in range(0, len(product_ids), BATCH):
            part = product_ids[at : at + BATCH]
            self._erase_pictures(dict.fromkeys(part, 0))
            self._remove(self.generation.text, [str(key) for key in part])

    def _erase_pictures(self, kept: Mapping[int, int]) -> None:
        name = self.generation.pictures

        def present(keys: Any) -> list[str]:
            found = self._service.fetch(name, [key.replace(":", "-") for key in keys])
            return [id.replace("-", ":") for id in found]

        surplus = surplus_keys(kept, present)
        self._remove(name, [key.replace(":", "-") for key in surplus])

    def _remove(self, name: str, ids: Sequence[str]) -> None:
        if ids:
            self._service.delete(name, ids)
            last = ids[-1]
            self._service.wait(lambda: not self._service.fetch(name, [last]), f"deleting {last}")

    def _text_row(self, row: ProductRows, training: TermStatistics) -> dict[str, Any]:
        weights = training.document(words(row.tokens).split())
        return {
            "id": str(row.product_id),
            "vectors": layout.vectors_of((v.space, v.array[0]) for v in row.text),
            "sparse_vectors": {layout.KEYWORDS: layout.sparse_of(weights or layout.NOTHING)},
            "fields": {
                layout.PLACE: row.product_id,
                layout.PICTURES: row.picture_count,
                **self._shared_fields(row),
            },
        }

    def _picture_rows(self, row: ProductRows) -> Iterator[dict[str, Any]]:
        shared = self._shared_fields(row)
        for position in range(row.picture_count):
            yield {
                "id": _picture_id(row.product_id, position),
                "vectors": layout.vectors_of((v.space, v.array[position]) for v in row.pictures),
                "fields": {layout.PLACE: row.product_id * layout.SEATS + position, **shared},
            }

    def _shared_fields(self, row: ProductRows) -> dict[str, Any]:
        attributes = layout.attribute_fields(row.product_id, row.attributes, self.spec.attributes)
        return {layout.REVISION: row.revision, **attributes}


def _picture_id(product_id: int, position: int) -> str:
    return picture_key(product_id, position).replace(":", "-")  # the service takes no colon
