"""Towers as ONNX graphs: written, stored in half the room, and compared with PyTorch."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.export import Dim

from crosslens.errors import BrokenBundle
from crosslens.values import Floats

OPSET = 18
OUTPUT = "vector"
MOST_DRIFT = 1e-4
NOTES = "weights"
SMALLEST_HALVED = 1024  # numbers; below, the cast costs more than it saves
LARGEST_BATCH = 65_536
LARGEST_FILE = 1_900_000_000  # bytes; a protobuf message must stay under 2 GiB


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


EXPORTERS: tuple[Exporter, ...] = (with_dynamo, with_torchscript)


def write_graph(graph: Graph, path: Path, exporters: Sequence[Exporter] = EXPORTERS) -> Any:
    """
    Write a tower in float32 and return the graph, to be changed and written by `save_graph`.

    Args:
        exporters: tried in this order, until one does not fail.

    Raises:
        BrokenBundle: no exporter works.
    """
    torch.backends.mha.set_fastpath_enabled(False)  # its operator does not export
    graph.tower.eval()
    _first_that_works(graph, path, exporters)
    proto = onnx.load(str(path))
    forget_origin(proto)
    return proto


def save_graph(proto: Any, path: Path, *, largest: int = LARGEST_FILE) -> list[Path]:
    """
    Write a graph, with its weights in a file beside it if one file would be too large.

    Args:
        largest: bytes of a single file.

    Returns:
        The files, the graph first.
    """
    beside = path.with_name(f"{path.name}.data")
    beside.unlink(missing_ok=True)
    if sum(len(tensor.raw_data) for tensor in proto.graph.initializer) <= largest:
        onnx.save(proto, str(path))
        return [path]
    onnx.save(proto, str(path), save_as_external_data=True, location=beside.name)
    return [path, beside]


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
        external_data=True,
        verbose=False,
        **options,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' remarks on themselves from the user; the parity gate judges them."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnx_ir", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def in_bytes(table: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Write a table [R, C] as whole numbers from -127 to 127, and the scale [R, 1] of each row."""
    largest = np.maximum(np.abs(table).max(1, keepdims=True), 1e-3)
    # As float16, because that is how a graph will store it.
    scale = (largest / 127).astype(np.float16).astype(np.float32)
    return np.rint(table / scale).clip(-127, 127).astype(np.int8), scale


def from_bytes(whole: NDArray[np.int8], scale: Floats) -> Floats:
    """Undo `in_bytes`, as ONNX Runtime does."""
    return whole.astype(np.float32) * scale


def store_in_bytes(proto: onnx.ModelProto) -> None:
    """
    Store large constants in a byte per number, where that loses nothing.

    So it is for tables that `in_bytes` has rounded, rows or columns; ONNX Runtime makes them
    float32 once, when it loads.
    """
    graph = proto.graph
    nodes = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < SMALLEST_HALVED:
            continue
        found = _exactly_in_bytes(values)
        if found is None:
            continue
        name, (whole, scale) = tensor.name, found
        tensor.CopyFrom(numpy_helper.from_array(whole, f"{name}.whole"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        nodes += [
            helper.make_node("Cast", [f"{name}.whole"], [f"{name}.number"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.number", f"{name}.scale"], [name]),
        ]
    _put_first(graph, nodes)


def _put_first(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    """Let nodes come before all others, which may use what they give."""
    ordered = [*nodes, *graph.node]
    del graph.node[:]
    graph.node.extend(ordered)


def _exactly_in_bytes(values: Floats) -> tuple[NDArray[np.int8], Floats] | None:
    """Write along the first or the last axis; None if either would lose something."""
    for axis in (0, values.ndim - 1):
        rows = np.moveaxis(values, axis, 0)
        whole, scale = in_bytes(rows.reshape(len(rows), -1))
        whole = np.moveaxis(whole.reshape(rows.shape), 0, axis)
        scale = np.moveaxis(scale.reshape(-1, *(1,) * (values.ndim - 1)), 0, axis)
        if np.array_equal(from_bytes(whole, scale), values):
            return np.ascontiguousarray(whole), np.ascontiguousarray(scale)
    return None


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
    _put_first(graph, casts)
    del graph.value_info[:]  # it still calls the constants float32


def note_weights(proto: onnx.ModelProto, tower: nn.Module) -> None:
    """
    Note in a graph where it holds a tower's weights that it named or laid out otherwise.

    Exporters fold what can be computed beforehand: matrices stand transposed, tables in the form in
    which they are used. Before anything is stored in fewer bits, each is found by its numbers.
    """
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    found = {
        name: _place_of(value.numpy(), held)
        for name, value in tower.state_dict().items()
        if name not in held
    }
    notes = {name: place for name, place in found.items() if place is not None}
    helper.set_model_props(proto, {NOTES: json.dumps(notes)})


def _place_of(value: Floats, held: Mapping[str, Floats]) -> tuple[str, tuple[int, ...]] | None:
    """Say under which name, and with its axes in which order, a value is held."""
    for name, other in held.items():
        if other.dtype != value.dtype or other.size != value.size:
            continue
        for axes in itertools.permutations(range(other.ndim)):
            if np.array_equal(other.transpose(axes).ravel(), value.ravel()):
                return name, axes
    return None


def read_weights(proto: onnx.ModelProto) -> dict[str, Floats]:
    """
    Read a graph's constants, however stored, in float32: those noted by `note_weights` under the
    names that they had in PyTorch, their numbers in that order, though not in that shape.

    Raises:
        BrokenBundle: a note does not fit.
    """
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    found = {
        name.removesuffix(".half"): value.astype(np.float32)
        for name, value in stored.items()
        if value.dtype.kind == "f"
    }
    for name, whole in stored.items():
        if name.endswith(".whole"):
            full = name.removesuffix(".whole")
            found[full] = from_bytes(whole, found.pop(f"{full}.scale"))
    notes = next((each.value for each in proto.metadata_props if each.key == NOTES), "{}")
    try:
        noted = {
            name: found[held].transpose(axes) for name, (held, axes) in json.loads(notes).items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise BrokenBundle(f"what a graph notes of its weights does not fit it: {exc}") from exc
    return {**found, **noted}


def difference(session: Any, feeds: Mapping[str, Any], wanted: Tensor) -> float:
    """Return the largest absolute difference between a graph's vectors and PyTorch's."""
    vectors = session.run([OUTPUT], feeds)[0]
    return float(np.abs(vectors - wanted.detach().numpy()).max())


def open_session(path: Path) -> Any:
    """Open a graph on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
