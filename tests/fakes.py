"""Owned fakes: small real implementations of the seams, for tests."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from PIL import Image

from crosslens.values import Space, Vectors, fold


def jpeg(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (32, 24)) -> bytes:
    """A one-colour JPEG; other arguments give other bytes."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG", quality=90)
    return out.getvalue()


class FakeClock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def endless(step: Callable[[str, int, int], None]) -> Mapping[str, Any]:
    """Long work that ends only when somebody calls it off."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        step("working", 1, 2)
        time.sleep(0.005)
    raise AssertionError("nobody called it off")


class FakeTextEncoder:
    """Words → a bag of hashed words: texts that share words are near each other."""

    def __init__(self, space: Space, *, delay_s: float = 0.0) -> None:
        self.space = space
        self.delay_s = delay_s
        self.calls = 0

    def encode_queries(self, words: Sequence[str]) -> Vectors:
        return self._encode(words)

    def encode_items(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        time.sleep(self.delay_s)
        rows = [
            sum(
                (_seeded(word, self.space.dim) for word in fold(t).split()),
                1e-3 * _seeded("", self.space.dim),
            )
            for t in texts
        ]
        return Vectors.normalized(self.space, np.array(rows).reshape(len(texts), self.space.dim))


class FakePictureEncoder:
    """Pictures → their mean colour and its square: like colours are near each other."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.calls = 0

    def encode_pictures(self, pictures: Sequence[bytes]) -> Vectors:
        self.calls += 1
        rows = [_colour_vector(p, self.space.dim) for p in pictures]
        return Vectors.normalized(self.space, np.array(rows).reshape(len(rows), self.space.dim))


def _seeded(word: str, dim: int) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(dim).astype("f4")


def _colour_vector(content: bytes, dim: int) -> np.ndarray:
    from crosslens.errors import UnreadablePicture

    try:
        image = Image.open(io.BytesIO(content)).convert("RGB")
    except OSError as exc:
        raise UnreadablePicture("not a picture") from exc
    mean = np.asarray(image, "f4").reshape(-1, 3).mean(axis=0) / 255 - 0.5
    features = np.concatenate([mean, mean**2, [0.1]])
    projection = np.random.default_rng(7).standard_normal((features.size, dim))
    return (features @ projection).astype("f4")
