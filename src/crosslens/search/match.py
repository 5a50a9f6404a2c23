"""Put the probes of plans to the index: the only step of a search that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextvars import copy_context
from dataclasses import dataclass, field

from crosslens.compose.composer import Composer, Sum, away_from, mean
from crosslens.encode.encoder import Encoders, TextEncoder
from crosslens.errors import CrosslensError, Overloaded, Unavailable
from crosslens.search.plan import Plan, Probe, Purpose
from crosslens.search.request import SearchRequest
from crosslens.telemetry.tracing import span
from crosslens.values import Candidate, Vectors
from crosslens.vectors.filters import Filter
from crosslens.vectors.index import VectorIndex

QueryTokens = Callable[[str], Sequence[str]]
Found = Sequence[Candidate]


@dataclass(slots=True)
class Asked:
    """
    A question on its way through the house.

    Attributes:
        depth: candidates to ask of each probe; it grows while too few of them may be shown.
        vectors: what the question is encoded to; made once, whatever the depth.
    """

    request: SearchRequest
    plan: Plan
    depth: int
    vectors: dict[Purpose, Vectors] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Matches:
    """
    What came back.

    Attributes:
        found: candidates by probe name, best first.
        missing: probes that did not answer, with the reason; the rest is still useful.
    """

    found: Mapping[str, Found]
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Matcher:
    """
    Ask an index through encoders, for several questions at once.

    Words of all questions are encoded together, probes that differ in their vector alone are one
    call, and the calls run side by side.

    Attributes:
        encoders: those for queries.
        tokens: words → keyword tokens of a query.
        composer: of the cross-modal space; None: picture and words are added as vectors.
    """

    encoders: Encoders
    index: VectorIndex
    tokens: QueryTokens
    pool: Executor
    composer: Composer | None = None

    def match(self, questions: Sequence[Asked]) -> list[Matches | CrosslensError]:
        """
        Run every probe of every question.

        Returns:
            Per question what came back, or why nothing did: the caller's mistake in any probe, or
            no probe could answer. What is wrong with one question does not touch the others.
        """
        failed = self._encode(questions)
        calls = _calls(asked for n, asked in enumerate(questions) if n not in failed)
        told = _Told()
        for call, outcome in zip(calls, self._outcomes(calls), strict=True):
            told.note(call, outcome)
        return [failed.get(n) or told.of(asked) for n, asked in enumerate(questions)]

    def _encode(self, questions: Sequence[Asked]) -> dict[int, CrosslensError]:
        """Give every question the vectors it lacks; return why that failed, by place."""
        failed: dict[int, CrosslensError] = {}
        by_encoder: dict[TextEncoder, list[tuple[int, Purpose]]] = {}
        for n, asked in enumerate(questions):
            for purpose in _lacking(asked):
                if purpose in _WORDS:
                    by_encoder.setdefault(_WORDS[purpose](self.encoders), []).append((n, purpose))
                else:
                    self._encode_pictures(asked, purpose, failed, n)
        for encoder, places in by_encoder.items():
            _encode_words(encoder, questions, places, failed)
        return failed

    def _encode_pictures(
        self, asked: Asked, purpose: Purpose, failed: dict[int, CrosslensError], place: int
    ) -> None:
        try:
            with span("encode", of="pictures", purpose=purpose):
                if purpose is Purpose.COMPOSED:
                    asked.vectors[purpose] = self._composed(asked.request)
                else:
                    asked.vectors[purpose] = _PICTURES[purpose](self.encoders, asked.request)
        except CrosslensError as exc:
            failed[place] = exc

    def _composed(self, request: SearchRequest) -> Vectors:
        """Change the references by the words, then move away from what is not wanted."""
        encoders = self.encoders
        wish = mean(encoders.pictures.encode_pictures(request.pictures), request.weights)
        if request.words:
            composer = self.composer or Sum(encoders.words.space)
            spoken = encoders.words.encode_queries([request.words])
            wish = composer.compose(wish, [request.words], spoken)
        if request.without:
            wish = away_from(wish, encoders.words.encode_queries([request.without]))
        return wish

    def _outcomes(self, calls: Sequence[_Call]) -> Iterator[list[Found] | CrosslensError]:
        if len(calls) == 1:  # nothing to overlap: spare the hop to another thread
            yield _outcome(lambda: self._ask(calls[0]))
            return
        futures: list[Future[list[Found]]] = [
            self.pool.submit(copy_context().run, self._ask, call) for call in calls
        ]
        for future in futures:
            yield _outcome(future.result)

    def _ask(self, call: _Call) -> list[Found]:
        """Return what is found for each question of the call."""
        with span("probe", name=call.probe.name, questions=len(call.questions)):
            return self._found(call)

    def _found(self, call: _Call) -> list[Found]:
        first = call.questions[0]
        where = first.request.where
        if call.probe.purpose is None:
            request = first.request
            tokens = self.tokens(request.words if request.keywords is None else request.keywords)
            return [self.index.matching(tokens, limit=first.depth, where=where)]
        vectors = [asked.vectors[call.probe.purpose] for asked in call.questions]
        joined = vectors[0] if len(vectors) == 1 else Vectors.concatenate(vectors[0].space, vectors)
        lists = iter(
            self.index.nearest(joined, call.probe.modality, limit=first.depth, where=where)
        )
        return [best_of([next(lists) for _ in range(len(v))], first.depth) for v in vectors]


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the index for a probe, on behalf of the questions that put it alike."""

    probe: Probe
    questions: list[Asked]


class _Told:
    """What the calls brought, sorted by question."""

    def __init__(self) -> None:
        self._found: dict[int, dict[str, Found]] = {}
        self._missing: dict[int, dict[str, CrosslensError]] = {}

    def note(self, call: _Call, outcome: list[Found] | CrosslensError) -> None:
        for place, asked in enumerate(call.questions):
            if isinstance(outcome, CrosslensError):
                self._missing.setdefault(id(asked), {})[call.probe.name] = outcome
            else:
                self._found.setdefault(id(asked), {})[call.probe.name] = outcome[place]

    def of(self, asked: Asked) -> Matches | CrosslensError:
        found = self._found.get(id(asked), {})
        missing = self._missing.get(id(asked), {})
        for exc in missing.values():
            if not found or not isinstance(exc, Unavailable | Overloaded):
                return exc
        return Matches(found, {name: str(exc) for name, exc in missing.items()})


def best_of(lists: Sequence[Found], limit: int) -> Found:
    """Merge the lists of several query vectors: each product keeps its best score."""
    if len(lists) == 1:
        return lists[0]
    best: dict[int, Candidate] = {}
    for candidate in (candidate for one in lists for candidate in one):
        held = best.get(candidate.product_id)
        if held is None or candidate.score > held.score:
            best[candidate.product_id] = candidate
    return sorted(best.values(), key=lambda c: (-c.score, c.product_id))[:limit]


def _lacking(asked: Asked) -> Iterator[Purpose]:
    for probe in asked.plan.probes:
        if probe.purpose is not None and probe.purpose not in asked.vectors:
            yield probe.purpose


def _encode_words(
    encoder: TextEncoder,
    questions: Sequence[Asked],
    places: Sequence[tuple[int, Purpose]],
    failed: dict[int, CrosslensError],
) -> None:
    rows = {
        words: row for row, words in enumerate({questions[n].request.words: 0 for n, _ in places})
    }
    try:
        with span("encode", of="words", texts=len(rows), space=encoder.space.name):
            vectors = encoder.encode_queries(list(rows))
    except CrosslensError as exc:
        failed.update((n, exc) for n, _ in places)
        return
    for n, purpose in places:
        row = rows[questions[n].request.words]
        questions[n].vectors[purpose] = Vectors(vectors.space, vectors.array[row : row + 1])


def _calls(questions: Iterable[Asked]) -> list[_Call]:
    """Put probes that differ in their vector alone together; keywords are asked one by one."""
    calls: dict[object, _Call] = {}
    for asked in questions:
        where = _said(asked.request.where)
        for probe in asked.plan.probes:
            alike = (probe.purpose, probe.modality, asked.depth, where)
            name = (id(asked), probe.name) if probe.purpose is None else alike
            calls.setdefault(name, _Call(probe, [])).questions.append(asked)
    return list(calls.values())


def _said(where: Filter | None) -> str:
    return "" if where is None else repr(where)  # not the tree: to Python, 1 and True are equal


def _outcome(work: Callable[[], list[Found]]) -> list[Found] | CrosslensError:
    try:
        return work()
    except CrosslensError as exc:
        return exc


_WORDS: dict[Purpose, Callable[[Encoders], TextEncoder]] = {
    Purpose.TEXT: lambda encoders: encoders.text,
    Purpose.WORDS: lambda encoders: encoders.words,
}
_PICTURES: dict[Purpose, Callable[[Encoders, SearchRequest], Vectors]] = {
    Purpose.PICTURES: lambda encoders, ask: encoders.pictures.encode_pictures(ask.pictures),
    Purpose.LOOKS: lambda encoders, ask: encoders.looks.encode_pictures(ask.pictures),
}
