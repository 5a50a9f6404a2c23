"""Vectors and tensors ↔ what goes over the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from crosslens.encode import wire_pb2 as wire
from crosslens.encode.cards import Card, format_card
from crosslens.encode.towers import Row
from crosslens.errors import CrosslensError, WrongSpace
from crosslens.values import Space, Vectors

_TYPES: dict[wire.Tensor.Type, np.dtype[Any]] = {
    wire.Tensor.TYPE_FLOAT32: np.dtype("<f4"),
    wire.Tensor.TYPE_INT64: np.dtype("<i8"),
}


def reply_of(vectors: Vectors) -> wire.EncodeReply:
    """Write vectors."""
    content = np.ascontiguousarray(vectors.array, "<f4").tobytes()
    return wire.EncodeReply(space=vectors.space.name, dim=vectors.space.dim, vectors=content)


def vectors_of(reply: wire.EncodeReply, *, space: Space, count: int) -> Vectors:
    """
    Read vectors, one per input.

    Raises:
        WrongSpace: they are of another space than was asked for.
        CrosslensError: there are more or fewer of them.
        UnusableVector: a row has not length 1.
    """
    if (reply.space, reply.dim) != (space.name, space.dim):
        raise WrongSpace(f"asked for vectors of {space}, got {reply.space} ({reply.dim}-d)")
    rows = np.frombuffer(reply.vectors, "<f4")
    if rows.size != count * space.dim:
        raise CrosslensError(f"asked for {count} vectors of {space}, got {rows.size} numbers")
    return Vectors(space, rows.reshape(count, space.dim).astype(np.float32))


def tensors_of(inputs: Mapping[str, Row]) -> list[wire.Tensor]:
    """Write what a tower takes."""
    return [_tensor(name, array) for name, array in sorted(inputs.items())]


def inputs_of(tensors: Iterable[wire.Tensor]) -> dict[str, Row]:
    """Read what a tower takes."""
    return {
        tensor.name: np.frombuffer(tensor.content, _TYPES[tensor.type]).reshape(tensor.shape)
        for tensor in tensors
    }


def ids_of(ids: Iterable[int]) -> Row:
    """Read token ids: int64 [L]."""
    return np.fromiter(ids, np.int64)


def model_of(name: str, card: Card, *, loaded: bool, whole: bool = False) -> wire.Model:
    """Write what a bundle says of itself, with its card if `whole`."""
    return wire.Model(
        name=name,
        space=card.space,
        dim=card.dim,
        text=card.text is not None,
        picture=card.picture is not None,
        licence=card.licence,
        loaded=loaded,
        card=format_card(card) if whole else "",
    )


def _tensor(name: str, array: Row) -> wire.Tensor:
    kind = next(kind for kind, dtype in _TYPES.items() if dtype == array.dtype)
    content = np.ascontiguousarray(array, _TYPES[kind]).tobytes()
    return wire.Tensor(name=name, type=kind, shape=array.shape, content=content)
