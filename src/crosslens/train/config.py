"""What decides a training run: the model's shape and how it learns. Plain values, saved as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from crosslens.errors import InvalidRequest

STRIDE = 32


class Precision(StrEnum):
    """Arithmetic of the forward pass; weights and their updates are always float32."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


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


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """
    One training run.

    Attributes:
        folder: where the run lives: `config.json`, `tokenizer.json`, `metrics.jsonl`, `last.pt`,
            `best.pt`.
        steps: length of the schedule; the learning rate has fallen to zero by then.
        max_minutes: stop and save after this long, resumable; 0 means no limit.
        products: products per step; each brings two pictures and up to two texts.
        small_px, small_share: side of the pictures in the first part of the run, and how large a
            part that is; most of what there is to learn can be learned small, at half the cost.
        focus: share of the steps whose products come in fours of one kind that agree in most
            attributes, so that the wrong answers are near ones.
        instance_weight: how much two pictures of one product attract each other.
        meaning_weight: how much two phrases that say the same attract each other.
        attribute_weight: how much the heads that name attributes count; they are not exported.
        validate_every, gallery: steps between validations; products in one, at most.
        start_from: a finished run, or a bundle exported from one, to fine-tune; its shape is
            kept, and its tokenizer too unless `new_words`.
        new_words: learn the tokenizer anew from this data; tokens that the run before did not
            have start from the pieces that it had for them.
        words_only: the text tower alone learns; pictures are described once, by the tower that
            the run starts from, and stay where they are. A step costs a fraction of a whole one.
        threads: CPU threads of PyTorch; 0 leaves them as they are. A resumed run repeats to the
            bit only with the same number.
    """

    folder: Path
    steps: int = 4000
    max_minutes: float = 0.0
    products: int = 96
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warm_up: int = 200
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    small_px: int = 96
    small_share: float = 0.4
    focus: float = 0.7
    instance_weight: float = 0.5
    attribute_weight: float = 1.0
    meaning_weight: float = 0.5
    validate_every: int = 500
    gallery: int = 1000
    log_every: int = 20
    seed: int = 1
    threads: int = 0
    device: str = "cpu"
    precision: Precision = Precision.AUTO
    start_from: Path | None = None
    new_words: bool = False
    words_only: bool = False
    tensorboard: bool = False
    model: ModelConfig = field(default_factory=ModelConfig)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        if self.start_from is not None:
            object.__setattr__(self, "start_from", Path(self.start_from))
        allowed = ", ".join(Precision)
        require(self.precision in {*Precision}, "precision", self.precision, allowed)
        object.__setattr__(self, "precision", Precision(self.precision))
        for name, low, high in _WHOLE:
            whole(name, getattr(self, name), low, high)
        if self.words_only and self.start_from is None:
            raise InvalidRequest(
                "words_only is on, and start_from names nothing whose pictures could be described",
                hint="name a run or a bundle to start from",
            )
        require(self.small_px % STRIDE == 0, "small_px", self.small_px, "a multiple of 32")
        for name, least, most in _RANGES:
            value = getattr(self, name)
            require(least <= value <= most, name, value, f"{least:g} to {most:g}")

    def px_at(self, step: int) -> int:
        """Say how large the pictures of a step are."""
        small = step < self.small_share * self.steps
        return min(self.small_px, self.model.picture_px) if small else self.model.picture_px

    def to_json(self) -> dict[str, Any]:
        """Give the values that `from_json` reads back to an equal config."""
        table = asdict(self)
        table["folder"] = str(self.folder)
        table["start_from"] = None if self.start_from is None else str(self.start_from)
        table["precision"] = str(self.precision)
        table["model"]["picture_widths"] = list(self.model.picture_widths)
        return table

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> Self:
        """
        Read what `to_json` wrote.

        Raises:
            InvalidRequest: a name is unknown or a value is not allowed.
        """
        values = dict(table)
        model = model_from_json(values.pop("model", {}))
        _known(cls, values)
        return cls(**values, model=model)


def model_from_json(table: Mapping[str, Any]) -> ModelConfig:
    """
    Read the shape of a model.

    Raises:
        InvalidRequest: a name is unknown or a value is not allowed.
    """
    _known(ModelConfig, table)
    return ModelConfig(**table)


_WHOLE = (
    ("steps", 1, 10**8),
    ("products", 2, 65_536),
    ("validate_every", 1, 10**8),
    ("gallery", 2, 100_000),
    ("log_every", 1, 10**8),
    ("seed", 0, 2**62),
    ("threads", 0, 1024),
    ("small_px", 2 * STRIDE, 1024),
    ("warm_up", 0, 10**8),
)
_RANGES = (
    ("learning_rate", 1e-7, 1.0),
    ("weight_decay", 0.0, 10.0),
    ("clip_norm", 1e-3, 1e6),
    ("ema_decay", 0.0, 0.999999),
    ("focus", 0.0, 1.0),
    ("small_share", 0.0, 1.0),
    ("instance_weight", 0.0, 100.0),
    ("attribute_weight", 0.0, 100.0),
    ("meaning_weight", 0.0, 100.0),
    ("max_minutes", 0.0, 1e6),
)


def _known(cls: type, values: Mapping[str, Any]) -> None:
    names = {f.name for f in fields(cls)}
    for name in values:
        require(name in names, "setting", name, "one of " + ", ".join(sorted(names)))


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
