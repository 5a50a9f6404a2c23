"""Judged sets: products, questions, and which products answer them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from crosslens.corpora import judgements
from crosslens.corpora.judgements import Judged, Query
from crosslens.corpora.muge import TEXTS
from crosslens.corpora.sources import Source, open_source
from crosslens.corpora.trec import Qrels
from crosslens.errors import InvalidRequest
from crosslens.values import Kind


class Judgements(StrEnum):
    """Where the right answers come from."""

    QUERIES = "queries"
    PHOTOS = "photos"
    COMPOSED = "composed"
    CAPTIONS = "captions"
    TITLES = "titles"
    MUGE = "muge"


_WORDS = (Judgements.QUERIES, Judgements.MUGE)
# What can judge a kind of search, the most telling first.
JUDGES: Mapping[Kind, tuple[Judgements, ...]] = {
    Kind.TEXT2TEXT: (*_WORDS, Judgements.TITLES),
    Kind.TEXT2IMAGE: (*_WORDS, Judgements.CAPTIONS, Judgements.TITLES),
    Kind.HYBRID: (*_WORDS, Judgements.CAPTIONS, Judgements.TITLES),
    Kind.AUTO: (*_WORDS, Judgements.CAPTIONS, Judgements.TITLES),
    Kind.IMAGE2IMAGE: (Judgements.PHOTOS,),
    Kind.IMAGE2TEXT: (Judgements.PHOTOS, Judgements.CAPTIONS, Judgements.TITLES),
    Kind.COMPOSED: (Judgements.COMPOSED,),
}


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """
    What to import, what to ask, and what is right.

    Attributes:
        products: the gallery; import all of it, since distractors count. Where captions are the
            questions they are not among the products' attributes.
        queries: in the order of the file, ids are unique.
        qrels: query id → product key → grade; 1 and above is relevant.
    """

    name: str
    kind: Kind
    judgements: Judgements
    products: Source
    queries: tuple[Query, ...]
    qrels: Qrels = field(repr=False)

    def languages(self) -> tuple[str, ...]:
        """Return the languages of the queries, in the order of the file."""
        return tuple(dict.fromkeys(query.language for query in self.queries if query.language))


def judges(path: Path, kind: Kind) -> tuple[Judgements, ...]:
    """List what can judge this kind of search in a folder, the most telling first."""
    return tuple(judge for judge in JUDGES[kind] if _PRESENT[judge](Path(path)))


def open_judged(
    path: Path,
    kind: Kind,
    *,
    judgements: Judgements | None = None,
    language: str | None = None,
    limit: int | None = None,
    gallery: bool = True,
) -> JudgedSet:
    """
    Open a folder as a judged set for one kind of search.

    Args:
        judgements: where right answers come from; by default the most telling that is present.
        language: "en" or "zh", where queries have several; by default all of them.
        limit: ask only the first so many questions; the gallery stays whole.
        gallery: whether products are needed; without, a set of questions alone will do.

    Raises:
        InvalidRequest: the folder is away, holds nothing that judges this kind, has no query in
            the language, or a file of it is bad; the message names file and line.
    """
    path = Path(path)
    judge = _chosen(path, kind, judgements)
    judged = _READERS[judge](path, kind)
    queries = [q for q in judged.queries if language is None or q.language in {None, language}]
    if not queries:
        raise InvalidRequest(f"{path} has no query in language {language!r}")
    _check_ids(path, queries)
    queries = queries[:limit]
    qrels = {query.id: judged.qrels[query.id] for query in queries if query.id in judged.qrels}
    if not qrels:
        raise InvalidRequest(f"{path}: no query is judged; do the ids of queries and qrels agree?")
    products = judged.products or (open_source(path) if gallery else _no_gallery(path))
    return JudgedSet(path.name, kind, judge, products, tuple(queries), qrels)


def _no_gallery(path: Path) -> Source:
    return Source(path, "questions alone", lambda: iter(()), lambda: 0)


def _chosen(path: Path, kind: Kind, wanted: Judgements | None) -> Judgements:
    if not path.is_dir():
        raise InvalidRequest(f"there is no folder {path}")
    present = judges(path, kind)
    if wanted is None and present:
        return present[0]
    if wanted in present:
        return wanted
    there = ", ".join(present) or "nothing"
    raise InvalidRequest(
        f"{path} cannot judge {kind} by {wanted or 'anything'}; it holds {there} for that",
        hint=f"{kind} is judged by " + " or ".join(JUDGES[kind]),
    )


def _check_ids(path: Path, queries: list[Query]) -> None:
    seen: set[str] = set()
    for query in queries:
        if query.id in seen:
            raise InvalidRequest(f"{path}: query {query.id!r} appears twice")
        seen.add(query.id)


def _has(*names: str) -> Callable[[Path], bool]:
    return lambda path: all((path / name).exists() for name in names)


_PRESENT: Mapping[Judgements, Callable[[Path], bool]] = {
    Judgements.QUERIES: judgements.has_queries,
    Judgements.PHOTOS: _has("photo_queries.jsonl"),
    Judgements.COMPOSED: _has("composed.jsonl"),
    Judgements.CAPTIONS: judgements.has_captions,
    Judgements.TITLES: judgements.has_titles,
    Judgements.MUGE: lambda path: any(path.glob(f"*{TEXTS}")),
}
_READERS: Mapping[Judgements, Callable[[Path, Kind], Judged]] = {
    Judgements.QUERIES: judgements.read_queries,
    Judgements.PHOTOS: judgements.read_photos,
    Judgements.COMPOSED: judgements.read_composed,
    Judgements.CAPTIONS: judgements.read_captioned,
    Judgements.TITLES: judgements.read_titled,
    Judgements.MUGE: judgements.read_muge,
}
