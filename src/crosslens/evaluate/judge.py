"""Ask a search every question of a judged set and say how good its answers are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeAlias

from crosslens.corpora.judged import JudgedSet
from crosslens.corpora.judgements import Query
from crosslens.corpora.records import BadRecord
from crosslens.corpora.trec import Qrels
from crosslens.errors import CrosslensError, InvalidRequest
from crosslens.evaluate.report import KS, Part, Report, part, per_query
from crosslens.evaluate.runs import Ranked, Run

Search: TypeAlias = Callable[[Query], Ranked]
Progress: TypeAlias = Callable[[int, int], None]


def evaluate(
    judged: JudgedSet,
    search: Search,
    *,
    ks: Sequence[int] = KS,
    threads: int = 4,
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """
    Ask every judged question and measure the answers.

    `search` must return at least max(ks) results, one more for queries with `excluded`, and is
    called from several threads.

    Raises:
        InvalidRequest: `ks` is empty or holds a number below 1.
        CrosslensError: no query could be answered at all; the first failure.
    """
    run = ask(judged.queries, search, judged.qrels, threads=threads, progress=progress)
    return replace(
        report(judged.queries, run, judged.qrels, ks=ks, seed=seed),
        products=sum(not isinstance(entry, BadRecord) for entry in judged.products),
        details={
            "set": judged.name,
            "kind": judged.kind.value,
            "judgements": judged.judgements.value,
        },
    )


def ask(
    queries: Sequence[Query],
    search: Search,
    qrels: Qrels,
    *,
    threads: int = 4,
    progress: Progress | None = None,
) -> Run:
    """
    Ask the judged ones among `queries`; a question that fails has no results.

    Raises:
        CrosslensError: no query could be answered at all; the first failure.
    """
    judged = [query for query in queries if query.id in qrels]
    results: dict[str, Ranked] = {}
    failures: dict[str, CrosslensError] = {}
    start = time.perf_counter()
    for done, (query, answer) in enumerate(_answers(judged, search, threads), start=1):
        if isinstance(answer, CrosslensError):
            failures[query.id] = answer
        results[query.id] = () if isinstance(answer, CrosslensError) else answer
        if progress is not None:
            progress(done, len(judged))
    if failures and len(failures) == len(judged):
        raise next(iter(failures.values()))
    failed = {name: error.message for name, error in failures.items()}
    return Run(results, seconds=time.perf_counter() - start, failed=failed)


def report(
    queries: Sequence[Query],
    run: Run,
    qrels: Qrels,
    *,
    ks: Sequence[int] = KS,
    seed: int = 0,
) -> Report:
    """
    Measure a run, also one that was read from a file; a judged query without results scores 0.

    Raises:
        InvalidRequest: `ks` is empty or holds a number below 1, or no query is judged.
    """
    judged = [query for query in queries if query.id in qrels]
    if not judged or not ks or min(ks) < 1:
        raise InvalidRequest(f"measuring needs judged queries and cut-offs above 0, got ks={ks}")
    rankings = [_cleaned(query, run.keys(query.id)) for query in judged]
    grades = [qrels[query.id] for query in judged]
    values = per_query(rankings, grades, ks=ks)
    groups = [query.group or query.id for query in judged]
    return Report(
        all=part(values, range(len(judged)), groups, seed=seed),
        depth=max(map(len, rankings)),
        seconds=run.seconds,
        unanswerable=sum(not any(grade > 0 for grade in row.values()) for row in grades),
        failed=run.failed,
        by={
            name: parts
            for name in ("language", "change")
            if (parts := dict(_parts(judged, name, lambda at: part(values, at, groups, seed=seed))))
        },
        query_ids=tuple(query.id for query in judged),
        per_query=values,
    )


def _answers(
    queries: Sequence[Query], search: Search, threads: int
) -> Iterator[tuple[Query, Ranked | CrosslensError]]:
    def answer(query: Query) -> Ranked | CrosslensError:
        try:
            found = search(query)
        except CrosslensError as exc:
            return exc
        scores = dict(reversed(found))  # of a repeated product the first, best score stays
        return [(key, scores[key]) for key in _cleaned(query, (key for key, _ in found))]

    with ThreadPoolExecutor(threads, thread_name_prefix="evaluate") as pool:
        try:
            yield from zip(queries, pool.map(answer, queries), strict=True)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _cleaned(query: Query, keys: Iterable[str]) -> list[str]:
    """Drop repeats and the product that the question starts from, so neither takes a rank."""
    kept = dict.fromkeys(keys)
    if query.excluded and query.product is not None:
        kept.pop(query.product, None)
    return list(kept)


def _parts(
    queries: Sequence[Query], name: str, summarise: Callable[[list[int]], Part]
) -> Iterator[tuple[str, Part]]:
    positions: dict[str, list[int]] = {}
    for position, query in enumerate(queries):
        value = getattr(query, name)
        if value is not None:
            positions.setdefault(value, []).append(position)
    if len(positions) > 1:
        for value, found in positions.items():
            yield value, summarise(found)
