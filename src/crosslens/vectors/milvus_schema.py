"""The columns of Milvus's collections, and how the collections are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from crosslens.values import Attributes, AttributeType, Floats, Modality, Space
from crosslens.vectors import saved_spec
from crosslens.vectors.columns import attribute_column, fingerprint, space_column
from crosslens.vectors.filters import Scalar, indexed
from crosslens.vectors.milvus_connection import Connection
from crosslens.vectors.milvus_generations import SPEC, Generation, Part, load
from crosslens.vectors.milvus_graphs import GRAPHS
from crosslens.vectors.milvus_keywords import Keywords
from crosslens.vectors.rendering import Dialect

# A negated comparison with null is true in Milvus Lite and false on the server.
DIALECT: Final = Dialect(
    equals="==",
    within="{column} in [{values}]",
    outside="({column} is not null) and ({column} not in [{values}])",
    holding="array_contains_any({column}, [{values}])",
    lacking="({column} is not null) and (not array_contains_any({column}, [{values}]))",
)
# Servers before 2.5 know no null: a column of truth values beside each says whether it is set.
FLAGGED: Final = Dialect(
    equals="==",
    within="(s{column} == true) and ({column} in [{values}])",
    outside="(s{column} == true) and ({column} not in [{values}])",
    holding="array_contains_any({column}, [{values}])",
    lacking="(s{column} == true) and (not array_contains_any({column}, [{values}]))",
    present="s{column} == true",
    absent="s{column} == false",
    comparing="(s{column} == true) and ({comparison})",
)

KEY: Final = "id"
PRODUCT: Final = "product_id"
REVISION: Final = "revision"
PICTURES: Final = "pictures"
MOST_LISTED: Final = 4_096  # the server's limit of a list

_BLANK: Final[Mapping[AttributeType, Any]] = MappingProxyType(
    {
        AttributeType.KEYWORD: "",
        AttributeType.DATE: "",
        AttributeType.KEYWORDS: [],
        AttributeType.NUMBER: 0.0,
        AttributeType.BOOL: False,
    }
)

Types: TypeAlias = Mapping[str, AttributeType]
Row: TypeAlias = dict[str, Any]


def create(milvus: Connection, generation: Generation, keywords: Keywords) -> None:
    """Create all collections of a generation, empty and ready to be searched."""
    for modality in (Modality.PICTURE, Modality.TEXT):
        for part in generation.parts(modality):
            schema = _schema(milvus, generation, part)
            graphs = _graphs(milvus, generation, part)
            if modality is Modality.TEXT:
                _add_text_columns(milvus, schema, part)
                if part.main:
                    keywords.declare(milvus, schema, graphs)
            else:
                _add_picture_columns(milvus, schema)
            _create(milvus, part.name, schema, graphs)
    load(milvus, generation)


def attribute_fields(attributes: Attributes, types: Types, *, nulls: bool) -> Row:
    """Return the columns of a row's filterable attributes; without nulls, with flags beside."""
    kept = indexed(attributes, types)
    fields: Row = {}
    for name, type_ in types.items():
        column = attribute_column(name)
        stored = _stored(kept[name], type_) if name in kept else None
        fields[column] = _BLANK[type_] if stored is None and not nulls else stored
        if not nulls:
            fields[f"s{column}"] = stored is not None
    return fields


def vector_fields(vectors: Iterable[tuple[Space, Floats]]) -> Row:
    """Return the vector columns of a row."""
    return {space_column(space): row.tolist() for space, row in vectors}


def _schema(milvus: Connection, generation: Generation, part: Part) -> Any:
    kinds, spec = milvus.library.DataType, generation.spec
    schema = milvus.library.MilvusClient.create_schema(
        auto_id=False, enable_dynamic_field=False, description=saved_spec.to_json(spec)
    )
    schema.add_field(REVISION, kinds.INT64)
    nullable = {"nullable": True} if milvus.can.nulls else {}
    for attribute, type_ in spec.attributes.items():
        column = attribute_column(attribute)
        schema.add_field(column, **nullable, **_column(kinds, type_))
        if not nullable:
            schema.add_field(f"s{column}", kinds.BOOL)
    for space in part.spaces:
        schema.add_field(space_column(space), kinds.FLOAT_VECTOR, dim=space.dim)
    return schema


def _add_text_columns(milvus: Connection, schema: Any, part: Part) -> None:
    schema.add_field(KEY, milvus.library.DataType.INT64, is_primary=True)
    if part.main:
        schema.add_field(PICTURES, milvus.library.DataType.INT64)


def _add_picture_columns(milvus: Connection, schema: Any) -> None:
    kinds = milvus.library.DataType
    schema.add_field(KEY, kinds.VARCHAR, is_primary=True, max_length=64)
    schema.add_field(PRODUCT, kinds.INT64)


def _graphs(milvus: Connection, generation: Generation, part: Part) -> Any:
    graphs = milvus.library.MilvusClient.prepare_index_params()
    # Milvus Lite loses results of filtered graphs, and visits every row in either case.
    graph = GRAPHS["FLAT" if milvus.can.lite else generation.graph]
    for column in map(space_column, part.spaces):
        named = {} if milvus.can.lite else {"index_name": column}
        params = dict(graph.build)
        graphs.add_index(column, graph.kind, metric_type="COSINE", params=params, **named)
    return graphs


def _create(milvus: Connection, name: str, schema: Any, graphs: Any) -> None:
    # Milvus Lite forgets descriptions.
    kept = {"properties": {SPEC: schema.description}} if milvus.can.lite else {}
    milvus.ask("create_collection", name, schema=schema, consistency_level="Strong", **kept)
    milvus.ask("create_index", name, graphs, sync=False)  # nothing to wait for: it is empty


def _column(kinds: Any, type_: AttributeType) -> dict[str, Any]:
    match type_:
        case AttributeType.KEYWORD | AttributeType.DATE:
            return {"datatype": kinds.VARCHAR, "max_length": 32}
        case AttributeType.KEYWORDS:
            element = {"element_type": kinds.VARCHAR, "max_length": 32}
            return {"datatype": kinds.ARRAY, "max_capacity": MOST_LISTED, **element}
        case AttributeType.NUMBER:
            return {"datatype": kinds.DOUBLE}
        case AttributeType.BOOL:
            return {"datatype": kinds.BOOL}


def _stored(value: Scalar | tuple[str, ...], type_: AttributeType) -> Any:
    if isinstance(value, tuple):
        return [fingerprint(part) for part in value[:MOST_LISTED]]
    return fingerprint(str(value)) if type_ is AttributeType.KEYWORD else value
