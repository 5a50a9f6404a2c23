"""Towers as ONNX graphs: folded, rounded, written, and compared with PyTorch."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.export import Dim
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crosslens.errors import BrokenBundle
from crosslens.train.model import DualEncoder

OPSET = 18
OUTPUT = "vector"
MOST_DRIFT = 1e-4
SMALLEST_HALVED = 1024  # numbers; below, the cast costs more than it saves
LARGEST_BATCH = 65_536
TEXT_SHAPES = ((1, 1), (1, 5), (2, 32), (3, 16), (8, 9), (5, 24))
PICTURE_SHAPES = (1, 2, 3, 4, 5, 8)


@dataclass(frozen=True, slots=True)
class Graph:
    """A tower to be written: what it is called with, and which axes may change."""

    tower: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    axes: Mapping[str, Mapping[int, Dim]]


Exporter = Callable[[Graph, Path], None]


def with_dynamo(graph: Graph, path: Path) -> None:
    """Write a graph with the exporter that traces by Dynamo."""
    _export(graph, path, dynamo=True, dynamic_shapes=dict(graph.axes))


def with_torchscript(graph: Graph, path: Path) -> None:
    """Write a graph with the older exporter."""
    found = {
        name: {axis: dim.__name__ for axis, dim in axes.items()}
        for name, axes in zip(graph.inputs, graph.axes.values(), strict=True)
    }
    _export(graph, path, dynamo=False, dynamic_axes={**found, OUTPUT: {0: "batch"}})


def write_graphs(
    model: DualEncoder,
    folder: Path,
    *,
    exporters: Sequence[Exporter] = (with_dynamo, with_torchscript),
) -> tuple[Path, Path]:
    """
    Write `text.onnx` and `picture.onnx` of a settled model, and compare them with it.

    Args:
        exporters: tried in this order, until one does not fail.

    Raises:
        BrokenBundle: no exporter works, or the graphs differ from PyTorch by more than 1e-4.
    """
    text, picture = folder / "text.onnx", folder / "picture.onnx"
    _write(_text_graph(model), text, exporters)
    _write(_picture_graph(model), picture, exporters)
    drift = max(_text_drift(model, text), _picture_drift(model, picture))
    if not drift <= MOST_DRIFT:
        raise BrokenBundle(
            f"the exported towers differ from PyTorch by {drift:.2g}, allowed is {MOST_DRIFT:g}"
        )
    return text, picture


def settle(model: DualEncoder) -> DualEncoder:
    """Fold the normalisations into the convolutions, and round what will be stored as float16."""
    settled = copy.deepcopy(model).float().eval()
    for part in settled.picture.modules():
        if isinstance(part, nn.Sequential):
            _fold(part)
    with torch.no_grad():
        for parameter in settled.parameters():
            if parameter.numel() >= SMALLEST_HALVED:
                parameter.copy_(parameter.half().float())
    return settled


def _fold(part: nn.Sequential) -> None:
    layers = list(part)
    for place, (first, second) in enumerate(pairwise(layers)):
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            part[place] = fuse_conv_bn_eval(first, second)
            part[place + 1] = nn.Identity()


def _text_graph(model: DualEncoder) -> Graph:
    names = ("input_ids", "attention_mask")
    axes = {0: Dim("batch", max=LARGEST_BATCH), 1: Dim("length", max=model.config.max_tokens)}
    return Graph(model.text, _tokens(model, 2, 8), names, dict.fromkeys(names, axes))


def _picture_graph(model: DualEncoder) -> Graph:
    axes = {"pictures": {0: Dim("batch", max=LARGEST_BATCH)}}
    return Graph(model.picture, (_noise(model, 2),), ("pixel_values",), axes)


def _write(graph: Graph, path: Path, exporters: Sequence[Exporter]) -> None:
    torch.backends.mha.set_fastpath_enabled(False)  # its operator does not export
    graph.tower.eval()
    _first_that_works(graph, path, exporters)
    proto = onnx.load(str(path))
    halve(proto)
    forget_origin(proto)
    onnx.save(proto, str(path))


def forget_origin(proto: onnx.ModelProto) -> None:
    """Drop what the exporter notes of the machine: stack traces with its paths, module names."""
    graph = proto.graph
    for part in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.value_info,
                 *graph.initializer):  # fmt: skip
        del part.metadata_props[:]
        part.doc_string = ""


def _first_that_works(graph: Graph, path: Path, exporters: Sequence[Exporter]) -> None:
    failure: Exception | None = None
    for exporter in exporters:
        try:
            with torch.no_grad(), _quiet():
                exporter(graph, path)
        except (torch.onnx.OnnxExporterError, RuntimeError) as exc:
            failure = exc
        else:
            return
    raise BrokenBundle(f"{path.name} cannot be exported: {failure}") from failure


def _export(graph: Graph, path: Path, **options: Any) -> None:
    torch.onnx.export(
        graph.tower,
        graph.example,
        str(path),
        input_names=list(graph.inputs),
        output_names=[OUTPUT],
        opset_version=OPSET,
        external_data=False,
        verbose=False,
        **options,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' remarks on themselves from the user; the parity gate judges them."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def halve(proto: onnx.ModelProto) -> None:
    """
    Store large float32 constants as float16, with a cast before their first use.

    ONNX Runtime casts once, when it loads; the graph still computes in float32.
    """
    graph = proto.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type == TensorProto.FLOAT and values.size >= SMALLEST_HALVED:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # it still calls the constants float32


def _text_drift(model: DualEncoder, path: Path) -> float:
    session = _session(path)
    found = 0.0
    for batch, length in TEXT_SHAPES:
        ids, mask = _tokens(model, batch, min(length, model.config.max_tokens))
        feeds = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
        found = max(found, _difference(session, feeds, model.text(ids, mask)))
    return found


def _picture_drift(model: DualEncoder, path: Path) -> float:
    session = _session(path)
    found = 0.0
    for batch in PICTURE_SHAPES:
        pictures = _noise(model, batch)
        feeds = {"pixel_values": pictures.numpy()}
        found = max(found, _difference(session, feeds, model.picture(pictures)))
    return found


def _difference(session: Any, feeds: Mapping[str, Any], wanted: Tensor) -> float:
    vectors = session.run([OUTPUT], feeds)[0]
    return float(np.abs(vectors - wanted.detach().numpy()).max())


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _tokens(model: DualEncoder, batch: int, length: int) -> tuple[Tensor, Tensor]:
    """Random ids with ragged masks: row r has one token less than row r - 1, but at least one."""
    generator = torch.Generator().manual_seed(length)
    ids = torch.randint(1, model.config.vocabulary, (batch, length), generator=generator)
    kept = (length - torch.arange(batch)).clamp(min=1)[:, None]
    mask = (torch.arange(length)[None] < kept).long()
    return ids * mask, mask


def _noise(model: DualEncoder, batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(batch)
    side = model.config.picture_px
    return torch.randn(batch, 3, side, side, generator=generator)
