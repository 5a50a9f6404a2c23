"""Searches over HTTP: every kind, one or many, JSON or a form."""

from __future__ import annotations

import pytest

from crosslens.api.openapi import SEARCHES
from crosslens.values import Kind
from fakes import jpeg
from service import Served, base64_of

COLOURS = {"red": (205, 30, 30), "blue": (30, 60, 200), "green": (30, 160, 60)}


@pytest.fixture(autouse=True)
def stock(shop: Served) -> None:
    for name, rgb in COLOURS.items():
        shop.add(
            f"{name} cotton shirt",
            attributes={"colour": name, "price": len(name)},
            pictures=[base64_of(jpeg(rgb)), base64_of(jpeg(rgb, (48, 48)))],
        )
    shop.settle()


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_search_answers(shop: Served, kind: Kind) -> None:
    body = {"kind": kind.value}
    if kind not in (Kind.TEXT2TEXT, Kind.TEXT2IMAGE):
        body["pictures"] = [base64_of(jpeg(COLOURS["green"]))]
    if kind not in (Kind.IMAGE2IMAGE, Kind.IMAGE2TEXT):
        body["words"] = "green shirt"
    answer = shop.search(**body)
    assert answer["hits"]
    assert answer["kind"] == ("hybrid" if kind is Kind.AUTO else kind.value)
    if kind is Kind.IMAGE2IMAGE:
        assert answer["hits"][0]["title"] == "green cotton shirt"
        assert len({hit["product_id"] for hit in answer["hits"]}) == 3


@pytest.mark.parametrize("name", list(SEARCHES))
def test_every_example_of_the_document_is_answered(shop: Served, name: str) -> None:
    assert shop.http.post("/search", json=SEARCHES[name][1]).status_code == 200


def test_filters_facets_paging_and_explanations_work_together(shop: Served) -> None:
    answer = shop.search(
        "shirt", filter="price >= 4", facets=["colour"], limit=1, offset=1, explain=True
    )
    assert len(answer["hits"]) == 1
    assert answer["facets"] == {"colour": {"blue": 1, "green": 1}}
    assert set(answer["hits"][0]["scores"]) <= {"text2text", "text2image", "keyword"}


def test_a_form_with_a_file_says_the_same_as_json(shop: Served) -> None:
    picture = jpeg(COLOURS["blue"])
    form = shop.http.post(
        "/search", data={"kind": "image2image", "limit": "2"}, files={"picture": ("q.jpg", picture)}
    )
    json = shop.search(kind="image2image", limit=2, pictures=[base64_of(picture)])
    assert form.status_code == 200, form.text
    assert form.json()["hits"] == json["hits"]
    assert json["hits"][0]["title"] == "blue cotton shirt"


def test_a_picture_may_be_a_url_or_a_data_uri(shop: Served) -> None:
    picture = jpeg(COLOURS["red"])
    shop.fetcher.pages["https://example.com/red.jpg"] = picture
    data = "data:image/jpeg;base64," + base64_of(picture)["base64"]
    for source in ({"url": "https://example.com/red.jpg"}, {"base64": data}):
        assert shop.search(pictures=[source])["hits"][0]["title"] == "red cotton shirt"


def test_each_of_several_questions_has_its_own_outcome(shop: Served) -> None:
    queries = [{"words": "red"}, {"product_id": 99}, {"words": "x", "filter": "weight = 1"}]
    answers = shop.http.post("/search", json={"queries": queries}).json()["answers"]
    assert [a["status"] for a in answers] == [200, 404, 422]
    assert answers[0]["answer"]["hits"][0]["title"] == "red cotton shirt"
    assert [a["problem"]["code"] for a in answers[1:]] == ["not_found", "invalid_filter"]


def test_products_like_one_leave_it_out(shop: Served) -> None:
    hits = shop.http.get("/product/2/similar", params={"limit": 5}).json()["hits"]
    assert [hit["product_id"] for hit in hits].count(2) == 0
    assert len(hits) == 2
    assert shop.http.get("/product/99/similar").status_code == 404


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "nothing to look for"),
        ({"words": "   "}, "nothing to look for"),
        ({"words": "x", "limit": 0}, "limit"),
        ({"words": "x", "limit": "5"}, "limit"),
        ({"words": "x", "alpha": 1.5}, "alpha"),
        ({"words": "x", "kind": "text3text"}, "kind"),
        ({"words": "x", "filter": "colour ="}, "filter"),
        ({"words": "x", "word": "y"}, "word"),
        ({"words": "x" * 2_001}, "words"),
        ({"pictures": [{"base64": "!!"}]}, "base64"),
        ({"pictures": [{}]}, "pictures.0"),
        ({"pictures": [{"base64": "eA=="}]}, "picture"),
        ({"pictures": [{"url": "http://x/y", "base64": "eA=="}]}, "pictures.0"),
        ({"words": "x", "kind": "image2image"}, "image2image"),
        ({"queries": []}, "queries"),
        ({"queries": [{"words": 5}]}, "queries.0.words"),
        ({"queries": [{"words": "x"}], "limit": 5}, "limit"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(
    shop: Served, body: dict[str, object], told: str
) -> None:
    answer = shop.http.post("/search", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"words":"\\ud800"}', b"\xff"])
def test_what_is_no_json_object_is_refused(shop: Served, body: bytes) -> None:
    answer = shop.http.post("/search", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
