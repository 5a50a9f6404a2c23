"""Runs: what a search answered to every query, kept for later and for other tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

import numpy as np

from crosslens.corpora.encoding import sound_lines
from crosslens.errors import InvalidRequest

Ranked: TypeAlias = Sequence[tuple[str, float]]
"""(product key, score), best first."""


@dataclass(frozen=True, slots=True)
class Run:
    """
    Ranked results by query id, with what is needed to get them again.

    Attributes:
        seconds: wall-clock time of all searches together.
        failed: query id → why it has no results.
    """

    results: Mapping[str, Ranked] = field(repr=False)
    kind: str = ""
    bundle: str = ""
    commit: str = ""
    seed: int = 0
    seconds: float = 0.0
    failed: Mapping[str, str] = field(default_factory=dict)

    def keys(self, query_id: str) -> list[str]:
        """Return the products that were found, best first; none for an unknown query."""
        return [key for key, _ in self.results.get(query_id, ())]


def write_run(path: Path, run: Run) -> None:
    """Write a run with everything it holds as JSON."""
    results = {query: [list(pair) for pair in ranked] for query, ranked in run.results.items()}
    text = json.dumps({**asdict(run), "results": results}, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_run(path: Path) -> Run:
    """
    Read what `write_run` wrote.

    Raises:
        InvalidRequest: the file is away or is no run.
    """
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        results = {
            query: [(str(key), float(score)) for key, score in ranked]
            for query, ranked in held.pop("results").items()
        }
        return Run(results=results, **held)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise InvalidRequest(f"{path} is no run: {exc}") from exc


def write_trec(path: Path, run: Run, *, tag: str = "crosslens") -> None:
    """
    Write a run as TREC does: query, Q0, key, rank, score, tag.

    Tools order by score and break ties their own way, so scores are written strictly falling in
    float32. White space and "%" in ids are percent-encoded, since columns are split at spaces.
    """
    with path.open("w", encoding="utf-8") as file:
        for query, ranked in run.results.items():
            scores = _falling(score for _, score in ranked)
            for rank, ((key, _), score) in enumerate(zip(ranked, scores, strict=True), start=1):
                file.write(f"{_encoded(query)} Q0 {_encoded(key)} {rank} {score:.9g} {tag}\n")


def read_trec(path: Path) -> Run:
    """
    Read a TREC run; results are ordered by score, equal scores by their rank in the file.

    Raises:
        InvalidRequest: the file is away, or a line is not six columns with a rank and a finite
            score; the message names the line.
    """
    found: dict[str, list[tuple[float, int, str]]] = {}
    for number, line in sound_lines(path):
        try:
            query, _, key, rank, score, _ = line.split()
            value = float(score)
            if not np.isfinite(value):
                raise ValueError(score)
            found.setdefault(unquote(query), []).append((-value, int(rank), unquote(key)))
        except ValueError as exc:
            raise InvalidRequest(
                f"{path}:{number}: expected query, Q0, key, rank, score and tag"
            ) from exc
    return Run({query: [(key, -n) for n, _, key in sorted(rows)] for query, rows in found.items()})


def _falling(scores: Iterable[float]) -> Iterator[float]:
    last = np.float32(np.inf)
    for score in scores:
        last = np.minimum(np.float32(score), np.nextafter(last, np.float32(-np.inf)))
        yield float(last)


def _encoded(name: str) -> str:
    return re.sub(r"[\s%]", lambda found: quote(found[0]), name)
