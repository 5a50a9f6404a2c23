from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosslens.encode.cache import CachedPictures, CachedText
from crosslens.errors import Overloaded
from crosslens.values import Space, Vectors
from fakes import FakePictureEncoder, FakeTextEncoder, jpeg

SPACE = Space("fake/fp32", 8)


class Recording(FakeTextEncoder):
    def __init__(self) -> None:
        super().__init__(SPACE)
        self.asked: list[list[str]] = []

    def encode_queries(self, words: Sequence[str]) -> Vectors:
        self.asked.append(list(words))
        return super().encode_queries(words)


def test_a_repeated_query_is_not_encoded_again() -> None:
    inner = Recording()
    cached = CachedText(inner)
    first = cached.encode_queries(["red", "blue", "red"])
    again = cached.encode_queries(["blue", "green"])
    assert inner.asked == [["red", "blue"], ["green"]]
    np.testing.assert_array_equal(first.array[1], again.array[0])
    np.testing.assert_array_equal(first.array[0], first.array[2])
    assert (cached.cache.hits, cached.cache.misses) == (1, 3)


def test_only_the_exact_content_is_the_same() -> None:
    inner = Recording()
    CachedText(inner).encode_queries(["Red", "red", "red ", "ｒｅｄ"])
    assert len(inner.asked[0]) == 4


def test_items_are_never_remembered() -> None:
    inner = Recording()
    cached = CachedText(inner)
    cached.encode_items(["red"])
    cached.encode_items(["red"])
    assert inner.calls == 2
    assert len(cached.cache) == 0


def test_the_longest_unused_goes_first() -> None:
    inner = Recording()
    cached = CachedText(inner, entries=2)
    for word in ("a", "b", "a", "c", "a", "b"):
        cached.encode_queries([word])
    assert inner.asked == [["a"], ["b"], ["c"], ["b"]]
    assert len(cached.cache) == 2


def test_no_entries_means_no_cache() -> None:
    inner = Recording()
    cached = CachedText(inner, entries=0)
    cached.encode_queries(["a", "a"])
    cached.encode_queries(["a"])
    assert inner.asked == [["a"], ["a"]]


def test_a_failure_is_not_remembered() -> None:
    class Busy(Recording):
        def encode_queries(self, words: Sequence[str]) -> Vectors:
            if not self.asked:
                self.asked.append([])
                raise Overloaded("busy")
            return super().encode_queries(words)

    cached = CachedText(Busy())
    with pytest.raises(Overloaded):
        cached.encode_queries(["a"])
    assert len(cached.encode_queries(["a"])) == 1


def test_a_caller_that_writes_into_its_vectors_spoils_nothing() -> None:
    cached = CachedText(Recording())
    first = cached.encode_queries(["a"]).array
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(cached.encode_queries(["a"]).array, kept)


def test_equal_pictures_are_encoded_once() -> None:
    inner = FakePictureEncoder(SPACE)
    cached = CachedPictures(inner)
    cached.encode_pictures([jpeg(), jpeg()])
    cached.encode_pictures([jpeg()])
    assert inner.calls == 1


@settings(deadline=None)  # machines are shared
@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=5), max_size=12), st.integers(0, 4))
def test_it_answers_as_the_encoder_inside(calls: list[list[str]], entries: int) -> None:
    inner = FakeTextEncoder(SPACE)
    cached = CachedText(inner, entries=entries)
    for words in calls:
        expected = inner.encode_queries(words).array
        np.testing.assert_array_equal(cached.encode_queries(words).array, expected)
        assert len(cached.cache) <= entries


def test_threads_share_it() -> None:
    inner = FakeTextEncoder(SPACE)
    cached = CachedText(inner, entries=5)
    words = [str(n) for n in range(9)]
    expected = inner.encode_queries(words).array

    def ask(n: int) -> None:
        np.testing.assert_array_equal(
            cached.encode_queries([words[n % 9]]).array[0], expected[n % 9]
        )

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(500)))
    assert len(cached.cache) <= 5
