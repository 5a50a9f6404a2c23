"""What `build` makes: shards of JSON Lines whose `*_emb` fields are vectors, and their sheet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from crosslens.corpora.jsonl import json_rows
from crosslens.corpora.records import BadRecord, Row, Where
from crosslens.errors import InvalidRequest
from crosslens.values import Floats, Modality, Space

SHEET: Final = "build.json"
LAYOUT: Final = 1
SUFFIX: Final = "_emb"  # what tells vectors from all else, as the reference has it


@dataclass(frozen=True, slots=True)
class Column:
    """
    A field of vectors.

    Attributes:
        field: its name, which ends in `_emb`.
        source: the field that was encoded.
        modality: what the source holds.
    """

    field: str
    source: str
    modality: Modality
    space: str
    dim: int

    @property
    def vector_space(self) -> Space:
        """The space that the vectors are of."""
        return Space(self.space, self.dim)


@dataclass(frozen=True, slots=True)
class Shard:
    """
    A whole file, and what became of the entries that it was made of.

    Attributes:
        read: entries of the source, of which `written` are in the file and `bad` are not.
    """

    file: str
    read: int
    written: int
    bad: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    What a folder of shards is made of; written anew after every shard.

    Attributes:
        made_from: everything that decides what the shards hold; a build goes on only with the same.
        whole: whether the source was read to its end.
    """

    columns: tuple[Column, ...]
    made_from: Mapping[str, Any]
    shards: tuple[Shard, ...] = ()
    whole: bool = False
    layout: int = field(default=LAYOUT)

    @property
    def written(self) -> int:
        """Entries in all shards."""
        return sum(shard.written for shard in self.shards)


def to_text(sheet: Sheet) -> str:
    """Write a sheet as JSON."""
    return json.dumps(asdict(sheet), ensure_ascii=False, indent=2) + "\n"


def read_sheet(folder: Path) -> Sheet:
    """
    Read the sheet of a folder.

    Raises:
        InvalidRequest: there is none, it cannot be read, or a newer version wrote it.
    """
    path = folder / SHEET
    try:
        values = json.loads(path.read_text("utf-8"))
        if values["layout"] != LAYOUT:
            raise InvalidRequest(
                f"{path} has layout {values['layout']!r}; this version reads layout {LAYOUT}"
            )
        columns = (Column(**{**c, "modality": Modality(c["modality"])}) for c in values["columns"])
        shards = tuple(Shard(**shard) for shard in values["shards"])
        return Sheet(**{**values, "columns": tuple(columns), "shards": shards})
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InvalidRequest(
            f"{path} cannot be read: {exc}", hint="name a folder that `crosslens build` made"
        ) from exc


def shard_entries(folder: Path, sheet: Sheet) -> Iterator[Row | BadRecord]:
    """Read the entries of all shards; one whose vectors are not of their columns is bad."""
    for shard in sheet.shards:
        path = folder / shard.file
        if not path.is_file():
            yield BadRecord(Where(path), f"the shard is missing, with {shard.written} entries")
            continue
        for row in json_rows(path):
            yield row if isinstance(row, BadRecord) else _checked(row, sheet.columns)


def line(values: Mapping[str, Any], vectors: Mapping[str, Floats | None]) -> str:
    """
    Write one entry: its values, then each field of vectors.

    Args:
        vectors: float32 [dim] for one, [P, dim] for several, None for none.

    Raises:
        ValueError: a value cannot be said in JSON.
    """
    told = json.dumps(values, ensure_ascii=False, allow_nan=False)
    parts = (f"{json.dumps(name)}: {_numbers(rows)}" for name, rows in vectors.items())
    return f"{told[:-1]}{', ' if values else ''}{', '.join(parts)}}}\n"


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an entry is no vector."""
    return {name: value for name, value in values.items() if not name.endswith(SUFFIX)}


def counted(rows: Iterable[Row | BadRecord], on_bad: Callable[[BadRecord], None]) -> Iterator[Row]:
    """Yield what is good, and report what is not."""
    for row in rows:
        if isinstance(row, BadRecord):
            on_bad(row)
        else:
            yield row


def _checked(row: Row, columns: Iterable[Column]) -> Row | BadRecord:
    for column in columns:
        value = row.values.get(column.field)
        if not isinstance(value, list):
            return BadRecord(row.where, f"{column.field} is missing")
        several = bool(value) and isinstance(value[0], list)
        lengths = {len(part) for part in value} if several else {len(value)} - {0}
        if lengths - {column.dim}:
            return BadRecord(
                row.where,
                f"{column.field} has {sorted(lengths)} numbers, {column.space} has {column.dim}",
            )
    return row


def _numbers(rows: Floats | None) -> str:
    if rows is None:
        return "[]"
    if rows.ndim == 2:
        return f"[{', '.join(map(_numbers, rows))}]"
    return f"[{', '.join(f'{number:.9g}' for number in rows)}]"  # nine digits give float32 back
