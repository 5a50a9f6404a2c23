"""The small parts that engines share."""

from __future__ import annotations

import math
import re
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.vector_indexes import SPEC, TYPES, filters, rows
from crosslens.errors import IndexBroken, Unavailable
from crosslens.values import Space
from crosslens.vectors.bm25 import bm25
from crosslens.vectors.columns import attribute_column, fingerprint, space_column, words
from crosslens.vectors.filters import Filter, check
from crosslens.vectors.live import LiveIndex
from crosslens.vectors.memory import MemoryIndex
from crosslens.vectors.picture_rows import best_products, picture_key, surplus_keys
from crosslens.vectors.rendering import Dialect, render
from crosslens.vectors.revisions import agreed
from crosslens.vectors.saved_spec import from_json, to_json

DIALECT = Dialect(
    "=", "{column} in ({values})", "{column} not in ({values})",
    "{column} has ({values})", "{column} lacks ({values})",
)  # fmt: skip


@given(st.text(), st.text())
def test_column_names_are_safe_and_apart(one: str, other: str) -> None:
    assert re.fullmatch(r"a[0-9a-f]{16}", attribute_column(one))
    assert (attribute_column(one) == attribute_column(other)) == (one == other)
    assert re.fullmatch(r"[0-9a-f]{32}", fingerprint(one))


def test_spaces_of_one_name_and_other_dimension_are_other_columns() -> None:
    assert space_column(Space("s", 8)) != space_column(Space("s", 9))
    assert space_column(Space("s", 8)) == space_column(Space("s", 8))


@given(st.lists(st.text()))
def test_joined_words_are_cut_at_the_same_places(tokens: list[str]) -> None:
    joined = words(tokens)
    assert words(joined.split(" ")) == joined
    assert "\0" not in joined


@given(filters)
def test_rendered_filters_hold_no_text_of_a_user(where: Filter) -> None:
    rendered = render(check(where, TYPES), TYPES, DIALECT)
    allowed = (
        r"[av][0-9a-f]{16}|'[0-9a-f]{32}'|'\d{4}-\d\d-\d\dT[\d:.]{15}'|-?\d[\d.e+-]*|[(), ]"
        r"|true|false|=|!=|<=?|>=?|and|or|in|not|has|lacks|is|null"
    )
    assert re.fullmatch(f"(?:{allowed})*", rendered), rendered


def test_bm25_of_a_word_in_one_of_two_equal_documents() -> None:
    scores = bm25(["red"], {1: Counter(["red", "shoe"]), 2: Counter(["blue", "shoe"])})
    assert scores == {1: pytest.approx(math.log(2.0))}
    assert bm25(["red"], {}) == {}


def test_a_rarer_word_a_shorter_document_and_a_repetition_weigh_more() -> None:
    documents = {
        1: Counter(["red", "shoe"]),
        2: Counter(["red", "shoe", "with", "many", "more", "words"]),
        3: Counter(["red", "red", "shoe", "with", "more", "words"]),
        4: Counter(["shoe", "boot"]),
    }
    red, shoe = bm25(["red"], documents), bm25(["shoe"], documents)
    assert red[1] > red[2]
    assert red[3] > red[2]
    assert red[1] > shoe[1] > 0


@given(
    st.dictionaries(st.integers(0, 9), st.tuples(st.integers(1, 3), st.integers(0, 3))),
    st.dictionaries(st.integers(0, 9), st.lists(st.integers(1, 3), max_size=4)),
    st.randoms(),
)
def test_revisions_agree_exactly_when_every_row_does(
    texts: dict[int, tuple[int, int]], pictures: dict[int, list[int]], shuffle: object
) -> None:
    text = [(key, *value) for key, value in texts.items()]
    shown = [(key, revision) for key, revisions in pictures.items() for revision in revisions]
    shuffle.shuffle(text)  # type: ignore[attr-defined]
    shuffle.shuffle(shown)  # type: ignore[attr-defined]
    merged = list(
        agreed(np.array(text, np.int64).reshape(-1, 3), np.array(shown, np.int64).reshape(-1, 2))
    )
    held = {key: revisions for key, revisions in pictures.items() if revisions}
    expected = []
    for key in sorted(texts.keys() | held.keys()):
        revision, count = texts.get(key, (-1, -1))
        revisions = held.get(key, [])
        fits = len(revisions) == count and set(revisions) <= {revision}
        expected.append((key, revision if fits else -1, len(revisions)))
    assert merged == expected


@given(
    st.dictionaries(st.integers(0, 20), st.lists(st.integers(0, 50), min_size=1, max_size=9)),
    st.integers(1, 25),
    st.floats(1, 20),
)
def test_best_products_are_found_whatever_the_crowd(
    crowds: dict[int, list[int]], limit: int, per_product: float
) -> None:
    everything = sorted(
        ((-score / 50, picture_key(key, n)) for key, scores in crowds.items()
         for n, score in enumerate(scores)),
    )  # fmt: skip
    found = best_products(
        lambda asked: [(key, -score) for score, key in everything[:asked]],
        limit, per_product, most=1_000,
    )  # fmt: skip
    best = {key: (max(s), s.index(max(s))) for key, s in crowds.items()}
    scores = sorted((score / 50 for score, _ in best.values()), reverse=True)[:limit]
    assert [c.score for c in found] == scores
    assert [c.position for c in found] == [best[c.product_id][1] for c in found]
    assert found == sorted(found, key=lambda c: (-c.score, c.product_id))


@given(st.dictionaries(st.integers(0, 9), st.tuples(st.integers(0, 6), st.integers(0, 6))))
def test_surplus_keys_are_all_beyond_and_last_ones_first(
    products: dict[int, tuple[int, int]],
) -> None:
    held = {picture_key(key, n) for key, (had, _) in products.items() for n in range(had)}
    surplus = surplus_keys(
        {key: now for key, (_, now) in products.items()},
        lambda keys: [key for key in keys if key in held],
    )
    assert set(surplus) == {
        picture_key(key, n) for key, (had, now) in products.items() for n in range(now, had)
    }
    for key, (had, now) in products.items():
        positions = [int(k.split(":")[1]) for k in surplus if k.startswith(f"{key}:")]
        assert positions == list(range(had - 1, now - 1, -1))


def test_a_spec_is_read_as_it_was_written() -> None:
    assert from_json(to_json(SPEC)) == SPEC


def test_a_spec_of_another_layout_asks_for_a_rebuild() -> None:
    with pytest.raises(IndexBroken, match="layout 2") as caught:
        from_json(to_json(SPEC).replace('"layout": 1', '"layout": 2'))
    assert "rebuild" in str(caught.value.hint)


def test_a_switch_waits_for_the_calls_that_run() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow(MemoryIndex):
        def optimize(self) -> None:
            entered.set()
            leave.wait(10)

    former = Slow(SPEC)
    live = LiveIndex(former)
    caller = threading.Thread(target=live.optimize)
    caller.start()
    entered.wait(10)
    following = MemoryIndex(SPEC)
    following.upsert([rows(1)])
    returned: list[object] = []
    switching = threading.Thread(target=lambda: returned.append(live.switch(following)))
    switching.start()
    while not list(live.revisions()):
        pass
    assert returned == []
    leave.set()
    switching.join(10)
    caller.join(10)
    assert returned == [former]


def test_a_closed_live_index_says_so() -> None:
    live = LiveIndex(MemoryIndex(SPEC))
    live.close()
    live.close()
    with pytest.raises(Unavailable, match="closed"):
        live.counts()
