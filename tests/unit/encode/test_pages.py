"""Memory that moves to large pages."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.encode.pages import fresh_regions, large_pages

BYTES = st.integers(0, 60)


def regions(marks: set[int]) -> list[tuple[int, int]]:
    """The runs of a set of places, as sorted regions."""
    found: list[tuple[int, int]] = []
    for place in sorted(marks):
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


def places(found: list[tuple[int, int]]) -> set[int]:
    return {place for start, end in found for place in range(start, end)}


@given(st.sets(BYTES), st.sets(BYTES))
def test_what_is_fresh_was_not_there_before(before: set[int], after: set[int]):
    assert places(fresh_regions(regions(before), regions(after))) == after - before


def huge_kib() -> int:
    told = Path("/proc/self/smaps_rollup").read_text()
    return int(re.findall(r"AnonHugePages:\s+(\d+)", told)[0])


@pytest.mark.skipif(sys.platform != "linux", reason="large pages are asked for on Linux alone")
def test_large_memory_moves_and_keeps_its_content():
    before = huge_kib()
    with large_pages() as movers:
        values = np.arange(2**23, dtype=np.float64)
    for mover in movers:
        mover.join(30)
    assert len(movers) == 1
    assert values[[0, 12_345, -1]].tolist() == [0, 12_345, 2**23 - 1]
    assert huge_kib() >= before  # how much moves is the system's affair


def test_little_memory_stays_where_it_is():
    with large_pages() as movers:
        small = bytearray(1_000)
    assert not movers
    assert len(small) == 1_000
