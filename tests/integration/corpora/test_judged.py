import json
from pathlib import Path

import pytest

from crosslens.corpora.judged import Judgements, judges, open_judged
from crosslens.corpora.records import Record
from crosslens.corpora.trec import read_qrels, write_qrels
from crosslens.errors import InvalidRequest
from crosslens.values import Kind
from fakes import jpeg


def lines(path: Path, *rows: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


@pytest.fixture
def shop(tmp_path):
    lines(
        tmp_path / "items.jsonl",
        {
            "id": "1",
            "title": "Red shoe",
            "image": "1.jpg",
            "captions_en": ["a", "b"],
            "captions_zh": ["鞋"],
        },
        {"id": "2", "title": "Red shoe", "image": "2.jpg", "captions_en": ["c"]},
        {"id": "3", "title": "Blue shoe", "image": "3.jpg"},
    )
    lines(
        tmp_path / "queries.jsonl",
        {"id": "q", "text_en": "red", "text_zh": "红"},
        {"id": "u", "text": "?"},
    )
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t2\nq\t3\t0\n")
    lines(tmp_path / "photo_queries.jsonl", {"id": "p", "product": "2", "image": "photos/2.jpg"})
    lines(
        tmp_path / "composed.jsonl",
        {
            "id": "c",
            "kind": "colour",
            "ref": "1",
            "text_en": "blue",
            "text_zh": "蓝",
            "targets": ["3", "1"],
        },
    )
    return tmp_path


def test_two_languages_are_two_queries(shop):
    found = open_judged(shop, Kind.TEXT2TEXT)
    assert [(q.id, q.words, q.language) for q in found.queries] == [
        ("q:en", "red", "en"), ("q:zh", "红", "zh"), ("u", "?", None),
    ]  # fmt: skip
    assert found.qrels == {"q:en": {"1": 2, "3": 0}, "q:zh": {"1": 2, "3": 0}}
    assert found.languages() == ("en", "zh")
    assert [q.id for q in open_judged(shop, Kind.HYBRID, language="zh").queries] == ["q:zh", "u"]


def test_photos_have_one_right_product(shop):
    for kind in (Kind.IMAGE2IMAGE, Kind.IMAGE2TEXT):
        found = open_judged(shop, kind)
        assert (found.queries[0].picture, found.qrels) == (shop / "photos/2.jpg", {"p": {"2": 1}})


def test_composed_queries_exclude_their_source(shop):
    query = open_judged(shop, Kind.COMPOSED, language="en").queries[0]
    assert (query.product, query.excluded, query.change) == ("1", True, "colour")
    assert open_judged(shop, Kind.COMPOSED).qrels["c:en"] == {"3": 1}


def test_a_caption_has_its_picture_as_answer_and_is_no_attribute(shop):
    found = open_judged(shop, Kind.TEXT2IMAGE, judgements=Judgements.CAPTIONS)
    assert {q.id: (q.words, q.group) for q in found.queries} == {
        "1#en0": ("a", "1"), "1#en1": ("b", "1"), "1#zh0": ("鞋", "1"), "2#en0": ("c", "2"),
    }  # fmt: skip
    assert found.qrels["1#zh0"] == {"1": 1}
    assert all(isinstance(e, Record) and not e.attributes for e in found.products)


def test_a_picture_has_its_captions_as_answers(shop):
    found = open_judged(shop, Kind.IMAGE2TEXT, judgements=Judgements.CAPTIONS, language="en")
    assert found.qrels == {"1:en": {"1#en0": 1, "1#en1": 1}, "2:en": {"2#en0": 1}}
    assert [(e.key, e.title) for e in found.products] == [
        ("1#en0", "a"), ("1#en1", "b"), ("1#zh0", "鞋"), ("2#en0", "c"),
    ]  # fmt: skip
    assert found.products.count_hint() == 4


def test_a_title_finds_all_products_of_that_title(shop):
    found = open_judged(shop, Kind.TEXT2IMAGE, judgements=Judgements.TITLES)
    assert [(q.id, q.words) for q in found.queries] == [("1", "Red shoe"), ("3", "Blue shoe")]
    assert found.qrels == {"1": {"1": 1, "2": 1}, "3": {"3": 1}}
    by_picture = open_judged(shop, Kind.IMAGE2TEXT, judgements=Judgements.TITLES)
    assert by_picture.qrels["2"] == {"1": 1, "2": 1}
    assert by_picture.queries[1].picture == shop / "2.jpg"


def test_what_can_judge_is_listed_the_most_telling_first(shop):
    assert judges(shop, Kind.TEXT2IMAGE) == ("queries", "captions", "titles")
    (shop / "photo_queries.jsonl").unlink()
    with pytest.raises(InvalidRequest, match="image2image by anything; it holds nothing"):
        open_judged(shop, Kind.IMAGE2IMAGE)
    with pytest.raises(InvalidRequest, match="by photos"):
        open_judged(shop, Kind.IMAGE2TEXT, judgements=Judgements.PHOTOS)


def test_only_the_first_questions_may_be_asked(shop):
    assert len(open_judged(shop, Kind.TEXT2TEXT, limit=1).queries) == 1


def test_beir_folders_are_understood(tmp_path):
    lines(tmp_path / "corpus.jsonl", {"_id": "d", "title": "t", "text": "x", "metadata": {}})
    lines(tmp_path / "queries.jsonl", {"_id": "q", "text": "words", "metadata": {}})
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    found = open_judged(tmp_path, Kind.TEXT2TEXT)
    assert (found.queries[0].words, found.qrels) == ("words", {"q": {"d": 1}})


def test_muge_texts_are_queries_over_the_pictures_of_their_split(tmp_path):
    for split in ("train", "valid"):
        (tmp_path / f"{split}_imgs.tsv").write_text(f"{split}1\t/9j/\n")
    lines(tmp_path / "train_texts.jsonl", {"text_id": 1, "text": "x", "image_ids": ["train1"]})
    lines(
        tmp_path / "valid_texts.jsonl", {"text_id": 8, "text": "女士帽子", "image_ids": ["valid1"]}
    )
    found = open_judged(tmp_path, Kind.TEXT2IMAGE)
    assert (found.queries[0].words, found.qrels) == ("女士帽子", {"8": {"valid1": 1}})
    assert [entry.key for entry in found.products] == ["valid1"]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("queries.jsonl", '{"id": "q"}\n', "queries.jsonl:1: text must be"),
        ("queries.jsonl", '{"text": "q"}\n', "_id must be"),
        ("queries.jsonl", "oops\n", "queries.jsonl:1: not a JSON"),
        ("queries.jsonl", '{"id": "q", "text": "a"}\n' * 2, "'q' appears twice"),
        ("queries.jsonl", '{"id": "other", "text": "a"}\n', "no query is judged"),
        ("qrels.tsv", "q\t1\tmany\n", "qrels.tsv:1: grade 'many'"),
        ("qrels.tsv", "q 1\n", "got 2 columns"),
        ("qrels.tsv", "q\t1\t1\nq\t1\t2\n", "qrels.tsv:2: q and 1 are judged twice"),
        ("qrels.tsv", "query-id\tcorpus-id\tscore\n", "holds no judgement"),
        ("composed.jsonl", '{"id": "c", "ref": "1", "text": "a", "targets": []}\n', "targets must"),
        ("photo_queries.jsonl", '{"id": "p", "image": "a.jpg"}\n', "product must be"),
    ],
)
def test_a_broken_file_is_named_with_its_line(shop, file, text, message):
    (shop / file).write_text(text)
    kind = {"composed.jsonl": Kind.COMPOSED, "photo_queries.jsonl": Kind.IMAGE2IMAGE}
    with pytest.raises(InvalidRequest, match=message):
        open_judged(shop, kind.get(file, Kind.TEXT2TEXT))


def test_a_language_that_is_missing_is_refused(shop):
    lines(shop / "queries.jsonl", {"id": "q", "text_en": "red"})
    with pytest.raises(InvalidRequest, match="language 'zh'"):
        open_judged(shop, Kind.TEXT2TEXT, language="zh")


def test_qrels_of_trec_and_beir_are_one(tmp_path):
    (tmp_path / "trec").write_text("q1 0 d1 1\nq1 0 d2 -1\n")
    qrels = read_qrels(tmp_path / "trec")
    assert qrels == {"q1": {"d1": 1, "d2": -1}}
    write_qrels(tmp_path / "beir", qrels | {"q 2": {"a b.jpg": 1}})
    assert read_qrels(tmp_path / "beir") == qrels | {"q 2": {"a b.jpg": 1}}


def test_judgements_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "qrels").write_bytes("q 0 红 1\n".encode() + b"q 0 \xff 1\n")
    with pytest.raises(InvalidRequest, match="qrels:2: bytes"):
        read_qrels(tmp_path / "qrels")


def test_a_folder_of_pictures_is_not_judged(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    with pytest.raises(InvalidRequest, match="cannot judge"):
        open_judged(tmp_path, Kind.TEXT2IMAGE)
