"""Which characters a text file is written in; Excel's Chinese files are not UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from crosslens.errors import InvalidRequest

ENOUGH_LINES = 10_000
BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def detect_encoding(path: Path) -> str:
    """
    Name the encoding of a text file: its byte-order mark, else UTF-8, else GB18030.

    A file is taken for GB18030 when most of its lines beyond ASCII are not UTF-8, so one broken
    line does not turn a UTF-8 file into nonsense.
    """
    status = path.stat()
    return _detected(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)  # a plain ASCII file is read to its end to know
def _detected(path: Path, size: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        head = file.read(3)
        for bom, name in BOMS.items():
            if head.startswith(bom):
                return name
        file.seek(0)
        good = bad = 0
        for line in file:
            if line.isascii():
                continue
            good, bad = (good + 1, bad) if is_utf8(line) else (good, bad + 1)
            if good + bad >= ENOUGH_LINES:
                break
    return "gb18030" if bad > good else "utf-8"


def open_text(path: Path) -> TextIO:
    """
    Open a text file in the encoding it has; line ends stay as they are.

    Undecodable bytes are carried over, see `has_undecoded`; in UTF-16 they become U+FFFD.
    """
    encoding = detect_encoding(path)
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    return path.open(encoding=encoding, errors=errors, newline="")


def is_utf8(line: bytes) -> bool:
    """Say whether these bytes are UTF-8."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def has_undecoded(text: str) -> bool:
    """Say whether bytes that the encoding does not know were carried over (surrogateescape)."""
    return any("\udc80" <= character <= "\udcff" for character in text)


def sound_lines(path: Path) -> Iterator[tuple[int, str]]:
    """
    Read the lines of a text file with their numbers, from 1; blank ones are left out.

    Raises:
        InvalidRequest: there is no such file, or bytes that are not in its encoding.
    """
    if not path.is_file():
        raise InvalidRequest(f"there is no file {path}")
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if has_undecoded(line):
                raise InvalidRequest(f"{path}:{number}: bytes that are not in its encoding")
            if line.strip():
                yield number, line


def count_lines(path: Path) -> int:
    """Count lines by their newlines, in blocks; a last line without one counts."""
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
            last = block[-1:]
    return lines + (last != b"\n")
