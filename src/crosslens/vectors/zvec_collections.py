"""Zvec's collections: how they are made, opened, written and read, and what their errors mean."""

from __future__ import annotations

import errno
import functools
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import zvec

from crosslens.errors import IndexBroken, StorageFull, Unavailable
from crosslens.values import Attributes, AttributeType, Floats, Space
from crosslens.vectors import zvec_leftovers
from crosslens.vectors.columns import attribute_column, fingerprint, space_column
from crosslens.vectors.filters import indexed
from crosslens.vectors.seats import Seats

Collection: TypeAlias = Any
Types: TypeAlias = Mapping[str, AttributeType]
_T = TypeVar("_T")

LINKS: Final = 16
EF_BUILD: Final = 100
BATCH: Final = 1_000  # the engine takes 1,024 at most

MAY_BE_UNINDEXED: Final = 2_000
MAY_BE_UNINDEXED_SHARE: Final = 0.05

# Zvec writes through memory maps, where a full disk is a SIGBUS and not an error.
RESERVE_BYTES: Final = 64 << 20

# A query over several segments waits on one thread of Zvec's pool for others of the same pool: as
# many concurrent queries as threads wait for ever (0.8.0; a pool of one thread needs only one
# query). So the pool is made wide, and half as many queries run at once.
POOL_THREADS: Final = max(8, 2 * (os.cpu_count() or 1))
_SEATS: Final = Seats(POOL_THREADS // 2)

# What the engine raises on files that are damaged, beside the errors of the system.
UNREADABLE: Final = (ValueError, LookupError, MemoryError, OverflowError)
MENDED: Final = "the next worker begins it anew; the catalogue has everything it needs"

TOKENS: Final = "tokens"
REVISION: Final = "revision"
PICTURES: Final = "pictures"

_TYPES: Final = {
    AttributeType.KEYWORD: zvec.DataType.STRING,
    AttributeType.KEYWORDS: zvec.DataType.ARRAY_STRING,
    AttributeType.NUMBER: zvec.DataType.DOUBLE,
    AttributeType.BOOL: zvec.DataType.BOOL,
    AttributeType.DATE: zvec.DataType.STRING,
}


@functools.cache
def start_engine() -> None:
    """Start Zvec once per process; its own messages stay silent, errors are raised instead."""
    try:
        zvec.init(log_type=zvec.LogType.CONSOLE, log_level=zvec.LogLevel.FATAL)
    except RuntimeError:  # somebody else in this process did
        return
    _widen_pool()


def create_text(folder: Path, spaces: Iterable[Space], types: Types) -> Collection:
    """Create the text collection: a row per product, with the keyword field."""
    whitespace = zvec.FtsIndexParam("whitespace", filters=[])
    fields = [
        zvec.FieldSchema(PICTURES, zvec.DataType.INT64),
        zvec.FieldSchema(TOKENS, zvec.DataType.STRING, index_param=whitespace),
    ]
    return _create(folder, fields, spaces, types)


def create_pictures(folder: Path, spaces: Iterable[Space], types: Types) -> Collection:
    """Create the picture collection: a row per picture."""
    return _create(folder, [], spaces, types)


def open_collection(folder: Path) -> Collection:
    """
    Open a collection as it was closed, or as a killed process left it.

    Raises:
        RuntimeError, ValueError: its files are in use, incomplete or damaged.
    """
    _forget_unwritten(folder)
    if not all(file.stat().st_size for file in folder.glob("manifest.*")):
        raise RuntimeError("its manifest is empty")  # the engine would crash
    collection = zvec.open(str(folder))
    zvec_leftovers.remove(folder)  # after the engine's own lock is taken
    return collection


def attribute_fields(attributes: Attributes, types: Types) -> dict[str, Any]:
    """Return the columns of a row's filterable attributes; keywords as fingerprints."""
    return {
        attribute_column(name): _stored(value, types[name])
        for name, value in indexed(attributes, types).items()
    }


def write(collection: Collection, docs: Iterable[zvec.Doc]) -> None:
    """
    Upsert rows in batches, in order.

    Raises:
        RuntimeError: the engine did not acknowledge one of them.
    """
    for part in batches(list(docs)):
        for status in collection.upsert(part):
            if not status.ok():
                raise RuntimeError(status.message())


def delete(collection: Collection, keys: Sequence[str]) -> None:
    """
    Delete rows in order; unknown keys are no error.

    Raises:
        RuntimeError: the engine refused for another reason.
    """
    for part in batches(keys):
        for status in collection.delete(part):
            if not status.ok() and status.code() != zvec.StatusCode.NOT_FOUND:
                raise RuntimeError(status.message())


def search(collection: Collection, query: zvec.Query, limit: int, condition: str | None) -> Any:
    """Return the best rows as `id` and `score` only."""
    with _SEATS:
        return collection.query(query, topk=limit, filter=condition, output_fields=[])


def present(collection: Collection, keys: Iterable[str]) -> list[str]:
    """Return those of the keys that have a row."""
    with _SEATS:
        return list(collection.fetch(list(keys), output_fields=[], include_vector=False))


def vectors(
    collection: Collection, keys: Sequence[str], column: str
) -> Iterator[tuple[str, Floats]]:
    """Yield (key, vector of length 1) of those of the keys that have a row."""
    for part in batches(keys):
        with _SEATS:
            found = collection.fetch(list(part), output_fields=[], include_vector=True)
        for key, doc in found.items():
            row = np.asarray(doc.vector(column), dtype=np.float32)
            yield key, row / np.sqrt(row @ row)


def snapshot(collection: Collection, fields: Sequence[str]) -> Any:
    """Return a closable iterator over all rows as they are now, without vectors."""
    return collection.iter_docs(output_fields=list(fields), include_vector=False)


def unindexed_enough(collection: Collection) -> bool:
    """Say whether 2,000 rows and 5 % of a collection have no graph yet."""
    stats = collection.stats
    indexed_share = min(stats.index_completeness.values(), default=1.0)
    unindexed: float = (1.0 - indexed_share) * stats.doc_count
    return bool(unindexed >= max(MAY_BE_UNINDEXED, MAY_BE_UNINDEXED_SHARE * stats.doc_count))


def batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Cut a sequence into parts that the engine takes at once."""
    return (items[at : at + BATCH] for at in range(0, len(items), BATCH))


def require_space(folder: Path, needed: int) -> None:
    """
    Check that the disk has room for `needed` bytes and a reserve.

    Raises:
        StorageFull: it has not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVE_BYTES:
        raise StorageFull(
            f"the disk of {folder} has {free >> 20} MiB left; writing to the vector index safely "
            f"needs {(needed + RESERVE_BYTES) >> 20} MiB",
            hint="free some space; what was not acknowledged can be written again",
        )


@contextmanager
def translated(folder: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn what the engine raises into StorageFull and Unavailable; `errors` too."""
    failures: tuple[type[Exception], ...] = (OSError, RuntimeError, *errors)
    try:
        yield
    except failures as exc:
        if _means_full(exc):
            raise StorageFull(f"no space is left on the disk of {folder}: {exc}") from exc
        raise Unavailable(f"the vector index in {folder} failed: {exc}") from exc


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """
    Say why files cannot be opened.

    Raises:
        StorageFull: the disk is full, which says nothing about the files.
        Unavailable: another process holds them, or they belong to another user.
        IndexBroken: they are incomplete or damaged.
    """
    try:
        yield
    except Exception as exc:  # whatever the engine says of files that it cannot read
        if _means_full(exc):
            raise StorageFull(f"no space is left on the disk of {folder}: {exc}") from exc
        if "can't lock" in str(exc).lower():
            raise Unavailable(f"the index in {folder} is in use by another process") from exc
        if any(not os.access(file, os.R_OK | os.W_OK) for file in folder.rglob("*")):
            raise Unavailable(
                f"the index in {folder} has files that this user may not read and write",
                hint="run crosslens as the user who made it, or give them to this one",
            ) from exc
        raise IndexBroken(f"the vector index in {folder} cannot be read: {exc}") from exc


def _means_full(exc: Exception) -> bool:
    if isinstance(exc, OSError):
        return exc.errno in (errno.ENOSPC, errno.EDQUOT)
    return "No space left" in str(exc) or "errno 28" in str(exc) or "append WAL" in str(exc)


def _widen_pool() -> None:
    variable = "OMP_NUM_THREADS"  # read when the first query makes the pool, and never again
    former = os.environ.get(variable)  # noqa: TID251 - the pool has no other switch
    os.environ[variable] = str(POOL_THREADS)  # noqa: TID251
    try:
        with tempfile.TemporaryDirectory() as folder:
            _make_pool(Path(folder) / "first")
    finally:
        if former is None:
            del os.environ[variable]  # noqa: TID251
        else:
            os.environ[variable] = former  # noqa: TID251


def _make_pool(folder: Path) -> None:
    space, vector = Space("first", 2), [1.0, 0.0]
    collection = create_pictures(folder, [space], {})
    column = space_column(space)
    write(collection, [zvec.Doc("1", vectors={column: vector}, fields={REVISION: 1})])
    search(collection, zvec.Query(column, vector=vector), 1, None)
    collection.close()


def _create(
    folder: Path, fields: list[zvec.FieldSchema], spaces: Iterable[Space], types: Types
) -> Collection:
    columns = [
        zvec.FieldSchema(REVISION, zvec.DataType.INT64),
        *fields,
        *(_attribute_field(name, type_) for name, type_ in types.items()),
    ]
    vectors = [_vector_field(space) for space in spaces]
    return zvec.create_and_open(str(folder), zvec.CollectionSchema(folder.name, columns, vectors))


def _forget_unwritten(folder: Path) -> None:
    """
    Remove files that a killed process had made and not written yet, which the engine cannot read.

    The former manifest goes only after the next one is written, and nothing is acknowledged before
    it is in a log: without the empty file everything is as it was.
    """
    manifests = sorted(folder.glob("manifest.*"), key=lambda file: int(file.suffix[1:]))
    for file in (*manifests[1:][-1:], *folder.glob("*/*.wal")):
        if not file.stat().st_size:
            file.unlink()


def _attribute_field(name: str, type_: AttributeType) -> zvec.FieldSchema:
    # sealing drops and remakes what the engine keeps for ranges: killed in between, it cannot open
    index = zvec.InvertIndexParam(enable_range_optimization=False)
    return zvec.FieldSchema(attribute_column(name), _TYPES[type_], nullable=True, index_param=index)


def _vector_field(space: Space) -> zvec.VectorSchema:
    graph = zvec.HnswIndexParam(
        metric_type=zvec.MetricType.COSINE,
        m=LINKS,
        ef_construction=EF_BUILD,
        quantize_type=zvec.QuantizeType.INT8,
    )
    return zvec.VectorSchema(
        space_column(space), zvec.DataType.VECTOR_FP32, space.dim, index_param=graph
    )


def _stored(value: Any, type_: AttributeType) -> Any:
    match type_:
        case AttributeType.KEYWORD:
            return fingerprint(value)
        case AttributeType.KEYWORDS:
            return [fingerprint(part) for part in value]
        case _:
            return value
