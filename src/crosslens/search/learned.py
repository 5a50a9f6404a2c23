"""A small learned ranker: a weighted sum of what is known of a hit. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crosslens.errors import InvalidRequest
from crosslens.search.relevance import evened
from crosslens.search.reranking import Candidate, Question
from crosslens.values import Floats

FORMAT = 1
PER_PROBE = ("score", "of_best", "reciprocal_rank", "absent")
PER_HIT = ("fused_rank", "title_has", "title_is", "text_has", "title_length")
_SOFT = 10.0  # ranks are counted from here, so that the first is not all that matters
Tokens = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class LinearRanker:
    """
    A `Reranker` whose score is the sum of weight times feature.

    Attributes:
        probes: those whose scores are features, in order.
        weights: per feature; features are centred and scaled by what training saw.
        learned: what it was learned from.
    """

    probes: tuple[str, ...]
    weights: tuple[float, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    tokens: Tokens
    learned: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, question: Question, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Score candidates."""
        if not candidates:
            return []
        table = features(question, candidates, self.probes, self.tokens)
        even = (table - np.array(self.centre)) / np.array(self.scale)
        scored: list[float] = (even @ np.array(self.weights)).tolist()
        return scored


def feature_names(probes: Sequence[str]) -> list[str]:
    """Name the columns of `features`."""
    return [f"{probe}.{name}" for probe in probes for name in PER_PROBE] + list(PER_HIT)


def features(
    question: Question, candidates: Sequence[Candidate], probes: Sequence[str], tokens: Tokens
) -> Floats:
    """Describe candidates in the order of their fused ranking: [N, features]."""
    columns = [column for probe in probes for column in _of_probe(probe, candidates)]
    asked = frozenset(question.tokens)
    words = np.array([_words(asked, candidate, tokens) for candidate in candidates])
    fused = [_SOFT / (_SOFT + place) for place in range(len(candidates))]
    table: Floats = np.column_stack([*columns, fused, words])
    return table


def read_ranker(path: Path, tokens: Tokens) -> LinearRanker:
    """
    Read a ranker.

    Raises:
        InvalidRequest: the file is away, damaged or of a newer version.
    """
    try:
        held = json.loads(path.read_text("utf-8"))
        if held.pop("format") != FORMAT:
            raise ValueError("it is of a newer version")
        rows = {name: tuple(held[name]) for name in ("probes", "weights", "centre", "scale")}
        if {len(rows[n]) for n in ("weights", "centre", "scale")} != {
            len(feature_names(rows["probes"]))
        }:
            raise ValueError("numbers of features disagree")
        return LinearRanker(**rows, tokens=tokens, learned=held["learned"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InvalidRequest(f"{path} is no ranker: {exc}", hint="learn it anew") from exc


def write_ranker(path: Path, ranker: LinearRanker) -> None:
    """Write a ranker."""
    held = {name: value for name, value in asdict(ranker).items() if name != "tokens"}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"format": FORMAT, **held}, indent=1), "utf-8")
    draft.replace(path)


def _of_probe(probe: str, candidates: Sequence[Candidate]) -> Sequence[Sequence[float]]:
    found = [c.hit.scores.get(probe) for c in candidates]
    there = sorted((score for score in found if score is not None), reverse=True)
    best = max(there[0], 1e-9) if there else 1.0
    rank = {score: place for place, score in reversed(list(enumerate(there)))}
    return (
        [0.0 if score is None else evened(probe, score) for score in found],
        [0.0 if score is None else score / best for score in found],
        [0.0 if score is None else _SOFT / (_SOFT + rank[score]) for score in found],
        [float(score is None) for score in found],
    )


def _words(asked: frozenset[str], candidate: Candidate, tokens: Tokens) -> tuple[float, ...]:
    fields = candidate.product.fields
    title = frozenset(tokens(fields.title))
    text = title | frozenset(tokens(fields.description[:2_000]))
    return (
        len(asked & title) / max(1, len(asked)),
        len(asked & title) / max(1, len(title)),
        len(asked & text) / max(1, len(asked)),
        math.log1p(len(title)),
    )
