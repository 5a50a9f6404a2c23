"""Who may come in, how much may come in, and what strangers learn when something breaks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from crosslens.api.app import PARTS
from crosslens.api.keys import KeyFile, Role
from crosslens.api.services import Bounds
from crosslens.errors import StorageFull, Unavailable
from fakes import jpeg
from house import House
from service import Served, base64_of, served

OPEN = {"/", "/health", "/ready"}


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[tuple[Served, dict[Role, dict[str, str]]]]:
    keys = KeyFile(tmp_path / "keys.json")
    headers = {role: {"authorization": f"Bearer {keys.new(role)[1]}"} for role in Role}
    with served(tmp_path, Bounds(open_door=False)) as door:
        yield door, headers


def test_every_path_but_health_asks_for_a_role(shop: Served) -> None:
    routes = [route for part in PARTS for route in part.router.routes]
    assert {route.path for route in routes} >= set(shop.app.openapi()["paths"])
    for route in routes:
        calls = [dependency.call for dependency in route.dependant.dependencies]
        guarded = any("role" in call.__dict__ for call in calls)
        assert guarded or route.path in OPEN, route.path


def test_without_a_key_nothing_but_health_is_told(
    locked: tuple[Served, dict[Role, dict[str, str]]],
) -> None:
    shop, headers = locked
    for path in ("/product/list", "/metrics", "/product/1", "/import", "/index", "/evaluation"):
        refused = shop.http.get(path)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        assert refused.headers["www-authenticate"].startswith("Bearer")
    asked = {"json": {"words": "shoe"}}
    for more, status in ((headers[Role.READ], 200), ({"x-api-key": "x"}, 401), ({}, 401)):
        assert shop.http.post("/search", headers=more, **asked).status_code == status
    assert shop.http.get("/health").status_code == 200
    assert set(shop.http.get("/ready").json()["checks"]["catalog"]) == {"ok"}
    assert shop.http.get("/ready", headers=headers[Role.READ]).json()["checks"]["catalog"] == {
        "ok": True, "products": 0, "pictures": 0,
    }  # fmt: skip
    wrong = {"authorization": headers[Role.ADMIN]["authorization"][:-1] + "_"}
    assert shop.http.get("/product/list", headers=wrong).status_code == 401


def test_a_role_may_do_what_those_before_it_may(
    locked: tuple[Served, dict[Role, dict[str, str]]], tmp_path: Path
) -> None:
    shop, headers = locked
    path = tmp_path / "items.jsonl"
    path.write_text('{"id": "1", "title": "hat"}\n')
    calls = {
        Role.READ: lambda who: shop.http.get("/product/list", headers=who),
        Role.WRITE: lambda who: shop.http.post("/product", json={"title": "a"}, headers=who),
        Role.ADMIN: lambda who: shop.http.post("/import", json={"path": str(path)}, headers=who),
    }
    for needed, call in calls.items():
        for role, who in headers.items():
            answer = call(who)
            assert (answer.status_code == 403) == (not role.permits(needed)), (needed, role)
            assert answer.status_code in (200, 201, 202, 403)
    by_header = {"x-api-key": headers[Role.READ]["authorization"].split()[1]}
    assert shop.http.get("/product/list", headers=by_header).status_code == 200


def test_a_revoked_key_opens_nothing(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    key, text = keys.new(Role.ADMIN)
    keys.new(Role.ADMIN)
    keys.revoke(key.id)
    with served(tmp_path) as shop:
        who = {"authorization": f"Bearer {text}"}
        assert shop.http.get("/product/list", headers=who).status_code == 401
        assert shop.http.get("/product/list").status_code == 401, "a key exists, so keys are asked"


@pytest.mark.parametrize(
    "headers",
    [{"host": "shop.example"}, {"host": "127.0.0.1.evil.example"}, {"origin": "https://evil.example"},
     {"origin": "null"}, {"host": "localhost@evil.example"}],
)  # fmt: skip
def test_an_open_door_is_open_for_this_machine_only(shop: Served, headers: dict[str, str]) -> None:
    refused = shop.http.get("/product/list", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert shop.http.get("/product/list", headers={"host": "127.0.0.1:6008"}).status_code == 200


def test_a_key_that_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    who = {"authorization": f"Bearer {KeyFile(tmp_path / 'keys.json').new(Role.READ)[1]}"}
    with served(tmp_path, Bounds(rate_per_s=0.01, burst=3)) as shop:
        answers = [shop.http.get("/product/list", headers=who) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[3].json()["code"] == "rate_limited"
    assert int(answers[3].headers["retry-after"]) == 100


def test_a_body_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    with served(tmp_path, Bounds(max_body_bytes=5_000)) as shop:
        refused = shop.http.post("/product", json={"title": "x", "description": "y" * 5_000})
        assert (refused.status_code, refused.json()["code"]) == (413, "too_large")

        def parts() -> Iterator[bytes]:
            for _ in range(100):
                yield b" " * 100

        kind = {"content-type": "application/json"}
        unannounced = shop.http.post("/product", content=parts(), headers=kind)
        assert unannounced.status_code == 413
        assert shop.http.get("/product/list").json()["total"] == 0


def test_batches_and_questions_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    with served(tmp_path, Bounds(max_batch=2, max_queries=2)) as shop:
        rows = [{"source_key": str(n), "title": "x"} for n in range(3)]
        assert shop.http.post("/product/batch", json={"products": rows}).status_code == 413
        many = shop.http.post("/search", json={"queries": [{"words": "x"}] * 3})
        assert many.status_code == 413


def test_beyond_capacity_callers_are_told_at_once_to_come_again(tmp_path: Path) -> None:
    house = House()
    gate, entered = threading.Event(), threading.Semaphore(0)
    encode = house.encoders.words.encode_queries

    def slow(words: object) -> object:
        entered.release()
        gate.wait(20)
        return encode(words)

    house.encoders.words.encode_queries = slow
    bounds = Bounds(searches=3, search_threads=2)
    with served(tmp_path, bounds, house) as shop:
        answers: list[int] = []
        body = {"words": "x", "kind": "text2image"}
        threads = [
            threading.Thread(
                target=lambda: answers.append(shop.http.post("/search", json=body).status_code)
            )
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        entered.acquire(), entered.acquire()
        lane = shop.app.state.runtime.lanes.search
        while lane.inside < 3:
            pass
        for _ in range(500):  # what was answered so far took long
            lane.note(4.0)
        refused = shop.http.post("/search", json={"words": "x"})
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert int(refused.headers["retry-after"]) == 6, "three at four seconds, two at a time"
        assert shop.http.get("/product/list").status_code == 200, "other lanes go on"
        assert shop.http.get("/health").status_code == 200
        gate.set()
        for thread in threads:
            thread.join()
        assert answers == [200, 200, 200]
        assert shop.http.post("/search", json={"words": "x"}).status_code == 200


class _Broken:
    """A catalogue that fails in a chosen way."""

    def __init__(self, exc: Exception) -> None:
        self.exc = exc

    def __getattr__(self, name: str) -> object:
        raise self.exc


@pytest.mark.parametrize(
    ("exc", "status"),
    [
        (Unavailable("cannot open /srv/secret/catalog.db as root:hunter2"), 503),
        (StorageFull("no room in /srv/secret"), 507),
        (ZeroDivisionError("/srv/secret"), 500),
    ],
)
def test_what_breaks_inside_is_not_told_outside(
    tmp_path: Path, exc: Exception, status: int
) -> None:
    with served(tmp_path, catalog=_Broken(exc), work=lambda stop: stop.wait()) as shop:
        answer = shop.http.get("/product/1")
        ready = shop.http.get("/ready", headers={"host": "stranger.example"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert ready.status_code in (500, 503)
    assert "secret" not in ready.text


def test_answers_carry_a_request_id_and_safe_headers(shop: Served) -> None:
    own = shop.http.get("/health", headers={"x-request-id": "abc-1"})
    assert own.headers["x-request-id"] == "abc-1"
    odd = shop.http.get("/health", headers={"x-request-id": "a b\tc"})
    assert odd.headers["x-request-id"] != "a b\tc"
    assert odd.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in odd.headers["content-security-policy"]
    assert "access-control-allow-origin" not in odd.headers


def test_other_origins_may_call_only_if_allowed_by_name(tmp_path: Path) -> None:
    with served(tmp_path, Bounds(cors_origins=("https://shop.example",))) as shop:
        asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
        allowed = shop.http.options("/search", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
        other = shop.http.options("/search", headers=asked | {"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_logs_hold_neither_keys_nor_words_nor_pictures(tmp_path: Path, log: StringIO) -> None:
    text = KeyFile(tmp_path / "keys.json").new(Role.WRITE)[1]
    who = {"authorization": f"Bearer {text}"}
    with served(tmp_path) as shop:
        body = {"words": "embarrassing", "pictures": [base64_of(jpeg())]}
        shop.http.post("/search", json=body, headers=who)
        shop.http.get("/product/list?filter=colour%20%3D%20embarrassing", headers=who)
        shop.http.post("/search", json={"words": "embarrassing", "limit": 0}, headers=who)
    logged = log.getvalue()
    assert '"path": "/search"' in logged
    assert text.split("_", 2)[2] not in logged
    assert "embarrassing" not in logged
    assert base64_of(jpeg())["base64"][:40] not in logged
