"""Products over HTTP: what is stored, what is refused, and how that is said."""

from __future__ import annotations

import concurrent.futures
import json
import threading
from pathlib import Path

import pytest

from crosslens.api.keys import KeyFile, Role
from fakes import jpeg
from house import House
from service import Served, base64_of, served


def test_a_product_comes_back_as_it_was_given(shop: Served) -> None:
    answer = shop.http.post(
        "/product",
        json={
            "title": "red shoe",
            "description": "light",
            "attributes": {"colour": "red", "price": 49, "sizes": ["40", "41"], "sale": True},
            "source_key": "sku-1",
            "pictures": [base64_of(jpeg()), {"url": "https://example.com/a.jpg"}],
        },
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "unreachable_picture")
    shop.fetcher.pages["https://example.com/a.jpg"] = jpeg((1, 2, 3))
    made = shop.add(
        "red shoe",
        attributes={"colour": "red", "price": 49},
        pictures=[base64_of(jpeg()), {"url": "https://example.com/a.jpg"}],
    )
    shop.settle()
    shown = shop.http.get(f"/product/{made['product_id']}")
    assert shown.json() == made | {"index_state": "current"}
    assert [p["format"] for p in made["pictures"]] == ["jpeg", "jpeg"]
    assert (made["revision"], made["index_state"]) == (1, "waiting")


def test_the_answer_to_a_new_product_says_where_it_is(shop: Served) -> None:
    answer = shop.http.post("/product", json={"title": "red shoe"})
    assert answer.status_code == 201
    location = answer.headers["location"]
    assert shop.http.get(location).json()["title"] == "red shoe"


def test_a_form_with_files_says_the_same_as_json(shop: Served) -> None:
    answer = shop.http.post(
        "/product",
        data={"title": "红色连衣裙", "attributes": json.dumps({"colour": "red"})},
        files=[("picture", ("a.jpg", jpeg())), ("picture", ("b.gif", jpeg((9, 9, 9))))],
    )
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["title"], len(made["pictures"])) == ("红色连衣裙", 2)
    edited = shop.http.patch(
        f"/product/{made['product_id']}", files={"picture": ("c.jpg", jpeg((7, 7, 7)))}
    )
    assert (edited.json()["revision"], len(edited.json()["pictures"])) == (2, 1)


def test_list_is_a_path_of_its_own_and_no_product_id(shop: Served) -> None:
    shop.add()
    assert shop.http.get("/product/list").json()["total"] == 1
    refused = shop.http.get("/product/listing")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "product_id")


def test_an_edit_changes_what_is_given_and_leaves_the_rest(shop: Served) -> None:
    made = shop.add(attributes={"colour": "red", "price": 5}, pictures=[base64_of(jpeg())])
    path = f"/product/{made['product_id']}"
    edited = shop.http.patch(
        path, json={"merge_attributes": {"price": None, "size": "M"}, "description": "soft"}
    ).json()
    assert edited["attributes"] == {"colour": "red", "size": "M"}
    assert (edited["title"], edited["description"]) == ("red shoe", "soft")
    assert edited["pictures"] == made["pictures"]
    bare = shop.http.patch(path, json={"pictures": [], "attributes": {}}).json()
    assert (bare["pictures"], bare["attributes"], bare["revision"]) == ([], {}, 3)
    assert shop.http.patch(path, json={}).json()["revision"] == 3


def test_if_match_lets_only_the_first_of_two_editors_through(shop: Served) -> None:
    path = f"/product/{shop.add()['product_id']}"
    shop.settle()
    tag = shop.http.get(path).headers["etag"]
    first = shop.http.patch(path, json={"title": "a"}, headers={"if-match": tag})
    second = shop.http.patch(path, json={"title": "b"}, headers={"if-match": tag})
    assert first.status_code == 200
    assert (second.status_code, second.json()["code"]) == (412, "out_of_date")
    assert shop.http.delete(path, headers={"if-match": tag}).status_code == 412
    assert shop.http.delete(path, headers={"if-match": f'{tag}, "2"'}).status_code == 204
    assert shop.http.patch(path, json={"title": "c"}, headers={"if-match": "*"}).status_code == 404


@pytest.mark.parametrize("header", ["3", '"3', "nonsense"])
def test_a_broken_if_match_is_refused_and_edits_nothing(shop: Served, header: str) -> None:
    path = f"/product/{shop.add()['product_id']}"
    refused = shop.http.patch(path, json={"title": "x"}, headers={"if-match": header})
    assert refused.status_code == 422
    assert shop.http.get(path).json()["title"] == "red shoe"


def test_the_tag_of_a_product_changes_when_searches_know_it(shop: Served) -> None:
    made = shop.http.post("/product", json={"title": "red shoe"})
    shop.settle()
    path = made.headers["location"]
    now = shop.http.get(path, headers={"if-none-match": made.headers["etag"]})
    assert (made.headers["etag"], now.status_code, now.headers["etag"]) == (
        '"1.waiting"',
        200,
        '"1"',
    )
    again = shop.http.get(path, headers={"if-none-match": now.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_removed_product_is_gone_at_once_everywhere(shop: Served) -> None:
    made = shop.add()
    shop.settle()
    path = f"/product/{made['product_id']}"
    assert shop.http.delete(path).status_code == 204
    assert shop.http.get(path).status_code == 404
    assert shop.http.delete(path).status_code == 404
    assert shop.search("red shoe")["hits"] == []
    assert shop.http.get("/product/list").json()["total"] == 0


def test_a_source_key_is_taken_once(shop: Served) -> None:
    shop.add(source_key="a")
    refused = shop.http.post("/product", json={"title": "x", "source_key": "a"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_a_write_repeated_with_its_key_happens_once(shop: Served) -> None:
    headers = {"idempotency-key": "order-17"}
    body = {"title": "red shoe", "pictures": [base64_of(jpeg())]}
    first = shop.http.post("/product", json=body, headers=headers)
    again = shop.http.post("/product", json=body, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    other = shop.http.post("/product", json={"title": "bag"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "reused_key")
    assert shop.http.get("/product/list").json()["total"] == 1


def test_a_repetition_gets_its_answer_also_when_its_picture_is_no_longer_there(
    shop: Served,
) -> None:
    headers, url = {"idempotency-key": "k"}, "https://example.com/a.jpg"
    shop.fetcher.pages[url] = jpeg()
    body = {"title": "red shoe", "pictures": [{"url": url}]}
    first = shop.http.post("/product", json=body, headers=headers)
    del shop.fetcher.pages[url]
    assert shop.http.post("/product", json=body, headers=headers).content == first.content


def test_a_service_that_starts_again_remembers_the_keys_of_a_day(tmp_path: Path) -> None:
    house, body, headers = House(), {"title": "shoe"}, {"idempotency-key": "k"}
    with served(tmp_path, house=house) as shop:
        first = shop.http.post("/product", json=body, headers=headers)
    with served(tmp_path, house=house) as shop:
        again = shop.http.post("/product", json=body, headers=headers)
        assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
        house.clock.advance(86_400)
        late = shop.http.post("/product", json=body, headers=headers)
        assert late.json()["product_id"] == 2


def test_callers_do_not_share_idempotency_keys(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    callers = [{"x-api-key": keys.new(Role.WRITE)[1], "idempotency-key": "k"} for _ in range(2)]
    with served(tmp_path) as shop:
        made = [
            shop.http.post("/product", json={"title": "shoe"}, headers=headers).json()["product_id"]
            for headers in callers * 2
        ]
    assert made == [1, 2, 1, 2]


def test_twenty_requests_with_one_key_at_once_make_one_product(shop: Served) -> None:
    barrier = threading.Barrier(20)

    def add(_: int) -> int:
        barrier.wait()
        headers = {"idempotency-key": "once"}
        return shop.http.post("/product", json={"title": "shoe"}, headers=headers).json()[
            "product_id"
        ]

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert set(pool.map(add, range(20))) == {1}
    assert shop.http.get("/product/list").json()["total"] == 1


def test_a_failed_write_does_not_use_its_key_up(shop: Served) -> None:
    headers = {"idempotency-key": "k"}
    shop.add(source_key="a")
    body = {"title": "x", "source_key": "a"}
    assert shop.http.post("/product", json=body, headers=headers).status_code == 409
    shop.http.delete("/product/1")
    assert shop.http.post("/product", json=body, headers=headers).status_code == 409
    assert shop.http.post("/product", json={"title": "x"}, headers=headers).status_code == 201


def test_pages_and_cursors_show_every_product_once_in_every_order(shop: Served) -> None:
    for n in range(23):
        shop.add(f"shoe {n * 7 % 5}")
    for sort in ("id", "created", "updated", "title"):
        for descending in (True, False):
            query = {"sort": sort, "descending": descending, "page_size": 5}
            pages = [
                shop.http.get("/product/list", params=query | {"page": n}).json()
                for n in range(1, 6)
            ]
            by_page = [p["product_id"] for page in pages for p in page["products"]]
            by_cursor, cursor = [], None
            while True:
                page = shop.http.get(
                    "/product/list", params=query | ({"cursor": cursor} if cursor else {})
                ).json()
                by_cursor += [p["product_id"] for p in page["products"]]
                if (cursor := page["next_cursor"]) is None:
                    break
            assert by_page == by_cursor
            assert sorted(by_page) == list(range(1, 24))
            assert pages[0]["total"] == 23


def test_a_list_is_filtered_as_a_search_is(shop: Served) -> None:
    for n in range(12):
        shop.add(attributes={"colour": "Red" if n % 3 else "blue", "price": n})
    query = {"filter": "colour = red and price > 4", "page_size": 2, "descending": False}
    first = shop.http.get("/product/list", params=query).json()
    assert ([p["product_id"] for p in first["products"]], first["total"]) == ([6, 8], 5)
    rest = shop.http.get("/product/list", params=query | {"cursor": first["next_cursor"]}).json()
    assert [p["product_id"] for p in rest["products"]] == [9, 11]
    third = shop.http.get("/product/list", params=query | {"page": 3}).json()
    assert ([p["product_id"] for p in third["products"]], third["next_cursor"]) == ([12], None)
    refused = shop.http.get("/product/list", params={"filter": "weight > 4"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_filter")


@pytest.mark.parametrize(
    "cursor", ["x", "W10", "e30", "WyJpZCIsdHJ1ZSwiYSIsMV0", "4pyT", "W" * 9000]
)
def test_a_cursor_that_is_not_ours_is_refused(shop: Served, cursor: str) -> None:
    refused = shop.http.get("/product/list", params={"cursor": cursor})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_a_batch_says_of_each_product_what_became_of_it(shop: Served) -> None:
    rows = [
        {"source_key": "a", "title": "red shoe", "pictures": [base64_of(jpeg())]},
        {"title": "no key"},
        {"source_key": "b", "title": ""},
        {"source_key": "c", "title": "bag", "pictures": [{"base64": "###"}]},
        {"source_key": "d", "title": "hat", "colour": "red"},
        "not a product",
        {"source_key": "e", "title": "sock", "attributes": {"price": 3}},
    ]
    answer = shop.http.post("/product/batch", json={"products": rows})
    told = answer.json()
    assert answer.status_code == 207
    assert [r["result"] for r in told["results"]] == [
        "added", "failed", "failed", "failed", "failed", "failed", "added",
    ]  # fmt: skip
    assert [r["index"] for r in told["results"]] == list(range(7))
    assert "base64" in told["results"][3]["reason"]
    assert "colour" in told["results"][4]["reason"]
    assert (told["stored"], told["failed"]) == (2, 5)
    again = shop.http.post("/product/batch", json={"products": [rows[0], rows[6]]})
    assert (again.status_code, [r["result"] for r in again.json()["results"]]) == (
        200, ["unchanged", "unchanged"],
    )  # fmt: skip


def test_a_picture_is_shown_whole_and_scaled_with_tags(shop: Served) -> None:
    original = jpeg((10, 200, 30), (900, 600))
    made = shop.add(pictures=[base64_of(original)])
    path = f"/product/{made['product_id']}/picture/0"
    whole = shop.http.get(path)
    assert (whole.content, whole.headers["content-type"]) == (original, "image/jpeg")
    small = shop.http.get(path, params={"size": 128})
    assert len(small.content) < len(original)
    assert small.headers["etag"] != whole.headers["etag"]
    head = shop.http.head(path, params={"size": 128})
    assert (head.content, head.headers["content-length"]) == (b"", str(len(small.content)))
    known = shop.http.get(path, headers={"if-none-match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    fixed = shop.http.get(made["pictures"][0]["url"])
    assert "immutable" in fixed.headers["cache-control"]
    assert "no-cache" in whole.headers["cache-control"]
    assert shop.http.get(path, params={"size": 100}).status_code == 422
    assert shop.http.get(f"/product/{made['product_id']}/picture/1").status_code == 404


def test_a_variant_is_made_once_whoever_asks_at_once(shop: Served) -> None:
    made = shop.add(pictures=[base64_of(jpeg(size=(900, 600)))])
    shop.settle()  # the worker reads pictures too
    asked = []
    get = shop.house.media.get
    shop.house.media.get = lambda sha: asked.append(sha) or get(sha)  # type: ignore[method-assign]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        path = f"{made['pictures'][0]['url']}&size=256"
        contents = set(pool.map(lambda _: shop.http.get(path).content, range(16)))
    assert len(contents) == 1
    assert len(asked) == 1
