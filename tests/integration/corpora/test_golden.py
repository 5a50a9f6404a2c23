"""Golden queries: kept, read, and handed to other tools."""

from __future__ import annotations

from pathlib import Path

import ir_measures
import pytest

from crosslens.corpora.golden import Golden, GoldenSet, Layout, read_golden
from crosslens.corpora.judged import open_judged
from crosslens.corpora.trec import read_qrels
from crosslens.errors import InvalidRequest
from crosslens.values import Kind


@pytest.fixture
def golden(tmp_path: Path) -> GoldenSet:
    golden = GoldenSet(tmp_path / "mine")
    golden.add([Golden("red shoe", {"sku-1": 2}), Golden("蓝色 包", {"sku-2": 1, "sku-3": 0})])
    return golden


def test_questions_grow_and_their_judgements_are_joined(golden: GoldenSet) -> None:
    golden.add([Golden("red shoe ", {"sku-9": 1}), Golden("hat", {"sku-4": 1})])
    held = golden.read()
    assert list(held) == ["q1", "q2", "q3"]
    assert held["q1"].right == {"sku-1": 2, "sku-9": 1}


def test_a_set_can_be_evaluated_without_products(golden: GoldenSet) -> None:
    judged = open_judged(golden.folder, Kind.HYBRID, gallery=False)
    assert [query.words for query in judged.queries] == ["red shoe", "蓝色 包"]
    assert judged.qrels["q1"] == {"sku-1": 2}


def test_beir_out_is_beir_in(golden: GoldenSet, tmp_path: Path) -> None:
    corpus = [{"_id": f"sku-{n}", "title": f"thing {n}", "text": ""} for n in range(1, 4)]
    golden.export(tmp_path / "beir", Layout.BEIR, corpus)
    judged = open_judged(tmp_path / "beir", Kind.TEXT2TEXT)
    assert judged.qrels == {"q1": {"sku-1": 2}, "q2": {"sku-2": 1, "sku-3": 0}}
    assert [record.key for record in judged.products] == ["sku-1", "sku-2", "sku-3"]


def test_trec_out_is_read_by_others(golden: GoldenSet, tmp_path: Path) -> None:
    golden.export(tmp_path / "trec", Layout.TREC, [])
    path = tmp_path / "trec" / "qrels.txt"
    assert read_qrels(path)["q1"] == {"sku-1": 2}
    theirs = {(q.query_id, q.doc_id, q.relevance) for q in ir_measures.read_trec_qrels(str(path))}
    assert ("q1", "sku-1", 2) in theirs
    assert (tmp_path / "trec" / "topics.tsv").read_text("utf-8").splitlines()[1] == "q2\t蓝色 包"


def test_files_of_questions_are_read_in_both_forms(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"words": "hat", "right": ["k1", "k2"]}\n', "utf-8")
    (tmp_path / "a.tsv").write_text("hat\tk1\t3\ncap\tk2\n", "utf-8")
    assert read_golden(tmp_path / "a.jsonl") == [Golden("hat", {"k1": 1, "k2": 1})]
    assert read_golden(tmp_path / "a.tsv") == [Golden("hat", {"k1": 3}), Golden("cap", {"k2": 1})]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.tsv", "hat\n", "a.tsv:1: expected"),
        ("a.tsv", "hat\tk1\tbest\n", "a.tsv:1: expected"),
        ("a.jsonl", '{"words": 3}\n', "expected words"),
        ("a.jsonl", '{"words": "a", "right": {"k": "1"}}\n', "whole numbers"),
        ("a.jsonl", '{"words": " ", "right": ["k"]}\n', "blank"),
        ("a.jsonl", '{"words": "a", "right": {"k": 99}}\n', "grade 99"),
    ],
)
def test_what_is_wrong_is_named(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(InvalidRequest, match=said):
        read_golden(tmp_path / name)


def test_a_set_has_a_plain_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="letters"):
        GoldenSet(tmp_path / "..")


def test_pictures_of_muge_never_carry_the_words_they_are_asked_by(tmp_path: Path) -> None:
    """D1: each picture's keywords were the very query it answers, so every hybrid figure lied."""
    import base64

    from fakes import jpeg

    picture = base64.b64encode(jpeg()).decode()
    (tmp_path / "MR_valid_imgs.tsv").write_text(f"1001\t{picture}\n1002\t{picture}\n", "utf-8")
    texts = '{"text_id": 7, "text": "女士帽子", "image_ids": [1001]}\n'
    (tmp_path / "MR_valid_texts.jsonl").write_text(texts, "utf-8")
    judged = open_judged(tmp_path, Kind.HYBRID)
    told = [f"{r.title} {r.description} {r.attributes}" for r in judged.products]
    assert not any("帽" in text for text in told)
    assert judged.qrels == {"7": {"1001": 1}}
