"""Whoever draws, small enough for tests: a bundle of graphs, one in memory, a service."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crosslens.generate.bundles import Drawings, write_generator
from crosslens.generate.cards import FLOW, PICTURE, TOKENIZER, WORDS, GeneratorCard
from crosslens.generate.generator import About, Drawn, Step, silent, size_of
from crosslens.generate.onnx import OnnxGenerator
from crosslens.generate.wish import Wish
from serving import serving
from tiny_bundle import tokenizer

PX, COMPONENTS, TOKENS, STEPS = 8, 3, 12, 4
PLACES = PX * PX
PROMPTS = ("red shoe", "红鞋")


def generator_card(**changes: Any) -> GeneratorCard:
    fields: dict[str, Any] = {
        "name": "scribble", "about": "Flat colours.", "licence": "Apache-2.0", "px": PX,
        "places": PLACES, "components": COMPONENTS, "max_tokens": TOKENS, "steps": STEPS,
        "guidance": 2.0, "languages": ("zh", "en"), "training": {"command": "none"},
    }  # fmt: skip
    return GeneratorCard(**{**fields, **changes})


def write_scribble(folder: Path) -> Path:
    """Write a generator whose colour depends on the words and whose noise stays a little."""
    files = {WORDS: _words(), FLOW: _flow(), PICTURE: _picture(), TOKENIZER: tokenizer().encode()}
    blank = Drawings(PROMPTS, (0, 1), STEPS, np.zeros((2, PX, PX, 3), np.uint8), 1.0)
    write_generator(folder, generator_card(), files=files, drawings=blank)
    draws = OnnxGenerator(folder)
    pictures = [
        next(draws.draw(Wish(prompt, seed=seed, steps=STEPS))).pixels
        for seed, prompt in enumerate(PROMPTS)
    ]
    drawings = Drawings(PROMPTS, (0, 1), STEPS, np.stack(pictures), 1.0)
    write_generator(folder, generator_card(), files=files, drawings=drawings)
    return folder


def _words() -> bytes:
    """Ids and mask → one state per token and one before them, each of 3 numbers."""
    helper = pytest.importorskip("onnx").helper
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["kept"]),
        helper.make_node("Cast", ["kept"], ["numbers"], to=1),
        helper.make_node("Unsqueeze", ["numbers", "last"], ["each"]),
        helper.make_node("Mul", ["each", "rates"], ["angles"]),
        helper.make_node("Sin", ["angles"], ["states"]),
        helper.make_node("Pad", ["states", "ahead"], ["vector"]),
    ]
    ports = [
        helper.make_tensor_value_info(name, 7, ["batch", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    rates = {"rates": np.array([1.3, 2.1, 0.7])}
    return _graph(nodes, ports, rates, {"last": [-1], "ahead": [0, 1, 0, 0, 0, 0]})


def _flow() -> bytes:
    """Go straight to the mean of the states, and leave a tenth of the noise."""
    helper = pytest.importorskip("onnx").helper
    nodes = [
        helper.make_node("ReduceMean", ["states", "middle"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["codes", "share"], ["old"]),
        helper.make_node("Sub", ["mean", "old"], ["vector"]),
    ]
    ports = [
        helper.make_tensor_value_info("codes", 1, ["batch", PLACES, COMPONENTS]),
        helper.make_tensor_value_info("time", 1, ["batch"]),
        helper.make_tensor_value_info("states", 1, ["batch", "states", 3]),
        helper.make_tensor_value_info("mask", 7, ["batch", "length"]),
    ]
    return _graph(nodes, ports, {"share": np.array([0.9])}, {"middle": [1]})


def _picture() -> bytes:
    helper = pytest.importorskip("onnx").helper
    nodes = [helper.make_node("Reshape", ["codes", "shape"], ["vector"])]
    ports = [helper.make_tensor_value_info("codes", 1, ["batch", PLACES, COMPONENTS])]
    return _graph(nodes, ports, {}, {"shape": [-1, PX, PX, 3]})


def _graph(nodes: Any, ports: Any, weights: dict[str, Any], constants: dict[str, Any]) -> bytes:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    held = [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    held += [onnx.numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()]
    out = helper.make_tensor_value_info("vector", 1, None)
    graph = helper.make_graph(nodes, "scribble", ports, [out], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


class FlatGenerator:
    """Draws one colour per prompt and seed; waits before each step if it is told to."""

    def __init__(self, *, wait: Callable[[], object] = lambda: None) -> None:
        self.about = About("flat", ("zh", "en"), 16, (16, 32), 3, 1.0)
        self.drawn = 0
        self._wait = wait

    def draw(self, wish: Wish, step: Step = silent) -> Iterator[Drawn]:
        size = size_of(wish, self.about)
        steps = wish.steps or self.about.steps
        for number in range(wish.n):
            for taken in range(steps):
                step(number * steps + taken, wish.n * steps)
                self._wait()
            seed = wish.seed_of(number)
            level = np.random.default_rng([seed, *wish.prompt.encode()]).integers(0, 256, 3)
            self.drawn += 1
            yield Drawn(number, seed, np.full((size, size, 3), level, np.uint8))


@dataclass
class ImageService:
    """What an images endpoint answers with, and what it was asked."""

    url: str = ""
    status: int = 200
    content: bytes | None = None
    delay: threading.Event | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def answer(self, sent: dict[str, Any]) -> bytes:
        if self.content is not None:
            return self.content
        side = int(sent["size"].split("x")[0])
        picture = Image.new("RGB", (side, side), (200, 30, 40))
        out = io.BytesIO()
        picture.save(out, "PNG")
        return json.dumps({"data": [{"b64_json": base64.b64encode(out.getvalue()).decode()}]}
                          ).encode()  # fmt: skip


@contextmanager
def image_service() -> Iterator[ImageService]:
    """Let an images endpoint listen on a free port of this machine."""
    service = ImageService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
            service.asked.append({**sent, "path": self.path})
            service.keys.append(self.headers.get("authorization", ""))
            if service.delay is not None:
                service.delay.wait(10)
            content = service.answer(sent)
            self.send_response(service.status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *said: object) -> None:
            del said

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        service.url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield service
        finally:
            if service.delay is not None:
                service.delay.set()
