"""The two halves of a bundle before they are written: a tower with all that prepares its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from crosslens.encode.cards import PictureCard, Side, TextCard
from crosslens.errors import InvalidRequest
from crosslens.hubs.folder import ORIGINAL, ModelFolder
from crosslens.hubs.loading import PAIRED, load, load_dense
from crosslens.hubs.pictures import load_processor, picture_card, reference_pixels
from crosslens.hubs.sentence import Recipe, read_recipe
from crosslens.hubs.towers import (
    Dense,
    PaddedTextTower,
    PairedTextTower,
    PictureTower,
    SentenceTower,
)
from crosslens.hubs.words import Reference, load_tokenizer, longest, pad_side, tokenizer_json
from crosslens.train.graphs import LARGEST_BATCH, Graph
from crosslens.values import Floats

_SEEING = (*PAIRED, ORIGINAL)
_CN_CLIP = ("chinese_clip", ORIGINAL)
_CN_CLIP_TOKENS = 52  # what its authors trained with; its folder does not say
_PAD_OFFSET = {"roberta", "xlm-roberta", "camembert", "mpnet"}  # positions begin after the padding


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user says instead of the model's files; None leaves it to them."""

    pooling: str | None = None
    query_prefix: str | None = None
    item_prefix: str | None = None
    max_tokens: int | None = None
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class TextSide:
    """A text tower, its reference tokenizer, and the same tokenizer as JSON."""

    tower: nn.Module
    card: TextCard
    reference: Reference
    tokenizer: str
    vocabulary: int
    about: str
    model: Any

    def inputs(self, texts: Sequence[str]) -> tuple[Tensor, ...]:
        """Prepare texts with the reference tokenizer, padded to the longest: ids, mask."""
        rows = [self.reference.encode(text) or [self.pad_id] for text in texts]
        width = max(map(len, rows))
        ids = torch.tensor([row + [self.pad_id] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        return (ids,) if self.card.pad_to else (ids, mask)

    @property
    def pad_id(self) -> int:
        """The id of padding."""
        return int(self.reference.tokenizer.pad_token_id or 0)

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Encode texts one by one as the original does, without their prefixes: [N, dim]."""
        with torch.no_grad():
            rows = [self.tower(*self.inputs([text])) for text in texts]
        return torch.cat(rows).numpy()

    def graph(self) -> Graph:
        """Describe the graph to be written."""
        inputs = self.inputs(["a short text", "and one that is a little longer than that"])
        names = ("input_ids", "attention_mask")[: len(inputs)]
        axes = {0: Dim("batch", max=LARGEST_BATCH)}
        if not self.card.pad_to:
            axes[1] = Dim("length", max=self.card.max_tokens)
        return Graph(self.tower, inputs, names, dict.fromkeys(names, axes))


@dataclass(frozen=True, slots=True)
class PictureSide:
    """A picture tower and its reference processor."""

    tower: nn.Module
    card: PictureCard
    processor: Any
    about: str

    def inputs(self, pictures: Sequence[bytes]) -> tuple[Tensor]:
        """Prepare pictures with the reference processor."""
        rows = [torch.from_numpy(reference_pixels(self.processor, p)) for p in pictures]
        return (torch.stack(rows),)

    def vectors(self, pictures: Sequence[bytes]) -> Floats:
        """Encode pictures one by one as the original does: [N, dim]."""
        with torch.no_grad():
            rows = [self.tower(*self.inputs([picture])) for picture in pictures]
        return torch.cat(rows).numpy()

    def graph(self) -> Graph:
        """Describe the graph to be written."""
        generator = torch.Generator().manual_seed(1)
        shape = (2, 3, self.card.height, self.card.width)
        axes = {"pixel_values": {0: Dim("batch", max=LARGEST_BATCH)}}
        return Graph(
            self.tower, (torch.randn(shape, generator=generator),), ("pixel_values",), axes
        )


def text_side(folder: ModelFolder, wishes: Wishes, *, model: Any = None) -> TextSide:
    """
    Load the half that reads words.

    Args:
        model: what `load` gave for this folder, if the other half is of the same model.

    Raises:
        InvalidRequest, NotFound: the folder is not a model that can be exported.
    """
    recipe = read_recipe(folder)
    model = model or load(recipe.tower)
    if recipe.tower.architecture in _SEEING:
        return _paired_text(recipe, model, wishes)
    return _sentence_text(recipe, model, wishes)


def picture_side(folder: ModelFolder, *, model: Any = None) -> PictureSide:
    """
    Load the half that sees pictures.

    Raises:
        InvalidRequest: the model has none, or prepares pictures in a way that a card cannot say.
    """
    tower = read_recipe(folder).tower
    if tower.architecture not in _SEEING:
        raise InvalidRequest(
            f"{folder.name} is {tower.architecture!r}, which sees no pictures; "
            f"known are {', '.join(_SEEING)}"
        )
    model = model or load(tower)
    processor = load_processor(tower)
    card = picture_card(processor, side=int(model.config.vision_config.image_size))
    return PictureSide(PictureTower(model), card, processor, tower.architecture)


def has_pictures(folder: ModelFolder) -> bool:
    """Whether a model has a picture tower beside its text tower."""
    return read_recipe(folder).tower.architecture in _SEEING


def _paired_text(recipe: Recipe, model: Any, wishes: Wishes) -> TextSide:
    folder = recipe.tower
    tokenizer = load_tokenizer(folder)
    positions = int(model.config.text_config.max_position_embeddings)
    trained = _CN_CLIP_TOKENS if folder.architecture in _CN_CLIP else None
    padded = folder.architecture == "siglip"  # its last place is the vector, so no place may go
    most = longest(tokenizer, positions, trained, None if padded else wishes.max_tokens)
    card = TextCard(
        max_tokens=most,
        pad_to=most if padded else 0,
        pad_side=pad_side(tokenizer) if padded else Side.RIGHT,
        **_said(wishes, ("", ""), ("title",)),
    )
    tower = (PaddedTextTower if padded else PairedTextTower)(model)
    return TextSide(
        tower,
        card,
        Reference(tokenizer, card),
        tokenizer_json(tokenizer),
        vocabulary=int(model.config.text_config.vocab_size),
        about=folder.architecture,
        model=model,
    )


def _sentence_text(recipe: Recipe, model: Any, wishes: Wishes) -> TextSide:
    folder = recipe.tower
    poolings = (wishes.pooling,) if wishes.pooling else recipe.poolings
    if not poolings:
        raise InvalidRequest(
            f"{folder.name} does not say how its tokens become one vector",
            hint="add --pooling cls or --pooling mean, as its authors say",
        )
    tokenizer = load_tokenizer(folder)
    most = longest(tokenizer, recipe.max_tokens, positions(model), wishes.max_tokens)
    card = TextCard(max_tokens=most, **_said(wishes, recipe.prefixes, ("title", "description")))
    dense = [
        Dense(load_dense(step.folder), step.activation, residual=step.residual)
        for step in recipe.dense
    ]
    about = f"{folder.architecture}, pooling {'+'.join(poolings)}"
    tower = SentenceTower(model, poolings, dense).eval()
    return TextSide(
        tower,
        card,
        Reference(tokenizer, card, recipe.lowercase),
        tokenizer_json(tokenizer, lowercase=recipe.lowercase),
        vocabulary=int(model.config.vocab_size),
        about=about,
        model=model,
    )


def positions(model: Any) -> int | None:
    """Return how many tokens a model has places for; None where it does not say."""
    most = getattr(model.config, "max_position_embeddings", None)
    if most is None:
        return None
    offset = int(model.config.pad_token_id) + 1 if model.config.model_type in _PAD_OFFSET else 0
    return int(most) - offset


def _said(wishes: Wishes, prefixes: tuple[str, str], fields: tuple[str, ...]) -> dict[str, Any]:
    query, item = prefixes
    return {
        "query_prefix": query if wishes.query_prefix is None else wishes.query_prefix,
        "item_prefix": item if wishes.item_prefix is None else wishes.item_prefix,
        "fields": wishes.fields or fields,
    }
