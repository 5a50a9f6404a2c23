"""How Milvus finds neighbours: kinds of vector indexes, what each is built and asked with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from crosslens.errors import InvalidRequest

EF: Final = 128
FILTERED_EF: Final = 512  # filters cost recall: 0.91 of the best ten without
MOST_EF: Final = 32_768
LISTS: Final = 1_024
PROBED: Final = 32
FILTERED_PROBED: Final = 128
SEARCH_LIST: Final = 100

Asked: TypeAlias = dict[str, int]


@dataclass(frozen=True, slots=True)
class Graph:
    """
    One kind of index.

    Attributes:
        build: parameters of its making.
        ask: parameters of a search, by how many rows are wanted and whether there is a filter.
    """

    kind: str
    build: Mapping[str, Any] = field(default_factory=dict)
    ask: Callable[[int, bool], Asked] = lambda limit, filtered: {}


def _far(limit: int, filtered: bool) -> Asked:
    return {"ef": min(MOST_EF, max(FILTERED_EF if filtered else EF, 2 * limit))}


def _wide(limit: int, filtered: bool) -> Asked:
    return {"nprobe": FILTERED_PROBED if filtered or limit > LISTS else PROBED}


def _listed(limit: int, filtered: bool) -> Asked:
    return {"search_list": min(MOST_EF, max(FILTERED_EF if filtered else SEARCH_LIST, 2 * limit))}


_LISTS: Final = {"nlist": LISTS}
_ALL: Final = (
    Graph("HNSW", {"M": 16, "efConstruction": 200}, _far),
    Graph("IVF_FLAT", _LISTS, _wide),
    Graph("IVF_SQ8", _LISTS, _wide),
    Graph("DISKANN", {}, _listed),
    Graph("FLAT"),
    Graph("AUTOINDEX"),
)
GRAPHS: Final[Mapping[str, Graph]] = MappingProxyType({graph.kind: graph for graph in _ALL})


def graph_of(kind: str) -> Graph:
    """
    Return the kind of index of a name.

    Raises:
        InvalidRequest: there is none.
    """
    if kind.upper() not in GRAPHS:
        raise InvalidRequest(f"the Milvus index is {kind!r}; allowed are {', '.join(GRAPHS)}")
    return GRAPHS[kind.upper()]
