"""Near pairs of hashes: nothing within reach is missed, and crowds do not cost a square."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crosslens.indexing.hashes import REACH, distance, near_pairs

hashes = st.lists(st.integers(0, 2**64 - 1), max_size=30)


@given(left=hashes, right=hashes, seed=st.integers(0, 99), most=st.integers(0, REACH))
def test_it_finds_what_comparing_each_with_each_finds(left, right, seed, most):
    rng = np.random.default_rng(seed)
    for value in list(left):  # neighbours at every distance, not only strangers
        for bit in rng.choice(64, rng.integers(0, 9), replace=False):
            value ^= 1 << int(bit)
        right = [*right, value]
    wanted = {
        (n, m)
        for n, one in enumerate(left)
        for m, other in enumerate(right)
        if (one ^ other).bit_count() <= most
    }
    found = near_pairs(np.array(left, "u8"), np.array(right, "u8"), most=most)
    assert set(map(tuple, found.tolist())) == wanted


def test_a_crowd_of_blank_pictures_is_paired_with_neighbours_only():
    blank = np.zeros(5_000, "u8")
    assert len(near_pairs(blank, blank)) < 100 * len(blank)


def test_distance_counts_bits():
    one = np.array([0, 2**64 - 1, 5], "u8")
    assert distance(one, np.array([0, 0, 6], "u8")).tolist() == [0, 64, 2]
