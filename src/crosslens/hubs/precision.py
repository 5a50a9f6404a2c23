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
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

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
    """
    static = precision is Precision.INT8
    proto = _static(path, calibration) if static else onnx.load(str(path))
    if precision is Precision.FP16:
        halve(proto)
    if precision is Precision.INT8_WEIGHTS:
        proto = _weights_only(proto)
    forget_origin(proto)
    return proto


def _weights_only(proto: Any) -> Any:
    maker = MatMulNBitsQuantizer(
        proto, bits=8, block_size=BLOCK, is_symmetric=True, accuracy_level=_INT8_ACTIVATIONS
    )
    with _silence():
        maker.process()
    return maker.model.model


def _static(path: Path, calibration: Sequence[Feeds]) -> Any:
    ready, made = path.with_suffix(".ready.onnx"), path.with_suffix(".int8.onnx")
    with _silence():
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
            extra_options={"MatMulConstBOnly": True},
        )
    return onnx.load(str(made))


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hand out the calibration inputs once."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self._left = iter(feeds)

    def get_next(self) -> Feeds | None:
        """Return the next input, or None."""
        return next(self._left, None)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the quantiser's remarks on itself from the user; the gate judges it."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
