"""Whether a written graph gives the vectors of the original, at several shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crosslens.errors import BrokenBundle
from crosslens.hubs.pairs import PairSide
from crosslens.hubs.sides import PictureSide, TextSide
from crosslens.train.graphs import MOST_DRIFT, difference, open_session

TEXT_SHAPES = ((1, 2), (1, 7), (2, 16), (3, 33), (8, 9))  # batch, length; and one of full length
PICTURE_BATCHES = (1, 2, 5)


def require_parity(side: TextSide | PictureSide | PairSide, path: Path) -> float:
    """
    Compare a graph with its tower; returns the largest difference of a component.

    Raises:
        BrokenBundle: it is above 1e-4.
    """
    session = open_session(path)
    names = [entry.name for entry in session.get_inputs()]
    worst = 0.0
    for inputs in _shapes(side):
        feeds: dict[str, Any] = {n: v.numpy() for n, v in zip(names, inputs, strict=True)}
        with torch.no_grad():
            wanted = side.tower(*inputs)
        found = difference(session, feeds, wanted)
        worst = found if found != found else max(worst, found)
    if not worst <= MOST_DRIFT:
        raise BrokenBundle(
            f"{path.name} differs from the original by {worst:.2g}, allowed is {MOST_DRIFT:g}"
        )
    return worst


def _shapes(side: TextSide | PictureSide | PairSide) -> Iterator[tuple[Tensor, ...]]:
    if isinstance(side, TextSide):
        return _texts(side)
    return _pairs(side) if isinstance(side, PairSide) else _pictures(side)


def _pairs(side: PairSide) -> Iterator[tuple[Tensor, ...]]:
    """Random ids with ragged masks; the second half of each row is the text."""
    first, last = side.inputs([("", "")])[0][0, [0, -1]].tolist()
    for batch, length in (*TEXT_SHAPES[1:], (1, side.card.max_tokens)):
        generator = torch.Generator().manual_seed(batch * 1000 + length)
        width = min(length, side.card.max_tokens)
        ids = torch.randint(0, side.vocabulary, (batch, width), generator=generator)
        kept = (width - torch.arange(batch)).clamp(min=min(4, width))[:, None]
        mask = (torch.arange(width)[None] < kept).long()
        ids = torch.where(mask == 1, ids, int(side.reference.pad_token_id or 0))
        ids[:, 0] = first
        ids[torch.arange(batch), kept[:, 0] - 1] = last
        types = mask * (torch.arange(width)[None] >= kept // 2)
        yield (ids, mask, types)[: len(side.names)]


def _texts(side: TextSide) -> Iterator[tuple[Tensor, ...]]:
    """Random ids with ragged masks: row r has one token less than row r - 1, but at least two."""
    last = side.reference.encode("a")[-1:] if not side.card.pad_to else []
    for batch, length in (*TEXT_SHAPES, (1, side.card.max_tokens)):
        width = side.card.pad_to or min(length, side.card.max_tokens)
        generator = torch.Generator().manual_seed(batch * 1000 + length)
        ids = torch.randint(0, side.vocabulary, (batch, width), generator=generator)
        kept = (width - torch.arange(batch)).clamp(min=min(2, width))[:, None]
        mask = (torch.arange(width)[None] < kept).long()
        ids = torch.where(mask == 1, ids, side.pad_id)
        for row, count in enumerate(kept[:, 0].tolist()):
            ids[row, count - 1] = last[0] if last else ids[row, count - 1]
        yield (ids,) if side.card.pad_to else (ids, mask)


def _pictures(side: PictureSide) -> Iterator[tuple[Tensor]]:
    for batch in PICTURE_BATCHES:
        generator = torch.Generator().manual_seed(batch)
        shape = (batch, 3, side.card.height, side.card.width)
        yield (torch.randn(shape, generator=generator),)
