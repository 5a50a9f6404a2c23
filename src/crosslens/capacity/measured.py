"""What was measured: bytes and speeds, written by `benchmarks/capacity.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

FILE = "measured.json"


@dataclass(frozen=True, slots=True)
class Line:
    """
    Bytes by what there is of it.

    Attributes:
        per_row: of a vector, whatever its dimension.
        per_component: of each component of a vector.
        per_product: of a product beside its vectors: keywords, attributes, keys.
        fixed: of an empty one.
    """

    per_row: float
    per_component: float
    per_product: float
    fixed: float = 0.0

    def of(self, *, products: float, rows: float, dim: int) -> float:
        """Return the bytes of so many products with so many vectors in all."""
        each = self.per_row + dim * self.per_component
        return self.fixed + products * self.per_product + rows * each


@dataclass(frozen=True, slots=True)
class Speed:
    """
    What an encoder does in a second on one core.

    Attributes:
        dim: components of its vectors.
        pictures, texts: per core-second, preprocessing included; 0: it has no such tower.
        source: where this was measured.
    """

    dim: int
    pictures: float
    texts: float
    source: str


@dataclass(frozen=True, slots=True)
class Measured:
    """
    The constants of all plans.

    Attributes:
        zvec_memory, zvec_disk: of the embedded index.
        zvec_build_us: CPU microseconds to write a vector of 512 components and to index it.
        catalog: bytes of the catalogue's rows; per row: of a picture's.
        kept: bytes of vectors kept beside the index.
        encoders: speeds by name.
        about: when and on what this was measured, in words.
    """

    zvec_memory: Line
    zvec_disk: Line
    zvec_build_us: float
    catalog: Line
    kept: Line
    encoders: Mapping[str, Speed]
    about: str


@cache
def measured() -> Measured:
    """Read what comes along."""
    return parsed(json.loads(files(__package__).joinpath(FILE).read_text("utf-8")))


def parsed(told: Mapping[str, Any]) -> Measured:
    """Make of a file's content what plans are made with."""
    lines = {name: Line(**told[name]) for name in ("zvec_memory", "zvec_disk", "catalog", "kept")}
    encoders = {name: Speed(**speed) for name, speed in told["encoders"].items()}
    return Measured(
        **lines, encoders=encoders, zvec_build_us=told["zvec_build_us"], about=told["about"]
    )
