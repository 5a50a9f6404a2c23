"""Answer within a scene: choose a behaviour, process the words, search, rank again, tell."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from time import perf_counter
from typing import Any

import numpy as np

from crosslens.catalog.exposures import Exposure, Shown, pseudonym
from crosslens.errors import CrosslensError
from crosslens.search.engine import Searcher
from crosslens.search.interleaving import team_draft
from crosslens.search.plan import Plan, Probe, Purpose
from crosslens.search.present import Answer, Hit
from crosslens.search.queries import Processed
from crosslens.search.request import MAX_LIMIT, SearchRequest
from crosslens.search.reranking import (
    Candidate,
    Likeness,
    Question,
    Reranker,
    boosted,
    diverse,
    grouped,
    rescored,
    words_alike,
)
from crosslens.search.scenes import ATTRIBUTE, Behaviour, Chosen, Scenes, SummaryRules
from crosslens.values import AttributeType, Floats, Kind, Modality, Space
from crosslens.vectors.filters import And, Filter
from crosslens.vectors.index import VectorIndex

SPARE = 4  # products asked for per product shown where some are grouped away


@dataclass(frozen=True, slots=True)
class Staged:
    """
    An answer given within a scene.

    Attributes:
        answer_id: what feedback refers to.
        summaries: per hit, what the scene tells of it.
        debug: how the answer came about; empty unless asked for.
    """

    answer: Answer
    answer_id: str
    scene: str
    experiments: Mapping[str, str]
    summaries: tuple[Mapping[str, Any], ...]
    debug: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asking:
    """
    In which scene, by whom.

    Attributes:
        forced: layer → experiment, for looking at one.
    """

    scene: str
    user: str = ""
    forced: Mapping[str, str] = field(default_factory=dict)
    debug: bool = False


@dataclass(frozen=True)
class Stage:
    """
    Searches within scenes; safe to call from many threads, for nothing is kept between questions.

    Attributes:
        scenes: called for each question, so that a file that changed counts from the next one on.
        looks: space of the index in which pictures differ.
        log: takes what was shown.
    """

    engine: Searcher
    scenes: Callable[[], Scenes]
    index: Callable[[], VectorIndex]
    looks: Callable[[], Space]
    tokens: Callable[[str], Sequence[str]]
    types: Mapping[str, AttributeType] = field(default_factory=dict)
    rerankers: Callable[[], Mapping[str, Reranker]] = dict
    log: Callable[[Exposure], None] = lambda exposure: None

    def search(self, request: SearchRequest, asking: Asking) -> Staged:
        """
        Answer a question within a scene.

        Raises:
            NotFound: there is no such scene, or no product to look like.
            InvalidRequest: an experiment is forced that there is not, or as SearchEngine says.
            Overloaded, Unavailable: see SearchEngine.
        """
        began = perf_counter()
        chosen = self.scenes().get(asking.scene).choose(asking.user, asking.forced)
        ways = chosen.rivals or (("", chosen.behaviour),)
        rankings = [self._ranked(request, behaviour) for _, behaviour in ways]
        first = rankings[0]
        mixed = _mixed(rankings, [name for name, _ in ways])
        start = request.offset if _is_reachable(request) else 0
        page = mixed[start : start + request.limit]
        answer = replace(
            first.answer,
            hits=tuple(_shown(c, explain=request.explain) for c, _ in page),
            took_ms={"total": (perf_counter() - began) * 1e3},
        )
        staged = Staged(
            answer,
            secrets.token_hex(16),
            asking.scene,
            chosen.experiments,
            tuple(summary(c.hit, chosen.behaviour.summary) for c, _ in page),
            _debug(first, chosen, [c for c, _ in page]) if asking.debug else {},
        )
        self.log(_exposure(staged, asking, request, page))
        return staged

    def within(self, scene: str) -> InScene:
        """Return what answers every question within one scene, for evaluations; logs nothing."""
        return InScene(replace(self, log=lambda exposure: None), scene)

    def _ranked(self, request: SearchRequest, behaviour: Behaviour) -> _Ranking:
        clock = _Clock()
        processed = behaviour.query(request.words)
        asked = _asked(request, processed, behaviour)
        clock.lap("query")
        answer = self.engine.search(asked)
        clock.lap("match")
        candidates = [Candidate(hit, hit.score, {"fused": hit.score}) for hit in answer.hits]
        candidates = self._reranked(candidates, behaviour, processed)
        if behaviour.rank.reranker:
            clock.lap("reranker")
        candidates = self._arranged(candidates, behaviour)
        clock.lap("rank")
        return _Ranking(answer, candidates, processed, clock.laps)

    def _reranked(
        self, candidates: list[Candidate], behaviour: Behaviour, processed: Processed
    ) -> list[Candidate]:
        rules = behaviour.rank
        if rules.least:
            candidates = [c for c in candidates if (c.hit.relevance or 0.0) >= rules.least]
        if rules.reranker:
            question = Question(processed.words, self.tokens(processed.words))
            reranker = self.rerankers()[rules.reranker]
            candidates = rescored(candidates, question, reranker, rules.depth)
        return candidates

    def _arranged(self, candidates: list[Candidate], behaviour: Behaviour) -> list[Candidate]:
        rules = behaviour.rank
        candidates = boosted(candidates, rules.boosts, self.types)
        if rules.diversity:
            likeness = words_alike(self.tokens) if rules.by == "title" else self._looks_alike()
            candidates = diverse(candidates, likeness, diversity=rules.diversity, depth=rules.depth)
        return grouped(candidates, rules.group, rules.most)

    def _looks_alike(self) -> Likeness:
        """Compare pictures by their vectors in the index; what has none is like nothing."""

        def likeness(candidates: Sequence[Candidate]) -> Floats:
            keys = [(c.product.id, c.hit.position or 0) for c in candidates]
            space = self.looks()
            found = self.index().vectors(keys, Modality.PICTURE, space)
            none = np.zeros(space.dim, np.float32)
            rows = np.stack([found.get(key, none) for key in keys])
            alike: Floats = rows @ rows.T
            return alike

        return likeness


@dataclass(frozen=True, slots=True)
class InScene:
    """A `Searcher` that answers within a scene, as for users who do not say who they are."""

    stage: Stage
    scene: str

    def search(self, request: SearchRequest) -> Answer:
        """Answer a question; see Stage."""
        return self.stage.search(request, Asking(self.scene)).answer

    def search_many(self, requests: Sequence[SearchRequest]) -> list[Answer | CrosslensError]:
        """Answer several questions, one after the other."""
        outcomes: list[Answer | CrosslensError] = []
        for request in requests:
            try:
                outcomes.append(self.search(request))
            except CrosslensError as exc:
                outcomes.append(exc)
        return outcomes


@dataclass(frozen=True, slots=True)
class _Ranking:
    answer: Answer
    candidates: list[Candidate]
    processed: Processed
    laps: Mapping[str, float]


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        now = perf_counter()
        self.laps[name] = (now - self._last) * 1e3
        self._last = now


def summary(hit: Hit, rules: SummaryRules) -> dict[str, Any]:
    """Return what a scene tells of a product; what it lacks is left out."""
    fields = hit.product.fields
    known: dict[str, Any] = {
        "title": fields.title,
        "description": fields.description,
        "source_key": fields.source_key,
    }
    told = {
        name: fields.attributes.get(source.removeprefix(ATTRIBUTE))
        if source.startswith(ATTRIBUTE)
        else known[source]
        for name, source in rules.fields.items()
    }
    kept = {name: value for name, value in told.items() if value is not None}
    if not rules.plain:
        return kept
    return {n: plain_text(v) if isinstance(v, str) else v for n, v in kept.items()}


def plain_text(html: str) -> str:
    """Take tags, scripts and styles out of HTML; text without any stays as it is."""
    if "<" not in html and "&" not in html:
        return html
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return "\n".join(filter(None, (" ".join(line.split()) for line in reader.text().split("\n"))))


class _Reader(HTMLParser):
    """Collects what a reader would see."""

    _HIDDEN = ("script", "style", "template", "noscript")
    _LINES = ("br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in self._HIDDEN
        if tag in self._LINES:
            self._parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in self._HIDDEN))

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._parts.append(data)

    def text(self) -> str:
        return "".join(self._parts)


def _asked(request: SearchRequest, processed: Processed, behaviour: Behaviour) -> SearchRequest:
    """Write the question as the scene puts it to the engine, deep enough to rank it again."""
    match, rank = behaviour.match, behaviour.rank
    page = request.offset + request.limit
    wanted = page * SPARE if rank.group or rank.least else page
    again = bool(rank.reranker or rank.boosts or rank.diversity)
    limit = min(MAX_LIMIT, max(wanted, rank.depth if again else 0))
    asked = replace(
        request,
        words=processed.words,
        kind=match.kind if request.kind is Kind.AUTO else request.kind,
        alpha=match.alpha if request.alpha is None else request.alpha,
        fusion=rank.fusion,
        where=_both(request.where, match.where),
        limit=max(limit, page) if _is_reachable(request) else request.limit,
        offset=0 if _is_reachable(request) else request.offset,
        explain=True,
    )
    keywords = processed.keywords if processed.keywords != processed.words else None
    probes = tuple(p for p in match.probes if _has_what_it_needs(p, request))
    if request.kind is Kind.AUTO and probes:
        depth = max(match.candidates, asked.limit)
        kind = Kind(probes[0].name) if len(probes) == 1 and probes[0].purpose else Kind.HYBRID
        return replace(asked, plan=Plan(kind, probes, rank.fusion, depth), keywords=keywords)
    return replace(asked, keywords=keywords)


def _is_reachable(request: SearchRequest) -> bool:
    """Whether all before the page can be ranked again; what is deeper is shown as it is found."""
    return request.offset + request.limit <= MAX_LIMIT


def _has_what_it_needs(probe: Probe, request: SearchRequest) -> bool:
    pictures = bool(request.pictures) or request.product_id is not None
    if probe.purpose is Purpose.COMPOSED:
        return pictures and bool(request.words or request.without)
    by_picture = probe.purpose in (Purpose.PICTURES, Purpose.LOOKS)
    return pictures if by_picture else bool(request.words)


def _both(one: Filter | None, other: Filter | None) -> Filter | None:
    if one is None or other is None:
        return one or other
    return And((one, other))


def _mixed(rankings: Sequence[_Ranking], names: Sequence[str]) -> list[tuple[Candidate, str]]:
    if len(rankings) == 1:
        return [(candidate, "") for candidate in rankings[0].candidates]
    by_id = {c.product.id: c for ranking in reversed(rankings) for c in ranking.candidates}
    mixed = team_draft(*([c.hit for c in ranking.candidates] for ranking in rankings))
    return [(by_id[hit.product.id], names[team]) for hit, team in mixed]


def _shown(candidate: Candidate, *, explain: bool) -> Hit:
    hit = replace(candidate.hit, score=candidate.score)
    return hit if explain else replace(hit, scores={})


def _exposure(
    staged: Staged, asking: Asking, request: SearchRequest, page: Sequence[tuple[Candidate, str]]
) -> Exposure:
    shown = (
        Shown(c.product.id, float(c.score), {n: float(s) for n, s in c.hit.scores.items()}, team)
        for c, team in page
    )
    asked = {
        "words": request.words,
        "kind": staged.answer.kind.value,
        "forced": bool(asking.forced),
    }
    return Exposure(
        answer=staged.answer_id,
        at=datetime.now(UTC),
        scene=asking.scene,
        user=pseudonym(asking.user),
        experiments=staged.experiments,
        asked=asked | ({"product_id": request.product_id} if request.product_id else {}),
        shown=tuple(shown),
        first=request.offset,
    )


def _debug(ranking: _Ranking, chosen: Chosen, page: Sequence[Candidate]) -> dict[str, Any]:
    return {
        "words": ranking.processed.words,
        "keywords": ranking.processed.keywords,
        "language": ranking.processed.language,
        "interleaved": [name for name, _ in chosen.rivals],
        "took_ms": {name: round(ms, 3) for name, ms in ranking.laps.items()},
        "hits": [
            {"product_id": c.product.id, "probes": dict(c.hit.scores), "stages": dict(c.stages)}
            for c in page
        ],
    }
