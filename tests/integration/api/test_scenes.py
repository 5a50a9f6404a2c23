"""Scenes and feedback over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import crosslens.bundled
from crosslens.catalog.exposure_log import ExposureLog
from crosslens.catalog.exposures import MemoryExposures
from crosslens.client import Client
from crosslens.encode.keywords import query_tokens
from crosslens.errors import InvalidRequest, NotFound
from crosslens.search.scene_file import SceneFile
from crosslens.search.stage import Stage
from house import ATTRIBUTES, CROSS, House
from service import Served, application, listening, served

SHIPPED = Path(crosslens.bundled.__file__).parent / "scenes.yaml"
TESTED = """
scenes:
  tested:
    match: {probes: {keyword: 1}}
    summary: {fields: {name: title}}
    layers:
      - name: ranking
        experiments:
          - {name: base, ratio: 1}
          - {name: few, ratio: 1, match: {filter: price < 20}}
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> Iterator[ExposureLog]:
    log = ExposureLog(MemoryExposures())
    yield log
    log.close()


def stage_of(house: House, folder: Path, clock: Clock, log: ExposureLog) -> Stage:
    (folder / "scenes.yaml").write_text(TESTED, "utf-8")
    return Stage(
        house.engine(),
        SceneFile(folder / "scenes.yaml", SHIPPED, clock=clock),
        index=house.store.live,
        looks=lambda: CROSS,
        tokens=query_tokens,
        types=ATTRIBUTES,
        log=log.put,
    )


@pytest.fixture
def staged(tmp_path: Path, clock: Clock, log: ExposureLog) -> Iterator[Served]:
    house = House()
    stage = stage_of(house, tmp_path, clock, log)
    with served(tmp_path, house=house, scenes=stage, exposures=log) as shop:
        for n in range(6):
            shop.add(f"shoe number {n}", attributes={"price": 10.0 * n})
        shop.settle()
        yield shop
    house.pool.shutdown()


def test_a_search_within_a_scene_tells_its_experiments_and_how_it_came_about(
    staged: Served,
) -> None:
    told = staged.search("shoe", scene="tested", user="ann", debug=True)
    assert told["scene"] == "tested"
    assert told["experiments"]["ranking"] in ("base", "few")
    assert told["hits"][0]["summary"] == {"name": told["hits"][0]["title"]}
    assert set(told["debug"]["took_ms"]) == {"query", "match", "rank"}
    forced = staged.search("shoe", scene="tested", user="ann", experiments={"ranking": "few"})
    assert len(forced["hits"]) == 2
    assert "debug" not in forced


def test_a_search_without_a_scene_has_nothing_of_it(staged: Served) -> None:
    assert not {"scene", "answer", "experiments", "debug"} & staged.search("shoe").keys()


def test_feedback_is_tied_to_its_answer(staged: Served, log: ExposureLog) -> None:
    force = {"ranking": "base"}
    told = staged.search("shoe", scene="tested", user="ann", experiments=force, offset=1, limit=2)
    hit = told["hits"][1]["product_id"]
    click = {"answer": told["answer"], "told": [{"product_id": hit, "action": "click"}]}
    assert staged.http.post("/feedback", json=click).json() == {"new": 1}
    assert staged.http.post("/feedback", json=click).json() == {"new": 0}
    (kept,) = log.store.read("tested")
    assert (kept.feedback[0].rank, kept.feedback[0].product_id) == (2, hit)
    other = {"answer": told["answer"], "told": [{"product_id": 99, "action": "buy"}]}
    assert staged.http.post("/feedback", json=other).status_code == 422
    unknown = {"answer": "0" * 32, "told": [{"product_id": hit, "action": "buy"}]}
    assert staged.http.post("/feedback", json=unknown).status_code == 404
    wrong = {"answer": told["answer"], "told": [{"product_id": hit, "action": "like"}]}
    assert staged.http.post("/feedback", json=wrong).status_code == 422


def test_what_is_unknown_is_refused(staged: Served) -> None:
    for body, status in (
        ({"words": "shoe", "scene": "none"}, 404),
        ({"words": "shoe", "scene": "tested", "experiments": {"x": "y"}}, 422),
    ):
        assert staged.http.post("/search", json=body).status_code == status


def test_scenes_are_listed_with_the_shares_of_their_experiments(staged: Served) -> None:
    told = staged.http.get("/scenes").json()
    scenes = {scene["name"]: scene["layers"] for scene in told["scenes"]}
    assert scenes["tested"][0]["experiments"] == {"base": 0.5, "few": 0.5}
    assert {"products", "question-answer"} <= scenes.keys()
    assert told["error"] is None


def test_a_file_changed_under_load_gives_no_wrong_and_no_failed_answer(
    staged: Served, tmp_path: Path, clock: Clock
) -> None:
    path, answers, stop = tmp_path / "scenes.yaml", [], threading.Event()

    def ask(user: int) -> None:
        while not stop.is_set():
            body = {"words": "shoe", "scene": "tested", "user": str(user)}
            answer = staged.http.post("/search", json=body)
            hits = answer.json().get("hits", [])
            names = {next(iter(hit["summary"].values()), None) for hit in hits}
            answers.append(answer.status_code == 200 and None not in names)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()

    def write(text: str, looks: int) -> None:
        path.write_text(text, "utf-8")
        for _ in range(looks):
            clock.now += 2
            staged.search("shoe", scene="tested")

    other = TESTED.replace("{name: title}", "{titled: title}")
    for text in ["scenes: [broken", other, TESTED] * 10:
        write("", looks=1)
        write(text, looks=2)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(answers) > 20
    assert all(answers)


def test_the_python_client_searches_within_scenes_and_tells_feedback(
    tmp_path: Path, clock: Clock, log: ExposureLog
) -> None:
    house = House()
    house.add("red shoe", price=10.0)
    house.worker().drain()
    stage = stage_of(house, tmp_path, clock, log)
    app = application(tmp_path, None, house, scenes=stage, exposures=log)
    with listening(app) as url, Client(url) as client:
        answer = client.search("shoe", scene="tested", user="ann", debug=True)
        assert answer.hits[0].summary["name"] == answer.hits[0].product.title
        assert answer.debug["language"] == "en"
        assert client.feedback(answer.answer_id, (answer.hits[0].product.id, "cart")) == 1
        with pytest.raises(NotFound):
            client.search("shoe", scene="other")
        with pytest.raises(InvalidRequest):
            client.feedback(answer.answer_id, (12_345, "click"))
    house.pool.shutdown()


def test_experiments_are_reported_over_http(tmp_path: Path, clock: Clock, log: ExposureLog) -> None:
    house = House()
    stage = stage_of(house, tmp_path, clock, log)
    app = application(tmp_path, None, house, scenes=stage, exposures=log)
    with listening(app) as url, Client(url) as client:
        shoe = client.add_product("shoe", attributes={"price": 1.0})
        client.wait_until_indexed()
        for n in range(30):
            answer = client.search("shoe", scene="tested", user=f"u{n}")
            if answer.experiments["ranking"] == "few":
                client.feedback(answer.answer_id, (shoe.id, "buy"))
        report = client.experiments_report("tested", "ranking", action="buy")
        assert sum(report.users.values()) == 30
        assert report.shares == {"base": 0.5, "few": 0.5}
        assert report.effects["few"]["means"] == [0.0, 1.0]
        assert report.trusted
        empty = client.experiments_report(
            "tested", "ranking", since=datetime(2099, 1, 1, tzinfo=UTC)
        )
        assert sum(empty.users.values()) == 0
        layers = {s.name: [layer.name for layer in s.layers] for s in client.scenes().scenes}
        assert layers["tested"] == ["ranking"]
        for scene, layer in (("none", "ranking"), ("tested", "none")):
            with pytest.raises(NotFound):
                client.experiments_report(scene, layer)
        run = client.start_evaluation
        client.judge("own", "shoe", {str(shoe.id): 1})
        with pytest.raises(NotFound, match="no scene 'none'"):
            run("own", scene="none")
    house.pool.shutdown()


def test_an_evaluation_within_a_scene_is_not_logged(
    tmp_path: Path, clock: Clock, log: ExposureLog
) -> None:
    house = House()
    stage = stage_of(house, tmp_path, clock, log)
    app = application(tmp_path, None, house, scenes=stage, exposures=log)
    with listening(app) as url, Client(url) as client:
        client.add_product("red shoe", source_key="red")
        client.wait_until_indexed()
        client.judge("own", "red shoe", {"red": 1})
        task = client.wait_for_task(client.start_evaluation("own", scene="tested").task)
        run = client.run(task.result["run"])
        assert run.report["metrics"]["hit@1"] == 1
        assert "tested" in run.name
        log.flush()
        assert list(log.store.read("tested")) == []
    house.pool.shutdown()
