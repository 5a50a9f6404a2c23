"""Several processes over one index: when one switches to another bundle, the others follow."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from crosslens.settings import load
from crosslens.wiring import build
from tiny_bundle import proved_tiny

pytest.importorskip("milvus_lite")
pytestmark = pytest.mark.milvus


@contextmanager
def processes(folder: Path) -> Iterator[tuple[TestClient, TestClient]]:
    """What answers and switches, and what answers and works; each has a home of its own."""
    for name in ("first", "second"):
        proved_tiny(folder / "bundles" / name)
    with ExitStack() as stack:
        one = stack.enter_context(process(folder, "one", working=False))
        yield one, stack.enter_context(process(folder, "other", working=True))


@contextmanager
def process(folder: Path, name: str, *, working: bool) -> Iterator[TestClient]:
    """One of them; its settings name the first bundle."""
    shared = {
        "catalog_url": f"sqlite:///{folder / 'catalog.db'}",
        "index_url": f"milvus:{folder / 'index.db'}",
        "cross_modal": "first",
    }
    shutil.copytree(folder / "bundles", folder / name / "bundles")
    with (
        build(load(folder / name, **shared)) as app,
        TestClient(app.http(working=working), base_url="http://localhost") as door,
    ):
        yield door


def settled(http: TestClient) -> None:
    until = time.monotonic() + 150
    while True:
        changes = http.get("/ready").json()["checks"]["changes"]
        if not changes["waiting"] + changes["leased"]:
            assert not changes["parked"]
            return
        assert time.monotonic() < until, changes
        time.sleep(0.1)


def test_a_switch_by_one_process_fails_no_search_and_parks_no_change_of_the_others(
    tmp_path: Path,
) -> None:
    with processes(tmp_path) as (one, other):
        for n in range(20):
            assert one.post("/product", json={"title": f"red {n}"}).status_code == 201
        settled(one)
        task = one.post("/model/second/use", json={"purpose": "cross-modal"})
        assert task.status_code == 202, task.text
        until, n = time.monotonic() + 150, 20
        while one.get(task.headers["location"]).json()["state"] in ("waiting", "running"):
            assert one.post("/product", json={"title": f"red {n}"}).status_code == 201
            for http in (one, other):
                answer = http.post("/search", json={"words": "red"})
                assert answer.status_code == 200, answer.text
            n += 1
            assert time.monotonic() < until
        told = one.get(task.headers["location"]).json()
        assert told["state"] == "done", told
        one.post("/product", json={"title": "blue late"})
        settled(one)
        for http in (one, other):
            answer = http.post("/search", json={"words": "late"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["hits"][0]["title"] == "blue late"
            used = {model["name"]: model["used_for"] for model in http.get("/model").json()}
            assert used["second"]
            assert not used["first"]
            ready = http.get("/ready").json()
            assert ready["checks"]["index"]["ok"], ready
            assert ready["checks"]["index"]["products"] == n + 1
        with process(tmp_path, "late", working=False) as late:  # which knows the first one only
            answer = late.post("/search", json={"words": "late"})
            assert answer.json()["hits"][0]["title"] == "blue late", answer.text
            assert late.get("/ready").status_code == 200
