"""Callers that are slow, large or gone, over real sockets."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import httpx
import pytest

from crosslens.api.services import Bounds
from house import House
from service import application, listening


def say(url: str, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send parts of a request as they are and return everything that comes back."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        for part in parts:
            wire.sendall(part)
            time.sleep(pause_s)
        answer = b""
        try:
            while part := wire.recv(65_536):
                answer += part
                if b"}" in part:
                    break
        except ConnectionResetError:
            pass
        return answer


def head(length: int, *more: str) -> bytes:
    lines = [
        "POST /product HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_a_request_that_drips_in_is_given_up(tmp_path: Path) -> None:
    bounds = Bounds(body_timeout_s=0.3)
    with listening(application(tmp_path, bounds, House())) as url:
        started = time.perf_counter()
        answer = say(url, head(100), b'{"title"')
        assert b" 408 " in answer.split(b"\r\n")[0]
        assert b"too_slow" in answer
        assert time.perf_counter() - started < 30, "the default is 60 s"
        assert httpx.get(f"{url}/product/list").json()["total"] == 0


def test_an_announced_body_that_is_too_large_is_not_waited_for(tmp_path: Path) -> None:
    with listening(application(tmp_path, Bounds(max_body_bytes=1_000), House())) as url:
        assert b" 413 " in say(url, head(10**12)).split(b"\r\n")[0]
        assert b" 413 " in say(url, head(10**12, "Expect: 100-continue")).split(b"\r\n")[0]


def test_memory_for_bodies_is_bounded_over_all_requests_together(tmp_path: Path) -> None:
    bounds = Bounds(max_pending_bytes=60_000, max_body_bytes=50_000, body_timeout_s=5)
    app = application(tmp_path, bounds, House())
    with listening(app) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as hoarder:
            hoarder.sendall(head(49_000) + b" " * 48_000)
            time.sleep(0.3)
            big = json.dumps({"title": "x", "description": "y" * 20_000})
            json_type = {"content-type": "application/json"}
            refused = httpx.post(f"{url}/product", content=big, headers=json_type)
            assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
            assert httpx.post(f"{url}/product", json={"title": "small"}).status_code == 201
        time.sleep(0.3)  # it hung up: what it held is free again
        again = httpx.post(f"{url}/product", content=big, headers=json_type)
        assert again.status_code == 201


def test_callers_who_hang_up_leave_their_places(tmp_path: Path) -> None:
    app = application(tmp_path, Bounds(writes=2), House())
    with listening(app) as url:
        host, port = url.removeprefix("http://").split(":")
        for _ in range(10):
            with socket.create_connection((host, int(port))) as caller:
                caller.sendall(head(100) + b"{")
                time.sleep(0.02)
        for _ in range(100):
            if app.state.runtime.lanes.write.inside == 0:
                break
            time.sleep(0.02)
        assert httpx.post(f"{url}/product", json={"title": "x"}).status_code == 201


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /product/list?filter=%ff%fe HTTP/1.1",
        b"GET /product/%2e%2e%2fkeys.json HTTP/1.1",
        b"GET /product/1/picture/..%2f..%2fkeys.json HTTP/1.1",
        b"GET //product/list HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"PROPFIND /product/1 HTTP/1.1",
        b"GET /import/../keys.json HTTP/1.1",
    ],
)
def test_odd_requests_get_plain_refusals(tmp_path: Path, request_line: bytes) -> None:
    with listening(application(tmp_path, None, House())) as url:
        answer = say(url, request_line + b"\r\nHost: localhost\r\n\r\n")
        assert int(answer.split(b" ", 2)[1]) in (400, 404, 405, 422), answer[:200]
