"""Generations of Milvus collections: how they are named, and which one is live."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any, Final

from crosslens.errors import IndexBroken
from crosslens.values import Modality, Space
from crosslens.vectors import saved_spec
from crosslens.vectors.columns import attribute_column, space_column
from crosslens.vectors.following import CollectionGone
from crosslens.vectors.index import IndexSpec
from crosslens.vectors.milvus_connection import Connection

SPEC: Final = "crosslens.spec"
_NAME: Final = "[0-9a-f]{12}"
_COLUMN: Final = "v[0-9a-f]{16}"


class GenerationLost(IndexBroken):
    """A collection of ours is gone: nothing is left to be read, and nobody's to be kept."""


@dataclass(frozen=True, slots=True)
class Part:
    """
    A collection of a generation.

    Attributes:
        main: whether it says which products and pictures there are. It is written and deleted
            last, so that it never promises what another part lacks.
    """

    name: str
    spaces: tuple[Space, ...]
    main: bool


@dataclass(frozen=True, slots=True)
class Generation:
    """
    The collections that belong together.

    Attributes:
        apart: whether each space has a collection of its own, as older servers want it.
        graph: kind of the vector indexes.
    """

    prefix: str
    name: str
    spec: IndexSpec
    apart: bool = False
    graph: str = "HNSW"

    @classmethod
    def new(
        cls, prefix: str, spec: IndexSpec, *, apart: bool = False, graph: str = "HNSW"
    ) -> Generation:
        """Name a generation that does not exist yet."""
        return cls(prefix, uuid.uuid4().hex[:12], spec, apart, graph)

    @property
    def text(self) -> str:
        """The name of the text collection, of its main part where there are several."""
        return f"{self.prefix}_text_{self.name}"

    @property
    def pictures(self) -> str:
        """The name of the picture collection, of its main part where there are several."""
        return f"{self.prefix}_pictures_{self.name}"

    def parts(self, modality: Modality) -> tuple[Part, ...]:
        """Return the collections of a modality, the main one last."""
        spaces = self.spec.text if modality is Modality.TEXT else self.spec.picture
        name = self.text if modality is Modality.TEXT else self.pictures
        if not self.apart:
            return (Part(name, spaces, main=True),)
        others = (
            Part(f"{name}_{space_column(space)}", (space,), main=False) for space in spaces[1:]
        )
        return (*others, Part(name, spaces[:1], main=True))

    def all_parts(self) -> tuple[Part, ...]:
        """Return all collections; the main one of the words comes last."""
        return (*self.parts(Modality.PICTURE), *self.parts(Modality.TEXT))

    def holding(self, modality: Modality, space: Space) -> str:
        """Name the collection that has the vectors of a space."""
        return next(part.name for part in self.parts(modality) if space in part.spaces)


def opened(milvus: Connection, prefix: str, name: str) -> Generation:
    """
    Read what a generation holds and make it ready to be searched.

    Raises:
        GenerationLost: one of its collections is gone.
        IndexBroken: somebody else made it, or changed it.
    """
    ours = re.fullmatch(_NAME, name) is not None
    apart = not milvus.can.many_vectors
    named = Generation(prefix, name, IndexSpec((), ()), apart)
    text = _described(milvus, named.text, ours=ours)
    spec = saved_spec.from_json(text["properties"].get(SPEC) or text["description"])
    found = Generation(prefix, name, spec, apart, _graph(milvus, named.text, spec))
    *others, main = found.all_parts()
    _require_columns(main, text, spec)  # first: of a stranger's, nothing else is asked
    for part in others:
        _require_columns(part, _described(milvus, part.name, ours=ours), spec)
    load(milvus, found)
    return found


def load(milvus: Connection, generation: Generation) -> None:
    """Make collections ready to be searched, all of them at once."""
    names = [part.name for part in generation.all_parts()]
    for name in names:
        milvus.ask("load_collection", name, _async=True)
    for name in names:
        milvus.ask("load_collection", name)


def drop(milvus: Connection, generation: Generation) -> None:
    """Drop all collections; unknown ones are no error."""
    for part in generation.all_parts():
        milvus.ask("drop_collection", part.name)


def sweep(milvus: Connection, prefix: str, *, kept: str | None) -> None:
    """Drop every generation but one: leftovers of crashed rebuilds."""
    ours = re.compile(rf"{re.escape(prefix)}_(?:text|pictures)_({_NAME})(?:_{_COLUMN})?")
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
    target = _target(milvus, f"{prefix}_text")
    if target is None:
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
        target = _target(milvus, alias)
        if target != name:
            milvus.ask("create_alias" if target is None else "alter_alias", name, alias)


def _target(milvus: Connection, alias: str) -> str | None:
    """Return the collection that an alias names; servers before 2.4 describe no aliases."""
    call = "describe_alias" if milvus.can.many_vectors else "describe_collection"
    try:
        return str(milvus.ask(call, alias)["collection_name"])
    except CollectionGone:
        return None


def _require_columns(part: Part, described: Any, spec: IndexSpec) -> None:
    columns = {field["name"]: field for field in described["fields"]}
    wanted = {space_column(space): space for space in part.spaces}
    if {*wanted, *map(attribute_column, spec.attributes)} - columns.keys():
        raise _broken(f"the collection {part.name} lacks columns that its description names")
    for column, space in wanted.items():
        dim = int(columns[column]["params"].get("dim", 0))
        if dim != space.dim:
            raise _broken(
                f"the collection {part.name} has vectors of {dim} dimensions in place of the "
                f"{space.dim} of {space.name}"
            )


def _graph(milvus: Connection, name: str, spec: IndexSpec) -> str:
    """Say how a collection's vectors are indexed: another process may have chosen otherwise."""
    if milvus.can.lite or not spec.text:
        return "FLAT"
    found = milvus.ask("describe_index", name, index_name=space_column(spec.text[0]))
    return str(found["index_type"]) if found else "FLAT"


def _described(milvus: Connection, name: str, *, ours: bool) -> Any:
    try:
        return milvus.ask("describe_collection", name)
    except CollectionGone as exc:
        message = f"the collection {name} is missing"
        raise (GenerationLost(message) if ours else _broken(message)) from exc


def _broken(message: str) -> IndexBroken:
    return IndexBroken(message, hint="run `crosslens index rebuild`, or choose another prefix")
