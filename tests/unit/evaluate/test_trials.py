"""Statistics of experiments: nominal error rates, stated power, and exact tails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.evaluate.trials import (
    chi2_tail,
    effect,
    needed_users,
    normal_quantile,
    per_user,
    sign_test,
    split_p,
    two_sided,
)


def drawn(rng: np.random.Generator, rate: float, users: int) -> np.ndarray:
    return (rng.random(users) < rate).astype(float)


def test_without_an_effect_one_in_twenty_is_found_at_the_end() -> None:
    """A/A: 2,000 experiments of 400 users; 3.9 to 6.1 % is what chance allows."""
    rng = np.random.default_rng(1)
    found = sum(effect(drawn(rng, 0.2, 200), drawn(rng, 0.2, 200)).p < 0.05 for _ in range(2_000))
    assert 0.039 < found / 2_000 < 0.061


def test_looking_all_the_time_finds_no_more_than_nominal_only_with_the_sequence() -> None:
    rng = np.random.default_rng(2)
    fixed = anytime = 0
    for _ in range(300):
        ours, theirs = drawn(rng, 0.2, 4_000), drawn(rng, 0.2, 4_000)
        looks = [effect(ours[:n], theirs[:n]) for n in range(200, 4_001, 200)]
        fixed += any(look.p < 0.05 for look in looks)
        anytime += any(look.p_at_any_time < 0.05 for look in looks)
    assert fixed / 300 > 0.12  # peeking at a fixed horizon is wrong far too often
    assert anytime / 300 <= 0.05


def test_a_planted_effect_is_found_with_the_power_that_was_planned_for() -> None:
    users = needed_users(0.1, 0.03)
    rng = np.random.default_rng(3)
    found = [effect(drawn(rng, 0.1, users), drawn(rng, 0.13, users)) for _ in range(1_000)]
    assert sum(each.p < 0.05 for each in found) / 1_000 == pytest.approx(0.8, abs=0.04)
    covered = sum(each.low <= 0.03 <= each.high for each in found) / 1_000
    assert covered == pytest.approx(0.95, abs=0.022)
    always = sum(each.low_at_any_time <= 0.03 <= each.high_at_any_time for each in found)
    assert always >= 990


def test_a_split_that_loses_users_is_noticed_and_a_fair_one_is_not() -> None:
    assert split_p({"a": 5_030, "b": 4_970}, {"a": 0.5, "b": 0.5}) > 0.1
    assert split_p({"a": 5_300, "b": 4_700}, {"a": 0.5, "b": 0.5}) < 1e-6
    assert split_p({"a": 900, "b": 100}, {"a": 0.9, "b": 0.1, "off": 0}) == pytest.approx(1)
    assert split_p({}, {"a": 0.5, "b": 0.5}) == 1


@pytest.mark.parametrize(
    ("value", "freedom", "tail"),
    [(3.841459, 1, 0.05), (5.991465, 2, 0.05), (7.814728, 3, 0.05), (18.307, 10, 0.05), (0, 4, 1)],
)
def test_tails_of_chi_square_are_those_of_the_tables(value, freedom, tail) -> None:
    assert chi2_tail(value, freedom) == pytest.approx(tail, abs=1e-6)


def test_normal_tails_and_quantiles_belong_together() -> None:
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-5)
    assert two_sided(1.959964) == pytest.approx(0.05, abs=1e-6)


@given(wins=st.integers(0, 3_000), losses=st.integers(0, 3_000))
def test_the_sign_test_is_a_probability_and_knows_no_side(wins: int, losses: int) -> None:
    assert 0 <= sign_test(wins, losses) <= 1
    assert sign_test(wins, losses) == sign_test(losses, wins)


def test_the_sign_test_of_few_is_exact() -> None:
    assert sign_test(5, 0) == pytest.approx(2 / 32)
    assert sign_test(0, 0) == 1


def test_a_user_counts_once_however_often_they_ask() -> None:
    assert per_user({"a": [1, 0, 0, 1], "b": [1]}).tolist() == [0.5, 1.0]


def test_too_few_users_give_no_effect_and_equal_ones_none_either() -> None:
    assert effect(np.ones(1), np.ones(9)) is None
    same = effect(np.ones(5), np.ones(5))
    assert same is not None
    assert (same.difference, same.p, same.p_at_any_time) == (0, 1, 1)
