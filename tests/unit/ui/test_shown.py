from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crosslens.client import Answer, Hit, Picture, Product, TrafficStep
from crosslens.ui import shown
from crosslens.ui.house import House
from crosslens.ui.pages.catalogue import Shelf, typed
from crosslens.ui.pages.system import traffic
from crosslens.ui.routes import csv_of
from crosslens.ui.serve import is_local

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def product(number: int = 1, title: str = "red hat", **attributes: Any) -> Product:
    picture = Picture("f" * 64, 10, 10, "jpeg", 100, "/product/1/picture/0?v=f")
    return Product(number, title, "", attributes, None, (picture,), NOW, NOW, 1, "current")


def answer(*scores: dict[str, float]) -> Answer:
    hits = tuple(Hit(product(n), 1.0 / (n + 1), 0, each) for n, each in enumerate(scores))
    return Answer(hits, "hybrid", len(hits), {"colour": {"red": 2}, "size": {}}, (), {}, 1.0)


def test_bars_are_shares_of_the_best_of_their_probe() -> None:
    first, second = shown.hits(answer({"keyword": 8.0, "text2text": 0.5}, {"keyword": 2.0}), "en")
    assert [first["share"], second["share"]] == [1.0, 0.5]
    assert {p["name"]: p["share"] for p in first["probes"]} == {"keyword": 1.0, "text2text": 1.0}
    assert second["probes"] == [{"name": "keyword", "value": 2.0, "share": 0.25}]


@pytest.mark.parametrize(
    ("value", "most", "wanted"), [(-1.0, -0.5, 0.0), (0.0, 0.0, 0.0), (3, 2, 1)]
)
def test_a_share_stays_within_its_bar(value: float, most: float, wanted: float) -> None:
    assert shown.share(value, most) == wanted


def test_facets_without_a_choice_are_left_out() -> None:
    assert shown.facets(answer({})) == [
        {"name": "colour", "values": [("red", 2)], "swatches": True}
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "✓"), (12345.5, "12,345.5"), (3.0, "3"), (["a", "b"], "a, b"), ("red", "red")],
)
def test_attributes_are_written_for_people(value: object, text: str) -> None:
    assert shown.attribute(value) == text


def test_ideas_are_of_the_catalogue_and_of_the_language() -> None:
    products = [
        product(1, "any", colour="red", category="hat"),
        product(2, "【羽蕨】弯柄晴雨伞帆布 黑色"),
        product(3, "plain english title of five words"),
    ]
    assert shown.ideas(products, "en") == ["red hat", "plain english title of"]
    assert shown.ideas(products, "zh") == ["弯柄晴雨伞帆布"]


def test_what_is_shown_by_default_is_three_words_and_a_number() -> None:
    types = dict.fromkeys("abcd", "keyword") | {"price": "number", "size": "number"}
    assert shown.usual(list(types), types) == ["a", "b", "c", "price"]


@pytest.mark.parametrize(
    ("text", "kind", "held", "value"),
    [
        ("19.5", "number", None, 19.5),
        ("1,200", "number", None, 1200.0),
        ("42", None, None, 42.0),
        ("42", None, "text before", "42"),
        ("42", "keyword", None, "42"),
        ("a, b,", "keywords", None, ["a", "b"]),
        ("是", "bool", None, True),
        ("✗", None, True, False),
        ("cheap", "number", None, "cheap"),
    ],
)
def test_attributes_keep_their_types_when_edited(
    text: str, kind: str | None, held: object, value: object
) -> None:
    assert typed(text, kind, held) == value


def test_the_address_of_the_catalogue_takes_no_nonsense() -> None:
    assert Shelf.read(
        {"sort": "evil", "size": "7", "page": "0", "product": "x", "import": "../a"}
    ) == (Shelf())
    shelf = Shelf.read(
        {"find": " hat ", "sort": "title", "size": "50", "page": "3", "product": "7"}
    )
    assert shelf.paging(3) == {
        "page": 3, "page_size": 50, "sort": "title", "descending": False, "find": "hat",
    }  # fmt: skip


def test_traffic_is_told_apart_and_this_pages_own_looking_left_out() -> None:
    def path(name: str, answers: int) -> dict[str, Any]:
        return {"path": name, "answers": answers, "failed": 0, "p50_ms": 5.0, "p95_ms": 9.0}

    steps = [
        TrafficStep(0, 10, 3, [path("/search", 2), path("/traffic", 9), path("/product", 1)]),
        TrafficStep(10, 10, None, [path("/product/{product_id}/picture/{n}", 4)]),
    ]
    plots = traffic(steps)
    assert plots["searches"] == [(0, 12.0), (10, 0.0)]
    assert plots["others"] == [(0, 6.0), (10, 0.0)]
    assert plots["pictures"] == [(0, 0.0), (10, 24.0)]
    assert plots["p95"] == [(0, 9.0)]
    assert plots["queue"] == [(0, 3)]


def test_a_report_holds_no_formula() -> None:
    text = csv_of([{"line": 3, "key": "=1+1", "reason": 'a "quoted", reason'}])
    assert text == '\ufeffline,key,reason\r\n3,\'=1+1,"a ""quoted"", reason"\r\n'


def test_a_token_stands_for_a_key_and_does_not_tell_it() -> None:
    house = House()
    token = house.let_in("cl_secret")
    assert "secret" not in token
    assert house.let_in("cl_secret") == token
    assert house.client(token) is house.client(token)
    assert house.client("forged") is house.client(None)
    assert "cl_secret" not in repr(house)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:6006", True),
        ("localhost:6006", True),
        ("[::1]:6006", True),
        ("evil.example:6006", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_only_names_of_this_machine_are_local(host: str, local: bool) -> None:
    assert is_local(host) is local
