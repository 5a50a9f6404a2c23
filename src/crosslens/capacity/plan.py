"""A catalogue of a size → how much of everything it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite

from crosslens.capacity.indexes import INDEXES, Index
from crosslens.capacity.measured import Measured, Speed
from crosslens.errors import InvalidRequest

FULL = 0.7  # share of a machine's memory that an index may take: queries and merging need the rest
BUSY = 0.8  # share of their time that encoders of a fleet are at work
ALONE_ROWS = 20_000_000  # vectors beyond which one process is not the way
_GIB = 2**30
_HOUR_S, _DAY_S = 3_600, 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    What is wanted.

    Attributes:
        pictures_per_product: on average.
        dim: components of the vectors.
        text_spaces, picture_spaces: vectors per text and per picture; 2 where another bundle than
            the cross-modal one does words or looks.
        replicas: copies of the index, so that one may be away.
        machine_gib: memory of a machine that searches.
        picture_kb: bytes of a picture in the bucket, in thousands.
        days: in which everything shall be encoded anew.

    Raises:
        InvalidRequest: a number is out of its range.
    """

    products: int
    pictures_per_product: float = 1.0
    dim: int = 512
    text_spaces: int = 1
    picture_spaces: int = 1
    replicas: int = 2
    machine_gib: float = 64.0
    picture_kb: float = 100.0
    days: float = 7.0

    def __post_init__(self) -> None:
        _require("products", self.products, 1, 10**12)
        _require("pictures_per_product", self.pictures_per_product, 0, 100)
        _require("dim", self.dim, 1, 32_768)
        _require("text_spaces", self.text_spaces, 1, 2)
        _require("picture_spaces", self.picture_spaces, 1, 2)
        _require("replicas", self.replicas, 1, 100)
        _require("machine_gib", self.machine_gib, 1, 100_000)
        _require("picture_kb", self.picture_kb, 0, 100_000)
        _require("days", self.days, 0.01, 3_650)

    @property
    def pictures(self) -> float:
        """How many in all."""
        return self.products * self.pictures_per_product

    @property
    def vectors(self) -> float:
        """How many in all."""
        return self.products * self.text_spaces + self.pictures * self.picture_spaces


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """
    One kind of index for a wish.

    Attributes:
        memory, disk: bytes of one replica.
        shards: machines that hold one replica between them.
        machines: shards of all replicas.
        fits: whether it is the way at this size.
    """

    index: Index
    memory: float
    disk: float
    shards: int
    machines: int
    fits: bool


@dataclass(frozen=True, slots=True)
class EncoderPlan:
    """
    Encoding everything anew.

    Attributes:
        core_hours: of cores like the one that was measured.
        cores: busy for so many days.
    """

    name: str
    core_hours: float
    cores: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a wish needs; bytes are of one copy."""

    wish: Wish
    indexes: Sequence[IndexPlan]
    catalog: float
    kept: float
    media: float
    encoders: Sequence[EncoderPlan]


def plan(wish: Wish, measured: Measured, *, indexes: Sequence[str] = tuple(INDEXES)) -> Plan:
    """
    Plan for a wish.

    Args:
        indexes: the kinds of index to plan for.

    Raises:
        InvalidRequest: there is no such kind.
    """
    kept_rows = wish.vectors
    rows = {"products": wish.products, "dim": wish.dim}
    return Plan(
        wish,
        [_index(_known(name), wish, measured) for name in indexes],
        catalog=measured.catalog.of(**rows, rows=wish.pictures),
        kept=measured.kept.of(**rows, rows=kept_rows),
        media=wish.pictures * wish.picture_kb * 1_000,
        encoders=[_encoder(name, speed, wish) for name, speed in measured.encoders.items()],
    )


def _index(index: Index, wish: Wish, measured: Measured) -> IndexPlan:
    size = index.of(measured, products=wish.products, rows=wish.vectors, dim=wish.dim)
    usable = wish.machine_gib * _GIB * FULL
    shards = max(1, ceil(size.memory / usable))
    if index.alone:
        fits = shards == 1 and wish.vectors <= ALONE_ROWS
        return IndexPlan(index, size.memory, size.disk, 1, 1, fits)
    return IndexPlan(index, size.memory, size.disk, shards, shards * wish.replicas, fits=True)


def _encoder(name: str, speed: Speed, wish: Wish) -> EncoderPlan:
    pictures = wish.pictures / speed.pictures if speed.pictures else 0.0
    texts = wish.products / speed.texts if speed.texts else 0.0
    seconds = pictures + texts
    return EncoderPlan(name, seconds / _HOUR_S, ceil(seconds / (wish.days * _DAY_S * BUSY)))


def _known(name: str) -> Index:
    if name not in INDEXES:
        raise InvalidRequest(f"the index is {name!r}; allowed are {', '.join(INDEXES)}")
    return INDEXES[name]


def _require(name: str, value: float, least: float, most: float) -> None:
    if not isfinite(value) or not least <= value <= most:
        raise InvalidRequest(f"{name} is {value:,}, allowed are {least:,} to {most:,}")
