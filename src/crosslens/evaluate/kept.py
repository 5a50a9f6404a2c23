"""Measured runs, kept in a folder to be looked at and compared later."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crosslens.corpora.judgements import Query
from crosslens.corpora.trec import Qrels
from crosslens.errors import InvalidRequest, NotFound
from crosslens.evaluate.intervals import compare
from crosslens.evaluate.report import Report
from crosslens.evaluate.runs import Run

MOST_SHOWN = 10  # results kept per query
MOST_RIGHT = 5  # right answers kept per query
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One query of a run.

    Attributes:
        starts_from: source key of the product that the query starts from, if any.
        found: source keys, best first.
        right: source keys of right answers, the most right first.
        values: measure → value of this query alone.
    """

    id: str
    words: str | None
    language: str | None
    starts_from: str | None
    found: tuple[str, ...]
    right: tuple[str, ...]
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Kept:
    """
    A run with its measures.

    Attributes:
        options: what was asked for: set, kind, alpha, fusion, language.
        report: see `Report.as_json`.
    """

    id: str
    name: str
    created: str
    options: Mapping[str, Any]
    report: Mapping[str, Any]
    queries: Sequence[Asked] = field(default=(), repr=False)

    def worst(self, measure: str, limit: int) -> list[Asked]:
        """
        Return the queries that a measure is least pleased with.

        Raises:
            InvalidRequest: the run has no such measure.
        """
        return sorted(self.queries, key=lambda asked: self._value(asked, measure))[:limit]

    @staticmethod
    def _value(asked: Asked, measure: str) -> float:
        if measure not in asked.values:
            allowed = ", ".join(asked.values)
            raise InvalidRequest(f"measure is {measure!r}, allowed are {allowed}")
        return asked.values[measure]


def asked(queries: Sequence[Query], run: Run, qrels: Qrels, report: Report) -> tuple[Asked, ...]:
    """Join queries, answers and measures."""
    by_id = {query.id: query for query in queries}
    return tuple(
        Asked(
            id=name,
            words=by_id[name].words,
            language=by_id[name].language,
            starts_from=by_id[name].product,
            found=tuple(run.keys(name)[:MOST_SHOWN]),
            right=_right(qrels[name]),
            values={m: round(float(column[at]), 6) for m, column in report.per_query.items()},
        )
        for at, name in enumerate(report.query_ids)
    )


def beside(first: Kept, second: Kept) -> dict[str, Any]:
    """
    Compare two runs on the queries that both asked: measure → means, difference, interval, p.

    Raises:
        InvalidRequest: they have no query in common.
    """
    theirs = {asked.id: asked for asked in second.queries}
    pairs = [(asked, theirs[asked.id]) for asked in first.queries if asked.id in theirs]
    if not pairs:
        raise InvalidRequest("the two runs have no query in common")
    shared = [name for name in pairs[0][0].values if name in pairs[0][1].values]
    rows = {name: _compared(name, pairs) for name in shared}
    return {"first": first.id, "second": second.id, "queries": len(pairs), "measures": rows}


class KeptRuns:
    """Runs in a folder, a file each; a file that cannot be read is no run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, kept: Kept) -> None:
        """Write a run."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._file(kept.id).with_suffix(".new")
        draft.write_text(json.dumps(asdict(kept), ensure_ascii=False), "utf-8")
        draft.replace(self._file(kept.id))

    def get(self, run_id: str) -> Kept:
        """
        Read a run.

        Raises:
            NotFound: there is none.
        """
        found = _read(self._file(run_id)) if _ID.fullmatch(run_id) else None
        if found is None:
            raise NotFound(f"there is no run {run_id[:40]!r}")
        return found

    def all(self) -> list[Kept]:
        """List runs, newest first."""
        files = self._folder.glob("*.json") if self._folder.is_dir() else ()
        runs = [run for file in files if (run := _read(file)) is not None]
        return sorted(runs, key=lambda run: run.created, reverse=True)

    def remove(self, run_id: str) -> None:
        """
        Forget a run.

        Raises:
            NotFound: there is none.
        """
        self._file(self.get(run_id).id).unlink(missing_ok=True)

    def _file(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.json"


def _right(grades: Mapping[str, int]) -> tuple[str, ...]:
    ordered = sorted(grades.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(key for key, grade in ordered if grade > 0)[:MOST_RIGHT]


def _compared(name: str, pairs: Sequence[tuple[Asked, Asked]]) -> dict[str, float]:
    ours, theirs = (np.array([pair[n].values[name] for pair in pairs]) for n in (0, 1))
    found = compare(ours, theirs)
    return {
        "first": float(ours.mean()),
        "second": float(theirs.mean()),
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.p,
    }


def _read(file: Path) -> Kept | None:
    try:
        held: dict[str, Any] = json.loads(file.read_text("utf-8"))
        queries = tuple(_asked(row) for row in held.pop("queries"))
        return Kept(**held, queries=queries)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _asked(row: dict[str, Any]) -> Asked:
    lists: Iterator[str] = iter(("found", "right"))
    return Asked(**(row | {name: tuple(row[name]) for name in lists}))
