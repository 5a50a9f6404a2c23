"""Idempotency keys of a service that is killed and comes back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from service import Server

ADDED = {"title": "wool scarf"}


def put(server: Server, key: str) -> httpx.Response:
    with server.client() as http:
        return http.post("/product", json=ADDED, headers={"idempotency-key": key})


def test_a_write_is_done_once_though_the_service_was_killed_in_between(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        first = put(server, "order-17")
        server.kill()
        server.start()
        again = put(server, "order-17")
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        with server.client() as http:
            assert http.get("/product/list").json()["total"] == 1


def test_of_many_writes_with_one_key_at_once_one_is_done(tmp_path: Path) -> None:
    barrier = threading.Barrier(12)

    def together(_: int) -> httpx.Response:
        barrier.wait()
        return put(server, "once")

    with Server(tmp_path) as server, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(together, range(12)))
        assert {answer.content for answer in answers} == {answers[0].content}
        replayed = [a.headers.get("idempotency-replayed") == "true" for a in answers]
        assert sum(replayed) == 11
        with server.client() as http:
            assert http.get("/product/list").json()["total"] == 1
