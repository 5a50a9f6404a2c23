"""Open whatever composed set a folder holds."""

from __future__ import annotations

from pathlib import Path

from crosslens.corpora import (
    composed_catalogue,
    composed_cirr,
    composed_css3d,
    composed_fashion200k,
    composed_iq,
    composed_states,
)
from crosslens.corpora.composed import ComposedSet
from crosslens.errors import InvalidRequest


def open_composed(path: Path, split: str, *, unpickle: bool = False) -> ComposedSet:
    """
    Open a split of a composed set in its published layout.

    Args:
        split: "train", "test", "val" … as the set calls it.
        unpickle: whether the original CSS3D file, a pickle, may be read; with nothing in it but
            plain values and NumPy arrays.

    Raises:
        InvalidRequest: no composed set that is known, no such split, or a file of it is bad.
    """
    if not path.is_dir():
        raise InvalidRequest(f"there is no folder {path}")
    if composed_css3d.is_here(path):
        return composed_css3d.read(path, split, unpickle=unpickle)
    for is_here, read in _LAYOUTS:
        if is_here(path):
            return read(path, split)
    raise InvalidRequest(
        f"{path} is no composed set that is known",
        hint="known are CSS3D, Fashion200k, MIT-States, Fashion-IQ and CIRR as they are "
        "published, and folders with items.jsonl and composed.jsonl",
    )


_LAYOUTS = (
    (composed_catalogue.is_here, composed_catalogue.read),
    (composed_cirr.is_here, composed_cirr.read),
    (composed_iq.is_here, composed_iq.read),
    (composed_fashion200k.is_here, composed_fashion200k.read),
    (composed_states.is_here, composed_states.read),
)
