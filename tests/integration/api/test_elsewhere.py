"""Several processes over one catalogue: whichever is asked knows the long work of all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from crosslens.catalog.board import Note
from crosslens.catalog.clock import SetClock, utc_now
from crosslens.catalog.connection import open_engine
from crosslens.catalog.sql_board import SqlBoard
from crosslens.generate.studio import Studio
from crosslens.settings import load
from crosslens.wiring import build
from drawing import FlatGenerator
from fakes import endless
from house import House
from service import Served, served
from tiny_bundle import proved_tiny


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}", busy_s=30, clock=SetClock())
    yield engine
    engine.dispose()


@contextmanager
def processes(folder: Path, ledger: Engine, **parts: Any) -> Iterator[tuple[Served, Served]]:
    """Two over one catalogue; `parts` are those of the first."""
    house = House()
    flat = FlatGenerator()
    common = {"house": house, "studio": Studio({flat.about.name: lambda: flat}, house.media)}
    with (
        served(folder / "one", board=SqlBoard(ledger, utc_now), **common, **parts) as one,
        served(folder / "other", board=SqlBoard(ledger, utc_now), **common) as other,
    ):
        yield one, other


def soon(http: TestClient, path: str, *states: str) -> dict[str, Any]:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = http.get(path)
        assert found.status_code == 200, found.text
        if found.json()["state"] in states:
            return dict(found.json())
        time.sleep(0.02)
    raise AssertionError(found.text)


def upload(shop: Served, rows: list[dict[str, Any]]) -> str:
    content = "\n".join(map(json.dumps, rows)).encode()
    answer = shop.http.post("/import", files={"file": ("items.jsonl", content)})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def test_a_poll_that_reaches_another_process_is_answered_as_by_the_one_that_works(
    tmp_path: Path, ledger: Engine
) -> None:
    with processes(tmp_path, ledger) as (one, other):
        drawing = {"prompt": "红色 shoe", "seed": 1, "n": 4}
        for path, body in (("/index/audit", {}), ("/index/rebuild", {}), ("/generate", drawing)):
            begun = one.http.post(path, json=body)
            assert begun.status_code == 202, begun.text
            told = soon(other.http, begun.headers["location"], "done")
            assert told == one.http.get(begun.headers["location"]).json()
        pictures = told["result"]["pictures"]
        assert [picture["seed"] for picture in pictures] == [1, 2, 3, 4]
        assert other.http.get(pictures[0]["url"]).status_code == 200
        kinds = [[task["kind"] for task in p.http.get("/task").json()] for p in (one, other)]
        assert kinds == [["rebuild", "audit"]] * 2
        for shop in (one, other):
            assert shop.http.get("/task/0123456789abcdef").status_code == 404
            assert shop.http.delete("/generate/0123456789abcdef").status_code == 404


def test_a_drawing_is_called_off_by_a_process_that_does_not_draw_it(
    tmp_path: Path, ledger: Engine
) -> None:
    with processes(tmp_path, ledger) as (one, other):
        drawings = one.app.state.runtime.drawings
        runs, waits = (f"/generate/{drawings.submit('generate', endless).task}" for _ in range(2))
        soon(other.http, runs, "running")
        for path in (waits, runs):
            assert other.http.delete(path).json()["state"] in ("waiting", "running")
        for path in (waits, runs):
            for shop in (one, other):
                soon(shop.http, path, "cancelled")
            assert other.http.delete(path).status_code == 409


def test_two_processes_do_not_fill_a_draft_of_one_index_at_once(
    tmp_path: Path, ledger: Engine
) -> None:
    with processes(tmp_path, ledger) as (one, other):
        building = one.app.state.runtime.tasks.submit("use", endless)
        refused = other.http.post("/index/rebuild", json={})
        assert refused.status_code == 409, refused.text
        assert building.task in refused.json()["detail"]
        own = one.http.post("/index/rebuild", json={})  # waits for its turn
        one.app.state.runtime.tasks.cancel(building.task)
        soon(other.http, own.headers["location"], "done")
        again = other.http.post("/index/rebuild", json={})
        soon(one.http, again.headers["location"], "done")


class Held:
    """An editor that stores a batch only when let."""

    def __init__(self) -> None:
        self.editor = House().editor
        self.limits = self.editor.limits
        self.let = threading.Semaphore(0)

    def put_many(self, entries: Any) -> Any:
        assert self.let.acquire(timeout=20)
        return self.editor.put_many(entries)


def test_imports_are_shown_listed_and_called_off_by_any_process(
    tmp_path: Path, ledger: Engine
) -> None:
    held = Held()
    with processes(tmp_path, ledger, editor=held) as (one, other):
        rows = [{"id": str(n), "title": "x"} for n in range(500)]
        first, second = upload(one, rows), upload(one, rows)
        assert soon(other.http, first, "running")["source"] == "items.jsonl"
        assert soon(other.http, second, "waiting")["expected"] == 500
        assert [f"/import/{job['job']}" for job in other.http.get("/import").json()] == [
            second,
            first,
        ]
        for path in (first, second):
            assert other.http.delete(path).status_code == 200
        soon(one.http, second, "cancelled")
        held.let.release(10)
        told = soon(other.http, first, "cancelled")
        assert (told["read"], told["stored"]) == (128, 128)
        assert told == one.http.get(first).json()
        assert other.http.delete(first).status_code == 409


def test_what_an_import_left_out_is_told_by_others_as_far_as_they_know_all_of_it(
    tmp_path: Path, ledger: Engine
) -> None:
    with processes(tmp_path, ledger) as (one, other):
        few = upload(one, [{"id": str(n)} for n in range(30)])
        many = upload(one, [{"id": str(n)} for n in range(150)])
        for path in (few, many):
            assert soon(other.http, path, "done") == one.http.get(path).json()
        for shop in (one, other):
            lines = shop.http.get(f"{few}/left-out").text.splitlines()
            assert [json.loads(line)["line"] for line in lines] == list(range(1, 31))
        refused = other.http.get(f"{many}/left-out")  # which a proxy takes to the next process
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        assert len(one.http.get(f"{many}/left-out").text.splitlines()) == 150


def lost(ledger: Engine, lane: str, told: Mapping[str, Any]) -> str:
    """Tell of work as a process did that has been dead for longer than a minute."""
    ago = timedelta(seconds=61)
    id = f"{len(lane):016x}"
    note = Note(id, lane, datetime.now(UTC) - ago, {**told, "state": "running"})
    SqlBoard(ledger, lambda: utc_now() - ago).tell(note)
    return id


def test_work_of_a_process_that_died_is_not_running_for_ever(
    tmp_path: Path, ledger: Engine
) -> None:
    def of(path: Callable[[], str]) -> dict[str, Any]:
        return dict(one.http.get(path()).json())

    with processes(tmp_path, ledger) as (one, other):
        audit = of(lambda: one.http.post("/index/audit", json={}).headers["location"])
        task = lost(ledger, "task", {**audit, "ended": None})
        drawing = lost(ledger, "drawing", {**audit, "ended": None})
        job = lost(ledger, "import", of(lambda: upload(one, [{"id": "1", "title": "x"}])))
        for shop in (one, other):
            for path in (f"/task/{task}", f"/generate/{drawing}"):
                told = shop.http.get(path).json()
                assert (told["state"], told["code"]) == ("failed", "stopped")
                assert "is gone" in told["error"]
            told = shop.http.get(f"/import/{job}").json()
            assert told["state"] == "interrupted"
            assert "goes on when that one starts again" in told["error"]
        assert other.http.delete(f"/generate/{drawing}").status_code == 409
        assert other.http.delete(f"/import/{job}").json()["state"] == "cancelled"


def test_an_import_goes_on_where_its_process_starts_again_and_others_see_it(
    tmp_path: Path, ledger: Engine
) -> None:
    held = Held()
    rows = [{"id": str(n), "title": "x"} for n in range(200)]
    with served(tmp_path / "other", board=SqlBoard(ledger, utc_now)) as other:
        with served(tmp_path / "one", board=SqlBoard(ledger, utc_now), editor=held) as one:
            path, waits = upload(one, rows), upload(one, rows)
            soon(other.http, path, "running")
            threading.Timer(0.5, lambda: held.let.release(1)).start()
        for each in (path, waits):
            assert other.http.get(each).json()["state"] == "interrupted"
        with served(tmp_path / "one", board=SqlBoard(ledger, utc_now)):
            assert soon(other.http, path, "done")["read"] == 200


def test_processes_share_what_their_settings_say_they_share(tmp_path: Path) -> None:
    def process(name: str, **settings: Any) -> Any:
        proved_tiny(tmp_path / name / "bundles" / "first")
        return build(load(tmp_path / name, cross_modal="first", threads=1, **settings))

    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with (
        process("one", catalog_url=url) as one,
        process("other", catalog_url=url) as other,
        process("alone") as alone,
    ):
        assert alone.board is None, "a home of its own keeps long work in memory"
        with (
            TestClient(one.http(working=False), base_url="http://localhost") as asked,
            TestClient(other.http(working=False), base_url="http://localhost") as polled,
        ):
            begun = asked.post("/index/audit", json={})
            told = soon(polled, begun.headers["location"], "done")
            assert told["result"]["clean"]
            assert polled.get("/task").json() == [told]
