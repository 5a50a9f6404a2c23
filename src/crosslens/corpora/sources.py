"""Open whatever a user points at: a folder of pictures, a file, a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from crosslens.corpora.captions import find_captions, read_captions
from crosslens.corpora.encoding import count_lines
from crosslens.corpora.exports import exported_products, is_export, read_cover
from crosslens.corpora.folder import count_pictures, folder_entries, has_pictures
from crosslens.corpora.jsonl import count_json, json_rows
from crosslens.corpora.mapping import NO_MAPPING, ColumnMapping
from crosslens.corpora.muge import PICTURES, muge_entries, muge_files
from crosslens.corpora.parquet import count_parquet, parquet_columns, parquet_rows
from crosslens.corpora.records import BadRecord, Entry, Row
from crosslens.corpora.rows import records
from crosslens.corpora.tables import count_rows, table_columns, table_rows
from crosslens.errors import InvalidRequest

JSON = (".jsonl", ".ndjson", ".json")
TABLE = (".csv", ".tsv")
PRODUCT_NAMES = ("items", "products", "corpus")
SUFFIXES = (*JSON, *TABLE, ".parquet")
ALLOWED = (
    f"allowed are files {' '.join(SUFFIXES)} and *{PICTURES}, a folder with a file called "
    f"{', '.join(PRODUCT_NAMES)} or with parquet files, and a folder of pictures"
)


@dataclass(frozen=True, slots=True)
class Source:
    """
    Products where they stand; iterating reads them again from the start, in the same order.

    Attributes:
        path: what the user pointed at.
        describe: what it was taken for, in words.
        attributes: declared attributes and their types, where the source says so itself.
    """

    path: Path
    describe: str
    read: Callable[[], Iterator[Entry]]
    count: Callable[[], int | None]
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Entry]:
        return self.read()

    def count_hint(self) -> int | None:
        """Estimate the entries for progress, by lines, metadata or files; None if unknown."""
        try:
            return self.count()
        except OSError:
            return None


def open_source(
    path: Path, *, mapping: ColumnMapping | None = None, captions: Path | None = None
) -> Source:
    """
    Say what `path` is and make it readable.

    A folder that holds an exported catalogue is read as that, one with a file called `items`,
    `products` or `corpus` as that file, one with parquet or MUGE files as these, any other as a
    folder of pictures, with `captions` or the `captions.*` or `metadata.*` file in it.

    Raises:
        InvalidRequest: the path is missing, empty or of an unknown kind; a table has no header or
            lacks a mapped column; captions are given for something that is no picture folder.
        MissingExtra: parquet is not installed.
    """
    try:
        source = _opened(Path(path), mapping or NO_MAPPING, captions)
    except OSError as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc.strerror}") from exc
    if captions is not None and source.describe != "folder of pictures":
        raise InvalidRequest(
            f"captions belong to a folder of pictures; {path} is {source.describe}"
        )
    return source


def find_products(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> Path | None:
    """Find the file of a folder that holds its products: `items.jsonl`, `products.csv`, …"""
    candidates = (folder / f"{name}{suffix}" for name in PRODUCT_NAMES for suffix in suffixes)
    return next((path for path in candidates if path.is_file()), None)


def _opened(path: Path, mapping: ColumnMapping, captions: Path | None) -> Source:
    if path.is_dir():
        return _folder(path, mapping, captions)
    if not path.exists():
        raise InvalidRequest(f"there is no file or folder {path}", hint=ALLOWED)
    if path.stat().st_size == 0:
        raise InvalidRequest(f"{path} is empty", hint=ALLOWED)
    return _file(path, mapping)


def _folder(path: Path, mapping: ColumnMapping, captions: Path | None) -> Source:
    if is_export(path) and mapping == NO_MAPPING:
        return _export(path)
    if product_file := find_products(path):
        return _file(product_file, mapping)
    if captions is None and (shards := sorted(path.glob("*.parquet"))):
        return _joined(path, shards, mapping)
    if captions is None and (shards := muge_files(path)):
        return _joined(path, shards, mapping)
    side_file = captions or find_captions(path)
    if captions is not None:
        read_captions(captions, mapping)
    if not has_pictures(path):
        raise InvalidRequest(f"{path} holds no picture and no data set", hint=ALLOWED)

    def read() -> Iterator[Entry]:
        side = read_captions(side_file, mapping) if side_file else None
        return folder_entries(path, side, mapping)

    return Source(path, "folder of pictures", read, lambda: count_pictures(path))


def _export(path: Path) -> Source:
    cover = read_cover(path)
    return Source(
        path,
        "exported catalogue",
        lambda: exported_products(path, cover),
        lambda: cover.entries,
        cover.attributes,
    )


def _joined(path: Path, files: Sequence[Path], mapping: ColumnMapping) -> Source:
    parts = [_file(file, mapping) for file in files]
    return Source(
        path,
        f"{len(parts)} files of {parts[0].describe}",
        lambda: chain.from_iterable(parts),
        lambda: sum(part.count() or 0 for part in parts),
    )


def _file(path: Path, mapping: ColumnMapping) -> Source:
    suffix = path.suffix.lower()
    if path.name.endswith(PICTURES):
        return Source(path, "MUGE pictures", lambda: muge_entries(path), lambda: count_lines(path))
    if suffix in JSON:
        return _rows(path, "JSON Lines", mapping, json_rows, count_json)
    if suffix in TABLE:
        mapping.check([name for name in table_columns(path) if name])
        return _rows(path, "table", mapping, table_rows, count_rows)
    if suffix == ".parquet":
        mapping.check(parquet_columns(path))
        return _rows(path, "parquet", mapping, parquet_rows, count_parquet)
    raise InvalidRequest(f"{path} is of an unknown kind", hint=ALLOWED)


def _rows(
    path: Path,
    describe: str,
    mapping: ColumnMapping,
    read: Callable[[Path], Iterable[Row | BadRecord]],
    count: Callable[[Path], int | None],
) -> Source:
    return Source(path, describe, lambda: records(read(path), mapping), lambda: count(path))
