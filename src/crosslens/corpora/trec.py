"""Judgements on disk: TREC qrels (4 columns) and BEIR qrels (3 columns with a header)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from crosslens.corpora.encoding import sound_lines
from crosslens.errors import InvalidRequest

Qrels: TypeAlias = dict[str, dict[str, int]]
"""Query id → product key → grade; 1 and above is relevant."""


def read_qrels(path: Path) -> Qrels:
    """
    Read judgements; a grade below 0 means "not relevant" in TREC and is kept as it is.

    A line is `query 0 key grade`, or `query key grade` split by tabs (then keys may hold spaces).

    Raises:
        InvalidRequest: the file is away or empty, a line has other columns or no whole grade, or
            a pair is judged twice with different grades; the message names the line.
    """
    qrels: Qrels = {}
    for number, query, key, text in _lines(path):
        try:
            grade = int(text)
        except ValueError as exc:
            raise InvalidRequest(f"{path}:{number}: grade {text!r} is no whole number") from exc
        if qrels.setdefault(query, {}).setdefault(key, grade) != grade:
            raise InvalidRequest(f"{path}:{number}: {query} and {key} are judged twice")
    if not qrels:
        raise InvalidRequest(f"{path} holds no judgement")
    return qrels


def write_qrels(path: Path, qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Write judgements as BEIR does: a header, then query, key and grade split by tabs."""
    with path.open("w", encoding="utf-8") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        for query, grades in qrels.items():
            file.writelines(f"{query}\t{key}\t{grade}\n" for key, grade in grades.items())


def _lines(path: Path) -> Iterator[tuple[int, str, str, str]]:
    for number, line in sound_lines(path):
        cells = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
        if number == 1 and cells[0].casefold() in {"query-id", "qid"}:
            continue
        if len(cells) not in {3, 4} or not all(cells):
            raise InvalidRequest(
                f"{path}:{number}: expected query, key, grade (BEIR) or query, 0, key, grade "
                f"(TREC), got {len(cells)} columns"
            )
        yield number, cells[0], cells[-2], cells[-1]
