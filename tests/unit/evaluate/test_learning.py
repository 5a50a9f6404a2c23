"""A learned ranker: better than the fusion it learned from, and the same after reading."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from crosslens.catalog.exposures import Action, Exposure, Feedback, Shown, Told
from crosslens.encode.keywords import query_tokens
from crosslens.errors import InvalidRequest
from crosslens.evaluate.learning import Lesson, learned, lessons_of_clicks
from crosslens.search.learned import feature_names, features, read_ranker, write_ranker
from crosslens.search.present import Hit
from crosslens.search.reranking import Candidate, Question
from house import House

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lessons(count: int = 60, *, seed: int = 1) -> list[Lesson]:
    """What is right has high keyword scores; the fusion listened to the vectors alone."""
    product = House().add("red shoe")
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        dense, words = rng.uniform(0.2, 0.6, 12), rng.uniform(0, 9, 12)
        order = np.argsort(-dense)
        hits = [
            Hit(replace(product, id=n + 1), 1.0, None, {"text2text": dense[i], "keyword": words[i]})
            for n, i in enumerate(order)
        ]
        grades = [int(words[i] > 7) for i in order]
        found.append(Lesson(Question("shoe", ["shoe"]), hits, grades))
    return found


def precision(ranker: object, taught: list[Lesson]) -> float:
    right = []
    for each in taught:
        scores = ranker.scores(each.question, [Candidate(hit, 1.0) for hit in each.hits])
        right.append(each.grades[int(np.argmax(scores))])
    return float(np.mean(right))


def test_it_finds_out_which_score_to_trust() -> None:
    ranker = learned(lessons(), query_tokens, source="test")
    unseen = lessons(seed=2)
    first = float(np.mean([each.grades[0] for each in unseen]))
    assert precision(ranker, unseen) > first + 0.4
    weights = dict(zip(feature_names(ranker.probes), ranker.weights, strict=True))
    assert weights["keyword.score"] > abs(weights["text2text.score"])


def test_it_ranks_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    ranker = learned(lessons(), query_tokens, source="test")
    write_ranker(tmp_path / "r.json", ranker)
    again = read_ranker(tmp_path / "r.json", query_tokens)
    (each,) = lessons(1, seed=5)
    candidates = [Candidate(hit, 1.0) for hit in each.hits]
    assert again.scores(each.question, candidates) == ranker.scores(each.question, candidates)
    assert ranker.scores(each.question, []) == []
    (tmp_path / "r.json").write_text('{"format": 2}', "utf-8")
    with pytest.raises(InvalidRequest, match="no ranker"):
        read_ranker(tmp_path / "r.json", query_tokens)


def test_too_little_to_learn_from_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="needs 50 pairs"):
        learned([], query_tokens, source="test")


def test_what_stands_above_a_click_and_was_not_clicked_is_worse() -> None:
    house = House()
    ids = [house.add(f"shoe {n}").id for n in range(4)]
    shown = tuple(Shown(id, 1.0, {"keyword": 2.0}) for id in ids)
    exposure = Exposure("a" * 32, NOW, "shop", "u", {}, {"words": "shoe"}, shown)
    click = Feedback("a" * 32, ids[2], Action.CLICK, 2, NOW)
    dismissed = Feedback("a" * 32, ids[0], Action.DISMISSED, 0, NOW)
    (lesson,) = lessons_of_clicks(
        [Told(exposure, (click, dismissed)), Told(exposure)], house.catalog.read, query_tokens
    )
    assert [hit.product.id for hit in lesson.hits] == ids[:3]
    assert lesson.grades == [0, 0, 1]


def test_features_are_finite_whatever_is_missing() -> None:
    product = House().add("x")
    hits = [Hit(product, 1.0, None, {"keyword": -2.0}), Hit(product, 0.0, None, {})]
    table = features(
        Question(), [Candidate(hit, 0.0) for hit in hits], ["keyword", "text2text"], query_tokens
    )
    assert table.shape == (2, len(feature_names(["keyword", "text2text"])))
    assert np.isfinite(table).all()
