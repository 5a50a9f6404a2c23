"""Is it good enough, and not worse than it was? For a shop's CI and before an encoder switch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crosslens.corpora.judgements import Query
from crosslens.corpora.trec import Qrels
from crosslens.errors import InvalidRequest
from crosslens.evaluate.intervals import Comparison, compare
from crosslens.evaluate.judge import report
from crosslens.evaluate.report import Report
from crosslens.evaluate.runs import Run, read_run, read_trec

WORSE_P = 0.05


@dataclass(frozen=True, slots=True)
class Against:
    """A report beside an earlier run over the same queries: measure → paired comparison."""

    name: str
    measures: Mapping[str, Comparison]

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"run": self.name, "measures": {n: asdict(c) for n, c in self.measures.items()}}


def earlier_run(path: Path) -> Run:
    """
    Read a run: JSON of `write_run`, or TREC.

    Raises:
        InvalidRequest: it is neither.
    """
    return read_run(path) if path.suffix.lower() == ".json" else read_trec(path)


def against(
    now: Report, queries: Sequence[Query], earlier: Run, qrels: Qrels, *, name: str
) -> Against:
    """Compare query by query; a query that the earlier run lacks scored 0 there."""
    ours, theirs = now.per_query, report(queries, earlier, qrels).per_query
    return Against(name, {each: compare(ours[each], theirs[each]) for each in now.metrics})


def floors(given: Iterable[str]) -> dict[str, float]:
    """
    Read MEASURE=VALUE.

    Raises:
        InvalidRequest: it is not of that form.
    """
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError as exc:
            raise InvalidRequest(f"{each!r} is not MEASURE=VALUE, such as ndcg@10=0.4") from exc
        if not equals or not math.isfinite(found[name.strip()]):
            raise InvalidRequest(f"{each!r} is not MEASURE=VALUE, such as ndcg@10=0.4")
    return found


def failures(
    now: Report,
    *,
    least: Mapping[str, float] | None = None,
    not_worse: Sequence[str] = (),
    beside: Against | None = None,
) -> list[str]:
    """
    Say what does not pass, in sentences; nothing when all does.

    A measure is worse when its mean fell and the paired test gives p < 0.05.

    Raises:
        InvalidRequest: a measure that is not there, or nothing to compare with.
    """
    least = least or {}
    for name in (*least, *not_worse):
        if name not in now.metrics:
            raise InvalidRequest(
                f"there is no measure {name!r}, there are {', '.join(now.metrics)}"
            )
    if not_worse and beside is None:
        raise InvalidRequest("to be no worse needs an earlier run", hint="--against RUN")
    compared = beside.measures if beside is not None else {}
    told = [
        f"{name} is {now.metrics[name]:.4f}, asked was {floor:g}"
        for name, floor in least.items()
        if now.metrics[name] < floor
    ]
    fallen = {name: found for name in not_worse if (found := compared[name]).difference < 0}
    return told + [
        f"{name} fell by {-found.difference:.4f} (p = {found.p:.4f})"
        for name, found in fallen.items()
        if found.p < WORSE_P
    ]
