"""What decides the training of a composer: how it composes, from what, and how it learns."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from crosslens.errors import InvalidRequest
from crosslens.train.config import Training, require, whole


class Method(StrEnum):
    """
    How a picture and words become one vector.

    IMAGE_ONLY and TEXT_ONLY look at one of them. CONCAT mixes both vectors. TIRG gates the
    picture's vector and adds to it, TIRG_LASTCONV does so place by place (Vo et al. 2019). TOKENS
    lets each place of the picture look at each word, so that what is named can be found.
    """

    IMAGE_ONLY = "image_only"
    TEXT_ONLY = "text_only"
    CONCAT = "concat"
    TIRG = "tirg"
    TIRG_LASTCONV = "tirg_lastconv"
    TOKENS = "tokens"


class Loss(StrEnum):
    """
    What a batch teaches.

    SOFT_TRIPLET: three random wrong ones for each, by squared distance; BATCH_CLASSIFICATION: the
    right one among all of the batch (both Vo et al. 2019). SIBLINGS: the same both ways, where
    what has the same label is neither right nor wrong.
    """

    SOFT_TRIPLET = "soft_triplet"
    BATCH_CLASSIFICATION = "batch_classification"
    SIBLINGS = "siblings"


class Reader(StrEnum):
    """What reads the words: a small transformer, or an LSTM as in the reference."""

    ATTENTION = "attention"
    LSTM = "lstm"


class Optimizer(StrEnum):
    """What updates the weights: AdamW, or SGD with momentum as in the reference."""

    ADAMW = "adamw"
    SGD = "sgd"


@dataclass(frozen=True, slots=True)
class Shape:
    """
    A composer's shape.

    Attributes:
        dim: of the vectors; that of the space for one over vectors.
        over_vectors: whether pictures come as vectors of a frozen bundle.
        widths: channels of the picture tower, where pictures come as pixels.
        depth: residual blocks in each of its first two stages.
        grid: rows and columns of places that a picture's vector is made of.
        width: of word tokens and picture tokens.
        picture_tokens: into how many tokens a vector is unfolded.
        scale: inverse temperature at first; the reference begins with vectors of length 4, which
            is a scale of 16. What differs little, as the answers about one scene do, wants more.
        plain: share of the plain sum of picture and words in what is composed over vectors, once
            it is learned: few wishes teach where to go, and forget what was near.
    """

    method: Method = Method.TOKENS
    dim: int = 192
    over_vectors: bool = False
    widths: tuple[int, ...] = (32, 64, 96)
    depth: int = 1
    grid: tuple[int, ...] = (3, 5)
    width: int = 96
    token_width: int = 32
    reader: Reader = Reader.ATTENTION
    word_layers: int = 1
    layers: int = 2
    heads: int = 4
    picture_tokens: int = 4
    vocabulary: int = 7400
    max_tokens: int = 24
    dropout: float = 0.1
    noise: float = 0.1
    scale: float = 10.0
    plain: float = 0.0

    def __post_init__(self) -> None:
        allowed = ", ".join(Method)
        require(self.method in list(Method), "method", self.method, allowed)
        object.__setattr__(self, "method", Method(self.method))
        require(self.reader in list(Reader), "reader", self.reader, ", ".join(Reader))
        object.__setattr__(self, "reader", Reader(self.reader))
        for name, count in (("widths", 3), ("grid", 2)):
            numbers = tuple(getattr(self, name))
            object.__setattr__(self, name, numbers)
            require(len(numbers) == count, name, numbers, f"{count} numbers")
        whole("depth", self.depth, 0, 64)
        for name in ("dim", "width", "token_width", "layers", "heads", "picture_tokens"):
            whole(name, getattr(self, name), 1, 4096)
        whole("max_tokens", self.max_tokens, 2, 512)
        require(1 <= self.scale <= 100, "scale", self.scale, "1 to 100")
        require(0 <= self.plain < 1, "plain", self.plain, "0 to less than 1")
        if self.plain and not self.over_vectors:
            raise InvalidRequest("plain is on, and pixels and words have no sum")
        require(self.width % self.heads == 0, "heads", self.heads, f"a divisor of {self.width}")
        if self.over_vectors and self.method is Method.TIRG_LASTCONV:
            raise InvalidRequest(
                "tirg_lastconv looks at places of a picture, and a vector has none",
                hint="use tirg or tokens over a bundle",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposerConfig(Training):
    """
    One training run of a composer.

    Attributes:
        batch: questions per step.
        siblings: questions of a step that start from the same picture; they are the wrong answers
            that matter.
        held_out: sources whose questions are kept for the validations.
        gallery: most pictures that a validation searches.
        decay_every: steps after which the rate falls to a tenth, as the reference has it; 0 lets
            it fall along a cosine.
        word_drop: share of the words that are left out while learning.
        shift: pixels by which pictures are moved while learning.
        mirror: share of the sources that are shown mirrored with their targets while learning,
            where words say left for right; over pixels only.
        optimizer, momentum: what updates the weights; momentum is that of SGD.
    """

    steps: int = 6_000
    batch: int = 72
    siblings: int = 6
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    loss: Loss = Loss.SIBLINGS
    held_out: int = 100
    gallery: int = 4_000
    decay_every: int = 0
    word_drop: float = 0.1
    shift: int = 4
    mirror: float = 0.0
    optimizer: Optimizer = Optimizer.ADAMW
    momentum: float = 0.9
    validate_every: int = 500
    shape: Shape = field(default_factory=Shape)

    def __post_init__(self) -> None:
        Training.__post_init__(self)
        if isinstance(self.shape, dict):
            object.__setattr__(self, "shape", shape_from_json(self.shape))
        require(self.loss in list(Loss), "loss", self.loss, ", ".join(Loss))
        object.__setattr__(self, "loss", Loss(self.loss))
        whole("siblings", self.siblings, 1, 10**4)
        whole("held_out", self.held_out, 1, 10**6)
        whole("batch", self.batch, 2, 10**6)
        allowed = ", ".join(Optimizer)
        require(self.optimizer in list(Optimizer), "optimizer", self.optimizer, allowed)
        object.__setattr__(self, "optimizer", Optimizer(self.optimizer))
        for name in ("word_drop", "momentum"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "0 to less than 1")
        require(0 <= self.mirror <= 1, "mirror", self.mirror, "0 to 1")
        if self.mirror and self.shape.over_vectors:
            raise InvalidRequest("mirror is on, and vectors cannot be mirrored", hint="set it to 0")

    def rate_at(self, step: int) -> float:
        """Give the rate of a step."""
        if not self.decay_every:
            return Training.rate_at(self, step)
        return self.learning_rate * float(0.1 ** (step // self.decay_every))


def shape_from_json(table: dict[str, Any]) -> Shape:
    """
    Read a shape.

    Raises:
        InvalidRequest: a name is unknown or a value is not allowed.
    """
    names = {f.name for f in fields(Shape)}
    for name in table:
        require(name in names, "setting", name, "one of " + ", ".join(sorted(names)))
    return Shape(**table)
