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


@dataclass(frozen=True, slots=True)
class Shape:
    """
    A composer's shape.

    Attributes:
        dim: of the vectors; that of the space for one over vectors.
        over_vectors: whether pictures come as vectors of a frozen bundle.
        widths: channels of the picture tower, where pictures come as pixels.
        width: of word tokens and picture tokens.
        picture_tokens: into how many tokens a vector is unfolded.
    """

    method: Method = Method.TOKENS
    dim: int = 192
    over_vectors: bool = False
    widths: tuple[int, ...] = (32, 64, 96)
    width: int = 96
    token_width: int = 32
    word_layers: int = 1
    layers: int = 2
    heads: int = 4
    picture_tokens: int = 4
    vocabulary: int = 7400
    max_tokens: int = 24
    dropout: float = 0.1
    noise: float = 0.1

    def __post_init__(self) -> None:
        allowed = ", ".join(Method)
        require(self.method in list(Method), "method", self.method, allowed)
        object.__setattr__(self, "method", Method(self.method))
        object.__setattr__(self, "widths", tuple(self.widths))
        require(len(self.widths) == 3, "widths", self.widths, "3 numbers")
        for name in ("dim", "width", "token_width", "layers", "heads", "picture_tokens"):
            whole(name, getattr(self, name), 1, 4096)
        whole("max_tokens", self.max_tokens, 2, 512)
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
        require(0 <= self.word_drop < 1, "word_drop", self.word_drop, "0 to less than 1")

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
