"""JSON Lines, and one JSON array read piece by piece."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

from crosslens.corpora.encoding import count_lines
from crosslens.corpora.records import BadRecord, Row, Where
from crosslens.errors import InvalidRequest

MAX_ENTRY = 64 * 1024 * 1024  # bytes of one line, characters of one array element
BLOCK = 1 << 18


def json_rows(path: Path) -> Iterator[Row | BadRecord]:
    """
    Read objects, one per line, or the elements of one array when the file begins with "[".

    Blank lines are no entries. A line that is not UTF-8, not JSON, not an object, or that holds
    NaN or Infinity is a BadRecord; inside an array nothing after such a place can be trusted, so
    reading ends there.
    """
    if _is_array(path):
        yield from _array_rows(path)
    else:
        yield from _line_rows(path)


def count_json(path: Path) -> int | None:
    """Count lines; None for an array, whose lines say nothing."""
    return None if _is_array(path) else count_lines(path)


def parse_object(text: str) -> dict[str, Any]:
    """
    Parse one JSON object strictly.

    Raises:
        ValueError: it is not JSON, not an object, or holds a number that is not finite.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    return _object(value)


def read_objects(path: Path) -> Iterator[tuple[Where, dict[str, Any]]]:
    """
    Read a small file of objects of which each must be good: queries, judgements.

    Raises:
        InvalidRequest: the file is away, or an entry is bad; the message names the line.
    """
    if not path.is_file():
        raise InvalidRequest(f"there is no file {path}")
    for row in json_rows(path):
        if isinstance(row, BadRecord):
            raise InvalidRequest(f"{row.where}: {row.reason}")
        yield row.where, dict(row.values)


def _line_rows(path: Path) -> Iterator[Row | BadRecord]:
    with path.open("rb") as file:
        for number, line in enumerate(bounded_lines(file), start=1):
            where = Where(path, number)
            if line is None:
                yield BadRecord(where, f"longer than {MAX_ENTRY:,} bytes")
            elif line.strip():
                yield _line_row(where, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)


def _line_row(where: Where, line: bytes) -> Row | BadRecord:
    try:
        return Row(where, parse_object(line.decode("utf-8")))
    except UnicodeDecodeError as exc:
        return BadRecord(where, f"not UTF-8 at byte {exc.start}")
    except ValueError as exc:
        return BadRecord(where, f"not a JSON object: {exc}")


def bounded_lines(file: IO[bytes], limit: int = MAX_ENTRY) -> Iterator[bytes | None]:
    """Yield lines, None for one longer than `limit` bytes, which is skipped."""
    while line := file.readline(limit):
        if len(line) < limit or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(limit)
        yield None


def _is_array(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


class _Window:
    """The part of an array that is in memory, and the line at which it begins."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.text = ""
        self.line = 1
        self.at_end = False
        self.refused: list[str] = []
        self.decoder = json.JSONDecoder(
            parse_constant=self.refused.append, parse_float=self._finite_or_refused
        )

    def _finite_or_refused(self, text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            self.refused.append(text)
        return number

    def grow(self) -> None:
        """Double what is in memory, so that a long element costs linear time."""
        block = self.file.read(max(BLOCK, len(self.text)))
        self.text += block
        self.at_end = not block

    def drop(self, end: int) -> None:
        """Forget what is read."""
        self.line += self.text.count("\n", 0, end)
        self.text = self.text[end:]

    def skip(self, characters: str = "") -> str:
        """Move past white space, then return the next character, dropped if in `characters`."""
        while True:
            self.drop(len(self.text) - len(self.text.lstrip()))
            if self.text or self.at_end:
                break
            self.grow()
        found = self.text[:1]
        if found and found in characters:
            self.drop(1)
        return found

    def element(self) -> Any:
        """Parse the next element; ValueError when the array is broken there."""
        while True:
            self.refused.clear()
            try:
                value, end = self.decoder.raw_decode(self.text)
                if end < len(self.text) or self.at_end:
                    self.drop(end)
                    return value
            except RecursionError as exc:
                raise ValueError("it is nested too deeply") from exc
            except json.JSONDecodeError:
                if self.at_end or len(self.text) > MAX_ENTRY:
                    raise
            self.grow()


def _array_rows(path: Path) -> Iterator[Row | BadRecord]:
    with path.open(encoding="utf-8-sig") as file:
        window = _Window(file)
        try:
            window.skip("[")
            while window.skip() not in {"]", ""}:
                where = Where(path, window.line)
                yield _element_row(where, window.element(), window.refused)
                if window.skip(",") not in {",", "]"}:
                    raise ValueError("there is no comma after it")
            if not window.text:
                raise ValueError("the array does not end")
        except ValueError as exc:  # also what cannot be decoded
            reason = f"not JSON, the rest of the array is not read: {exc}"
            yield BadRecord(Where(path, window.line), reason)


def _element_row(where: Where, value: Any, refused: list[str]) -> Row | BadRecord:
    if refused:
        return BadRecord(where, f"not a JSON object: {refused[0]} is no finite number")
    try:
        return Row(where, _object(value))
    except ValueError as exc:
        return BadRecord(where, str(exc))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, got {type(value).__name__}")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range")
    return number
