from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosslens.encode.cards import Side, TextCard
from crosslens.encode.towers import by_length
from crosslens.encode.words import Words
from crosslens.errors import BrokenBundle
from tiny_bundle import tokenizer

CARD = TextCard(max_tokens=6)


def test_texts_become_token_ids_cut_at_the_limit() -> None:
    rows = Words(CARD, tokenizer()).rows(["ab", "", "ＡＢ", "abcdefghij", "?"])
    assert [row.tolist() for row in rows] == [[2, 3, 4], [2], [2, 3, 4], [2, 3, 4, 5, 6, 7], [2, 1]]
    assert all(row.dtype == np.int64 for row in rows)


def test_a_prefix_comes_first_and_counts() -> None:
    rows = Words(CARD, tokenizer()).rows(["aaaaaaaa"], prefix="zb")
    assert rows[0].tolist() == [2, 28, 4, 3, 3, 3]


def test_rows_are_padded_to_the_longest_of_the_batch() -> None:
    words = Words(CARD, tokenizer())
    ids, mask = words.pad(words.rows(["ab", ""]))
    assert ids.tolist() == [[2, 3, 4], [2, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert words.pad([])[0].shape == (0, 0)


def test_a_card_may_pad_to_a_fixed_length_on_either_side() -> None:
    right = Words(TextCard(max_tokens=4, pad_to=5), tokenizer())
    ids, mask = right.pad(right.rows(["ab"]))
    assert ids.tolist() == [[2, 3, 4, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 0, 0]]
    assert right.lengths(right.rows(["ab", "a"])) == [5, 5]
    left = Words(TextCard(max_tokens=4, pad_to=5, pad_side=Side.LEFT), tokenizer())
    ids, mask = left.pad(left.rows(["ab"]))
    assert ids.tolist() == [[0, 0, 2, 3, 4]]
    assert mask.tolist() == [[0, 0, 1, 1, 1]]


def test_padding_below_the_longest_text_is_refused() -> None:
    with pytest.raises(BrokenBundle, match=r"text\.pad_to is 3"):
        TextCard(max_tokens=4, pad_to=3)
    with pytest.raises(BrokenBundle, match=r"text\.pad_side is 'middle'"):
        TextCard(max_tokens=4, pad_side="middle")  # type: ignore[arg-type]


def test_what_the_tokenizer_declares_of_padding_and_truncation_is_overruled() -> None:
    declared = json.loads(tokenizer())
    declared["padding"] = {
        "strategy": {"Fixed": 99}, "direction": "Left", "pad_to_multiple_of": None,
        "pad_id": 1, "pad_type_id": 0, "pad_token": "[UNK]",
    }  # fmt: skip
    declared["truncation"] = {
        "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0,
    }  # fmt: skip
    words = Words(CARD, json.dumps(declared))
    ids, _ = words.pad(words.rows(["abc", "a"]))
    assert ids.tolist() == [[2, 3, 4, 5], [2, 3, 1, 1]]


def test_a_text_without_tokens_is_a_row_of_padding() -> None:
    bare: dict[str, Any] = json.loads(tokenizer())
    bare["post_processor"] = None
    assert Words(CARD, json.dumps(bare)).rows([""])[0].tolist() == [0]


@pytest.mark.parametrize("broken", ["", "{}", "[1]", "{"])
def test_what_is_no_tokenizer_is_refused(broken: str) -> None:
    with pytest.raises(BrokenBundle, match=r"tokenizer\.json is not a tokenizer"):
        Words(CARD, broken)


@settings(deadline=None)  # machines are shared
@given(st.text(st.characters()))
def test_any_text_has_between_one_token_and_the_limit(text: str) -> None:
    (row,) = WORDS.rows([text])
    assert 1 <= len(row) <= CARD.max_tokens


WORDS = Words(CARD, tokenizer())


def test_megabytes_cost_no_more_than_the_limit() -> None:
    assert len(WORDS.rows(["a" * 10_000_000])[0]) == CARD.max_tokens


def test_threads_share_a_tokenizer() -> None:
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda n: WORDS.rows(["ab" * (n % 3)])[0].tolist(), range(300)))
    assert rows == [[2, *[3, 4] * (n % 3)][:6] for n in range(300)]


@settings(deadline=None)  # machines are shared
@given(st.lists(st.integers(1, 500), max_size=60), st.integers(0, 20))
def test_grouping_by_length_keeps_everyone_and_bounds_the_padding(
    lengths: list[int], slack: int
) -> None:
    groups = by_length(lengths, slack=slack)
    assert sorted(n for group in groups for n in group) == list(range(len(lengths)))
    for group in groups:
        found = [lengths[n] for n in group]
        assert max(found) <= 2 * min(found) + slack
