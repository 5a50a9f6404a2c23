"""A real bundle of a few kilobytes: random weights, ONNX graphs, a tokenizer, goldens."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from crosslens.encode.bundles import write_bundle
from crosslens.encode.cards import Card, PictureCard, TextCard
from crosslens.encode.goldens import Goldens

DIM, SIDE, VOCABULARY = 16, 8, "abcdefghijklmnopqrstuvwxyz0123456789红鞋连衣裙"
SPACE = "tiny@1/fp32"
TEXT = TextCard(max_tokens=12, query_prefix="q", fields=("title", "description"))
PICTURE = PictureCard(width=SIDE, height=SIDE, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def card(**changes: Any) -> Card:
    fields: dict[str, Any] = {
        "name": "tiny", "about": "Random weights.", "licence": "Apache-2.0",
        "space": SPACE, "precision": "fp32", "dim": DIM, "languages": ("zh", "en"),
        "text": TEXT, "picture": PICTURE, "training": {"command": "none", "loss": 0.5},
    }  # fmt: skip
    return Card(**{**fields, **changes})


def png(seed: int = 0, size: tuple[int, int] = (20, 14)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def tokenizer() -> str:
    """A letter is a token; `[CLS]` comes first."""
    names = ["[PAD]", "[UNK]", "[CLS]", *VOCABULARY]
    found = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="[UNK]"))
    found.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    found.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    found.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 2)]
    )
    return str(found.to_str())


def text_graph(*, inputs: tuple[str, ...] = ("input_ids", "attention_mask")) -> bytes:
    """Mean of token embeddings through a non-linear layer."""
    helper = pytest.importorskip("onnx").helper
    rng = np.random.default_rng(1)
    weights = {
        "table": rng.standard_normal((len(VOCABULARY) + 3, DIM)),
        "layer": rng.standard_normal((DIM, DIM)),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("Tanh", ["tokens"], ["bent"]),
    ]
    if "attention_mask" in inputs:
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["mask2"], to=1),
            helper.make_node("Unsqueeze", ["mask2", "last"], ["mask"]),
            helper.make_node("Mul", ["bent", "mask"], ["kept"]),
            helper.make_node("ReduceSum", ["kept", "middle"], ["sum"], keepdims=0),
            helper.make_node("MatMul", ["sum", "layer"], ["vector"]),
        ]
    else:
        nodes += [
            helper.make_node("ReduceSum", ["bent", "middle"], ["sum"], keepdims=0),
            helper.make_node("MatMul", ["sum", "layer"], ["vector"]),
        ]
    constants = {"last": [-1], "middle": [1]}
    ports = [helper.make_tensor_value_info(name, 7, ["batch", "seq"]) for name in inputs]
    return _graph(nodes, ports, weights, constants)


def picture_graph() -> bytes:
    """All pixels through one layer."""
    helper = pytest.importorskip("onnx").helper
    weights = {"layer": np.random.default_rng(2).standard_normal((3 * SIDE * SIDE, DIM))}
    nodes = [
        helper.make_node("Flatten", ["pixel_values"], ["flat"]),
        helper.make_node("MatMul", ["flat", "layer"], ["vector"]),
    ]
    ports = [helper.make_tensor_value_info("pixel_values", 1, ["batch", 3, SIDE, SIDE])]
    return _graph(nodes, ports, weights, {})


def _graph(nodes: list[Any], ports: list[Any], weights: Any, constants: Any) -> bytes:
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    stored = [numpy_helper.from_array(v.astype("f4"), k) for k, v in weights.items()]
    stored += [numpy_helper.from_array(np.array(v, "i8"), k) for k, v in constants.items()]
    out = [helper.make_tensor_value_info("vector", 1, ["batch", DIM])]
    graph = helper.make_graph(nodes, "tiny", ports, out, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def files() -> dict[str, bytes]:
    return {
        "text.onnx": text_graph(),
        "tokenizer.json": tokenizer().encode(),
        "picture.onnx": picture_graph(),
    }


def write_tiny(folder: Path, *, goldens: Goldens | None = None, **changes: Any) -> Path:
    """Write the bundle; keyword arguments change its card."""
    write_bundle(folder, card(**changes), files=files(), goldens=goldens or Goldens())
    return folder


def proved_tiny(folder: Path) -> Path:
    """Write the bundle under the folder's name, in a space of its own, with goldens."""
    from crosslens.encode.onnx import load

    named = {"name": folder.name, "space": f"{folder.name}@1/fp32"}
    first = load(write_tiny(folder.parent.parent / f"{folder.name}-draft", **named))
    assert first.text is not None
    assert first.picture is not None
    goldens = Goldens(
        texts=("red",),
        text_roles=("query",),
        text_vectors=first.text.encode_queries(["red"]).array,
        pictures=(png(1),),
        picture_vectors=first.picture.encode_pictures([png(1)]).array,
    )
    return write_tiny(folder, goldens=goldens, **named)
