"""A real composer of a few kilobytes for the tiny bundle: ONNX graph, tokenizer, goldens."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crosslens.compose import bundles, cards
from crosslens.compose.bundles import Goldens
from crosslens.compose.cards import ComposerCard
from crosslens.compose.onnx import OnnxComposer
from crosslens.encode.folders import GOLDENS
from crosslens.encode.words import Words
from tiny_bundle import DIM, SPACE, VOCABULARY, tokenizer


def graph() -> bytes:
    """Picture, words and the sum of token embeddings, through a matrix each."""
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    rng = np.random.default_rng(3)
    weights = {
        "table": rng.standard_normal((len(VOCABULARY) + 3, DIM)),
        "a": np.eye(DIM) + 0.1 * rng.standard_normal((DIM, DIM)),
        "b": rng.standard_normal((DIM, DIM)),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("Cast", ["attention_mask"], ["floats"], to=1),
        helper.make_node("Unsqueeze", ["floats", "last"], ["mask"]),
        helper.make_node("Mul", ["tokens", "mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["said"], keepdims=0),
        helper.make_node("MatMul", ["picture", "a"], ["seen"]),
        helper.make_node("MatMul", ["words", "b"], ["spoken"]),
        helper.make_node("Add", ["seen", "spoken"], ["both"]),
        helper.make_node("Add", ["both", "said"], ["vector"]),
    ]
    ports = [helper.make_tensor_value_info(n, 1, ["batch", DIM]) for n in ("picture", "words")]
    ports += [
        helper.make_tensor_value_info(n, 7, ["batch", "length"])
        for n in ("input_ids", "attention_mask")
    ]
    stored = [numpy_helper.from_array(v.astype("f4"), k) for k, v in weights.items()]
    constants = {"last": [-1], "middle": [1]}
    stored += [numpy_helper.from_array(np.array(v, "i8"), k) for k, v in constants.items()]
    out = [helper.make_tensor_value_info("vector", 1, ["batch", DIM])]
    made = helper.make_graph(nodes, "tiny", ports, out, stored)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_tiny_composer(folder: Path, *, space: str = SPACE, **changes: Any) -> Path:
    """Write a composer of the tiny bundle's space; keyword arguments change its card."""
    ort = pytest.importorskip("onnxruntime")
    card = ComposerCard(
        **{
            "name": folder.name, "about": "Random weights.", "licence": "Apache-2.0",
            "space": space, "dim": DIM, "max_tokens": 12, **changes,
        }
    )  # fmt: skip
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((2, 3, DIM)).astype("f4")
    pictures, spoken = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    words = ("red", "鞋", "in 42")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / cards.GRAPH
        path.write_bytes(graph())
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        composer = OnnxComposer(card, Words(card.words, tokenizer()), session)
        made = [
            composer._run(pictures[n : n + 1], words[n : n + 1], spoken[n : n + 1])[0]
            for n in range(3)
        ]
    unit = np.array([row / np.linalg.norm(row) for row in made], "f4")
    goldens = bundles.dump_goldens(Goldens(pictures, words, spoken, unit))
    files = {
        cards.GRAPH: graph(),
        cards.TOKENIZER: tokenizer().encode(),
        GOLDENS: goldens,
    }
    bundles.write(folder, card, files)
    return folder
