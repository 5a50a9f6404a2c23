"""What decides the training of a generator: its codec, and the flow that draws in its codes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crosslens.train.config import Precision, require, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """
    How something is learned.

    Attributes:
        folder: where the run lives, as `TrainConfig.folder`.
        steps: length of the schedule; more may be asked for when it is resumed.
        batch: pictures per step.
        second_beta: how slowly the optimiser forgets the size of gradients.
        max_minutes: stop and save after this long, resumable; 0 means no limit.
    """

    folder: Path
    steps: int
    batch: int = 64
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
        object.__setattr__(self, "precision", Precision(self.precision))
        for name in ("steps", "batch", "validate_every", "log_every"):
            whole(name, getattr(self, name), 1, 10**8)
        for name in ("warm_up", "seed", "threads"):
            whole(name, getattr(self, name), 0, 2**62)
        require(0 < self.learning_rate <= 1, "learning_rate", self.learning_rate, "0 to 1")
        require(0 <= self.ema_decay < 1, "ema_decay", self.ema_decay, "0 to less than 1")

    def rate_at(self, step: int) -> float:
        """
        Rise over the warm-up, stay, and fall to a fiftieth over the last fifth.

        So a run may be resumed with more steps before it falls (Hägele et al. 2024).
        """
        warm_up = min(self.warm_up, self.steps // 10)
        falling = max(1, self.steps // 5)
        left = (self.steps - step) / falling
        return self.learning_rate * min((step + 1) / max(1, warm_up), 1.0, max(left, 0.02))

    def to_json(self) -> dict[str, Any]:
        """Give plain values."""
        table = asdict(self)
        paths = {k: str(v) for k, v in table.items() if isinstance(v, Path)}
        return {**table, **paths, "precision": str(self.precision)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecConfig(Training):
    """
    The codec: pictures ↔ codes.

    Attributes:
        px: side of a picture.
        patch: side of the squares that become one code each.
        components: numbers in a code.
        width, blocks: channels and residual blocks of the part that mends the seams.
        noise: codes are disturbed by up to this while it learns, as those of a flow will be.
    """

    steps: int = 1_000
    batch: int = 32
    learning_rate: float = 2e-3
    px: int = 128
    patch: int = 16
    components: int = 96
    width: int = 80
    blocks: int = 3
    noise: float = 0.5

    def __post_init__(self) -> None:
        Training.__post_init__(self)
        require(self.patch % 4 == 0, "patch", self.patch, "a multiple of 4")
        require(self.px % self.patch == 0, "px", self.px, f"a multiple of patch, {self.patch}")
        whole("components", self.components, 1, 3 * self.patch**2)

    @property
    def side(self) -> int:
        """Codes along an edge."""
        return self.px // self.patch


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowConfig(Training):
    """
    The flow: words → codes.

    Attributes:
        width, layers, heads: shape of the transformer; the width is a multiple of the heads.
        fold: so many codes along an edge are seen as one: fewer, larger pieces are quicker.
        full_share: share of the titles that say everything; the others say what they say.
        empty_share: share of the titles that are left away, so that guidance has a counterpart.
        words_from: a bundle or run whose text tower reads the words and stays as it is.
        gallery: held-out products in a validation.
    """

    steps: int = 20_000
    batch: int = 96
    ema_decay: float = 0.997
    width: int = 256
    layers: int = 5
    heads: int = 4
    fold: int = 2
    full_share: float = 0.5
    empty_share: float = 0.1
    words_from: Path
    gallery: int = 256

    def __post_init__(self) -> None:
        Training.__post_init__(self)
        object.__setattr__(self, "words_from", Path(self.words_from))
        allowed = f"a divisor of width, {self.width}"
        require(self.heads > 0 and self.width % self.heads == 0, "heads", self.heads, allowed)
        for name in ("full_share", "empty_share"):
            value = getattr(self, name)
            require(0 <= value <= 1, name, value, "0 to 1")
