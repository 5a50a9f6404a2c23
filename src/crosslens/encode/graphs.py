"""Graphs on ONNX Runtime, opened the same way wherever they are run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from crosslens.errors import BrokenBundle

CPU = "CPUExecutionProvider"
_ERRORS_ONLY = 3


def open_graph(
    path: Path, *, threads: int = 1, providers: Sequence[Any] = (CPU,), one_shape: bool = False
) -> Any:
    """
    Open a graph.

    Args:
        threads: cores for one run; 0 leaves it to the runtime.
        providers: what runs it, as ONNX Runtime takes them, in order of preference.
        one_shape: every run has the same shapes, so that a plan of its memory is worth keeping.

    Raises:
        BrokenBundle: it cannot be loaded.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = one_shape  # a plan is kept per shape, and every length is one
    options.log_severity_level = _ERRORS_ONLY
    try:
        return ort.InferenceSession(str(path), options, providers=list(providers))
    except Exception as exc:
        raise BrokenBundle(f"{path} cannot be loaded: {exc}") from exc
