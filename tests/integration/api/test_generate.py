import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crosslens.client import Client
from crosslens.errors import BrokenBundle, CannotDraw, InvalidRequest, NotFound
from crosslens.generate.generator import Generator
from crosslens.generate.provenance import read_provenance
from crosslens.generate.remote import RemoteGenerator, Service
from crosslens.generate.studio import Studio
from drawing import FlatGenerator, image_service
from house import House
from service import Served, application, base64_of, listening, served


def drawing(home: Path, *generators: Generator) -> Any:
    house = House()
    makers = {each.about.name: (lambda each=each: each) for each in generators}
    return served(home, None, house, studio=Studio(makers, house.media))


@pytest.fixture
def flat() -> FlatGenerator:
    return FlatGenerator()


@pytest.fixture
def service(tmp_path: Path, flat: FlatGenerator) -> Iterator[Served]:
    with drawing(tmp_path, flat) as opened:
        yield opened


def ended(service: Served, task: str, path: str = "generate") -> dict[str, Any]:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = service.http.get(f"/{path}/{task}").json()
        if found["ended"]:
            return dict(found)
        time.sleep(0.01)
    raise AssertionError("the task does not end")


def test_one_picture_is_drawn_at_once_and_kept_with_its_story(service: Served):
    answer = service.http.post("/generate", json={"prompt": "红色 shoe", "seed": 3, "size": 32})
    assert answer.status_code == 200
    [made] = answer.json()["pictures"]
    assert (made["seed"], made["size"]) == (3, 32)
    picture = service.http.get(made["url"])
    assert picture.headers["content-type"] == "image/png"
    told = read_provenance(picture.content)
    assert told is not None
    assert (told.generator, told.prompt, told.seed, told.steps) == ("flat", "红色 shoe", 3, 3)
    assert Image.open(io.BytesIO(picture.content)).size == (32, 32)


def test_the_same_seed_gives_the_same_picture_whatever_the_batch(service: Served):
    alone = service.http.post("/generate", json={"prompt": "shoe", "seed": 5}).json()
    pair = service.http.post("/generate", json={"prompt": "shoe", "seed": 4, "n": 2}).json()
    assert alone["pictures"][0]["sha256"] == pair["pictures"][1]["sha256"]


def test_without_a_seed_one_is_drawn_and_told(service: Served):
    made = service.http.post("/generate", json={"prompt": "shoe"}).json()["pictures"][0]
    again = {"prompt": "shoe", "seed": made["seed"]}
    assert service.http.post("/generate", json=again).json()["pictures"][0] == made


def test_several_pictures_become_a_task_with_progress_and_the_same_result(service: Served):
    answer = service.http.post("/generate", json={"prompt": "shoe", "seed": 1, "n": 4})
    assert answer.status_code == 202
    task = answer.json()
    assert answer.headers["location"] == f"/generate/{task['task']}"
    done = ended(service, task["task"])
    assert (done["state"], done["kind"], done["about"]) == ("done", "generate", "shoe")
    assert [made["seed"] for made in done["result"]["pictures"]] == [1, 2, 3, 4]


def test_a_product_may_be_added_with_the_pictures(service: Served):
    wanted = {"prompt": "red shoe", "n": 2, "product": {"attributes": {"colour": "red"}}}
    product = service.http.post("/generate", json=wanted).json()["product"]
    assert (product["title"], len(product["pictures"])) == ("red shoe", 2)
    service.settle()
    assert service.search("red shoe")["hits"][0]["product_id"] == product["product_id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "   "}, "prompt"),
        ({"prompt": "x" * 10_000}, "prompt"),
        ({"prompt": "shoe", "n": 0}, "n"),
        ({"prompt": "shoe", "n": 11}, "n"),
        ({"prompt": "shoe", "size": 37}, "size is 37, allowed with flat: 16, 32"),
        ({"prompt": "shoe", "steps": 0}, "steps"),
        ({"prompt": "shoe", "guidance": 31}, "guidance"),
        ({"prompt": "shoe", "wish": 1}, "wish"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(
    service: Served, flat: FlatGenerator, body: dict[str, Any], field: str
):
    answer = service.http.post("/generate", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in answer.text
    assert not flat.drawn


def test_an_unknown_generator_is_not_found_and_those_there_are_are_named(service: Served):
    answer = service.http.post("/generate", json={"prompt": "shoe", "generator": "dali"})
    assert answer.status_code == 404
    assert "there are: flat" in answer.json()["detail"]
    many = {"prompt": "shoe", "generator": "dali", "n": 9}
    assert service.http.post("/generate", json=many).status_code == 404  # before it is a task


def test_a_service_that_draws_nothing_says_so(tmp_path: Path):
    with served(tmp_path) as service:
        answer = service.http.post("/generate", json={"prompt": "shoe"})
        assert answer.status_code == 404
        assert "nothing draws" in answer.json()["detail"]


def test_a_drawing_is_cancelled_half_way_and_the_next_one_runs(tmp_path: Path):
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert go_on.wait(20)

    flat = FlatGenerator(wait=wait)
    with drawing(tmp_path, flat) as service:
        body = {"prompt": "shoe", "n": 5, "background": True}
        first = service.http.post("/generate", json=body).json()["task"]
        second = service.http.post("/generate", json={**body, "seed": 1}).json()["task"]
        third = service.http.post("/generate", json=body).json()["task"]
        assert begun.wait(20)
        assert service.http.delete(f"/generate/{first}").status_code == 200
        assert service.http.delete(f"/generate/{third}").json()["state"] == "cancelled"
        go_on.set()
        assert ended(service, first)["state"] == "cancelled"
        assert ended(service, second)["state"] == "done"
        assert ended(service, third)["state"] == "cancelled"
        assert flat.drawn < 10
        assert service.http.delete(f"/generate/{first}").status_code == 409


def test_a_full_queue_answers_429_and_stays_intact(tmp_path: Path):
    go_on = threading.Event()
    with drawing(tmp_path, FlatGenerator(wait=lambda: go_on.wait(20))) as service:
        body = {"prompt": "shoe", "background": True}
        answers = [service.http.post("/generate", json=body) for _ in range(11)]
        refused = [a for a in answers if a.status_code == 429]
        assert refused
        assert "retry-after" in refused[0].headers
        go_on.set()
        for answer in answers:
            if answer.status_code == 202:
                assert ended(service, answer.json()["task"])["state"] == "done"


def test_a_generator_out_of_memory_is_an_error_and_the_next_drawing_runs(tmp_path: Path):
    falls = iter([True, False])

    def wait() -> None:
        if next(falls, False):
            raise CannotDraw("flat has not enough memory to draw")

    with drawing(tmp_path, FlatGenerator(wait=wait)) as service:
        assert service.http.post("/generate", json={"prompt": "shoe"}).status_code == 503
        assert service.http.post("/generate", json={"prompt": "shoe"}).status_code == 200


def test_an_error_of_a_provider_is_never_a_picture(tmp_path: Path):
    with image_service() as provider:
        draws = RemoteGenerator(Service(provider.url, model="far", sizes=(16,)))
        with drawing(tmp_path, draws) as service:
            provider.content = b"<html>model is loading</html>"
            answer = service.http.post("/generate", json={"prompt": "shoe"})
            assert answer.status_code == 503
            assert "no JSON" in answer.json()["detail"]
            provider.content = None
            assert service.http.post("/generate", json={"prompt": "shoe"}).status_code == 200
        draws.close()


def test_other_pictures_are_not_given_away_by_their_digest(service: Served):
    out = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(out, "PNG")
    sha256 = service.house.media.put(out.getvalue())
    assert service.http.get(f"/generate/picture/{sha256}").status_code == 404


def test_what_draws_can_be_asked_for(service: Served):
    shown = service.http.get("/generate").json()
    assert (shown["generators"], shown["sizes"], shown["native_px"]) == (["flat"], [16, 32], 16)
    assert shown["error"] is None
    assert service.http.get("/generate", params={"generator": "flat"}).json() == shown
    assert service.http.get("/generate", params={"generator": "dali"}).status_code == 404


def test_a_generator_that_cannot_be_loaded_is_told_beside_those_that_can(tmp_path: Path):
    def broken() -> Generator:
        raise BrokenBundle("/srv/secret/flow.onnx is altered")

    flat, house = FlatGenerator(), House()
    makers = {"broken": broken, "flat": lambda: flat}
    with served(tmp_path, None, house, studio=Studio(makers, house.media)) as service:
        shown = service.http.get("/generate").json()
        assert (shown["name"], shown["generators"]) == ("broken", ["broken", "flat"])
        assert "the log of the service says why" in shown["error"]
        assert "secret" not in json.dumps(shown)
        other = service.http.get("/generate", params={"generator": "flat"}).json()
        assert (other["name"], other["error"]) == ("flat", None)
        drawn = service.http.post("/generate", json={"prompt": "shoe", "generator": "flat"})
        assert drawn.status_code == 200


def test_a_task_says_why_it_failed_by_a_code(tmp_path: Path):
    with image_service() as provider:
        draws = RemoteGenerator(Service(provider.url, key="secret", model="far", sizes=(16,)))
        with drawing(tmp_path, draws) as service:
            provider.status, provider.content = 401, b'{"error": {"message": "no such key"}}'
            assert service.http.post("/generate", json={"prompt": "shoe"}).status_code == 503
            task = service.http.post("/generate", json={"prompt": "shoe", "n": 3}).json()["task"]
            failed = ended(service, task)
            assert (failed["state"], failed["code"]) == ("failed", "cannot_draw")
            assert "refuses us with 401: no such key" in failed["error"]
        draws.close()


def test_a_search_may_look_for_what_its_words_are_imagined_as(service: Served, flat: FlatGenerator):
    drawn = service.http.get(
        service.http.post("/generate", json={"prompt": "odd thing", "seed": 0}).json()["pictures"][
            0
        ]["url"]
    ).content
    shown = service.add("plain", pictures=[base64_of(drawn)])["product_id"]
    service.add("odd thing")
    service.settle()
    found = service.search("odd thing", imagine=True, explain=True)
    assert found["kind"] == "hybrid"
    scores = {hit["product_id"]: set(hit["scores"]) for hit in found["hits"]}
    assert "image2image" in scores[shown]
    assert any({"text2text", "keyword"} <= names for names in scores.values())
    shown_too = service.http.get(found["imagined"]["url"])
    assert read_provenance(shown_too.content).prompt == "odd thing"  # type: ignore[union-attr]
    assert "imagined" not in service.search("odd thing")
    before = flat.drawn
    again = service.search("odd thing", imagine=True)
    assert again["imagined"] == found["imagined"]
    assert flat.drawn == before  # what was imagined once is remembered


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"imagine": True}, "words is empty, and imagine draws from words"),
        ({"words": "shoe", "product_id": 1, "imagine": True}, "no product_id"),
        ({"words": "shoe", "kind": "text2text", "imagine": True}, "belongs to hybrid search"),
    ],
)
def test_what_cannot_be_imagined_is_refused_before_anything_is_drawn(
    service: Served, flat: FlatGenerator, body: dict[str, Any], said: str
):
    answer = service.http.post("/search", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert not flat.drawn


def test_the_client_draws_waits_and_fetches(tmp_path: Path, flat: FlatGenerator):
    house = House()
    app = application(tmp_path, None, house, studio=Studio({"flat": lambda: flat}, house.media))
    with listening(app) as url, Client(url) as client:
        assert client.generator().name == "flat"
        made = client.generate("red shoe", n=3, seed=2, product={"title": "drawn"})
        assert [picture.seed for picture in made.pictures] == [2, 3, 4]
        assert made.product is not None
        assert made.product.title == "drawn"
        content = client.drawn_picture(made.pictures[0].sha256)
        told = read_provenance(content)
        assert told is not None
        assert told.prompt == "red shoe"
        with pytest.raises(InvalidRequest, match="size is 37"):
            client.generate("red shoe", size=37)
        with pytest.raises(NotFound, match="there are: flat"):
            client.generate("red shoe", generator="dali")
        with pytest.raises(InvalidRequest, match="n: "):
            client.generate("red shoe", n=11)


def test_the_client_raises_what_a_drawing_failed_with(tmp_path: Path):
    def fall() -> None:
        raise MemoryError

    house, flat = House(), FlatGenerator(wait=fall)
    app = application(tmp_path, None, house, studio=Studio({"flat": lambda: flat}, house.media))
    with listening(app) as url, Client(url) as client:
        with pytest.raises(InvalidRequest, match="size is 37"):
            client.generate("red shoe", size=37)  # not loaded yet: the task finds out
        with pytest.raises(CannotDraw, match="flat has not enough memory"):
            client.generate("red shoe")
