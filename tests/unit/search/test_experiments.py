"""Buckets: as many users as the ratios say, always the same ones, and layers do not meet."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.errors import InvalidRequest
from crosslens.search.experiments import SLOTS, Experiment, Layer, assign, bucket

USERS = [f"user-{n}" for n in range(100_000)]


def layer(name: str, *ratios: float, salt: str = "", bucket: str = "sha256") -> Layer:
    experiments = tuple(Experiment(f"e{n}", ratio) for n, ratio in enumerate(ratios))
    return Layer(name, salt or f"shop/{name}", bucket, experiments)


def counted(split: Layer) -> np.ndarray:
    counts = Counter(split.choose(user).name for user in USERS)
    return np.array([counts[each.name] for each in split.experiments])


def chi2(observed: np.ndarray, expected: np.ndarray) -> float:
    return float(((observed - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("ratios", [(1, 1), (0.9, 0.1), (0.998, 0.001, 0.001), (3, 2, 1)])
def test_a_hundred_thousand_users_fall_as_the_ratios_say(ratios: tuple[float, ...]) -> None:
    split = layer("rank", *ratios)
    expected = np.array(list(split.shares().values())) * len(USERS)
    assert np.allclose(expected / len(USERS), np.array(ratios) / sum(ratios), atol=1 / SLOTS)
    assert chi2(counted(split), expected) < 20  # df at most 2: one in 20,000 splits is farther off


def test_a_user_stays_where_they_are_after_a_restart() -> None:
    code = "from crosslens.search.experiments import bucket; print(bucket('小明', 'shop/rank'))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(told.stdout) == bucket("小明", "shop/rank")
    split = layer("rank", 1, 1)
    assert len({split.choose("小明").name for _ in range(20)}) == 1


def test_layers_are_independent_of_each_other() -> None:
    """M5: every layer had the same salt, so a user's bucket was the same in all of them."""
    rank, match = layer("rank", 1, 1, 1), layer("match", 1, 1, 1)
    table = np.zeros((3, 3))
    for user in USERS:
        table[int(rank.choose(user).name[1:]), int(match.choose(user).name[1:])] += 1
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    assert chi2(table, expected) < 23.5  # 4 degrees of freedom, p = 0.0001
    same = layer("match", 1, 1, 1, salt=rank.salt)
    assert all(rank.choose(u).name == same.choose(u).name for u in USERS[:100])


def test_random_draws_anew_for_each_question() -> None:
    split = layer("rank", 0.7, 0.3, bucket="random")
    drawn = Counter(split.choose("ann").name for _ in range(20_000))
    assert drawn["e1"] / 20_000 == pytest.approx(0.3, abs=0.02)


def test_a_forced_experiment_is_given_and_the_other_layers_split_as_ever() -> None:
    layers = [layer("rank", 1, 0), layer("match", 1, 1)]
    chosen = assign(layers, "ann", {"rank": "e1"})
    assert chosen["rank"].name == "e1"
    assert chosen["match"] == layers[1].choose("ann")
    with pytest.raises(InvalidRequest, match="no layer 'other', there are: rank, match"):
        assign(layers, "ann", {"other": "e1"})
    with pytest.raises(InvalidRequest, match="no experiment 'e9', it has e0, e1"):
        assign(layers, "ann", {"rank": "e9"})


@given(st.lists(st.floats(0, 1_000), min_size=1, max_size=20).filter(lambda r: sum(r) > 0.001))
def test_every_slot_belongs_to_one_experiment_whatever_the_ratios(ratios: list[float]) -> None:
    split = layer("rank", *ratios)
    assert len(split._slots) == SLOTS
    assert sum(split.shares().values()) == pytest.approx(1)
