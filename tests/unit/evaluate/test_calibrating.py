"""Probabilities of relevance: true on average, never falling with the score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.errors import InvalidRequest
from crosslens.evaluate.calibrating import (
    Heard,
    Hearing,
    calibration_error,
    caught,
    fitted,
    measured,
)
from crosslens.search.relevance import Curve, read_curves, write_curve
from crosslens.values import Kind

SPACES = {"text2image": "words@1"}


def simulated(queries: int = 200, *, seed: int = 1) -> tuple[Hearing, dict[str, dict[str, int]]]:
    """Cosines between 0.2 and 0.5, of which the higher are the likelier."""
    rng = np.random.default_rng(seed)
    hearing, qrels = Hearing(Kind.TEXT2IMAGE), {}
    for n in range(queries):
        cosines = np.sort(rng.uniform(0.2, 0.5, 20))[::-1]
        right = rng.random(20) < 1 / (1 + np.exp(-30 * (cosines - 0.42)))
        hearing.hits[f"q{n}"] = [Heard(f"k{m}", {"text2image": c}) for m, c in enumerate(cosines)]
        qrels[f"q{n}"] = {f"k{m}": int(good) for m, good in enumerate(right)}
    return hearing, qrels


def test_a_fitted_curve_is_far_truer_than_the_score() -> None:
    found = measured(*simulated())
    assert found is not None
    assert found.before > 0.1
    assert found.after < 0.025
    assert found.in_use is None


def test_the_curve_of_a_kind_is_kept_for_its_spaces_and_no_others(tmp_path: Path) -> None:
    curve = fitted(*simulated(), SPACES)
    assert curve({"text2image": 0.5}) > 0.8 > 0.2 > curve({"text2image": 0.2})
    assert 0 < curve.least < 1
    path = tmp_path / "relevance.json"
    write_curve(path, curve)
    write_curve(path, curve)
    assert read_curves(path, SPACES) == {Kind.TEXT2IMAGE: curve}
    assert read_curves(path, {"text2image": "other@1"}) == {}
    assert read_curves(tmp_path / "none.json", SPACES) == {}
    path.write_text("[]", "utf-8")
    with pytest.raises(InvalidRequest, match="holds no curves"):
        read_curves(path, SPACES)


def test_too_few_judgements_teach_nothing() -> None:
    hearing, qrels = simulated(1)
    assert measured(hearing, {}) is None
    with pytest.raises(InvalidRequest, match="needs 20 relevant hits"):
        fitted(hearing, {name: {} for name in qrels}, SPACES)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.integers(0, 99))
def test_a_better_score_never_makes_a_product_less_likely(scores: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    hearing, qrels = simulated(20, seed=seed)
    for grades in qrels.values():  # judgements that contradict the scores
        for key in grades:
            grades[key] = int(rng.random() < 0.4)
    curve = fitted(hearing, qrels, SPACES)
    chances = [curve({"text2image": score}) for score in sorted(scores)]
    assert chances == sorted(chances)
    assert all(0 <= chance <= 1 for chance in chances)


def test_the_error_of_true_probabilities_is_small_and_of_wrong_ones_their_distance() -> None:
    rng = np.random.default_rng(3)
    chances = rng.random(20_000)
    relevant = rng.random(20_000) < chances
    assert calibration_error(chances, relevant) < 0.02
    assert calibration_error(np.full(100, 0.9), np.zeros(100, bool)) == pytest.approx(0.9)
    assert calibration_error(np.empty(0), np.empty(0, bool)) == 0


def test_questions_without_an_answer_are_counted_below_the_false_alarms() -> None:
    assert caught(np.linspace(0, 1, 101), np.array([0.01, 0.04, 0.5, 0.9])) == 0.5


def test_a_curve_survives_any_score() -> None:
    curve = Curve(Kind.HYBRID, {}, 0.0, {"keyword": 9.0}, {"keyword": -1.0}, 0.5)
    assert curve({"keyword": 1e300}) == 1.0
    assert 0 < curve({}) < 0.5
