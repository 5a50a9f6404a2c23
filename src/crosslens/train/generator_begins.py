"""What a generator's run begins with: a bundle's weights, another run's, or a text tower alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import nn

from crosslens.errors import InvalidRequest
from crosslens.train.checkpoint import RunFolder, shape_of
from crosslens.train.config import model_from_json
from crosslens.train.generator_codec import Codec
from crosslens.train.generator_config import FlowConfig
from crosslens.train.generator_flow import Generator, Reader
from crosslens.train.generator_revive import revive_generator
from crosslens.train.generator_runs import best_of, load_codec
from crosslens.train.revive import is_bundle, learned

HEADS = "heads."


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a generator begins with: tokens, the shape of its reader, and what fills it."""

    tokenizer: Tokenizer
    text: dict[str, Any]
    fill: Callable[[Generator], None]

    def generator(self, config: FlowConfig, codec: Codec, heads: Mapping[str, int]) -> Generator:
        """
        Make a generator that begins so.

        Raises:
            InvalidRequest: what it begins with has another shape.
        """
        model = Generator(config, codec, Reader(model_from_json(self.text)), heads=heads)
        self.fill(model)
        return model


def beginning_of(config: FlowConfig) -> Beginning:
    """
    Find what `config` says a flow begins with: an earlier one, or a text tower that can read.

    Raises:
        NotFound: it is not there.
        InvalidRequest: `words_from` cannot read, or nothing was saved yet.
    """
    return _earlier(config.start_from) if config.start_from else _reading(config.words_from)


def part_of(begins: Path | None, part: str) -> Path | None:
    """Say where a part of a run lies; a bundle holds all of them in one folder."""
    return begins if begins is None or is_bundle(begins) else begins / part


def earlier_codec(folder: Path) -> Codec:
    """
    Read a codec to learn on from, of a bundle or of a run.

    Raises:
        NotFound: there is neither.
        InvalidRequest: nothing was saved yet.
    """
    return revive_generator(folder).codec if is_bundle(folder) else load_codec(folder)[0]


def take(model: nn.Module, weights: Mapping[str, Any], path: Path) -> None:
    """
    Load weights that were trained in `path`.

    Raises:
        InvalidRequest: they have another shape.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as exc:
        raise InvalidRequest(
            f"what was trained in {path} has another shape",
            hint="start from one of the same settings",
        ) from exc


def _earlier(folder: Path) -> Beginning:
    """Begin with a bundle's generator, or with the best one of a run."""
    if is_bundle(folder):
        revived = revive_generator(folder)
        weights, tokenizer, text = revived.generator.state_dict(), revived.tokenizer, revived.text
    else:
        run = RunFolder(folder)
        weights, tokenizer, text = best_of(run)["averages"], run.tokenizer(), run.about()["text"]
    return Beginning(tokenizer, text, partial(_take_over, theirs=weights, path=folder))


def _reading(folder: Path) -> Beginning:
    """Begin with what has learned to read already, and no more: a bundle or a run."""
    teacher = learned(folder)
    words = teacher.model.text.state_dict()
    return Beginning(
        teacher.tokenizer,
        asdict(shape_of(teacher.about)),
        lambda model: take(model.reader, words, folder),
    )


def _take_over(model: Generator, *, theirs: Mapping[str, Any], path: Path) -> None:
    """Take over weights; heads that name other attributes, or none, stay."""
    own = model.state_dict()
    known = {
        name: value
        for name, value in theirs.items()
        if not name.startswith(HEADS) or (name in own and own[name].shape == value.shape)
    }
    heads = {name: value for name, value in own.items() if name.startswith(HEADS)}
    take(model, {**heads, **known}, path)
