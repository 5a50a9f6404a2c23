"""The sample catalogue in the package is whole and says the truth about itself."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crosslens.cli import demo
from crosslens.corpora.judged import Judgements, open_judged
from crosslens.corpora.records import Record
from crosslens.corpora.sources import open_source
from crosslens.sample.design import CATEGORIES
from crosslens.values import Kind

FOLDER = demo.sample_folder()
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def products() -> dict[str, dict[str, Any]]:
    rows = lines("items.jsonl")
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows), "ids are unique"
    return found


def test_it_is_large_enough_and_small_enough(products: dict[str, dict[str, Any]]) -> None:
    assert len(products) >= 600
    assert {row["category"] for row in products.values()} == set(CATEGORIES)
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 6_000_000


def test_every_picture_exists_decodes_and_belongs_to_one_product(
    products: dict[str, dict[str, Any]],
) -> None:
    named = [name for row in products.values() for name in (row["image"], *row["other_images"])]
    there = {f"images/{path.name}" for path in (FOLDER / "images").iterdir()}
    assert Counter(named) == Counter(there)
    for name in named:
        with Image.open(FOLDER / name) as picture:
            picture.load()
            assert (picture.size, picture.mode) == ((256, 256), "RGB")


def test_titles_are_in_their_language_and_of_a_fair_length(
    products: dict[str, dict[str, Any]],
) -> None:
    languages = Counter("zh" if CHINESE.search(row["title"]) else "en" for row in products.values())
    assert min(languages["en"], languages["zh"]) > 0.4 * len(products)
    for row in products.values():
        own_chinese = bool(CHINESE.search(row["title"]))
        other = row["title_en"] if own_chinese else row["title_zh"]
        assert bool(CHINESE.search(other)) != own_chinese
        for title in (row["title"], other):
            assert 1 <= len(title) <= 300
            assert title == " ".join(title.split())
    lengths = [len(row["title"]) for row in products.values()]
    assert min(lengths) <= 5
    assert max(lengths) >= 120
    assert 30 < sum("description" not in row for row in products.values()) < 150


def test_prices_are_numbers_that_look_like_prices(products: dict[str, dict[str, Any]]) -> None:
    for row in products.values():
        price = row["attributes"]["price"]
        assert isinstance(price, float)
        assert price > 0
        assert round(price * 10) % 10 in (0, 9)


def test_judgements_name_products_of_the_catalogue(products: dict[str, dict[str, Any]]) -> None:
    queries = {row["id"]: row for row in lines("queries.jsonl")}
    assert len(queries) >= 140
    header, *judged = (FOLDER / "qrels.tsv").read_text("utf-8").splitlines()
    assert header == "query-id\tcorpus-id\tscore"
    for query, product, grade in (line.split("\t") for line in judged):
        told = products[product]["attributes"] | {"category": products[product]["category"]}
        assert queries[query]["attributes"].items() <= told.items()
        assert grade == "1"
    changes = lines("composed.jsonl")
    assert len(changes) >= 90
    for change in changes:
        assert {change["ref"], *change["targets"]} <= products.keys()
        assert change["ref"] not in change["targets"]
    for asked in (*queries.values(), *changes):
        assert CHINESE.search(asked["text_zh"])
        assert not CHINESE.search(asked["text_en"])


def test_duplicates_are_the_product_of_another_shop(products: dict[str, dict[str, Any]]) -> None:
    copies = lines("duplicates.jsonl")
    assert len(copies) >= 20
    for copy in copies:
        mine, other = (products[copy[name]]["attributes"] for name in ("id", "of"))
        assert mine["shop"] != other["shop"]
        assert {**mine, "shop": "", "price": 0} == {**other, "shop": "", "price": 0}


def test_the_importer_reads_every_product(products: dict[str, dict[str, Any]]) -> None:
    read = [entry for entry in open_source(FOLDER) if isinstance(entry, Record)]
    assert {record.key for record in read} == products.keys()
    assert all(record.pictures for record in read)
    assert all(isinstance(record.attributes["price"], float) for record in read)


@pytest.mark.parametrize(
    ("kind", "judgements", "asked"),
    [(Kind.TEXT2IMAGE, Judgements.QUERIES, 300), (Kind.COMPOSED, Judgements.COMPOSED, 200)],
)
def test_it_judges_searches(kind: Kind, judgements: Judgements, asked: int) -> None:
    judged = open_judged(Path(FOLDER), kind, judgements=judgements)
    assert (len(judged.queries), judged.languages()) == (asked, ("en", "zh"))


def test_the_demo_searches_what_is_there(products: dict[str, dict[str, Any]]) -> None:
    assert demo.LIKE in products
    assert (FOLDER / "images" / f"{demo.LIKE}-1.webp").is_file()
    colour = demo.WISH.rsplit(maxsplit=1)[-1]
    assert any(
        change["ref"] == demo.LIKE
        and any(products[target]["attributes"]["colour"] == colour for target in change["targets"])
        for change in lines("composed.jsonl")
    )
