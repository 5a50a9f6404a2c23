"""Readers of questions with their right answers, one per way of judging."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from crosslens.corpora.jsonl import json_rows, read_objects
from crosslens.corpora.muge import PICTURES, TEXTS
from crosslens.corpora.records import BadRecord, Entry, Record, Row, Where
from crosslens.corpora.sources import JSON, Source, find_products, open_source
from crosslens.corpora.trec import Qrels, read_qrels
from crosslens.errors import InvalidRequest
from crosslens.values import Kind

LANGUAGES = ("en", "zh")
QRELS = ("qrels.tsv", "qrels.txt", "qrels/test.tsv", "qrels/dev.tsv")


@dataclass(frozen=True, slots=True)
class Query:
    """
    One question of a judged set.

    Attributes:
        product: source key of the product that the question starts from (composed search, or a
            picture of the gallery). When `excluded`, it is never an answer and takes no rank.
        language: "en", "zh" or None when the set does not say.
        change: the kind of change that a composed question asks for.
        group: questions of one group are not independent (two languages of one query, five
            captions of one picture); intervals resample groups.
    """

    id: str
    words: str | None = None
    picture: Path | None = None
    product: str | None = None
    language: str | None = None
    change: str | None = None
    group: str | None = None
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What a reader found; without `products` the folder itself is the gallery."""

    queries: list[Query]
    qrels: Qrels
    products: Source | None = None


def has_queries(folder: Path) -> bool:
    """Say whether a folder holds queries.jsonl and judgements."""
    return (folder / "queries.jsonl").is_file() and _qrels_file(folder) is not None


def read_queries(folder: Path, kind: Kind) -> Judged:
    """Read `queries.jsonl` {id, text | text_en, text_zh} and its qrels, for searches by words."""
    qrels, judged, queries = read_qrels(_qrels_file(folder) or folder / QRELS[0]), Qrels(), []
    for where, row in read_objects(folder / "queries.jsonl"):
        name = _id(row, where)
        for query in _worded(name, row, where):
            queries.append(query)
            if name in qrels:
                judged[query.id] = qrels[name]
    return Judged(queries, judged)


def read_photos(folder: Path, kind: Kind) -> Judged:
    """Read `photo_queries.jsonl` {id, product, image}: the product is the one right answer."""
    queries, qrels = [], Qrels()
    for where, row in read_objects(folder / "photo_queries.jsonl"):
        name = _id(row, where)
        queries.append(Query(name, picture=folder / _required(row, "image", where), group=name))
        qrels[name] = {_required(row, "product", where): 1}
    return Judged(queries, qrels)


def read_composed(folder: Path, kind: Kind) -> Judged:
    """Read `composed.jsonl` {id, kind, ref, text…, targets}; `ref` itself is never an answer."""
    queries, qrels = [], Qrels()
    for where, row in read_objects(folder / "composed.jsonl"):
        name, source = _id(row, where), _required(row, "ref", where)
        targets = row.get("targets")
        if not isinstance(targets, list) or not targets:
            raise InvalidRequest(f"{where}: targets must be a list of product keys")
        change = str(row["kind"]) if row.get("kind") else None
        for query in _worded(name, row, where):
            queries.append(replace(query, product=source, change=change, excluded=True))
            qrels[query.id] = {str(target): 1 for target in targets if str(target) != source}
    return Judged(queries, qrels)


def has_captions(folder: Path) -> bool:
    """Say whether the products of a folder have captions in `captions_en` or `captions_zh`."""
    path = find_products(folder, JSON)
    if path is None:
        return False
    first = next((row.values for row in json_rows(path) if isinstance(row, Row)), {})
    return any(_captions(first, language) for language in LANGUAGES)


def read_captioned(folder: Path, kind: Kind) -> Judged:
    """
    Read captions: each has its picture as the right answer, and each picture its captions.

    For `image2text` the gallery is the captions, a product each (key `picture#en0`), and the
    pictures are the questions; otherwise the gallery is the pictures without their captions.
    """
    path = find_products(folder, JSON) or folder / "items.jsonl"
    if kind is Kind.IMAGE2TEXT:
        return _captions_of_pictures(folder, path)
    queries, qrels = [], Qrels()
    for where, row in read_objects(path):
        key = _id(row, where)
        for name, language, caption in _caption_names(key, row):
            queries.append(Query(name, words=caption, language=language, group=key))
            qrels[name] = {key: 1}
    return Judged(queries, qrels, _without_captions(open_source(folder)))


def has_titles(folder: Path) -> bool:
    """Say whether a folder holds products with both a title and a picture."""
    if find_products(folder) is None:
        return False
    first = islice(open_source(folder), 100)
    return any(isinstance(entry, Record) and entry.pictures for entry in first)


def read_titled(folder: Path, kind: Kind) -> Judged:
    """
    Read titles: a title's right answers are all products of that title (self-retrieval).

    By words each distinct title is asked once; by picture each product's first picture is asked,
    and a product of the same title is right.
    """
    keys: dict[str, list[str]] = defaultdict(list)
    pictures: list[tuple[str, str, Path]] = []
    for record in _records(open_source(folder)):
        keys[record.title].append(record.key)
        if kind is Kind.IMAGE2TEXT and record.pictures:
            pictures.append((record.key, record.title, record.pictures[0]))
    if kind is Kind.IMAGE2TEXT:
        queries = [Query(key, picture=path, product=key, group=key) for key, _, path in pictures]
        qrels = {key: dict.fromkeys(keys[title], 1) for key, title, _ in pictures}
    else:
        queries = [Query(same[0], words=title, group=same[0]) for title, same in keys.items()]
        qrels = {same[0]: dict.fromkeys(same, 1) for same in keys.values()}
    return Judged(queries, qrels)


def read_muge(folder: Path, kind: Kind) -> Judged:
    """Read `*_texts.jsonl` {text_id, text, image_ids}, the validation split before any other."""
    found = sorted(folder.glob(f"*{TEXTS}"), key=lambda path: ("valid" not in path.name, path.name))
    queries, qrels = [], Qrels()
    for where, row in read_objects(found[0]):
        name = _required(row, "text_id", where)
        queries.append(Query(name, words=_required(row, "text", where), language="zh", group=name))
        images = row.get("image_ids")
        if isinstance(images, list) and images:  # the test split has none
            qrels[name] = {str(image): 1 for image in images}
    pictures = found[0].with_name(found[0].name.removesuffix(TEXTS) + PICTURES)
    return Judged(queries, qrels, open_source(pictures))


def _worded(name: str, row: Mapping[str, Any], where: Where) -> Iterator[Query]:
    texts = {language: row.get(f"text_{language}") for language in LANGUAGES}
    texts = {language: text for language, text in texts.items() if text}
    if not texts:
        yield Query(name, words=_required(row, "text", where), group=name)
    for language, text in texts.items():
        yield Query(f"{name}:{language}", words=str(text), language=language, group=name)


def _captions_of_pictures(folder: Path, path: Path) -> Judged:
    queries, qrels = [], Qrels()
    for where, row in read_objects(path):
        key = _id(row, where)
        picture = folder / _required(row, "image", where)
        for language in LANGUAGES:
            names = [name for name, spoken, _ in _caption_names(key, row) if spoken == language]
            if names:
                name = f"{key}:{language}"
                queries.append(Query(name, picture=picture, language=language, group=key))
                qrels[name] = dict.fromkeys(names, 1)

    def captions() -> Iterator[Entry]:
        for where, row in read_objects(path):
            for name, language, text in _caption_names(_id(row, where), row):
                yield Record(where=where, key=name, title=text, attributes={"language": language})

    return Judged(
        queries, qrels, Source(path, "captions", captions, lambda: sum(map(len, qrels.values())))
    )


def _without_captions(source: Source) -> Source:
    def read() -> Iterator[Entry]:
        for entry in source:
            yield (
                entry
                if isinstance(entry, BadRecord)
                else replace(
                    entry,
                    attributes={
                        name: value
                        for name, value in entry.attributes.items()
                        if not name.startswith("captions")
                    },
                )
            )

    return replace(source, read=read)


def _caption_names(key: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for language in LANGUAGES:
        for number, caption in enumerate(_captions(row, language)):
            yield f"{key}#{language}{number}", language, caption


def _captions(row: Mapping[str, Any], language: str) -> list[str]:
    captions = row.get(f"captions_{language}")
    if not isinstance(captions, list):
        return []
    return [text for text in captions if isinstance(text, str) and text.strip()]


def _records(source: Source) -> Iterator[Record]:
    return (entry for entry in source if isinstance(entry, Record))


def _qrels_file(folder: Path) -> Path | None:
    return next((folder / name for name in QRELS if (folder / name).is_file()), None)


def _id(row: Mapping[str, Any], where: Where) -> str:
    return _required(row, "id" if "id" in row else "_id", where)


def _required(row: Mapping[str, Any], name: str, where: Where) -> str:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise InvalidRequest(f"{where}: {name} must be text that is not empty")
    return str(value)
