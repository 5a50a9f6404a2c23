"""
Prints of pictures: what is left of one that survives scaling, compression and borders.

A print holds the picture and its content box (uniform borders cut off) at 64 × 64, and their
difference hashes (Krawetz 2013), each also of the mirrored picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crosslens.catalog.media import MediaStore
from crosslens.errors import CrosslensError
from crosslens.pictures import Limits, decode

SIDE = 64
VIEWS = ("full", "box")
PRINT = np.dtype(
    [
        ("sha256", "S64"),
        ("full", "u1", (SIDE, SIDE, 3)),
        ("box", "u1", (SIDE, SIDE, 3)),
        ("hashes", "<u8", (4,)),  # full, box, and both mirrored
    ]
)
Prints: TypeAlias = NDArray[np.void]
"""Structured array of dtype `PRINT`, one row per picture."""

_WORKING_SIDE = 2 * SIDE
_UNLIKE = 24  # levels of 255 by which content differs from its border
_NOISE = 0.02  # share of a row that compression may spoil
_SMALLEST = 24  # pixels of the working size that are left of a side at least
_TRIMS = 3  # a frame, its inner edge, and the picture's own margin
_AT_ONCE = 64
_HASH_SIZE = (9, 8)


@dataclass(frozen=True, slots=True)
class PrintFile:
    """
    Prints on disk, so that a scan looks only at pictures that are new; safe to delete.

    Attributes:
        path: rows of dtype `PRINT`, one after the other, without a header.
    """

    path: Path

    def read(self) -> Prints:
        """Map the prints that are there; a last one that was not written whole is left out."""
        rows = self.path.stat().st_size // PRINT.itemsize if self.path.exists() else 0
        if not rows:
            return np.empty(0, PRINT)
        return np.memmap(self.path, PRINT, "r", shape=(rows,))

    def add(self, prints: Prints) -> None:
        """Append prints, behind the last whole one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.truncate(file.tell() - file.tell() % PRINT.itemsize)
            file.write(prints.tobytes())


def make_prints(
    digests: Iterable[str], media: MediaStore, limits: Limits, *, threads: int
) -> Iterator[Prints]:
    """Make prints of pictures, in parts; one that cannot be read is left out."""

    def one(sha256: str) -> Prints | None:
        try:
            return print_of(sha256, media.get(sha256), limits)
        except CrosslensError:
            return None

    waiting = iter(digests)
    with ThreadPoolExecutor(threads, thread_name_prefix="prints") as pool:
        while part := list(islice(waiting, _AT_ONCE)):
            made = [each for each in pool.map(one, part) if each is not None]
            yield np.concatenate([np.empty(0, PRINT), *made])


def print_of(sha256: str, content: bytes, limits: Limits) -> Prints:
    """
    Make the print of one picture: one row.

    Raises:
        UnreadablePicture: it cannot be decoded.
    """
    image = decode(content, limits, draft=(_WORKING_SIDE, _WORKING_SIDE))
    image.thumbnail((_WORKING_SIDE, _WORKING_SIDE), Image.Resampling.BOX)
    views = (image, Image.fromarray(content_box(np.asarray(image))))
    row = np.zeros(1, PRINT)
    row["sha256"] = sha256
    for name, view in zip(VIEWS, views, strict=True):
        row[name] = np.asarray(view.resize((SIDE, SIDE), Image.Resampling.BOX))
    mirrored = [view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for view in views]
    row["hashes"] = [difference_hash(view) for view in (*views, *mirrored)]
    return row


def content_box(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut uniform borders off uint8 [H, W, 3], one inside the other."""
    for _ in range(_TRIMS):
        edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
        border = np.median(np.concatenate(edges), axis=0)
        unlike = np.abs(pixels - border).max(axis=2) > _UNLIKE
        rows, columns = _extent(unlike.mean(axis=1)), _extent(unlike.mean(axis=0))
        cut = pixels[rows, columns]
        if min(cut.shape[:2]) < _SMALLEST or cut.shape == pixels.shape:
            break
        pixels = cut
    return pixels


def difference_hash(image: Image.Image) -> int:
    """Say of 8 × 8 places whether it gets brighter to the right: 64 bits, row by row."""
    grey = np.asarray(image.convert("L").resize(_HASH_SIZE, Image.Resampling.BOX), dtype=np.int16)
    bits: NDArray[np.uint8] = np.packbits(grey[:, 1:] > grey[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def of_digests(prints: Prints, digests: Sequence[str]) -> Prints:
    """Return the prints of these pictures, in their order; unknown ones are left out."""
    place = {name.decode("ascii"): n for n, name in enumerate(prints["sha256"].tolist())}
    return prints[np.array([place[name] for name in digests if name in place], dtype=np.int64)]


def _extent(shares: NDArray[np.float64]) -> slice:
    """From the first to the last line with content, less the blurred line at a cut edge."""
    inside = np.flatnonzero(shares > _NOISE)
    if not len(inside):
        return slice(0, len(shares))
    first, last = int(inside[0]), int(inside[-1]) + 1
    return slice(first + (first > 0), last - (last < len(shares)))
