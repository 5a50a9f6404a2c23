"""Put the plan's probes to the index: the only step of a search that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from crosslens.encode.encoder import Encoders
from crosslens.errors import CrosslensError, Overloaded, Unavailable
from crosslens.search.plan import Plan, Probe, Purpose
from crosslens.search.request import SearchRequest
from crosslens.values import Candidate, Vectors
from crosslens.vectors.index import VectorIndex

QueryTokens = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Matches:
    """
    What came back.

    Attributes:
        found: candidates by probe name, best first.
        missing: probes that did not answer, with the reason; the rest is still useful.
    """

    found: Mapping[str, Sequence[Candidate]]
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Matcher:
    """
    Ask an index through encoders; probes of one plan run side by side.

    Attributes:
        encoders: those for queries.
        tokens: words → keyword tokens of a query.
    """

    encoders: Encoders
    index: VectorIndex
    tokens: QueryTokens
    pool: Executor

    def match(self, plan: Plan, request: SearchRequest, depth: int) -> Matches:
        """
        Run every probe of the plan for `depth` candidates each.

        Raises:
            CrosslensError: the caller's mistake in any probe, or no probe could answer.
        """
        if len(plan.probes) == 1:  # nothing to overlap: spare the hop to another thread
            probe = plan.probes[0]
            return Matches(
                {probe.name: self._ask(probe, self._vectors(probe, request), request, depth)}
            )
        vectors = self._distinct_vectors(plan, request)
        asked = {
            probe.name: self.pool.submit(
                self._ask, probe, vectors.get(probe.purpose), request, depth
            )
            for probe in plan.probes
        }
        return _gather(asked)

    def _distinct_vectors(
        self, plan: Plan, request: SearchRequest
    ) -> dict[Purpose | None, Vectors]:
        """Encode once per purpose; two purposes of one encoder share the vector by its cache."""
        return {
            probe.purpose: vectors
            for probe in plan.probes
            if (vectors := self._vectors(probe, request)) is not None
        }

    def _vectors(self, probe: Probe, request: SearchRequest) -> Vectors | None:
        return None if probe.purpose is None else _ENCODE[probe.purpose](self.encoders, request)

    def _ask(
        self, probe: Probe, vectors: Vectors | None, request: SearchRequest, depth: int
    ) -> Sequence[Candidate]:
        if vectors is None:
            return self.index.matching(self.tokens(request.words), limit=depth, where=request.where)
        lists = self.index.nearest(vectors, probe.modality, limit=depth, where=request.where)
        return lists[0] if len(lists) == 1 else best_of(lists, depth)


def best_of(lists: Iterable[Sequence[Candidate]], limit: int) -> list[Candidate]:
    """Merge the lists of several query vectors: each product keeps its best score."""
    best: dict[int, Candidate] = {}
    for candidate in (candidate for one in lists for candidate in one):
        held = best.get(candidate.product_id)
        if held is None or candidate.score > held.score:
            best[candidate.product_id] = candidate
    return sorted(best.values(), key=lambda c: (-c.score, c.product_id))[:limit]


def _composed(encoders: Encoders, request: SearchRequest) -> Vectors:
    """Add the mean picture and the words, at equal length: the fallback without a composer."""
    pictures = encoders.pictures.encode_pictures(request.pictures).array.mean(axis=0)
    words = encoders.words.encode_queries([request.words]).array[0]
    space = encoders.words.space
    picture = Vectors.normalized(space, pictures[None, :]).array
    return Vectors.normalized(space, picture + words[None, :])


_ENCODE: dict[Purpose, Callable[[Encoders, SearchRequest], Vectors]] = {
    Purpose.TEXT: lambda encoders, ask: encoders.text.encode_queries([ask.words]),
    Purpose.WORDS: lambda encoders, ask: encoders.words.encode_queries([ask.words]),
    Purpose.PICTURES: lambda encoders, ask: encoders.pictures.encode_pictures(ask.pictures),
    Purpose.LOOKS: lambda encoders, ask: encoders.looks.encode_pictures(ask.pictures),
    Purpose.COMPOSED: _composed,
}


def _gather(asked: Mapping[str, Future[Sequence[Candidate]]]) -> Matches:
    found: dict[str, Sequence[Candidate]] = {}
    missing: dict[str, CrosslensError] = {}
    for name, future in asked.items():
        try:
            found[name] = future.result()
        except (Unavailable, Overloaded) as exc:
            missing[name] = exc
    if missing and not found:
        raise next(iter(missing.values()))
    return Matches(found, {name: str(exc) for name, exc in missing.items()})
