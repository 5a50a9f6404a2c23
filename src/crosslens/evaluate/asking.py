"""Put the queries of a judged set to the search engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from crosslens.catalog.media import MediaStore
from crosslens.catalog.store import CatalogStore
from crosslens.corpora.judgements import Query
from crosslens.errors import InvalidRequest, NotFound
from crosslens.evaluate.runs import Ranked
from crosslens.search.engine import Searcher
from crosslens.search.present import Answer
from crosslens.search.request import SearchRequest
from crosslens.values import Kind

WORDLESS = (Kind.IMAGE2IMAGE, Kind.IMAGE2TEXT)


class Listener(Protocol):
    """Learns from the answers of an evaluation; called from several threads."""

    def add(self, query_id: str, answer: Answer) -> None:
        """Take the answer to a query, with the scores of its hits."""
        ...


@dataclass(frozen=True, slots=True)
class Asker:
    """
    Answer queries by searching.

    Attributes:
        base: kind, alpha, fusion and limit of every request.
        hearing: those who take every answer, to learn from it.
    """

    engine: Searcher
    catalog: CatalogStore
    media: MediaStore
    base: SearchRequest
    hearing: Sequence[Listener] = ()

    def __call__(self, query: Query) -> Ranked:
        """
        Search for one query: (source key, score), best first.

        Raises:
            InvalidRequest: the query lacks what its kind of search needs, or its picture is gone.
            NotFound: the product it starts from is not in the gallery.
        """
        answer = self.engine.search(self._request(query))
        for listener in self.hearing:
            listener.add(query.id, answer)
        return [
            (hit.product.fields.source_key or str(hit.product.id), hit.score) for hit in answer.hits
        ]

    def _request(self, query: Query) -> SearchRequest:
        words = "" if self.base.kind in WORDLESS else (query.words or "")
        limit = self.base.limit + query.excluded
        asked = replace(self.base, words=words, pictures=self._pictures(query), limit=limit)
        return replace(asked, explain=bool(self.hearing))

    def _pictures(self, query: Query) -> tuple[bytes, ...]:
        if query.picture is not None:
            return (_read(query.picture),)
        if query.product is None:
            return ()
        product = self.catalog.by_source_keys([query.product]).get(query.product)
        if product is None:
            raise NotFound(f"the gallery has no product {query.product!r}")
        return tuple(self.media.get(picture.sha256) for picture in product.pictures[:1])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise InvalidRequest(f"picture {path} cannot be read: {exc.strerror}") from exc
