"""A cross-encoder before it is written: the model with all that prepares its pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from crosslens.encode.cards import RerankerCard
from crosslens.encode.pairs import INPUTS, Pairs
from crosslens.errors import BrokenBundle, InvalidRequest
from crosslens.hubs.folder import ModelFolder
from crosslens.hubs.loading import load_cross
from crosslens.hubs.sides import Wishes, positions
from crosslens.hubs.towers import PairTower
from crosslens.hubs.words import HARD_TEXTS, load_tokenizer, longest, tokenizer_json
from crosslens.train.graphs import LARGEST_BATCH, Graph
from crosslens.values import Floats

_JUDGES = "ForSequenceClassification"

Pair = tuple[str, str]
HARD_PAIRS: tuple[Pair, ...] = (
    *product(("red dress", "红色连衣裙 夏"), HARD_TEXTS),
    *((text, "a short title") for text in HARD_TEXTS),
)
GOLDEN_PAIRS: tuple[Pair, ...] = tuple(product(("red shoe", "红色的鞋"), HARD_TEXTS[:6]))


@dataclass(frozen=True, slots=True)
class PairSide:
    """A cross-encoder, its reference tokenizer, and the same tokenizer as JSON."""

    tower: nn.Module
    card: RerankerCard
    reference: Any
    tokenizer: str
    vocabulary: int
    about: str
    typed: bool

    @property
    def names(self) -> tuple[str, ...]:
        """What the graph takes."""
        return INPUTS if self.typed else INPUTS[:2]

    def inputs(self, pairs: Sequence[Pair]) -> tuple[Tensor, ...]:
        """Prepare pairs with the reference tokenizer, padded to the longest."""
        found = self.reference(
            [question for question, _ in pairs],
            [text for _, text in pairs],
            truncation=True,
            max_length=self.card.max_tokens,
            padding=True,
            padding_side="right",
            return_tensors="pt",
        )
        return tuple(found[name] for name in self.names)

    def scores(self, pairs: Sequence[Pair]) -> Floats:
        """Judge pairs one by one as the original does: [N]."""
        with torch.no_grad():
            rows = [self.tower(*self.inputs([pair])) for pair in pairs]
        found: Floats = torch.cat(rows)[:, 0].numpy()
        return found

    def graph(self) -> Graph:
        """Describe the graph to be written."""
        inputs = self.inputs([("a question", "its answer"), ("another", "one a little longer")])
        axes = {0: Dim("batch", max=LARGEST_BATCH), 1: Dim("length", max=self.card.max_tokens)}
        return Graph(self.tower, inputs, self.names, dict.fromkeys(self.names, axes))


def is_cross_encoder(folder: ModelFolder) -> bool:
    """Whether a model says that it judges texts instead of encoding them."""
    named = folder.table("config.json").get("architectures") or ()
    return any(str(name).endswith(_JUDGES) for name in named)


def pair_side(folder: ModelFolder, wishes: Wishes) -> PairSide:
    """
    Load a cross-encoder.

    Raises:
        InvalidRequest: it cannot be exported, or gives more than one number per pair.
        NotFound: the folder holds no model.
    """
    model = load_cross(folder)
    numbers = int(model.config.num_labels)
    if numbers != 1:
        raise InvalidRequest(
            f"{folder.name} is no cross-encoder for ranking: it gives {numbers} numbers per pair, "
            "one is needed",
            hint="choose a model that was trained to rank, such as BAAI/bge-reranker-base",
        )
    tokenizer = load_tokenizer(folder)
    most = longest(tokenizer, positions(model), wishes.max_tokens)
    return PairSide(
        PairTower(model).eval(),
        RerankerCard(max_tokens=most, fields=wishes.fields or ("title", "description")),
        tokenizer,
        tokenizer_json(tokenizer),
        vocabulary=int(model.config.vocab_size),
        about=f"{folder.architecture}, cross-encoder",
        typed=INPUTS[2] in tokenizer.model_input_names,
    )


def require_same_pairs(side: PairSide, pairs: Sequence[Pair] = HARD_PAIRS) -> None:
    """
    Compare the served tokenizer with the reference on hard pairs.

    Raises:
        BrokenBundle: one differs; the message shows it.
    """
    own = Pairs(side.card, side.tokenizer)
    for question, text in pairs:
        wanted = [row[0].tolist() for row in side.inputs([(question, text)])]
        feeds = own.feeds(own.rows(question, [text]))
        found = [feeds[name][0].tolist() for name in side.names]
        if wanted != found:
            raise BrokenBundle(
                f"the tokenizer cuts {question!r:.40} with {text!r:.40} into {found[0][:16]}, "
                f"the reference into {wanted[0][:16]}"
            )
