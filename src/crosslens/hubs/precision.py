"""Smaller graphs: half floats, 8-bit weights, 8-bit arithmetic; never dependent on the batch."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import onnx

from crosslens.errors import BrokenBundle
from crosslens.train.graphs import forget_origin, halve

BLOCK = 32  # weights that share a scale
_INT8_ACTIVATIONS = 4  # MatMulNBits rounds activations per row and block: no row sees another


class Precision(StrEnum):
    """
    How weights are kept and how the tower computes.

    fp32: as trained. fp16: stored in half the room, computed in float32. int8w: weights of 8 bits.
    int8: weights and activations of 8 bits, with scales measured beforehand.
    """

    FP32 = "fp32"
    FP16 = "fp16"
    INT8_WEIGHTS = "int8w"
    INT8 = "int8"


Feeds = Mapping[str, Any]


def compress(path: Path, precision: Precision, *, calibration: Sequence[Feeds]) -> Any:
    """
    Make a smaller graph of a float32 one.

    Args:
        path: the float32 graph; it stays as it is.
        calibration: inputs from which `int8` learns the range of every activation.

    Returns:
        The graph.

    Raises:
        BrokenBundle: ONNX Runtime's tools cannot do it.
    """
    try:
        return _compressed(path, precision, calibration)
    except Exception as exc:
        raise BrokenBundle(
            f"{path.stem} cannot be brought to {precision}: {exc}", hint="choose another precision"
        ) from exc


def _compressed(path: Path, precision: Precision, calibration: Sequence[Feeds]) -> Any:
    static = precision is Precision.INT8
    proto = _static(path, calibration) if static else onnx.load(str(path))
    if precision is Precision.FP16:
        halve(proto)
    if precision is Precision.INT8_WEIGHTS:
        proto = _weights_only(proto)
    forget_origin(proto)
    return proto


def _weights_only(proto: Any) -> Any:
    with _silence():
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        maker = MatMulNBitsQuantizer(
            proto, bits=8, block_size=BLOCK, is_symmetric=True, accuracy_level=_INT8_ACTIVATIONS
        )
        maker.process()
    return maker.model.model


def _static(path: Path, calibration: Sequence[Feeds]) -> Any:
    ready, made = path.with_suffix(".ready.onnx"), path.with_suffix(".int8.onnx")
    with _silence():
        from onnxruntime.quantization import (
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_static,
        )
        from onnxruntime.quantization.shape_inference import quant_pre_process

        quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(made),
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=_narrowing(onnx.load(str(ready), load_external_data=False)),
            extra_options={"MatMulConstBOnly": True},
        )
    return onnx.load(str(made))


def _narrowing(proto: Any) -> list[str]:
    """
    Name the layers that narrow to half or less; they stay in float32.

    They follow a non-linearity whose few large values leave the many small ones no levels: on
    MiniLM they are the difference between a mean cosine of 0.933 and 0.990.
    """
    shapes = {weight.name: list(weight.dims) for weight in proto.graph.initializer}
    found = ((node.name, shapes.get(node.input[1], [])) for node in _products(proto))
    return [name for name, shape in found if len(shape) == 2 and shape[0] >= 2 * shape[1]]


def _products(proto: Any) -> list[Any]:
    return [node for node in proto.graph.node if node.op_type in ("MatMul", "Gemm")]


class _Reader:
    """Hand out the calibration inputs once, as `CalibrationDataReader` does."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self._left = iter(feeds)

    def get_next(self) -> Feeds | None:
        """Return the next input, or None."""
        return next(self._left, None)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the quantiser from setting up logging when imported, and its remarks from the user."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
