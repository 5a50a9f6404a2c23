"""What a side file says about the pictures of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosslens.corpora.encoding import has_undecoded, open_text
from crosslens.corpora.jsonl import json_rows
from crosslens.corpora.mapping import NO_MAPPING, ColumnMapping, folded
from crosslens.corpora.records import BadRecord, Row, Where
from crosslens.corpora.tables import table_rows
from crosslens.errors import InvalidRequest

NAMES = ("captions", "metadata")
SUFFIXES = (".jsonl", ".csv", ".tsv", ".txt")
FILE_COLUMNS = (
    *("file", "file_name", "filename", "image", "image_name", "image_path", "path"),
    *("picture", "文件", "文件名", "图片"),
)


@dataclass(slots=True)
class Captions:
    """
    Rows by the picture that they name: its path in the folder, or its bare file name.

    The whole side file is in memory, since its order is not the folder's.

    Attributes:
        bad: entries of the file that could not be read.
        waiting: names that no picture has answered to yet.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    bad: list[BadRecord] = field(default_factory=list)
    waiting: dict[str, Where] = field(default_factory=dict)

    def of(self, key: str) -> Row | None:
        """Return what is said of the picture with this path; an exact path beats a bare name."""
        for name in (key, key.rpartition("/")[2]):
            if (row := self.rows.get(name)) is not None:
                self.waiting.pop(name, None)
                return row
        return None

    def add(self, name: str, where: Where, values: dict[str, Any]) -> None:
        """Remember a row; a further caption of a picture goes to its attribute `captions`."""
        known = self.rows.get(name)
        if known is None:
            self.rows[name] = Row(where, values)
            self.waiting[name] = where
            return
        further = [text for text in values.values() if isinstance(text, str)][:1]
        captions = [*known.values.get("captions", ()), *further]
        self.rows[name] = Row(known.where, {**known.values, "captions": captions})

    def unanswered(self) -> Iterator[BadRecord]:
        """Yield the rows that name no picture of the folder."""
        for name, where in self.waiting.items():
            yield BadRecord(where, f"there is no picture {name!r} in the folder", key=name)


def find_captions(folder: Path) -> Path | None:
    """Find `captions.*` or `metadata.*` (jsonl, csv, tsv, txt) in a folder."""
    candidates = (folder / f"{name}{suffix}" for name in NAMES for suffix in SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def read_captions(path: Path, mapping: ColumnMapping = NO_MAPPING) -> Captions:
    """
    Read a side file: a table or JSON Lines with a column that names the file, or plain text with
    a file name, then a tab or a comma, then the caption.

    Raises:
        InvalidRequest: the file is away or of another kind, or a table has no header.
    """
    if not path.is_file() or path.suffix.lower() not in SUFFIXES:
        allowed = ", ".join(SUFFIXES)
        raise InvalidRequest(f"captions: {path} is no file of a known kind; allowed are {allowed}")
    captions = Captions()
    for row in _rows(path):
        if isinstance(row, BadRecord):
            captions.bad.append(row)
            continue
        values = dict(row.values)
        column = mapping.columns.get("image") or _file_column(values)
        name = values.pop(column, None) if column else None
        if isinstance(name, str) and name.strip():
            captions.add(name.strip().removeprefix("./"), row.where, values)
        else:
            captions.bad.append(BadRecord(row.where, "it names no file"))
    return captions


def _rows(path: Path) -> Iterator[Row | BadRecord]:
    if path.suffix.lower() == ".jsonl":
        return json_rows(path)
    if path.suffix.lower() == ".txt" or not _has_header(path):
        return _plain_rows(path)
    return table_rows(path)


def _has_header(path: Path) -> bool:
    with open_text(path) as file:
        line = file.readline().strip()
    return any(folded(cell.strip('"')) in FILE_COLUMNS for cell in _cells(line))


def _plain_rows(path: Path) -> Iterator[Row | BadRecord]:
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            name, separator, caption = line.strip().partition("\t" if "\t" in line else ",")
            if number == 1 and folded(name) in FILE_COLUMNS:
                continue
            if has_undecoded(line):
                yield BadRecord(Where(path, number), "bytes that are not in the file's encoding")
            elif separator and caption.strip():
                stem = name.strip().partition("#")[0]  # Flickr writes 1000.jpg#0
                yield Row(Where(path, number), {"file": stem, "caption": caption.strip()})
            elif line.strip():
                yield BadRecord(Where(path, number), "expected a file name, a tab and a caption")


def _cells(line: str) -> list[str]:
    return next((line.split(mark) for mark in "\t;," if mark in line), [line])


def _file_column(values: dict[str, Any]) -> str | None:
    names = {folded(name): name for name in reversed(values)}
    return next((names[name] for name in FILE_COLUMNS if name in names), None)
