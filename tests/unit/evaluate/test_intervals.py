import numpy as np
import pytest

from crosslens.evaluate.intervals import compare, intervals


def test_an_interval_holds_the_mean_and_is_the_same_for_the_same_seed():
    values = np.random.default_rng(1).random(200)
    low, high = intervals({"m": values}, seed=3)["m"]
    assert low < values.mean() < high
    assert intervals({"m": values}, seed=3)["m"] == (low, high)
    assert intervals({"m": values}, seed=4)["m"] != (low, high)


def test_an_interval_is_as_wide_as_theory_says():
    values = np.random.default_rng(1).normal(0.5, 0.1, 400)
    low, high = intervals({"m": values}, rounds=4000)["m"]
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_equal_values_give_a_point():
    assert intervals({"m": np.full(7, 0.5)})["m"] == (0.5, 0.5)


def test_queries_of_one_group_are_drawn_together():
    once = np.random.default_rng(2).random(50)
    groups = [number // 4 for number in range(200)]
    alone, grouped = intervals({"m": once})["m"], intervals({"m": once.repeat(4)}, groups=groups)
    assert grouped["m"] == pytest.approx(alone)
    low, high = intervals({"m": once.repeat(4)})["m"]
    assert high - low < 0.7 * (alone[1] - alone[0])


def test_many_queries_are_resampled_in_blocks():
    values = np.random.default_rng(0).random(10_000)
    low, high = intervals({"m": values}, rounds=1000)["m"]
    assert low < values.mean() < high


def test_no_query_has_no_interval():
    assert intervals({"m": np.empty(0)}) == {}


def test_equal_runs_do_not_differ():
    values = np.random.default_rng(0).random(50)
    found = compare(values, values)
    assert (found.difference, found.p) == (0.0, 1.0)


def test_a_clear_difference_is_significant_and_noise_is_not():
    generator = np.random.default_rng(0)
    base = generator.random(100)
    clear = compare(base + 0.2, base + generator.normal(0, 0.05, 100))
    assert clear.p < 0.001
    assert clear.low < clear.difference < clear.high
    assert clear.difference == pytest.approx(0.2, abs=0.02)
    assert compare(base, base + generator.normal(0, 0.05, 100)).p > 0.05


def test_the_p_value_is_that_of_all_sign_flips():
    difference = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    found = compare(difference, np.zeros(6), rounds=40_000)
    assert found.p == pytest.approx(2 / 64, rel=0.1)
