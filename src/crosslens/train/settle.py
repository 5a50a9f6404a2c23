"""A trained dual encoder, settled: folded, rounded, written as two graphs, and compared."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crosslens.errors import BrokenBundle
from crosslens.train.graphs import (
    EXPORTERS,
    LARGEST_BATCH,
    MOST_DRIFT,
    SMALLEST_HALVED,
    Exporter,
    Graph,
    difference,
    halve,
    open_session,
    save_graph,
    write_graph,
)
from crosslens.train.model import DualEncoder

TEXT_SHAPES = ((1, 1), (1, 5), (2, 32), (3, 16), (8, 9), (5, 24))
PICTURE_SHAPES = (1, 2, 3, 4, 5, 8)


def write_graphs(
    model: DualEncoder,
    folder: Path,
    *,
    exporters: Sequence[Exporter] = EXPORTERS,
    halved: bool = True,
) -> tuple[Path, Path]:
    """
    Write `text.onnx` and `picture.onnx` of a settled model, and compare them with it.

    Args:
        exporters: tried in this order, until one does not fail.
        halved: store large weights as float16; the model must have been rounded to them.

    Raises:
        BrokenBundle: no exporter works, or the graphs differ from PyTorch by more than 1e-4.
    """
    text, picture = folder / "text.onnx", folder / "picture.onnx"
    for graph, path in ((_text_graph(model), text), (_picture_graph(model), picture)):
        proto = write_graph(graph, path, exporters)
        if halved:
            halve(proto)
        save_graph(proto, path)
    drift = max(_text_drift(model, text), _picture_drift(model, picture))
    if not drift <= MOST_DRIFT:
        raise BrokenBundle(
            f"the exported towers differ from PyTorch by {drift:.2g}, allowed is {MOST_DRIFT:g}"
        )
    return text, picture


def settle(model: DualEncoder, *, rounded: bool = True) -> DualEncoder:
    """Fold the normalisations into the convolutions, and round what will be stored as float16."""
    settled = copy.deepcopy(model).float().eval()
    for part in settled.picture.modules():
        if isinstance(part, nn.Sequential):
            _fold(part)
    with torch.no_grad():
        for parameter in settled.parameters():
            if rounded and parameter.numel() >= SMALLEST_HALVED:
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


def _text_drift(model: DualEncoder, path: Path) -> float:
    session = open_session(path)
    found = 0.0
    for batch, length in TEXT_SHAPES:
        ids, mask = _tokens(model, batch, min(length, model.config.max_tokens))
        feeds = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
        found = max(found, difference(session, feeds, model.text(ids, mask)))
    return found


def _picture_drift(model: DualEncoder, path: Path) -> float:
    session = open_session(path)
    found = 0.0
    for batch in PICTURE_SHAPES:
        pictures = _noise(model, batch)
        feeds = {"pixel_values": pictures.numpy()}
        found = max(found, difference(session, feeds, model.picture(pictures)))
    return found


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
