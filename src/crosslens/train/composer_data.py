"""What a composer learns from: pictures as pixels or as vectors, and wishes in words."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crosslens.corpora.composed import ComposedSet, Wish
from crosslens.encode.encoder import PictureEncoder, TextEncoder
from crosslens.errors import InvalidRequest, UnreadablePicture
from crosslens.pictures import decode
from crosslens.train.augment import MEAN, STD
from crosslens.train.disk import explained, take_room
from crosslens.train.source import Rows
from crosslens.values import Floats

AT_ONCE = 64
DIMMED, TINTED = 0.15, 0.05  # light changes by at most this, and each colour of it
_SWAPPED = {"left": "right", "right": "left", "左": "右", "右": "左"}
_SIDES = re.compile("|".join(_SWAPPED))
Flags = NDArray[np.bool_]


class Sights(Protocol):
    """Pictures as a composer takes them."""

    def take(
        self,
        rows: Rows,
        rng: np.random.Generator | None = None,
        *,
        shift: int = 0,
        mirrored: Flags | None = None,
    ) -> Tensor:
        """Give pictures; with `rng`, disturbed as training wants them."""
        ...


class Pixels:
    """
    Pictures of a set, decoded once into a file: float32 [N, 3, H, W].

    Args:
        cache: the file; kept between runs over the same pictures.

    Raises:
        InvalidRequest: a picture is away, cannot be read, or has another size than the first.
    """

    def __init__(
        self,
        pictures: Sequence[Path],
        cache: Path,
        *,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:
        height, width, _ = _pixels(pictures[0]).shape
        shape = (len(pictures), height, width, 3)
        mark = cache.with_suffix(".sha256")
        digest = hashlib.sha256("\n".join(map(str, pictures)).encode()).hexdigest()
        if not mark.exists() or mark.read_text("ascii") != digest:
            _decode_all(pictures, cache, shape, progress)
            mark.write_text(digest, "ascii")
        self._pixels = np.memmap(cache, np.uint8, "r", shape=shape)

    def take(
        self,
        rows: Rows,
        rng: np.random.Generator | None = None,
        *,
        shift: int = 0,
        mirrored: Flags | None = None,
    ) -> Tensor:
        """Give pictures; moved and lit otherwise with `rng`, mirrored only where it is said."""
        pixels = np.asarray(self._pixels[rows])
        if mirrored is not None:
            pixels[mirrored] = pixels[mirrored, :, ::-1]
        if rng is not None and shift:
            pixels = _moved(pixels, rng, shift)
        scale = np.full((len(rows), 3), 1 / 255)
        if rng is not None:
            scale *= rng.uniform(1 - DIMMED, 1 + DIMMED, (len(rows), 1))
            scale *= rng.uniform(1 - TINTED, 1 + TINTED, (len(rows), 3))
        values = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()  # channels last, as it lies
        values.mul_(torch.from_numpy(scale.astype(np.float32))[:, :, None, None] / STD[0])
        return values.sub_(MEAN[0] / STD[0])


class PictureVectors:
    """Vectors of pictures in the space of a frozen bundle: float32 [N, dim]."""

    def __init__(self, vectors: Floats) -> None:
        self._vectors = vectors

    def take(
        self,
        rows: Rows,
        rng: np.random.Generator | None = None,
        *,
        shift: int = 0,
        mirrored: Flags | None = None,
    ) -> Tensor:
        """Give vectors as they are."""
        return torch.from_numpy(self._vectors[rows])


@dataclass(frozen=True, slots=True)
class Material:
    """
    Pictures, wishes and how the words sound in a frozen bundle.

    Attributes:
        spoken: text → vector of a bundle; empty where pictures come as pixels.
        provenance: what the card says of the data.
    """

    sights: Sights
    labels: Sequence[str]
    wishes: Sequence[Wish]
    provenance: Mapping[str, Any]
    spoken: Mapping[str, Floats] = field(default_factory=dict, repr=False)

    def texts(self) -> list[str]:
        """List all words, each once."""
        return texts_of(self.wishes)


def mirrored_words(text: str) -> str:
    """Say left for right and right for left, in English and Chinese."""
    return _SIDES.sub(lambda found: _SWAPPED[found.group()], text)


def texts_of(wishes: Sequence[Wish]) -> list[str]:
    """List the words of wishes, each once."""
    found = (text for wish in wishes for texts in wish.words.values() for text in texts)
    return list(dict.fromkeys(found))


def over_pixels(found: ComposedSet, cache: Path, **options: Any) -> Material:
    """Take a set as pixels; see Pixels."""
    sights = Pixels(found.pictures, cache, **options)
    return Material(sights, found.labels, found.wishes, provenance_of(found))


def over_vectors(
    found: ComposedSet, pictures: PictureEncoder, words: TextEncoder, cache: Path
) -> Material:
    """
    Take a set as vectors of a bundle; those of the pictures are kept in the folder `cache`.

    Raises:
        UnreadablePicture: a picture cannot be decoded.
    """
    vectors = described(found.pictures, pictures, cache)
    provenance = {**provenance_of(found), "space": pictures.space.name}
    return Material(
        PictureVectors(vectors), found.labels, found.wishes, provenance,
        spoken_of(texts_of(found.wishes), words),
    )  # fmt: skip


def described(files: Sequence[Path], pictures: PictureEncoder, cache: Path) -> Floats:
    """
    Encode picture files with a bundle, once: float32 [N, dim].

    Args:
        cache: a folder; the vectors are kept there by the files and the space.

    Raises:
        UnreadablePicture: one cannot be decoded.
    """
    names = "\n".join([pictures.space.name, *map(str, files)])
    path = cache / f"vectors-{hashlib.sha256(names.encode()).hexdigest()[:16]}.npy"
    if not path.exists():
        parts = [
            pictures.encode_pictures([p.read_bytes() for p in files[n : n + AT_ONCE]]).array
            for n in range(0, len(files), AT_ONCE)
        ]
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.concatenate(parts))
    vectors: Floats = np.load(path)
    return vectors


def spoken_of(texts: Sequence[str], words: TextEncoder) -> dict[str, Floats]:
    """Encode words with a bundle, as queries."""
    found: dict[str, Floats] = {}
    for start in range(0, len(texts), AT_ONCE):
        part = texts[start : start + AT_ONCE]
        found.update(zip(part, words.encode_queries(part).array, strict=True))
    return found


def provenance_of(found: ComposedSet) -> dict[str, Any]:
    """Say what the data is."""
    digest = hashlib.sha256()
    for wish in found.wishes:
        digest.update(repr((wish.source, wish.targets, sorted(wish.words.items()))).encode())
    return {
        "data": found.name, "split": found.split, "pictures": len(found.pictures),
        "wishes": len(found.wishes), "sha256": digest.hexdigest(), **found.about,
    }  # fmt: skip


def numbered(labels: Sequence[str]) -> Rows:
    """Number labels by first appearance."""
    order = {name: place for place, name in enumerate(dict.fromkeys(labels))}
    return np.array([order[name] for name in labels], np.int64)


def _decode_all(
    pictures: Sequence[Path],
    cache: Path,
    shape: tuple[int, ...],
    progress: Callable[[int, int], None],
) -> None:
    with explained(cache):
        cache.parent.mkdir(parents=True, exist_ok=True)
    take_room(cache, math.prod(shape))
    kept = np.memmap(cache, np.uint8, "r+", shape=shape)
    for number, path in enumerate(pictures):
        pixels = _pixels(path)
        if pixels.shape != shape[1:]:
            raise InvalidRequest(
                f"{path} is {pixels.shape[1]} × {pixels.shape[0]}, the others are "
                f"{shape[2]} × {shape[1]}",
                hint="pictures of many sizes are composed over a bundle",
            )
        kept[number] = pixels
        if (number + 1) % AT_ONCE == 0 or number + 1 == len(pictures):
            progress(number + 1, len(pictures))
    kept.flush()


def _pixels(path: Path) -> NDArray[np.uint8]:
    try:
        return np.asarray(decode(path.read_bytes()))
    except (OSError, UnreadablePicture) as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc}") from exc


def _moved(pixels: NDArray[np.uint8], rng: np.random.Generator, most: int) -> NDArray[np.uint8]:
    """Move each picture by up to `most` pixels; what comes in repeats the edge."""
    _, height, width, _ = pixels.shape
    wide = np.pad(pixels, ((0, 0), (most, most), (most, most), (0, 0)), "edge")
    moved = np.empty_like(pixels)
    for number, (down, right) in enumerate(rng.integers(0, 2 * most + 1, (len(pixels), 2))):
        moved[number] = wide[number, down : down + height, right : right + width]
    return moved
