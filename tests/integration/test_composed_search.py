"""Composed search through everything: settings, bundles on disk, engine, HTTP, processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crosslens import wiring
from crosslens.catalog.product import ProductFields
from crosslens.errors import BrokenBundle
from crosslens.search.request import SearchRequest
from crosslens.settings import load
from crosslens.values import Kind
from crosslens.wiring import App
from tiny_bundle import png, proved_tiny
from tiny_composer import write_tiny_composer

WORDS = ("red 42", "红鞋", "qwzx 🎈 Ωμέγα")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of eight products, with a bundle and its composer."""
    home = tmp_path_factory.mktemp("shop") / "home"
    proved_tiny(home / "bundles" / "tiny")
    write_tiny_composer(home / "composers" / "tiny")
    with opened(home) as app:
        for n in range(8):
            app.editor.add(ProductFields(f"shoe {n}"), [png(n)])
        app.worker().drain()
    return home


def opened(home: Path) -> Any:
    return wiring.build(load(home, cross_modal="tiny", alpha=1.0))


@pytest.fixture
def app(home: Path) -> Iterator[App]:
    with opened(home) as app:
        yield app


def found(app: App, words: str, *pictures: bytes, **more: Any) -> list[tuple[int, float]]:
    request = SearchRequest(words, pictures=pictures, kind=Kind.COMPOSED, **more)
    return [(hit.product.id, round(hit.score, 6)) for hit in app.engine.search(request).hits]


def test_the_composer_of_the_space_is_used_and_differs_from_the_sum(home: Path) -> None:
    with opened(home) as app:
        answer = app.engine.search(SearchRequest("red", pictures=(png(1),), kind=Kind.COMPOSED))
        assert answer.notes == ()
        composed = found(app, "red", png(1))
    with opened(home) as app:
        app.__dict__["composer"] = None
        assert found(app, "red", png(1)) != composed


@pytest.mark.parametrize("words", WORDS)
def test_the_answer_is_the_same_in_every_request_restart_and_process(
    home: Path, words: str, tmp_path: Path
) -> None:
    answers = []
    for _ in range(2):
        with opened(home) as app:
            answers += [found(app, words, png(1)), found(app, words, png(1))]
    picture = tmp_path / "one.png"
    picture.write_bytes(png(1))
    (home / "crosslens.toml").write_text('cross_modal = "tiny"\n')
    ran = subprocess.run(
        [sys.executable, "-m", "crosslens", "--home", str(home), "search", words,
         "--image", str(picture), "--kind", "composed", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    hits = json.loads(ran.stdout)["hits"]
    answers.append([(hit["product_id"], round(hit["score"], 6)) for hit in hits])
    assert all(answer == answers[0] for answer in answers)


def test_two_requests_at_once_keep_their_own_pictures_and_words(app: App) -> None:
    asked = [(WORDS[n % 3], n % 5) for n in range(30)]
    alone = {key: found(app, key[0], png(key[1])) for key in set(asked)}
    answers: dict[int, Any] = {}

    def ask(n: int) -> None:
        answers[n] = found(app, asked[n][0], png(asked[n][1]))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[n] for n in range(len(asked))] == [alone[key] for key in asked]


def test_a_composer_of_another_space_is_not_used_though_its_dimension_agrees(tmp_path) -> None:
    home = tmp_path / "home"
    proved_tiny(home / "bundles" / "tiny")
    write_tiny_composer(home / "composers" / "a", space="other@1/fp32")
    with opened(home) as app:
        assert app.composer is None
        app.editor.add(ProductFields("shoe"), [png(1)])
        app.worker().drain()
        request = SearchRequest("red", pictures=(png(2),), kind=Kind.COMPOSED)
        assert "no composer" in app.engine.search(request).notes[0]


def test_an_altered_composer_is_refused_and_never_half_loaded(tmp_path: Path) -> None:
    home = tmp_path / "home"
    proved_tiny(home / "bundles" / "tiny")
    folder = write_tiny_composer(home / "composers" / "a")
    content = bytearray((folder / "composer.onnx").read_bytes())
    content[-200] ^= 1
    (folder / "composer.onnx").write_bytes(content)
    with opened(home) as app, pytest.raises(BrokenBundle, match="was altered"):
        assert app.engine
