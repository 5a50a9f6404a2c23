"""Looking after the service: the index, tasks, bundles, traffic."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from crosslens import wiring
from crosslens.api.keys import KeyFile, Role
from crosslens.api.services import Bounds
from crosslens.client import Client
from crosslens.errors import CrosslensError, Forbidden, NotFound
from crosslens.settings import load
from fakes import jpeg
from house import House
from service import Served, application, listening, served
from tiny_bundle import proved_tiny

RED = jpeg((200, 30, 30))


def over(shop: Served, task: dict[str, Any]) -> dict[str, Any]:
    for _ in range(6_000):
        found = shop.http.get(f"/task/{task['task']}").json()
        if found["state"] in ("done", "failed"):
            return found
        time.sleep(0.01)
    raise AssertionError(found)


def test_an_audit_proves_that_catalogue_and_index_agree(shop: Served) -> None:
    for n in range(3):
        shop.add(f"shoe {n}")
    shop.settle()
    begun = shop.http.post("/index/audit", json={})
    assert (begun.status_code, begun.headers["location"]) == (202, f"/task/{begun.json()['task']}")
    result = over(shop, begun.json())["result"]
    assert (result["products"], result["clean"]) == (3, True)


def test_a_repair_announces_what_differs(shop: Served) -> None:
    product = shop.add("shoe")
    shop.settle()
    shop.house.store.live().delete([product["product_id"]])
    found = over(shop, shop.http.post("/index/audit", json={"repair": True}).json())["result"]
    assert (found["missing"], found["announced"]) == (1, 1)
    assert found["examples"] == [product["product_id"]]
    shop.settle()
    assert over(shop, shop.http.post("/index/audit", json={}).json())["result"]["clean"]


def test_a_rebuild_says_what_it_did(shop: Served) -> None:
    shop.add("shoe")
    shop.settle()
    done = over(shop, shop.http.post("/index/rebuild", json={}).json())
    assert (done["state"], done["result"]["products"]) == ("done", 1)
    assert shop.http.get("/task").json()[0]["kind"] == "rebuild"


def test_a_task_that_breaks_says_so_and_the_next_one_runs(tmp_path: Path) -> None:
    def broken(step: Any) -> dict[str, Any]:
        raise RuntimeError("secret")

    with served(tmp_path, rebuild=broken) as shop:
        failed = over(shop, shop.http.post("/index/rebuild", json={}).json())
        assert (failed["state"], failed["error"]) == ("failed", "it broke; the log says why")
        assert over(shop, shop.http.post("/index/audit", json={}).json())["state"] == "done"
        assert shop.http.get("/task/0123456789abcdef").status_code == 404


def test_the_index_tells_what_is_parked_and_takes_it_up_again(shop: Served) -> None:
    product = shop.add("shoe")
    shop.settle()
    state = shop.http.get("/index").json()
    assert (state["products"], state["parked_products"]) == (1, [])
    assert state["attributes"] == {"colour": "keyword", "price": "number"}
    again = shop.http.post("/index/again", json={"product_ids": [product["product_id"]]})
    assert again.json() == {"announced": 1}
    shop.settle()


def test_upkeep_needs_the_role_admin(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    headers = {role: {"X-API-Key": keys.new(role)[1]} for role in Role}
    with served(tmp_path, Bounds()) as shop:
        for path in ("/index/audit", "/index/rebuild", "/model/any/use"):
            assert shop.http.post(path, json={}, headers=headers[Role.WRITE]).status_code == 403
        for path in ("/index", "/task", "/traffic", "/judged", "/evaluation"):
            assert shop.http.get(path, headers=headers[Role.READ]).status_code == 200
            assert shop.http.get(path).status_code == 401


def test_traffic_counts_answers_and_their_latency(shop: Served) -> None:
    for _ in range(5):
        shop.search("shoe")
    shop.http.get("/product/99")
    paths = {
        path["path"]: path for step in shop.http.get("/traffic").json() for path in step["paths"]
    }
    assert paths["/search"]["answers"] == 5
    assert 0 < paths["/search"]["p50_ms"] <= paths["/search"]["p95_ms"]
    assert paths["/product/{product_id}"]["failed"] == 0


def test_a_removed_product_comes_back(shop: Served) -> None:
    product = shop.add("red shoe")
    path = f"/product/{product['product_id']}"
    assert shop.http.post(f"{path}/restore").json()["revision"] == product["revision"]
    shop.http.delete(path)
    shop.settle()
    assert shop.search("red shoe")["hits"] == []
    back = shop.http.post(f"{path}/restore")
    assert (back.status_code, back.json()["title"]) == (200, "red shoe")
    shop.settle()
    assert shop.search("red shoe")["hits"][0]["product_id"] == product["product_id"]
    assert shop.http.post("/product/99/restore").status_code == 404


@pytest.mark.parametrize(
    ("find", "titles"),
    [
        ("SHOE", ["red shoe"]),
        ("ｈａｔ", ["帽子 Hat"]),
        ("sku-2", ["帽子 Hat"]),
        ("帽", ["帽子 Hat"]),
        ("2", ["帽子 Hat"]),
        ("nothing", []),
    ],
)
def test_products_are_found_by_a_part_of_title_key_or_id(
    shop: Served, find: str, titles: list[str]
) -> None:
    shop.add("red shoe", source_key="sku-one")
    shop.add("帽子 Hat", source_key="SKU-2")
    page = shop.http.get("/product/list", params={"find": find}).json()
    assert [product["title"] for product in page["products"]] == titles
    assert page["total"] == len(titles)


def test_a_bundle_takes_over_while_searches_go_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    proved_tiny(home / "bundles" / "first")
    proved_tiny(home / "bundles" / "second")
    settings = load(home, cross_modal="first", threads=1)
    failures: list[Exception] = []
    with wiring.build(settings) as app, listening(app.http()) as url, Client(url) as client:
        for n in range(30):
            client.add_product(f"shoe {n}", pictures=[RED])
        client.wait_until_indexed()
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                try:
                    assert client.search("shoe", kind="text2text").hits
                except (AssertionError, CrosslensError) as exc:
                    failures.append(exc)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        task = client.wait_for_task(client.use_model("second").task)
        added = client.add_product("a late boot", pictures=[RED])
        client.wait_until_indexed()
        stop.set()
        for thread in threads:
            thread.join()
        assert (task.state, task.error, failures[:1]) == ("done", None, [])
        assert task.result["products"] == 30
        assert {m.name: m.used_for for m in client.models()}["second"] == [
            "cross-modal",
            "text",
            "looks",
        ]
        assert client.search("a late boot").hits[0].product.id == added.id
        assert client.index_state().fits_settings
        assert client.wait_for_task(client.start_audit().task).result["clean"]
        with pytest.raises(NotFound):
            client.use_model("third")
    assert load(home).cross_modal == "second", "the choice outlives the service"


def test_a_broken_bundle_leaves_what_serves(tmp_path: Path) -> None:
    home = tmp_path / "home"
    proved_tiny(home / "bundles" / "first")
    bad = proved_tiny(home / "bundles" / "bad")
    (bad / "goldens.npz").write_bytes(b"no goldens")
    settings = load(home, cross_modal="first", threads=1)
    with wiring.build(settings) as app, listening(app.http()) as url, Client(url) as client:
        client.add_product("shoe")
        client.wait_until_indexed()
        task = client.wait_for_task(client.use_model("bad").task)
        assert (task.state, bool(task.error)) == ("failed", True)
        assert client.search("shoe").hits
        assert client.index_state().fits_settings


def test_errors_of_the_client_are_ours(tmp_path: Path) -> None:
    key = KeyFile(tmp_path / "keys.json").new(Role.WRITE)[1]
    app = application(tmp_path, None, House())
    with listening(app) as url, Client(url, key=key) as client:
        with pytest.raises(Forbidden):
            client.start_rebuild()
        with pytest.raises(NotFound):
            client.restore_product(5)
        with pytest.raises(NotFound):
            client.task("0123456789abcdef")
