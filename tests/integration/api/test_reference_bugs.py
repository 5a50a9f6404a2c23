"""
The reference product search, bug by bug: what it did wrong must not be possible here.

    P1   words searched a field of another vector space: equal width, silent garbage
    P2   a failed encoding was stored as zeros and called a success
    P3   catalogue and index drifted apart, and nothing brought them together again
    P5   pictures of removed products stayed for ever; a failing index was ignored
    P6   errors came with status 200
    P7   encoding and files blocked the event loop
    P10  titles ended at 66 Chinese characters in the index, and nowhere in the catalogue
    P11  what an upload said of itself was believed; titles could be emptied
    P12  the total counted what the pages hid
    P13  fewer results than asked for; no filters, no pages, no picture with words
    P14  pictures could only be seen on the server itself
    P15  tests printed instead of asserting

Every number has a test of its name below. The others belong to other parts: P4 (edited pictures)
is in tests/unit/catalog/test_editing.py, P8 (secrets, open doors) in test_safety.py, P9 (widths and
indexes of MySQL) in tests/unit/catalog/test_statements.py, P16 (generation) was never there.
"""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from crosslens.api.services import Bounds
from crosslens.catalog.editing import sweep
from crosslens.errors import Unavailable, WrongSpace
from crosslens.values import Modality
from fakes import FakePictureEncoder, FakeTextEncoder, jpeg
from house import CROSS, TEXT, House
from service import Served, base64_of, served

RED, BLUE = jpeg((200, 20, 20)), jpeg((20, 20, 200))


class FailingPictures(FakePictureEncoder):
    """Fails as long as it is told to."""

    broken = True

    def encode_pictures(self, pictures: object) -> object:
        if self.broken:
            raise Unavailable("the encoder is away")
        return super().encode_pictures(pictures)  # type: ignore[arg-type]


def asked_spaces(house: House) -> list[tuple[str, Modality]]:
    """Record which space is asked in which collection."""
    seen: list[tuple[str, Modality]] = []
    index = house.store.live()
    nearest = index.nearest

    def noted(query: object, modality: Modality, **options: object) -> object:
        seen.append((query.space.name, modality))  # type: ignore[attr-defined]
        return nearest(query, modality, **options)  # type: ignore[arg-type]

    index.nearest = noted  # type: ignore[method-assign, assignment]
    return seen


def test_p1_every_kind_of_search_asks_the_field_of_its_own_space(tmp_path: Path) -> None:
    house = House()
    seen = asked_spaces(house)
    with served(tmp_path, house=house, engine=house.engine(house.store.live())) as shop:
        shop.add("red shirt", pictures=[base64_of(RED)])
        shop.settle()
        shop.search("red shirt", kind="text2text")
        shop.search("red shirt", kind="text2image")
        shop.search(kind="image2image", pictures=[base64_of(RED)])
        shop.search(kind="image2text", pictures=[base64_of(RED)])
    assert seen == [
        (TEXT.name, Modality.TEXT),
        (CROSS.name, Modality.PICTURE),
        (CROSS.name, Modality.PICTURE),
        (CROSS.name, Modality.TEXT),
    ]


def test_p1_a_vector_of_another_space_is_refused_although_the_dimension_agrees() -> None:
    house = House()
    assert TEXT.dim == CROSS.dim
    with pytest.raises(WrongSpace):
        house.store.live().nearest(
            FakeTextEncoder(TEXT).encode_queries(["red"]), Modality.PICTURE, limit=1
        )


def test_p2_a_product_whose_encoding_fails_has_no_vector_rather_than_zeros(
    tmp_path: Path,
) -> None:
    house = House()
    pictures = FailingPictures(CROSS)
    object.__setattr__(house.encoders, "pictures", pictures)
    object.__setattr__(house.encoders, "looks", pictures)
    with served(tmp_path, house=house) as shop:
        made = shop.add("red shirt", pictures=[base64_of(RED)])
        time.sleep(0.1)
        assert house.store.live().counts().products == 0
        shown = shop.http.get(f"/product/{made['product_id']}").json()
        assert shown["index_state"] == "waiting", "and says so, instead of reporting success"


def test_p3_what_could_not_be_indexed_is_indexed_as_soon_as_it_can(tmp_path: Path) -> None:
    house = House()
    pictures = FailingPictures(CROSS)
    object.__setattr__(house.encoders, "pictures", pictures)
    object.__setattr__(house.encoders, "looks", pictures)
    with served(tmp_path, house=house) as shop:
        shop.add("red shirt", pictures=[base64_of(RED)])
        time.sleep(0.1)
        pictures.broken = False
        house.clock.advance(600)
        shop.settle()
        assert shop.search("red shirt")["hits"]


def test_p3_an_update_never_takes_the_old_version_out_before_the_new_one_is_in(
    tmp_path: Path,
) -> None:
    house = House()
    with served(tmp_path, house=house) as shop:
        shop.add("red shirt")
        shop.settle()
        stop, missed = threading.Event(), []

        def watch() -> None:
            while not stop.is_set():
                if not shop.search("shirt", kind="text2text")["hits"]:
                    missed.append(True)

        watcher = threading.Thread(target=watch)
        watcher.start()
        for n in range(20):
            shop.http.patch("/product/1", json={"title": f"red shirt {n}"})
        stop.set()
        watcher.join()
        shop.settle()
        assert not missed
        assert shop.search("19", kind="hybrid", alpha=0)["hits"]


def test_p5_pictures_of_a_removed_product_are_swept_and_its_vectors_are_gone(
    shop: Served,
) -> None:
    shop.add(pictures=[base64_of(RED)])
    shop.settle()
    shop.http.delete("/product/1")
    shop.settle()
    assert shop.house.store.live().counts().pictures == 0
    assert sweep(shop.house.catalog, shop.house.media, older_than_s=0) == 1


def test_p5_a_removal_that_the_index_could_not_follow_is_followed_up(tmp_path: Path) -> None:
    house, broken = House(), [True]
    index = house.store.live()
    delete = index.delete

    def refusing(product_ids: object) -> None:
        if broken[0]:
            raise Unavailable("the index is away")
        delete(product_ids)  # type: ignore[arg-type]

    index.delete = refusing  # type: ignore[method-assign]
    with served(tmp_path, house=house) as shop:
        shop.add("red shirt")
        shop.settle()
        assert shop.http.delete("/product/1").status_code == 204
        time.sleep(0.1)
        assert shop.search("shirt")["hits"] == [], "searches know it at once"
        assert index.counts().products == 1
        broken[0] = False
        house.clock.advance(600)
        shop.settle()
        assert index.counts().products == 0


def test_p6_what_fails_has_a_status_of_its_own_and_never_200(shop: Served) -> None:
    statuses = {
        shop.http.get("/product/7").status_code: 404,
        shop.http.delete("/product/7").status_code: 404,
        shop.http.post("/product", json={}).status_code: 422,
        shop.http.post("/search", json={}).status_code: 422,
        shop.http.get("/product/7/picture/0").status_code: 404,
        shop.http.post("/search", content=b"x").status_code: 415,
        shop.http.put("/product/7").status_code: 405,
    }
    assert all(seen == wanted for seen, wanted in statuses.items())


def test_p7_a_slow_encoder_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    house = House()
    house.encoders.words.delay_s = house.encoders.text.delay_s = 2.0
    with served(tmp_path, Bounds(search_threads=4), house) as shop:
        searching = [
            threading.Thread(target=shop.search, args=("shirt",), kwargs={"kind": "text2image"})
            for _ in range(4)
        ]
        started = time.perf_counter()
        for thread in searching:
            thread.start()
        for _ in range(10):
            assert shop.http.get("/health").status_code == 200
            assert shop.http.get("/product/list").status_code == 200
        still_searching = all(thread.is_alive() for thread in searching)
        for thread in searching:
            thread.join()
        both = time.perf_counter() - started
    assert still_searching, "the event loop was blocked"
    assert both < 4 * 2.0, "searches ran one after the other"


def test_p10_titles_may_have_2000_characters_of_any_script(shop: Served) -> None:
    made = shop.add("连" * 2_000)
    assert shop.http.get(f"/product/{made['product_id']}").json()["title"] == "连" * 2_000
    refused = shop.http.post("/product", json={"title": "连" * 2_001})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "title")


@pytest.mark.parametrize(
    ("title", "picture"),
    [
        ("", None),
        ("   ", None),
        (None, None),
        (7, None),
        ("a\0b", None),
        ("shirt", b""),
        ("shirt", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("shirt", b"MZ\x90\0 a program that is called shirt.jpg"),
        ("shirt", RED[:100]),
        ("shirt", None),
    ],
)
def test_p11_titles_and_pictures_are_checked_before_anything_is_stored(
    shop: Served, title: object, picture: bytes | None
) -> None:
    pictures = [] if picture is None else [base64_of(picture)]
    if (title, picture) == ("shirt", None):
        pictures = [{"base64": "not base64!"}]
    refused = shop.http.post("/product", json={"title": title, "pictures": pictures})
    assert refused.status_code == 422
    assert shop.house.catalog.summary().products == 0
    assert list(shop.house.media.digests()) == []


def test_p11_what_a_file_calls_itself_does_not_matter(shop: Served) -> None:
    files = {"picture": ("harmless.txt", RED, "text/plain")}
    made = shop.http.post("/product", data={"title": "shirt"}, files=files)
    assert made.json()["pictures"][0]["format"] == "jpeg"
    lie = {"picture": ("photo.jpg", b"plain text", "image/jpeg")}
    assert shop.http.post("/product", data={"title": "x"}, files=lie).status_code == 422


def test_p11_an_edit_cannot_take_the_title_away(shop: Served) -> None:
    shop.add("red shirt")
    for title in ("", "  ", None):
        assert shop.http.patch("/product/1", json={"title": title}).status_code == 422
    assert shop.http.get("/product/1").json()["title"] == "red shirt"


def test_p12_the_total_counts_what_the_pages_show_indexed_or_not(tmp_path: Path) -> None:
    with served(tmp_path, work=lambda stop: stop.wait()) as shop:
        for n in range(5):
            shop.add(f"shirt {n}")
        page = shop.http.get("/product/list").json()
    assert (page["total"], len(page["products"])) == (5, 5)
    assert {product["index_state"] for product in page["products"]} == {"waiting"}


def test_p13_a_page_is_full_although_products_were_removed_meanwhile(tmp_path: Path) -> None:
    house = House()
    with served(tmp_path, house=house) as shop:
        for n in range(30):
            shop.add(f"shirt {n}")
        shop.settle()
    with served(tmp_path, house=house, work=lambda stop: stop.wait()) as shop:
        for product_id in range(1, 21):
            shop.http.delete(f"/product/{product_id}")
        assert len(shop.search("shirt", kind="text2text", limit=10)["hits"]) == 10


def test_p13_pages_follow_each_other_and_filters_and_picture_with_words_work(
    shop: Served,
) -> None:
    for n in range(9):
        shop.add(f"shirt {n}", attributes={"price": n}, pictures=[base64_of(jpeg((n, n, n)))])
    shop.settle()
    options = {"kind": "text2text", "filter": "price >= 3"}
    whole = [hit["product_id"] for hit in shop.search("shirt", limit=6, **options)["hits"]]
    pages = [shop.search("shirt", limit=2, offset=n, **options)["hits"] for n in (0, 2, 4)]
    assert [hit["product_id"] for page in pages for hit in page] == whole
    assert len(set(whole)) == 6
    assert shop.search("shirt", pictures=[base64_of(RED)])["hits"]
    assert shop.search(" ".join(["word"] * 380))["kind"] == "hybrid"


def test_p14_pictures_come_over_http_and_not_from_paths_of_the_server(shop: Served) -> None:
    made = shop.add(pictures=[base64_of(RED), base64_of(BLUE)])
    shop.settle()
    for shown in (made, shop.search("red shoe")["hits"][0]):
        assert [shop.http.get(p["url"]).content for p in shown["pictures"]] == [RED, BLUE]
        assert str(shop.home) not in str(shown)


def test_p15_a_whole_life_of_a_product_is_asserted_not_printed(shop: Served) -> None:
    made = shop.add("red silk dress", pictures=[base64_of(RED)])
    shop.settle()
    assert [hit["title"] for hit in shop.search("silk dress")["hits"]] == ["red silk dress"]
    shop.http.patch(f"/product/{made['product_id']}", json={"title": "blue wool coat"})
    shop.settle()
    keyword = {"kind": "hybrid", "alpha": 0}
    assert shop.search("silk", **keyword)["hits"] == []
    assert shop.search("wool", **keyword)["hits"][0]["title"] == "blue wool coat"
    shop.http.delete(f"/product/{made['product_id']}")
    assert shop.search("wool", **keyword)["hits"] == []


def test_every_bug_of_the_list_has_a_test() -> None:
    listed = set(re.findall(r"^    P(\d+) ", __doc__ or "", re.M))
    tested = {re.match(r"test_p(\d+)_", name)[1] for name in globals() if name.startswith("test_p")}  # type: ignore[index]
    assert listed == tested == {"1", "2", "3", "5", "6", "7", "10", "11", "12", "13", "14", "15"}
