"""The layout of MUGE and Chinese-CLIP: `*_imgs.tsv` (id, base64) beside `*_texts.jsonl`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crosslens.corpora.jsonl import bounded_lines
from crosslens.corpora.picture_values import decode_base64
from crosslens.corpora.records import BadRecord, Entry, Record, Where

PICTURES = "_imgs.tsv"
TEXTS = "_texts.jsonl"


def muge_entries(path: Path) -> Iterator[Entry]:
    """
    Read one picture per line; it becomes a product with its id as key and title.

    The texts of MUGE are queries, so they never become titles: a keyword search would find the
    very words that it is judged by.
    """
    with path.open("rb") as file:
        for number, line in enumerate(bounded_lines(file), start=1):
            where = Where(path, number)
            if line is None:
                yield BadRecord(where, "the line is too long")
            elif line.strip():
                yield _entry(where, line)


def muge_files(folder: Path) -> list[Path]:
    """List the picture files of a folder, in the order of their names."""
    return sorted(folder.glob(f"*{PICTURES}"))


def _entry(where: Where, line: bytes) -> Entry:
    raw_key, _, picture = line.partition(b"\t")
    try:
        key = raw_key.decode("utf-8").strip()
        if not key:
            raise ValueError("there is no id before the tab")
        return Record(where=where, key=key, title=key, contents=(decode_base64(picture),))
    except UnicodeDecodeError:
        return BadRecord(where, "the id is not UTF-8")
    except ValueError as exc:
        return BadRecord(where, str(exc))
