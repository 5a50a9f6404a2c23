"""What decides a training run: what all have in common, and what an encoder's has beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeAlias

from crosslens.errors import InvalidRequest

STRIDE = 32
Ranges: TypeAlias = Mapping[str, tuple[float, float]]


class Precision(StrEnum):
    """Arithmetic of the forward pass; weights and their updates are always float32."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """
    How something is learned, whatever it is.

    Attributes:
        folder: where the run lives: `config.json`, `tokenizer.json`, `metrics.jsonl`, `last.pt`,
            `best.pt`.
        steps: length of the schedule.
        max_minutes: stop and save after this long, resumable; 0 means no limit.
        second_beta: how slowly the optimiser forgets the size of gradients.
        ema_decay: how slowly the running average forgets the weights.
        validate_every: steps between validations; each saves the run.
        threads: CPU threads of PyTorch; 0 leaves them as they are. A resumed run repeats to the
            bit only with the same number.
    """

    folder: Path
    steps: int
    max_minutes: float = 0.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    second_beta: float = 0.98
    warm_up: int = 100
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    validate_every: int = 250
    log_every: int = 20
    seed: int = 1
    threads: int = 0
    device: str = "cpu"
    precision: Precision = Precision.AUTO
    tensorboard: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        allowed = ", ".join(Precision)
        require(self.precision in {*Precision}, "precision", self.precision, allowed)
        object.__setattr__(self, "precision", Precision(self.precision))
        require_ranges(self, _SHARED)

    def rate_at(self, step: int) -> float:
        """
        Rise over the warm-up, stay, and fall to a fiftieth over the last fifth.

        So a run may be resumed with more steps before it falls (Hägele et al. 2024).
        """
        return self.held_rate(step, fall=0.2)

    def held_rate(self, step: int, *, fall: float) -> float:
        """Rise over the warm-up, stay, and fall to a fiftieth over the last share of the steps."""
        warm_up = min(self.warm_up, self.steps // 10)
        falling = max(1, int(self.steps * fall))
        left = (self.steps - step) / falling
        return self.learning_rate * min((step + 1) / max(1, warm_up), 1.0, max(left, 0.02))

    def to_json(self) -> dict[str, Any]:
        """Give plain values, which `from_json` reads back to an equal config."""
        table = asdict(self)
        paths = {k: str(v) for k, v in table.items() if isinstance(v, Path)}
        return {**table, **paths, "precision": str(self.precision)}

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> Self:
        """
        Read what `to_json` wrote.

        Raises:
            InvalidRequest: a name is unknown or a value is not allowed.
        """
        _require_known(cls, table)
        return cls(**table)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """
    Shape of the dual encoder.

    Attributes:
        picture_px: side of the square picture, a multiple of 32.
        picture_widths: channels of the four stages; the first quarters the side, each other
            halves it.
        spatial_width: channels of the part that keeps where things are, in a 2 × 2 grid.
        vocabulary: most token ids; the tokenizer may need fewer.
        token_width: width of the token table, widened to `text_width` by a matrix.
        max_tokens: longest text, the leading [CLS] included.
    """

    dim: int = 192
    picture_px: int = 128
    picture_widths: tuple[int, ...] = (64, 128, 192, 256)
    spatial_width: int = 64
    vocabulary: int = 9000
    token_width: int = 96
    text_width: int = 192
    text_layers: int = 3
    text_heads: int = 4
    max_tokens: int = 32

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture_widths", tuple(self.picture_widths))
        whole("dim", self.dim, 8, 4096)
        whole("picture_px", self.picture_px, 2 * STRIDE, 1024)
        require(self.picture_px % STRIDE == 0, "picture_px", self.picture_px, "a multiple of 32")
        require(len(self.picture_widths) == 4, "picture_widths", self.picture_widths, "4 numbers")
        for width in self.picture_widths:
            whole("picture_widths", width, 4, 4096)
        whole("text_layers", self.text_layers, 1, 48)
        whole("max_tokens", self.max_tokens, 2, 8192)
        require(
            self.text_heads > 0 and self.text_width % self.text_heads == 0,
            "text_heads", self.text_heads, f"a divisor of text_width, {self.text_width}",
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(Training):
    """
    One training run of an encoder.

    Attributes:
        products: products per step; each brings two pictures and up to two texts.
        small_px, small_share: side of the pictures in the first part of the run, and how large a
            part that is; most of what there is to learn can be learned small, at half the cost.
        focus: share of the steps whose products come in fours of one kind that agree in most
            attributes, so that the wrong answers are near ones.
        instance_weight: how much two pictures of one product attract each other.
        meaning_weight: how much two phrases that say the same attract each other.
        attribute_weight: how much the heads that name attributes count; they are not exported.
        gallery: products in a validation, at most.
        start_from: a finished run, or a bundle exported from one, to fine-tune; its shape is
            kept, and its tokenizer too unless `new_words`.
        new_words: learn the tokenizer anew from this data; tokens that the run before did not
            have start from the pieces that it had for them.
        words_only: the text tower alone learns; pictures are described once, by the tower that
            the run starts from, and stay where they are. A step costs a fraction of a whole one.
    """

    steps: int = 4000
    products: int = 96
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    second_beta: float = 0.999
    warm_up: int = 200
    small_px: int = 96
    small_share: float = 0.4
    focus: float = 0.7
    instance_weight: float = 0.5
    attribute_weight: float = 1.0
    meaning_weight: float = 0.5
    validate_every: int = 500
    gallery: int = 1000
    start_from: Path | None = None
    new_words: bool = False
    words_only: bool = False
    model: ModelConfig = field(default_factory=ModelConfig)

    def __post_init__(self) -> None:
        Training.__post_init__(self)
        if self.start_from is not None:
            object.__setattr__(self, "start_from", Path(self.start_from))
        if isinstance(self.model, Mapping):
            object.__setattr__(self, "model", model_from_json(self.model))
        require_ranges(self, _ENCODER)
        if self.words_only and self.start_from is None:
            raise InvalidRequest(
                "words_only is on, and start_from names nothing whose pictures could be described",
                hint="name a run or a bundle to start from",
            )
        require(self.small_px % STRIDE == 0, "small_px", self.small_px, "a multiple of 32")

    def rate_at(self, step: int) -> float:
        """Rise in a straight line over the warm-up, then fall along a cosine to zero."""
        warm_up = min(self.warm_up, self.steps // 10)
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        done = (step - warm_up) / max(1, self.steps - warm_up)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def px_at(self, step: int) -> int:
        """Say how large the pictures of a step are."""
        small = step < self.small_share * self.steps
        return min(self.small_px, self.model.picture_px) if small else self.model.picture_px


def model_from_json(table: Mapping[str, Any]) -> ModelConfig:
    """
    Read the shape of a model.

    Raises:
        InvalidRequest: a name is unknown or a value is not allowed.
    """
    _require_known(ModelConfig, table)
    return ModelConfig(**table)


_STEPS = 10**8
_SHARED: Ranges = {
    "steps": (1, _STEPS),
    "validate_every": (1, _STEPS),
    "log_every": (1, _STEPS),
    "warm_up": (0, _STEPS),
    "seed": (0, 2**62),
    "threads": (0, 1024),
    "max_minutes": (0.0, 1e6),
    "learning_rate": (1e-7, 1.0),
    "weight_decay": (0.0, 10.0),
    "second_beta": (0.0, 0.999999),
    "clip_norm": (1e-3, 1e6),
    "ema_decay": (0.0, 0.999999),
}
_ENCODER: Ranges = {
    "products": (2, 65_536),
    "gallery": (2, 100_000),
    "small_px": (2 * STRIDE, 1024),
    "focus": (0.0, 1.0),
    "small_share": (0.0, 1.0),
    "instance_weight": (0.0, 100.0),
    "attribute_weight": (0.0, 100.0),
    "meaning_weight": (0.0, 100.0),
}


def _require_known(cls: type, values: Mapping[str, Any]) -> None:
    names = {f.name for f in fields(cls)}
    for name in values:
        require(name in names, "setting", name, "one of " + ", ".join(sorted(names)))


def require_ranges(settings: object, ranges: Ranges) -> None:
    """
    Check numbers by their names: whole ones where the limits are whole.

    Raises:
        InvalidRequest: one is not in its range; the message names it.
    """
    for name, (low, high) in ranges.items():
        value = getattr(settings, name)
        if isinstance(low, int):
            whole(name, value, low, int(high))
        else:
            require(low <= value <= high, name, value, f"{low:g} to {high:g}")


def whole(name: str, value: Any, low: int, high: int) -> None:
    """
    Check a whole number.

    Raises:
        InvalidRequest: it is not one, or not in [low, high].
    """
    good = type(value) is int and low <= value <= high
    require(good, name, value, f"a whole number from {low} to {high}")


def require(good: bool, name: str, value: object, allowed: str) -> None:
    """
    Check a setting.

    Raises:
        InvalidRequest: it is not good; the message names it, its value and what is allowed.
    """
    if not good:
        raise InvalidRequest(f"{name} is {value!r}, allowed: {allowed}")
