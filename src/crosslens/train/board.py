"""TensorBoard, where it is installed and wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from crosslens.errors import MissingExtra

Show = Callable[[Mapping[str, Any]], None]


@contextlib.contextmanager
def board(folder: Path, *, wanted: bool) -> Iterator[Show]:
    """
    Lend a function that draws a row of metrics; it does nothing where none is wanted.

    Raises:
        MissingExtra: it is wanted, but TensorBoard is not installed.
    """
    if not wanted:
        yield lambda row: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as exc:
        raise MissingExtra(
            "TensorBoard is not installed", hint="pip install 'crosslens[train]'"
        ) from exc
    with SummaryWriter(str(folder / "tensorboard")) as writer:

        def show(row: Mapping[str, Any]) -> None:
            for name, value in row.items():
                if name != "step":
                    writer.add_scalar(name, value, row["step"])

        yield show
