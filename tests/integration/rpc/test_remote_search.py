"""A search service whose vectors come from an encode service, also while that is away."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from crosslens.catalog.product import ProductFields
from crosslens.errors import Unavailable
from crosslens.search.request import SearchRequest
from crosslens.settings import load
from crosslens.wiring import build
from encode_service import encoding
from servers import free_port
from shell import Shell
from tiny_bundle import png

FAST = {"index_url": "memory:", "cross_modal": "tiny", "encode_timeout_s": 2.0}


def test_the_same_is_found_as_with_the_bundle_here(tmp_path: Path) -> None:
    with encoding(tmp_path / "there") as house:
        answers = []
        for name, settings in (("far", {"encoder_url": house.url}), ("near", {})):
            home = tmp_path / ("there" if name == "near" else "far")
            with build(load(home, **(FAST | settings))) as app:
                for n in range(6):
                    app.editor.add(ProductFields(f"red shoe {n}"), [png(n)])
                app.worker().drain()
                found = [
                    app.engine.search(SearchRequest(words="red shoe 3", kind="text2text")),
                    app.engine.search(SearchRequest(words="red", kind="text2image")),
                    app.engine.search(SearchRequest(pictures=(png(4),), kind="image2image")),
                ]
                answers.append([[(h.product.id, h.score) for h in a.hits] for a in found])
                assert app.bundle("tiny").check().passed
        for far, near in zip(*answers, strict=True):
            assert [id for id, _ in far] == [id for id, _ in near]
            np.testing.assert_allclose([s for _, s in far], [s for _, s in near], atol=1e-6)


def test_without_the_encode_service_nothing_starts_and_the_reason_is_named(tmp_path: Path) -> None:
    url = f"grpc://127.0.0.1:{free_port()}"
    with (
        build(load(tmp_path, **FAST, encoder_url=url)) as app,
        pytest.raises(Unavailable, match=url),
    ):
        app.bundle("tiny")


def test_while_it_is_away_searches_say_503_and_writes_wait_for_it(tmp_path: Path) -> None:
    port = free_port()
    there, here = tmp_path / "there", tmp_path / "here"
    with encoding(there, rpc_port=port) as house:
        app = build(load(here, **FAST, encoder_url=house.url, query_cache=0))
        opened = app.__enter__()
        http = TestClient(opened.http(), base_url="http://localhost")
        http.__enter__()
    try:
        asked = {"words": "red", "kind": "text2image"}
        away = http.post("/search", json=asked)
        assert away.status_code == 503
        assert away.json()["code"] == "unavailable"
        assert "retry-after" in away.headers
        made = http.post("/product", json={"title": "red shoe"})
        assert made.status_code == 201
        time.sleep(0.5)
        ready = http.get("/ready")
        assert ready.status_code == 503
        assert "encode service" in ready.json()["checks"]["encoder"]["error"]
        assert http.get("/health").status_code == 200
        changes = ready.json()["checks"]["changes"]
        assert changes["waiting"] + changes["leased"] == 1
        assert changes["parked"] == 0
        with encoding(there, rpc_port=port):
            until = time.monotonic() + 20
            while time.monotonic() < until:
                answer = http.post("/search", json={"words": "red shoe", "kind": "text2text"})
                if answer.status_code == 200 and answer.json()["hits"]:
                    break
                time.sleep(0.1)
            assert answer.status_code == 200
            assert answer.json()["hits"][0]["title"] == "red shoe"
            http.__exit__(None, None, None)
    finally:
        app.__exit__(None, None, None)


def test_the_doctor_asks_the_encode_service(shell: Shell, tmp_path: Path) -> None:
    shell.home.mkdir()
    with encoding(tmp_path / "there") as house:
        settings = f'encoder_url = "{house.url}"\ncross_modal = "tiny"\n'
        (shell.home / "crosslens.toml").write_text(settings, "utf-8")
        well = shell("doctor")
        assert well.code == 0, well.out
        assert "ok   encoder          crosslens-mini, tiny" in well.out
        assert "golden vectors" in well.out
    away = shell("doctor")
    assert away.code == 1
    assert "BAD  encoder" in away.out
    assert "is `crosslens serve encoder` running there" in away.out
