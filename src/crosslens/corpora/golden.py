"""Golden queries: sets of judged questions that grow by hand, and their way to other tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any

from crosslens.corpora.jsonl import read_objects
from crosslens.corpora.trec import Qrels, read_qrels, write_qrels
from crosslens.errors import InvalidRequest

QUERIES = "queries.jsonl"
QRELS = "qrels.tsv"
MOST_GRADE = 10
_WRITING = Lock()  # a set is read, changed and written by one thread at a time
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Layout(StrEnum):
    """How other tools want judged questions."""

    BEIR = "beir"
    TREC = "trec"


@dataclass(frozen=True, slots=True)
class Golden:
    """A question with its right answers: source key → grade, 1 and above is relevant."""

    words: str
    right: Mapping[str, int]

    def __post_init__(self) -> None:
        if not self.words.strip():
            raise InvalidRequest("words of a golden query are blank")
        for key, grade in self.right.items():
            if not key or any(c in key for c in "\t\r\n") or not 0 <= grade <= MOST_GRADE:
                raise InvalidRequest(
                    f"{key!r} has grade {grade}; a key has no tab or line break, a grade is 0 to 10"
                )


class GoldenSet:
    """
    Judged questions in a folder, `queries.jsonl` and `qrels.tsv`, as `evaluate` reads them.

    Args:
        folder: made when the first question comes.
    """

    def __init__(self, folder: Path) -> None:
        if not _NAME.fullmatch(folder.name):
            raise InvalidRequest(
                f"a set is called {folder.name!r}; allowed are letters, digits, dot, - and _"
            )
        self.folder = folder

    def read(self) -> dict[str, Golden]:
        """Return questions by id, in their order."""
        if not (self.folder / QUERIES).exists():
            return {}
        qrels = read_qrels(self.folder / QRELS) if (self.folder / QRELS).exists() else Qrels()
        return {
            name: Golden(str(row["text"]), qrels.get(name, {}))
            for name, row in self._rows().items()
        }

    def _rows(self) -> dict[str, dict[str, Any]]:
        """Return the questions as the file has them, with whatever else it says of them."""
        if not (self.folder / QUERIES).exists():
            return {}
        return {str(row["id"]): row for _, row in read_objects(self.folder / QUERIES)}

    def add(self, questions: Iterable[Golden]) -> int:
        """Add questions, or judgements to one that is there; return how many were given."""
        with _WRITING:
            held = self.read()
            by_words = {golden.words: name for name, golden in held.items()}
            added = 0
            for golden in questions:
                words = golden.words.strip()
                name = by_words.get(words) or _fresh(held)
                known = held[name].right if name in held else {}
                held[name] = Golden(words, {**known, **golden.right})
                by_words[words] = name
                added += 1
            self._write(held)
        return added

    def judge(self, words: str, grades: Mapping[str, int | None]) -> Golden:
        """
        Set grades of a question, which is added if it is new; None takes a judgement back.

        Raises:
            InvalidRequest: the words are blank, or a key or a grade is not allowed.
        """
        words = " ".join(words.split())
        with _WRITING:
            held = self.read()
            by_words = {golden.words: name for name, golden in held.items()}
            name = by_words.get(words) or _fresh(held)
            known = held[name].right if name in held else {}
            right = {key: grade for key, grade in {**known, **grades}.items() if grade is not None}
            held[name] = Golden(words, right)
            self._write(held)
        return held[name]

    def export(self, folder: Path, layout: Layout, products: Iterable[Mapping[str, str]]) -> None:
        """Write the set for other tools; `products` have _id, title and text, for BEIR's corpus."""
        held = self.read()
        folder.mkdir(parents=True, exist_ok=True)
        qrels = {name: golden.right for name, golden in held.items() if golden.right}
        if layout is Layout.TREC:
            lines = (f"{name}\t{' '.join(golden.words.split())}" for name, golden in held.items())
            _write_lines(folder / "topics.tsv", lines)
            rows = (f"{q} 0 {key} {g}" for q, right in qrels.items() for key, g in right.items())
            _write_lines(folder / "qrels.txt", rows)
            return
        (folder / "qrels").mkdir(exist_ok=True)
        write_qrels(folder / "qrels" / "test.tsv", qrels)
        queries = ({"_id": name, "text": golden.words} for name, golden in held.items())
        _write_lines(folder / QUERIES, map(_json, queries))
        _write_lines(folder / "corpus.jsonl", map(_json, products))

    def _write(self, held: Mapping[str, Golden]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        known = self._rows()
        rows = [
            {**known.get(name, {}), "id": name, "text": golden.words}
            for name, golden in held.items()
        ]
        _write_lines(self.folder / QUERIES, map(_json, rows))
        draft = self.folder / f"{QRELS}.new"
        write_qrels(draft, {name: golden.right for name, golden in held.items() if golden.right})
        draft.replace(self.folder / QRELS)


def read_golden(path: Path) -> list[Golden]:
    """
    Read questions: JSON Lines {words, right: {key: grade} or [key]}, or TSV: words, key, grade.

    Raises:
        InvalidRequest: the file is away, or a line is not of that form; the message names it.
    """
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return [_golden(row, str(where)) for where, row in read_objects(path)]
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc}") from exc
    return [_tabbed(line, f"{path}:{n}") for n, line in enumerate(lines, start=1) if line.strip()]


def _golden(row: Mapping[str, Any], where: str) -> Golden:
    right = row.get("right", {})
    right = dict.fromkeys(right, 1) if isinstance(right, list) else right
    if not isinstance(row.get("words"), str) or not isinstance(right, dict):
        raise InvalidRequest(f"{where}: expected words, and right as keys with grades")
    if not all(type(grade) is int for grade in right.values()):
        raise InvalidRequest(f"{where}: grades must be whole numbers")
    return Golden(row["words"], {str(key): grade for key, grade in right.items()})


def _tabbed(line: str, where: str) -> Golden:
    cells = line.split("\t")
    grade = cells[2] if len(cells) == 3 else "1"
    if len(cells) not in (2, 3) or not all(cells) or not grade.isdecimal():
        raise InvalidRequest(f"{where}: expected words, key and grade, split by tabs")
    return Golden(cells[0], {cells[1]: int(grade)})


def _fresh(held: Mapping[str, Golden]) -> str:
    number = len(held) + 1
    while f"q{number}" in held:
        number += 1
    return f"q{number}"


def _json(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)


def _write_lines(path: Path, lines: Iterable[str] | Sequence[str]) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    draft.replace(path)
