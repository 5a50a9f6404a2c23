"""Imports behind the door: uploads, paths, progress, cancelling, going on after a stop."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fakes import jpeg
from house import House
from service import Served, served


def upload(shop: Served, rows: list[dict[str, Any]], name: str = "items.jsonl") -> dict[str, Any]:
    content = "\n".join(map(json.dumps, rows)).encode()
    answer = shop.http.post("/import", files={"file": (name, content)})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/import/{answer.json()['job']}"
    return answer.json()


def ended(shop: Served, job: str) -> dict[str, Any]:
    for _ in range(6_000):
        told = shop.http.get(f"/import/{job}").json()
        assert told["read"] == told["stored"] + told["skipped"] + told["failed"]
        if told["state"] in ("done", "failed", "cancelled"):
            return told
        time.sleep(0.01)
    raise AssertionError(told)


def test_an_upload_is_imported_indexed_and_skipped_when_repeated(shop: Served) -> None:
    rows = [{"id": str(n), "title": f"shoe {n}", "attributes": {"price": n}} for n in range(300)]
    first = ended(shop, upload(shop, rows)["job"])
    assert (first["state"], first["read"], first["stored"]) == ("done", 300, 300)
    again = ended(shop, upload(shop, [*rows, {"id": "x"}])["job"])
    assert (again["skipped"], again["failed"]) == (300, 1)
    assert again["bad"][0]["line"] == 301
    shop.settle()
    assert shop.search("shoe 7")["hits"]
    assert [job["job"] for job in shop.http.get("/import").json()] == [again["job"], first["job"]]


def test_everything_that_was_left_out_can_be_asked_for(shop: Served) -> None:
    job = ended(shop, upload(shop, [{"id": str(n)} for n in range(150)])["job"])
    assert (job["failed"], len(job["bad"])) == (150, 100)
    answer = shop.http.get(f"/import/{job['job']}/left-out")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["line"] for line in lines] == list(range(1, 151))
    assert lines[:100] == job["bad"]
    assert shop.http.get("/import/0123456789abcdef/left-out").status_code == 404


def test_an_upload_names_no_file_of_the_server(shop: Served, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg())
    shop.fetcher.pages["https://example.com/a.jpg"] = jpeg((1, 1, 1))
    rows = [
        {"id": "1", "title": "absolute", "image": str(secret)},
        {"id": "2", "title": "relative", "image": "../../secret.jpg"},
        {"id": "3", "title": "by URL", "image": "https://example.com/a.jpg"},
        {"id": "4", "title": "gone", "image": "https://example.com/gone.jpg"},
    ]
    told = ended(shop, upload(shop, rows)["job"])
    assert (told["stored"], told["failed"]) == (1, 3)
    assert str(tmp_path) not in json.dumps(told)
    assert len(shop.http.get("/product/1").json()["pictures"]) == 1


def test_a_path_of_the_server_may_name_files_beside_it(shop: Served, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    items = tmp_path / "items.jsonl"
    items.write_text(json.dumps({"id": "1", "name_of_it": "hat", "image": "a.jpg"}))
    body = {"path": str(items), "map": ["title=name_of_it"]}
    told = ended(shop, shop.http.post("/import", json=body).json()["job"])
    assert (told["stored"], shop.http.get("/product/1").json()["title"]) == (1, "hat")
    assert items.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.exe", b"x"), ("a", b"x"), ("items.jsonl", b""), ("a.csv", b"\n"), ("../../a.sh", b"x")],
)
def test_what_is_no_table_is_refused_and_leaves_nothing(
    shop: Served, name: str, content: bytes
) -> None:
    refused = shop.http.post("/import", files={"file": (name, content)})
    assert refused.status_code == 422, refused.text
    assert list((shop.home / "imports").glob("*")) == []


def test_paths_that_cannot_be_read_are_refused(shop: Served, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in ("/no/such/file.jsonl", "a\0b", str(tmp_path / "empty")):
        assert shop.http.post("/import", json={"path": path}).status_code == 422
    assert shop.http.post("/import", data={"x": "y"}, files={"f": b"x"}).status_code == 422


class _Slow:
    """An editor that stores a batch only when let."""

    def __init__(self, house: House) -> None:
        self.editor = house.editor
        self.limits = house.editor.limits
        self.let = threading.Semaphore(0)
        self.began = threading.Event()

    def put_many(self, entries: Any) -> Any:
        self.began.set()
        assert self.let.acquire(timeout=20)
        return self.editor.put_many(entries)


def test_a_cancelled_import_keeps_what_is_stored(tmp_path: Path) -> None:
    house = House()
    slow = _Slow(house)
    with served(tmp_path, house=house, editor=slow) as shop:
        rows = [{"id": str(n), "title": "x"} for n in range(500)]
        job = upload(shop, rows)["job"]
        second = upload(shop, rows)["job"]
        slow.began.wait(10)
        assert shop.http.delete(f"/import/{second}").json()["state"] == "cancelled"
        shop.http.delete(f"/import/{job}")
        slow.let.release(10)
        told = ended(shop, job)
        assert (told["state"], told["stored"]) == ("cancelled", 128)
        assert shop.http.delete(f"/import/{job}").status_code == 409
        assert shop.http.get("/import/0123456789abcdef").status_code == 404


def test_an_import_that_a_stop_interrupted_goes_on_at_the_next_start(tmp_path: Path) -> None:
    house = House()
    slow = _Slow(house)
    with served(tmp_path, house=house, editor=slow) as shop:
        job = upload(shop, [{"id": str(n), "title": "x"} for n in range(500)])["job"]
        slow.began.wait(10)
        slow.let.release(1)
        threading.Timer(0.2, lambda: slow.let.release(1)).start()
    with served(tmp_path, house=house) as shop:
        told = ended(shop, job)
    assert (told["state"], told["read"]) == ("done", 500)
    assert house.catalog.summary().products == 500
    assert told["skipped"] >= 128
