"""An exported catalogue on disk: a cover sheet, products in one file, pictures by their digest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

from crosslens.corpora.jsonl import json_rows
from crosslens.corpora.parquet import parquet_rows
from crosslens.corpora.records import BadRecord, Record, Row
from crosslens.errors import InvalidRequest, MissingExtra

COVER: Final = "export.json"
PICTURES: Final = "pictures"
LAYOUT: Final = 1
_LONGEST_COVER: Final = 10_000_000

ExportRow: TypeAlias = Mapping[str, Any]
Write: TypeAlias = Callable[[list[ExportRow]], None]


class Form(StrEnum):
    """How the products are written."""

    JSONL = "jsonl"
    PARQUET = "parquet"

    @property
    def file(self) -> str:
        """The name of the file that holds the products."""
        return f"products.{self}"


@dataclass(frozen=True, slots=True)
class Cover:
    """
    What an export holds; written last, so that a folder with it is whole.

    Attributes:
        retired: products that were removed; they keep their ids, so that no other gets them.
        pictures: files, each digest once.
        attributes: declared attributes and their types.
    """

    form: Form
    products: int
    retired: int
    pictures: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    vectors: tuple[Mapping[str, Any], ...] = ()
    layout: int = LAYOUT

    @property
    def entries(self) -> int:
        """Lines of the product file."""
        return self.products + self.retired


@dataclass(frozen=True, slots=True)
class ExportedRecord(Record):
    """
    A product as it was in the catalogue that was exported.

    Attributes:
        id: its public id there.
        source_key: its key there; `key` stands in where it had none.
        digests: SHA-256 of each picture, in order; none of a retired product.
    """

    id: int = 0
    source_key: str | None = None
    retired: bool = False
    digests: tuple[str, ...] = ()


def picture_path(sha256: str, kind: str) -> str:
    """Return where a picture lies, relative to the export."""
    return f"{PICTURES}/{sha256[:2]}/{sha256}.{kind}"


def is_export(folder: Path) -> bool:
    """Say whether a folder is an exported catalogue."""
    return (folder / COVER).is_file()


def write_cover(folder: Path, cover: Cover) -> None:
    """Write the cover sheet of a whole export."""
    text = json.dumps(asdict(cover), ensure_ascii=False, indent=2) + "\n"
    (folder / COVER).write_text(text, "utf-8")


def read_cover(folder: Path) -> Cover:
    """
    Read the cover sheet.

    Raises:
        InvalidRequest: it cannot be read, or a newer version wrote it.
    """
    path = folder / COVER
    try:
        with path.open(encoding="utf-8") as file:
            values = json.loads(file.read(_LONGEST_COVER))
        if values["layout"] != LAYOUT:
            raise InvalidRequest(
                f"{path} has layout {values['layout']!r}; this version reads layout {LAYOUT}"
            )
        return Cover(**{**values, "form": Form(values["form"])})
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InvalidRequest(f"{path} is no cover sheet of an export: {exc}") from exc


def exported_entries(folder: Path, cover: Cover) -> Iterator[ExportedRecord | BadRecord]:
    """Read what was exported, retired products included, by rising id."""
    path = folder / cover.form.file
    rows = json_rows(path) if cover.form is Form.JSONL else parquet_rows(path)
    for row in rows:
        yield row if isinstance(row, BadRecord) else _entry(row)


def exported_products(folder: Path, cover: Cover) -> Iterator[ExportedRecord | BadRecord]:
    """Read what was exported without the retired products."""
    for entry in exported_entries(folder, cover):
        if isinstance(entry, BadRecord) or not entry.retired:
            yield entry


def product_file(folder: Path, form: Form) -> AbstractContextManager[Write]:
    """
    Begin the file of an export's products; the function yielded writes some of them.

    Raises:
        MissingExtra: parquet is wanted, and pyarrow is not installed.
    """
    path = folder / form.file
    return _json_lines(path) if form is Form.JSONL else _parquet(path)


@contextmanager
def _json_lines(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as file:

        def write(rows: Iterable[ExportRow]) -> None:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")

        yield write


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as exc:
        raise MissingExtra(
            "writing parquet needs pyarrow", hint="pip install 'crosslens[parquet]'"
        ) from exc
    text = pa.string()
    schema = pa.schema(
        [("id", pa.int64()), ("key", text), ("title", text), ("description", text),
         ("attributes", text), ("images", pa.list_(text)), ("created", text), ("updated", text),
         ("revision", pa.int64()), ("retired", pa.bool_())]
    )  # fmt: skip
    with path.open("wb") as file, pq.ParquetWriter(file, schema) as writer:

        def write(rows: Iterable[ExportRow]) -> None:
            cells = [
                {**row, "attributes": json.dumps(row["attributes"], ensure_ascii=False)}
                for row in rows
            ]
            writer.write_table(pa.Table.from_pylist(cells, schema=schema))

        yield write


def _entry(row: Row) -> ExportedRecord | BadRecord:
    key = None
    try:
        values = row.values
        key = _optional_text(values, "key")
        images = _texts(values, "images")
        id = _number(values, "id")
        return ExportedRecord(
            where=row.where,
            key=key or f"id:{id}",
            title=_text(values, "title"),
            description=_text(values, "description"),
            attributes=_attributes(values.get("attributes")),
            pictures=tuple(row.where.file.parent / image for image in images),
            id=id,
            source_key=key,
            retired=bool(values.get("retired")),
            digests=tuple(Path(image).stem for image in images),
        )
    except (ValueError, TypeError) as exc:
        return BadRecord(row.where, f"not a line of an export: {exc}", key)


def _number(values: ExportRow, name: str) -> int:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}, expected a positive integer")
    return value


def _text(values: ExportRow, name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {type(value).__name__}, expected text")
    return value


def _optional_text(values: ExportRow, name: str) -> str | None:
    return None if values.get(name) is None else _text(values, name)


def _texts(values: ExportRow, name: str) -> list[str]:
    value = values.get(name)
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise ValueError(f"{name} is no list of text")
    if any(Path(part).is_absolute() or ".." in Path(part).parts for part in value):
        raise ValueError(f"{name} leads out of the export")
    return value


def _attributes(value: Any) -> dict[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise ValueError(f"attributes is {type(found).__name__}, expected an object")
    return found
