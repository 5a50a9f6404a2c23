"""Real catalogues end to end: counts, every kind of search, and exactness of keywords."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import SHARED
from crosslens import settings, wiring
from crosslens.catalog.product import ProductFields
from crosslens.corpora.judged import open_judged
from crosslens.corpora.sources import open_source
from crosslens.evaluate.asking import Asker
from crosslens.evaluate.judge import ask, report
from crosslens.indexing.audit import audit
from crosslens.search.engine import SearchEngine
from crosslens.search.request import SearchRequest
from crosslens.values import Kind
from crosslens.wiring import App

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")


@pytest.fixture(scope="module")
def fashion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with wiring.build(settings.load(tmp_path_factory.mktemp("fashion"))) as app:
        tally, _ = app.import_all(open_source(SHARED / "fashion9k"))
        assert (tally.read, tally.stored, tally.skipped, tally.failed) == (9_572, 9_572, 0, 0)
        yield app


def keys(engine: SearchEngine, **asked: object) -> list[str | None]:
    answer = engine.search(SearchRequest(**asked))  # type: ignore[arg-type]
    return [hit.product.fields.source_key for hit in answer.hits]


def test_fashion_counts_are_equal_everywhere(fashion: App) -> None:
    assert fashion.catalog.summary().products == 9_572
    assert fashion.index.counts().products == 9_572
    assert fashion.index.counts().pictures == fashion.catalog.summary().pictures == 9_572
    assert audit(fashion.catalog, fashion.index).clean


def test_fashion_answers_every_kind_of_search(fashion: App) -> None:
    picture = (SHARED / "fashion9k" / "images" / "10000.jpg").read_bytes()
    engine = fashion.engine
    for kind in (Kind.TEXT2TEXT, Kind.TEXT2IMAGE, Kind.HYBRID, Kind.AUTO):
        assert len(keys(engine, words="red shirt", kind=kind)) == 10
        assert len(keys(engine, words="红色衬衫", kind=kind)) == 10
    assert keys(engine, pictures=(picture,), kind=Kind.IMAGE2IMAGE)[0] == "10000"
    assert len(keys(engine, pictures=(picture,), kind=Kind.IMAGE2TEXT)) == 10
    assert len(keys(engine, words="in blue", pictures=(picture,), kind=Kind.COMPOSED)) == 10


def test_grocery_phone_photos_find_their_products_far_better_than_chance(tmp_path: Path) -> None:
    judged = open_judged(SHARED / "grocery_mit", Kind.IMAGE2IMAGE)
    with wiring.build(settings.load(tmp_path)) as app:
        tally, _ = app.import_all(judged.products)
        assert (tally.stored, tally.failed) == (81, 0)
        base = SearchRequest("x", kind=Kind.IMAGE2IMAGE, limit=20)
        run = ask(judged.queries, Asker(app.engine, app.catalog, app.media, base), judged.qrels)
    measured = report(judged.queries, run, judged.qrels).metrics
    assert measured["hit@10"] > 2 * 10 / 81


def listings() -> list[dict[str, str]]:
    text = (SHARED / "mistore35_zh" / "items.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def mistore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with wiring.build(settings.load(tmp_path_factory.mktemp("mistore"))) as app:
        tally, _ = app.import_all(open_source(SHARED / "mistore35_zh"))
        assert (tally.stored, tally.failed) == (35, 0)
        assert app.index.counts().pictures == 145
        yield app


def test_every_chinese_title_finds_its_own_product(mistore: App) -> None:
    rows = listings()
    for row in rows:
        assert row["id"] in keys(
            mistore.engine, words=row["title_zh"], kind=Kind.HYBRID, alpha=0.0, limit=3
        )


def test_look_alike_characters_are_found_by_the_usual_ones(mistore: App) -> None:
    rows = listings()
    odd = [r for r in rows if unicodedata.normalize("NFKC", r["description_zh"]) !=
           r["description_zh"] and "\u2f24" in r["description_zh"]]  # fmt: skip
    assert odd, "the data holds a Kangxi radical that looks like 大"
    found = keys(mistore.engine, words="大", kind=Kind.HYBRID, alpha=0.0, limit=35)
    whole = keys(mistore.engine, words="\u2f24", kind=Kind.HYBRID, alpha=0.0, limit=35)
    assert found == whole


TITLES = """T恤 纯棉 男
t恤女夏
针织恤衫
42码运动鞋
运动鞋 43码 42元
SIZE-42 running shoes
Size-43 running shoes
iPhone15手机壳
iphone 14 case
iPhone15 Pro 保护套
零食100g
零食 1000g
ABC abc
abcd"""


@pytest.fixture
def tricky(tmp_path: Path) -> Iterator[App]:
    with wiring.build(settings.load(tmp_path)) as app:
        for title in TITLES.splitlines():
            app.editor.add(ProductFields(title))
        app.worker().drain()
        yield app


@pytest.mark.parametrize(
    ("words", "holders"),
    [
        ("T恤", {"T恤 纯棉 男", "t恤女夏"}),
        ("t恤", {"T恤 纯棉 男", "t恤女夏"}),
        ("Ｔ恤", {"T恤 纯棉 男", "t恤女夏"}),
        ("42码", {"42码运动鞋"}),
        ("SIZE-42", {"SIZE-42 running shoes"}),
        ("size-42", {"SIZE-42 running shoes"}),
        ("iphone15", {"iPhone15手机壳", "iPhone15 Pro 保护套"}),
        ("iPhone15", {"iPhone15手机壳", "iPhone15 Pro 保护套"}),
        ("100g", {"零食100g"}),
        ("abc", {"ABC abc"}),
    ],
)
def test_sizes_models_and_letters_are_found_by_exactly_the_products_that_hold_them(
    tricky: App, words: str, holders: set[str]
) -> None:
    answer = tricky.engine.search(SearchRequest(words, kind=Kind.HYBRID, alpha=0.0))
    assert {hit.product.title for hit in answer.hits} == holders
