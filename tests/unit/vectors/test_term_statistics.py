"""BM25 as sparse vectors: what DashText computes, without its defects."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.encode.keywords import item_tokens, query_tokens
from crosslens.errors import InvalidRequest
from crosslens.vectors.term_statistics import (
    StatisticsFile,
    TermStatistics,
    dump,
    load,
    scaled,
    term,
)

TITLES = ["红色连衣裙 夏季", "红色 T恤 42码", "零食 100g", "SIZE-42 red shoe", "red red red sock"]
CORPUS = [item_tokens(title) for title in TITLES]
words = st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=6), max_size=8)


def dot(left: dict[int, float], right: dict[int, float]) -> float:
    return sum(weight * right.get(key, 0.0) for key, weight in left.items())


@pytest.mark.parametrize(
    ("token", "number"),
    [("", 0), ("a", 0x3C2569B2), ("ab", 0x9BBFD75F), ("abc", 0xB3DD93FA),
     ("abcd", 0x43ED676A), ("hello, world", 0x149BBB7F)],
)  # fmt: skip
def test_a_token_has_the_number_that_murmurhash_gives(token: str, number: int) -> None:
    assert term(token) == number


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=40))
def test_any_token_has_the_number_that_mmh3_gives(token: str) -> None:
    mmh3 = pytest.importorskip("mmh3", reason="mmh3 is not installed")
    assert term(token) == mmh3.hash(token, signed=False)


def test_a_term_counts_once_per_document() -> None:
    """DashText counts occurrences: one text with a word three times counts three (D1)."""
    trained = TermStatistics.train(CORPUS)
    assert trained.frequency[term("red")] == 2
    assert trained.documents == 5
    assert trained.mean_length == sum(map(len, CORPUS)) / 5


@given(st.lists(words, min_size=1, max_size=6), words)
def test_weights_are_never_negative_and_a_question_sums_to_one(
    corpus: list[list[str]], asked: list[str]
) -> None:
    """DashText's turn negative and explode where a word is frequent (D2)."""
    trained = TermStatistics.train(corpus)
    question = trained.query(asked)
    assert all(weight > 0 for weight in question.values())
    assert not asked or sum(question.values()) == pytest.approx(1.0)
    assert all(0 < dot(trained.document(text), question) <= 1.0
               for text in corpus if set(text) & set(asked))  # fmt: skip


def test_sizes_numbers_and_capitals_are_found() -> None:
    """DashText's stop words take away numbers, and ABC is not abc to it (D3, D4)."""
    trained = TermStatistics.train(CORPUS)
    sides = [trained.document(tokens) for tokens in CORPUS]

    def found(question: str) -> list[int]:
        asked = trained.query(query_tokens(question))
        return [n for n, side in enumerate(sides) if dot(side, asked) > 0]

    assert found("42码") == [1]
    assert found("t恤") == [1]
    assert found("100g") == [2]
    assert 3 in found("size-42")
    assert found("RED") == [3, 4]


def test_both_sides_are_those_of_the_formula() -> None:
    trained = TermStatistics.train([["a", "b"], ["a", "c", "c", "d"]])
    side = trained.document(["c", "c", "x"])
    assert side[term("c")] == pytest.approx(2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 3)))
    rare, common = math.log(3 / 1.5), math.log(3 / 2.5)
    question = trained.query(["c", "a"])
    assert question[term("c")] == pytest.approx(rare / (rare + common))
    assert question[term("a")] == pytest.approx(common / (rare + common))


def test_statistics_come_back_from_their_file(tmp_path: Path) -> None:
    trained = TermStatistics.train(CORPUS)
    path = tmp_path / "keywords.json"
    path.write_text(dump(trained))
    assert load(path) == trained
    file = StatisticsFile(path)
    assert file() == trained
    assert file() is file()
    path.write_text(dump(TermStatistics.train(CORPUS[:2])))
    assert file().documents == 2
    assert StatisticsFile(tmp_path / "away.json")() == TermStatistics()


def test_what_dashtext_counted_is_refused(tmp_path: Path) -> None:
    good = json.loads(dump(TermStatistics.train(CORPUS)))
    path = tmp_path / "keywords.json"
    bad = [
        ("crosslens", {name: value for name, value in good.items() if name != "_cut_by"}),
        ("damaged", good | {"_doc_token_frequency": {"1": 6}}),
        ("crosslens", good | {"_b": 0.5}),
        ("no BM25", {"_doc_count": 1}),
        ("no BM25", []),
    ]
    for reason, content in bad:
        path.write_text(json.dumps(content))
        with pytest.raises(InvalidRequest, match=reason):
            load(path)


def test_dashtext_reads_our_file_and_computes_the_same_sides(tmp_path: Path) -> None:
    dashtext = pytest.importorskip("dashtext", reason="dashtext is not installed")
    trained = TermStatistics.train(CORPUS)
    path = tmp_path / "models" / "keywords.json"
    path.parent.mkdir()
    path.write_text(dump(trained))
    theirs = dashtext.SparseVectorEncoder()
    theirs.load(str(path))

    def numbers(tokens: Sequence[str]) -> list[int]:
        return [term(token) for token in tokens]

    for tokens in CORPUS:
        assert theirs.encode_documents(numbers(tokens)) == pytest.approx(
            trained.document(tokens), rel=1e-5
        )
    for question in ("红色 连衣裙", "red unknown", "42码 red"):
        asked = list(dict.fromkeys(query_tokens(question)))
        meant = trained.query(asked)
        assert theirs.encode_queries(numbers(asked)) == pytest.approx(meant, rel=1e-5)


def test_alpha_is_exact_at_both_ends() -> None:
    dense, sparse = np.array([0.6, 0.8], np.float32), {3: 0.25, 9: 0.75}
    vector, kept = scaled(dense, sparse, 1.0)
    assert (vector.tolist(), kept) == (dense.tolist(), {})
    vector, kept = scaled(dense, sparse, 0.0)
    assert (vector.tolist(), kept) == ([0.0, 0.0], sparse)
    vector, kept = scaled(dense, sparse, 0.25)
    assert vector.tolist() == pytest.approx([0.15, 0.2])
    assert kept == {3: 0.1875, 9: 0.5625}
    for alpha in (-0.1, 1.1, math.nan):
        with pytest.raises(InvalidRequest, match="alpha"):
            scaled(dense, sparse, alpha)
