"""Milvus's collections: their columns, how they are made, written, read and named."""

from __future__ import annotations

import hashlib
import itertools
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from crosslens.errors import IndexBroken
from crosslens.values import Attributes, AttributeType, Floats, Space
from crosslens.vectors import saved_spec
from crosslens.vectors.bm25 import K1, B
from crosslens.vectors.columns import attribute_column, fingerprint, space_column
from crosslens.vectors.filters import Scalar, indexed
from crosslens.vectors.index import IndexSpec
from crosslens.vectors.milvus_connection import CollectionGone, Connection
from crosslens.vectors.rendering import Dialect

# A negated comparison with null is true in Milvus Lite and false on the server.
DIALECT: Final = Dialect(
    equals="==",
    within="{column} in [{values}]",
    outside="({column} is not null) and ({column} not in [{values}])",
    holding="array_contains_any({column}, [{values}])",
    lacking="({column} is not null) and (not array_contains_any({column}, [{values}]))",
)

KEY: Final = "id"
PRODUCT: Final = "product_id"
REVISION: Final = "revision"
PICTURES: Final = "pictures"
TOKENS: Final = "tokens"
KEYWORDS: Final = "keywords"

BATCH: Final = 500
LINKS: Final = 16
EF_BUILD: Final = 200
EF: Final = 128
FILTERED_EF: Final = 512  # filters cost recall: 0.91 of the best ten without
MOST_EF: Final = 32_768
MOST_HITS: Final = 16_384  # the server's limit
MOST_TEXT: Final = 65_535  # the server's limit, in bytes
MOST_TEXT_LITE: Final = 1 << 20
MOST_KEYWORDS: Final = 4_096  # the server's limit of a list

_SPEC: Final = "crosslens.spec"
_NAME: Final = "[0-9a-f]{12}"
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_WORD_LENGTH: Final = 7

Types: TypeAlias = Mapping[str, AttributeType]
Row: TypeAlias = dict[str, Any]
Rated: TypeAlias = tuple[Any, float]


@dataclass(frozen=True, slots=True)
class Generation:
    """A text collection and a picture collection that belong together."""

    prefix: str
    name: str
    spec: IndexSpec

    @classmethod
    def new(cls, prefix: str, spec: IndexSpec) -> Generation:
        """Name a generation that does not exist yet."""
        return cls(prefix, uuid.uuid4().hex[:12], spec)

    @property
    def text(self) -> str:
        """The name of the text collection."""
        return f"{self.prefix}_text_{self.name}"

    @property
    def pictures(self) -> str:
        """The name of the picture collection."""
        return f"{self.prefix}_pictures_{self.name}"


def create(milvus: Connection, generation: Generation) -> None:
    """Create both collections, empty and ready to be searched."""
    spec = generation.spec
    text = _schema(milvus, spec, spec.text)
    text.add_field(KEY, milvus.library.DataType.INT64, is_primary=True)
    text.add_field(PICTURES, milvus.library.DataType.INT64)
    _add_keywords(milvus, text)
    pictures = _schema(milvus, spec, spec.picture)
    pictures.add_field(KEY, milvus.library.DataType.VARCHAR, is_primary=True, max_length=64)
    pictures.add_field(PRODUCT, milvus.library.DataType.INT64)
    _create(milvus, generation.pictures, pictures, spec.picture)
    _create(milvus, generation.text, text, spec.text)


def opened(milvus: Connection, prefix: str, name: str) -> Generation:
    """
    Read what a generation holds and make it ready to be searched.

    Raises:
        IndexBroken: a collection is missing, or somebody else made it.
    """
    found = Generation(prefix, name, IndexSpec((), ()))
    text, pictures = (_described(milvus, part) for part in (found.text, found.pictures))
    spec = saved_spec.from_json(text["properties"].get(_SPEC) or text["description"])
    for part, described, spaces in (
        (found.text, text, spec.text),
        (found.pictures, pictures, spec.picture),
    ):
        columns = {field["name"] for field in described["fields"]}
        missing = {*map(space_column, spaces), *map(attribute_column, spec.attributes)} - columns
        if missing:
            raise _broken(f"the collection {part} lacks columns that its description names")
        milvus.ask("load_collection", part)
    return Generation(prefix, name, spec)


def lost(milvus: Connection, prefix: str, name: str) -> str:
    """Say which collection of a generation that we named is gone; empty: none, or not ours."""
    if not re.fullmatch(_NAME, name):
        return ""
    found = Generation(prefix, name, IndexSpec((), ()))
    gone = {found.text, found.pictures}.difference(milvus.ask("list_collections"))
    return f"the collection {min(gone)} is missing" if gone else ""


def drop(milvus: Connection, generation: Generation) -> None:
    """Drop both collections; unknown ones are no error."""
    for name in (generation.text, generation.pictures):
        milvus.ask("drop_collection", name)


def sweep(milvus: Connection, prefix: str, *, kept: str | None) -> None:
    """Drop every generation but one: leftovers of crashed rebuilds."""
    ours = re.compile(rf"{re.escape(prefix)}_(?:text|pictures)_({_NAME})")
    for name in milvus.ask("list_collections"):
        match = ours.fullmatch(name)
        if match and match[1] != kept:
            milvus.ask("drop_collection", name)


def pointed_at(milvus: Connection, prefix: str) -> str | None:
    """
    Return the generation that is live: the one whose text collection the alias names.

    Raises:
        IndexBroken: the alias names a collection of somebody else.
    """
    try:
        target = str(milvus.ask("describe_alias", f"{prefix}_text")["collection_name"])
    except CollectionGone:
        return None
    name = target.removeprefix(f"{prefix}_text_")
    if name == target:
        raise _broken(f"the alias {prefix}_text names the collection {target}, which is not ours")
    return name


def require_free(milvus: Connection, prefix: str) -> None:
    """
    Check that the aliases can be made.

    Raises:
        IndexBroken: a collection has the name of one.
    """
    taken = {f"{prefix}_text", f"{prefix}_pictures"}.intersection(milvus.ask("list_collections"))
    if taken:
        raise _broken(f"the collection {min(taken)} has the name of an alias")


def claim(milvus: Connection, generation: Generation) -> None:
    """
    Make a generation the live one where there is none.

    Raises:
        Unavailable: there is one meanwhile.
    """
    milvus.ask("create_alias", generation.text, f"{generation.prefix}_text")


def point_at(milvus: Connection, generation: Generation) -> None:
    """Make a generation the live one; the alias of its text collection decides."""
    for part, name in (("pictures", generation.pictures), ("text", generation.text)):
        alias = f"{generation.prefix}_{part}"
        try:
            milvus.ask("describe_alias", alias)
        except CollectionGone:
            milvus.ask("create_alias", name, alias)
        else:
            milvus.ask("alter_alias", name, alias)


def attribute_fields(attributes: Attributes, types: Types) -> Row:
    """Return the columns of a row's filterable attributes, null where one is missing."""
    kept = indexed(attributes, types)
    return {
        attribute_column(name): _stored(kept[name], type_) if name in kept else None
        for name, type_ in types.items()
    }


def vector_fields(vectors: Iterable[tuple[Space, Floats]]) -> Row:
    """Return the vector columns of a row."""
    return {space_column(space): row.tolist() for space, row in vectors}


def encoded(milvus: Connection, words: str) -> str:
    """
    Write words as seven letters and digits each, which any analyzer keeps whole.

    Milvus Lite cuts at more than blanks and folds; both engines keep no more than 32 bits of a
    word anyway. What does not fit into the column, on a server beyond 8,192 words, is left out.
    """
    most = _most_text(milvus) // (_WORD_LENGTH + 1)
    return " ".join(map(_encoded_word, itertools.islice(words.split(), most)))


def upsert(milvus: Connection, name: str, rows: Iterable[Row]) -> None:
    """Write rows in batches, in order."""
    waiting = iter(rows)
    while part := list(itertools.islice(waiting, BATCH)):
        milvus.ask("upsert", name, part)


def delete(milvus: Connection, name: str, keys: Sequence[int] | Sequence[str]) -> None:
    """Delete rows in batches, in order; unknown keys are no error."""
    for at in range(0, len(keys), BATCH):
        milvus.ask("delete", name, ids=list(keys[at : at + BATCH]))


def present(milvus: Connection, name: str, keys: Collection[str]) -> list[str]:
    """Return those of the keys that have a row."""
    return [row[KEY] for row in milvus.ask("get", name, ids=list(keys), output_fields=[KEY])]


def vectors(
    milvus: Connection, name: str, keys: Sequence[int] | Sequence[str], column: str
) -> Iterator[tuple[int | str, Floats]]:
    """Yield (key, vector of length 1) of those of the keys that have a row."""
    for at in range(0, len(keys), BATCH):
        part = list(keys[at : at + BATCH])
        for found in milvus.ask("get", name, ids=part, output_fields=[KEY, column]):
            row = np.asarray(found[column], dtype=np.float32)
            yield found[KEY], row / np.sqrt(row @ row)


def nearest(
    milvus: Connection, name: str, space: Space, row: Floats, *, limit: int, where: str
) -> list[Rated]:
    """Return (key, cosine) of the best rows."""
    ef = min(MOST_EF, max(FILTERED_EF if where else EF, 2 * limit))
    found = milvus.ask(
        "search",
        name,
        data=[row.tolist()],
        anns_field=space_column(space),
        limit=limit,
        filter=where,
        output_fields=[KEY],
        search_params={"metric_type": "COSINE", "params": {} if milvus.lite else {"ef": ef}},
    )
    return [(hit[KEY], _cosine(hit["distance"])) for hit in found[0]]


def matching(milvus: Connection, name: str, words: str, *, limit: int, where: str) -> list[Rated]:
    """Return (key, BM25 > 0) of the best rows."""
    found = milvus.ask(
        "search",
        name,
        data=[encoded(milvus, words)],
        anns_field=KEYWORDS,
        limit=limit,
        filter=where,
        output_fields=[KEY],
        search_params={"metric_type": "BM25", "params": {}},
    )
    scores = [(hit[KEY], abs(hit["distance"])) for hit in found[0]]  # Lite's are negative
    return [(key, score) for key, score in scores if score > 0]


def scanned(milvus: Connection, name: str, fields: Sequence[str]) -> Iterator[tuple[int, ...]]:
    """Yield the named integer columns of every row."""
    for page in milvus.pages(name, batch_size=MOST_HITS, output_fields=list(fields)):
        for row in page:
            yield tuple(row[field] for field in fields)


def count(milvus: Connection, name: str) -> int:
    """Count rows."""
    return int(milvus.ask("query", name, filter="", output_fields=["count(*)"])[0]["count(*)"])


def flush(milvus: Connection, generation: Generation) -> None:
    """Seal what was written."""
    for name in (generation.pictures, generation.text):
        milvus.ask("flush", name)


def _schema(milvus: Connection, spec: IndexSpec, spaces: Iterable[Space]) -> Any:
    kinds = milvus.library.DataType
    schema = milvus.library.MilvusClient.create_schema(
        auto_id=False, enable_dynamic_field=False, description=saved_spec.to_json(spec)
    )
    schema.add_field(REVISION, kinds.INT64)
    for attribute, type_ in spec.attributes.items():
        schema.add_field(attribute_column(attribute), nullable=True, **_column(kinds, type_))
    for space in spaces:
        schema.add_field(space_column(space), kinds.FLOAT_VECTOR, dim=space.dim)
    return schema


def _create(milvus: Connection, name: str, schema: Any, spaces: Iterable[Space]) -> None:
    # Milvus Lite forgets descriptions.
    kept = {"properties": {_SPEC: schema.description}} if milvus.lite else {}
    milvus.ask("create_collection", name, schema=schema, consistency_level="Strong", **kept)
    graphs = _graphs(milvus, spaces, keywords=bool(schema.functions))
    milvus.ask("create_index", name, graphs, sync=False)  # nothing to wait for: it is empty
    milvus.ask("load_collection", name)


def _add_keywords(milvus: Connection, schema: Any) -> None:
    kinds, library = milvus.library.DataType, milvus.library
    schema.add_field(
        TOKENS,
        kinds.VARCHAR,
        max_length=_most_text(milvus),
        enable_analyzer=True,
        analyzer_params={"tokenizer": "standard" if milvus.lite else "whitespace"},
    )
    schema.add_field(KEYWORDS, kinds.SPARSE_FLOAT_VECTOR)
    schema.add_function(library.Function("bm25", library.FunctionType.BM25, [TOKENS], [KEYWORDS]))


def _graphs(milvus: Connection, spaces: Iterable[Space], *, keywords: bool) -> Any:
    graphs = milvus.library.MilvusClient.prepare_index_params()
    # Milvus Lite loses results of filtered graphs, and visits every row in either case.
    kind, params = ("FLAT", {}) if milvus.lite else ("HNSW", _GRAPH)
    for space in spaces:
        graphs.add_index(space_column(space), kind, metric_type="COSINE", params=params)
    if keywords:
        weights: dict[str, Any] = {"bm25_k1": K1, "bm25_b": B}
        if milvus.lite:
            weights = {"params": weights}  # the client flattens them, which Lite cannot read
        graphs.add_index(KEYWORDS, "SPARSE_INVERTED_INDEX", metric_type="BM25", params=weights)
    return graphs


_GRAPH: Final = {"M": LINKS, "efConstruction": EF_BUILD}


def _column(kinds: Any, type_: AttributeType) -> dict[str, Any]:
    match type_:
        case AttributeType.KEYWORD | AttributeType.DATE:
            return {"datatype": kinds.VARCHAR, "max_length": 32}
        case AttributeType.KEYWORDS:
            element = {"element_type": kinds.VARCHAR, "max_length": 32}
            return {"datatype": kinds.ARRAY, "max_capacity": MOST_KEYWORDS, **element}
        case AttributeType.NUMBER:
            return {"datatype": kinds.DOUBLE}
        case AttributeType.BOOL:
            return {"datatype": kinds.BOOL}


def _stored(value: Scalar | tuple[str, ...], type_: AttributeType) -> Any:
    if isinstance(value, tuple):
        return [fingerprint(part) for part in value[:MOST_KEYWORDS]]
    return fingerprint(str(value)) if type_ is AttributeType.KEYWORD else value


def _described(milvus: Connection, name: str) -> Any:
    try:
        return milvus.ask("describe_collection", name)
    except CollectionGone as exc:
        raise _broken(f"the collection {name} is missing") from exc


def _broken(message: str) -> IndexBroken:
    return IndexBroken(message, hint="run `crosslens index rebuild`, or choose another prefix")


def _most_text(milvus: Connection) -> int:
    return MOST_TEXT_LITE if milvus.lite else MOST_TEXT


def _encoded_word(word: str) -> str:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    number, digits = int.from_bytes(digest), ""
    for _ in range(_WORD_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return digits


def _cosine(similarity: float) -> float:
    return max(-1.0, min(1.0, round(similarity, 6)))
