"""CSV and TSV, as spreadsheets and scripts write them."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from crosslens.corpora.encoding import count_lines, has_undecoded, open_text
from crosslens.corpora.records import BadRecord, Row, Where
from crosslens.errors import InvalidRequest

MAX_FIELD = 4 * 1024 * 1024  # characters; an unclosed quote cannot swallow more than this
DELIMITERS = ",\t;|"


def table_rows(path: Path) -> Iterator[Row | BadRecord]:
    """
    Read a table row by row; the first line names the columns.

    The encoding is UTF-8, UTF-16 or GB18030, the delimiter whichever of comma, tab, semicolon and
    bar the header holds most. A row of another width, with broken quoting or with undecodable
    bytes is a BadRecord with its line, and reading goes on after that line; empty lines are no
    rows.

    Raises:
        InvalidRequest: there is no header, or a column appears twice.
    """
    csv.field_size_limit(max(MAX_FIELD, csv.field_size_limit()))
    header = table_columns(path)
    with open_text(path) as file:
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=_delimiter(path), strict=True)
        while True:
            where = Where(path, lines.begin())
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                lines.give_back()
                yield BadRecord(where, f"broken quoting: {exc}")
                continue
            if where.line != 1 and any(cells):
                yield _row(where, header, cells)


class _Lines:
    """The lines of a file; those that a broken row swallowed are given back but for its first."""

    def __init__(self, file: Iterator[str]) -> None:
        self.file = file
        self.waiting: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 1

    def begin(self) -> int:
        """Return the number of the next line, where a row begins."""
        self.number += len(self.taken)
        self.taken.clear()
        return self.number

    def give_back(self) -> None:
        """Let all lines of this row but the first be read again."""
        self.waiting.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.waiting.popleft() if self.waiting else next(self.file)
        self.taken.append(line)
        return line


def table_columns(path: Path) -> list[str]:
    """
    Return the column names, in order; a column without one is "".

    Raises:
        InvalidRequest: there is no header, or a column appears twice.
    """
    line = _first_line(path)
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=_delimiter(path)))]
    except (StopIteration, csv.Error) as exc:
        raise InvalidRequest(f"{path} has no header line that names its columns") from exc
    named = [name for name in names if name]
    if not named:
        raise InvalidRequest(f"{path} has no header line that names its columns")
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise InvalidRequest(f"{path}: column {twice!r} appears twice in the header")
    return names


def count_rows(path: Path) -> int:
    """Count rows by lines; a quoted line break counts too, so this is at least the truth."""
    return max(count_lines(path) - 1, 0)


def _row(where: Where, header: list[str], cells: list[str]) -> Row | BadRecord:
    if len(cells) != len(header):
        return BadRecord(where, f"{len(cells)} cells, but the header names {len(header)} columns")
    values = {name: cell for name, cell in zip(header, cells, strict=True) if name}
    if any(has_undecoded(cell) for cell in values.values()):
        return BadRecord(where, "bytes that are not in the encoding of the file")
    return Row(where, values)


def _first_line(path: Path) -> str:
    with open_text(path) as file:
        return file.readline(MAX_FIELD)


def _delimiter(path: Path) -> str:
    line = _first_line(path)
    return max(DELIMITERS, key=line.count)
