"""What an encoder learns, step by step, and how it is judged."""

from __future__ import annotations

import torch
from torch import Tensor

from crosslens.train.batches import Batch, BatchMaker
from crosslens.train.lessons import Verdict
from crosslens.train.losses import both_ways, name_attributes, same_meaning, same_product
from crosslens.train.model import DualEncoder
from crosslens.train.validate import validate

LENGTHS = 4  # groups of texts of similar length


class EncoderLesson:
    """Teaches a dual encoder with the batches of a maker; a `Lesson`."""

    def __init__(self, maker: BatchMaker) -> None:
        self._maker = maker

    def make(self, step: int) -> Batch:
        """Draw, word and disturb the products of one step."""
        return self._maker.make(step)

    def measure(self, model: DualEncoder, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses of a batch; `loss` is their weighted sum."""
        pictures, beside = _see(model, batch)
        texts = _read(model, batch.ids, batch.mask)
        words, others = texts[: len(batch.relation)], texts[len(batch.relation) :]
        with torch.autocast(pictures.device.type, enabled=False):
            scores = model.scale * words @ pictures.T
            losses = {"search": both_ways(scores, torch.cat([batch.relation, batch.relation], 1))}
            losses |= beside
            losses["meaning"] = (
                same_meaning(words[batch.paraphrased], others, batch.meaning, scale=model.scale)
                if len(others)
                else scores.new_zeros(())
            )
            return {"loss": self._weighed(losses, scores.new_zeros(())), **losses}

    def judge(self, model: DualEncoder, step: int) -> Verdict:
        """Search the held-out products; the score is the share of first answers that are right."""
        maker = self._maker
        recalls = validate(model, maker.tokenizer, maker.source, gallery=maker.config.gallery)
        figures = {
            f"{name}/R@{depth}": value
            for name, found in recalls.items()
            for depth, value in ((1, found.at_1), (10, found.at_10))
        }
        return Verdict(sum(r.at_1 for r in recalls.values()) / max(1, len(recalls)), figures)

    def _weighed(self, losses: dict[str, Tensor], nothing: Tensor) -> Tensor:
        config = self._maker.config
        weights = {
            "instance": config.instance_weight, "attributes": config.attribute_weight,
            "meaning": config.meaning_weight,
        }  # fmt: skip
        return sum((weights.get(name, 1.0) * loss for name, loss in losses.items()), nothing)


def _read(model: DualEncoder, ids: Tensor, mask: Tensor) -> Tensor:
    """Encode texts by length, so that short ones are not padded to the longest."""
    lengths = mask.sum(1)
    order = lengths.argsort(stable=True)
    found = []
    for part in order.chunk(LENGTHS):
        longest = int(lengths[part].max())
        found.append(model.text(ids[part, :longest], mask[part, :longest]))
    return torch.cat(found)[order.argsort()]


def _see(model: DualEncoder, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Give the pictures' unit vectors, and what the picture tower learns from them alone."""
    if batch.pictures.ndim == 2:  # described already
        return batch.pictures, {}
    features = model.picture.describe(batch.pictures)
    pictures = model.picture.to_unit(features)
    with torch.autocast(pictures.device.type, enabled=False):
        guesses = {name: head(features.float()) for name, head in model.heads.items()}
        codes = torch.cat([batch.codes, batch.codes])
        return pictures, {
            "instance": same_product(*pictures.chunk(2)),
            "attributes": name_attributes(guesses, codes),
        }
