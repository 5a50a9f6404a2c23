"""What decides the training of a generator: its codec, and the flow that draws in its codes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crosslens.train.config import Training, require, whole

FINE, MIDDLE = 4, 2  # places along an edge of a code, on the two finer grids of a flow


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecConfig(Training):
    """
    The codec: pictures ↔ codes.

    Attributes:
        batch: pictures per step.
        px: side of a picture.
        patch: side of the squares that become one code each.
        components: numbers in a code.
        width, blocks: channels and residual blocks of the part that mends the seams.
        noise: codes are disturbed by up to this while it learns, as those of a flow will be.
        start_from: a run of a codec of the same shape, or a generator's bundle, whose components
            are kept, so that codes mean the same, and whose mending is taught on.
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
    start_from: Path | None = None

    def __post_init__(self) -> None:
        Training.__post_init__(self)
        if self.start_from is not None:
            object.__setattr__(self, "start_from", Path(self.start_from))
        whole("batch", self.batch, 1, 10**6)
        require(self.patch % 4 == 0, "patch", self.patch, "a multiple of 4")
        require(self.px % self.patch == 0, "px", self.px, f"a multiple of patch, {self.patch}")
        whole("components", self.components, 1, 3 * self.patch**2)

    @property
    def side(self) -> int:
        """Codes along an edge."""
        return self.px // self.patch


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticConfig(Training):
    """
    The critic: pictures → what they show.

    Attributes:
        batch: pictures per step.
        widths: channels of the four grids, of 2 × 2 pixels and ever twice as coarse.
        noise: codes are disturbed by up to this while it learns, as those of a flow will be.
        moved: pixels by which a picture is moved at most.
    """

    steps: int = 1_500
    batch: int = 64
    learning_rate: float = 2e-3
    widths: tuple[int, ...] = (32, 64, 128, 192)
    noise: float = 0.5
    moved: int = 6

    def __post_init__(self) -> None:
        Training.__post_init__(self)
        object.__setattr__(self, "widths", tuple(self.widths))
        whole("batch", self.batch, 1, 10**6)
        require(len(self.widths) == 4, "widths", self.widths, "4 numbers")
        for width in self.widths:
            require(width % 8 == 0 and width > 0, "widths", self.widths, "multiples of 8")
        whole("moved", self.moved, 0, 10**6)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowConfig(Training):
    """
    The flow: words → codes.

    Attributes:
        batch: pictures per step.
        width, layers, heads: shape of the attention over codes; the width is a multiple of the
            heads.
        fine, middle: channels where a code is FINE × FINE and MIDDLE × MIDDLE places.
        strokes: convolutions on each of these two grids, on the way down and on the way up.
        poses: so many ways of placing a product, which the flow is told; row r has r modulo this.
        full_share: share of the titles that say everything; the others say what they say.
        empty_share: share of the titles that are left away, so that guidance has a counterpart.
        balance: an attribute whose rarer values are shown more often: by the root of how rare.
        revise: an attribute whose values are shown more often that are drawn wrong, as a critic
            sees it, by what training begins with.
        words_from: a bundle or run with whose text tower the reader of the words begins, unless
            all begins from a run.
        naming: how much it counts, beside the flow, to name what a title says of each attribute;
            0 leaves the reader as it is.
        perceptual: how much it counts, beside the flow, how different from the real picture a
            critic finds the one that the flow is heading for.
        telling: how much it counts whether the critic names what it sees as it names the real
            one; without either, no critic is asked.
        rehearsed: share of the pictures of a step that begin where the flow has come by itself,
            for it to learn to mend what it missed.
        start_from: a run of a flow, or a generator's bundle, of the same shape and codec, whose
            weights are the first ones, those of its reader too.
        gallery: held-out products in a validation.
        fall: the last share of the schedule, over which the learning rate falls.
    """

    steps: int = 20_000
    batch: int = 96
    ema_decay: float = 0.997
    width: int = 256
    layers: int = 2
    heads: int = 4
    fine: int = 64
    middle: int = 128
    strokes: int = 2
    poses: int = 1
    full_share: float = 0.5
    empty_share: float = 0.1
    balance: str = ""
    revise: str = ""
    words_from: Path
    naming: float = 0.1
    perceptual: float = 0.0
    telling: float = 0.0
    rehearsed: float = 0.0
    start_from: Path | None = None
    gallery: int = 256
    fall: float = 0.2

    def __post_init__(self) -> None:
        Training.__post_init__(self)
        object.__setattr__(self, "words_from", Path(self.words_from))
        if self.start_from is not None:
            object.__setattr__(self, "start_from", Path(self.start_from))
        for name in ("batch", "layers", "fine", "middle", "strokes"):
            whole(name, getattr(self, name), 1, 10**6)
        whole("poses", self.poses, 1, 4_096)
        allowed = f"a divisor of width, {self.width}"
        require(self.heads > 0 and self.width % self.heads == 0, "heads", self.heads, allowed)
        for name in ("naming", "perceptual", "telling"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("full_share", "empty_share", "rehearsed", "fall"):
            value = getattr(self, name)
            require(0 <= value <= 1, name, value, "0 to 1")

    def rate_at(self, step: int) -> float:
        """Rise over the warm-up, stay, and fall over the last share, which `fall` says."""
        return self.held_rate(step, fall=self.fall)
