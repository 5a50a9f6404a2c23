from pathlib import Path

import pytest

from crosslens.corpora.judged import Judgements, open_judged
from crosslens.corpora.records import BadRecord, Record
from crosslens.corpora.sources import open_source
from crosslens.values import Kind

DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.shared_data


def folder(name: str) -> Path:
    path = DATA / name
    if not path.is_dir():
        pytest.skip(f"there is no data set {name} beside the repository")
    return path


@pytest.mark.parametrize(
    ("name", "products", "bad", "pictures"),
    [
        ("fashion9k", 9572, 0, 9572),
        ("grocery_mit", 81, 0, 81),
        ("mistore35_zh", 35, 0, 145),
        ("flickr8k_cn_dev", 491, 0, 491),
        ("cmrc2018_zh_dev", 1104, 0, 0),
        ("cranfield_en", 1398, 2, 0),  # 471 and 995 have neither a title nor a text
        ("dbpedia50_en", 5000, 0, 0),
        ("imagededup_fixtures", 34, 0, 34),
    ],
)
def test_every_entry_of_a_data_set_is_read(name, products, bad, pictures):
    source = open_source(folder(name))
    entries = list(source)
    good = [entry for entry in entries if isinstance(entry, Record)]
    assert (len(good), len(entries) - len(good)) == (products, bad)
    assert source.count_hint() == products + bad
    assert len({entry.key for entry in good}) == products
    paths = [path for entry in good for path in entry.pictures]
    assert len(paths) == pictures
    assert all(path.is_file() for path in paths)


@pytest.mark.parametrize(
    ("name", "kind", "judgements", "language", "queries"),
    [
        ("fashion9k", Kind.TEXT2TEXT, None, None, 2 * 343),
        ("fashion9k", Kind.TEXT2IMAGE, None, "zh", 343),
        ("fashion9k", Kind.TEXT2IMAGE, Judgements.TITLES, None, 7104),
        ("fashion9k", Kind.IMAGE2TEXT, None, None, 9572),
        ("fashion9k", Kind.COMPOSED, None, "en", 2000),
        ("grocery_mit", Kind.IMAGE2IMAGE, None, None, 1567),
        ("grocery_mit", Kind.IMAGE2TEXT, None, None, 1567),
        ("flickr8k_cn_dev", Kind.TEXT2IMAGE, None, "en", 5 * 491),
        ("flickr8k_cn_dev", Kind.TEXT2IMAGE, None, "zh", 5 * 491),
        ("flickr8k_cn_dev", Kind.IMAGE2TEXT, None, "zh", 491),
        ("cmrc2018_zh_dev", Kind.TEXT2TEXT, None, None, 1702),
        ("cranfield_en", Kind.TEXT2TEXT, None, None, 225),
        ("dbpedia50_en", Kind.HYBRID, None, None, 40),
    ],
)
def test_every_query_is_judged_and_its_answers_exist(name, kind, judgements, language, queries):
    judged = open_judged(folder(name), kind, judgements=judgements, language=language)
    assert len(judged.queries) == len(judged.qrels) == queries
    keys = {entry.key for entry in judged.products}  # bad ones have their key too
    assert {key for grades in judged.qrels.values() for key in grades} <= keys
    assert all(query.picture is None or query.picture.is_file() for query in judged.queries)
    assert all((query.words or query.picture) for query in judged.queries)


def test_kangxi_look_alikes_are_kept_as_given():
    texts = [entry.title + entry.description for entry in open_source(folder("mistore35_zh"))]
    assert any("\u2f00" <= character <= "\u2fdf" for text in texts for character in text)


def test_the_broken_abstracts_are_named():
    bad = [e for e in open_source(folder("cranfield_en")) if isinstance(e, BadRecord)]
    assert [(entry.where.line, entry.key) for entry in bad] == [(471, "471"), (995, "995")]
