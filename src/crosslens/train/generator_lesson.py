"""What a flow learns: to go from noise to the codes of the picture that a title speaks of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from crosslens.train.disk import explained
from crosslens.train.generator_codec import Codec, encode_all, to_pixels
from crosslens.train.generator_config import FlowConfig
from crosslens.train.generator_critic import Critic, apart, misled
from crosslens.train.generator_flow import Generator
from crosslens.train.generator_rehearsal import Rehearsal, drawn, drawn_so_far
from crosslens.train.lessons import Verdict
from crosslens.train.losses import misnamed, name_attributes
from crosslens.train.rendered import RenderedSource
from crosslens.train.source import Codes, Phrase, Pixels, Rows, Shelf, Style, chances, often
from crosslens.train.tokens import encode
from crosslens.values import Floats

TIMES = (0.05, 0.25, 0.5, 0.75, 0.95)
EARLY, WIDE = -1.0, 1.3  # where on the way most is learned, and how far around: in logits
DRAWN, SHEET, COLUMNS = 96, 32, 8
SHEETS = "sheets"
_SEED = 40_000
SILENCE = Phrase("", ())


@dataclass(frozen=True, slots=True)
class Voyages:
    """
    What a flow learns from at a time.

    Attributes:
        codes, noise: [N, places, components].
        times: [N], where on the way from noise to codes.
        ids, mask: [N, L], of titles.
        said: int64 [N, attributes], what a title says of each; -1 is nothing.
        pose: [N].
        rehearsal: how the first of them are drawn part of the way by the flow itself; None: none.
    """

    codes: Tensor
    noise: Tensor
    times: Tensor
    ids: Tensor
    mask: Tensor
    said: Tensor
    pose: Tensor
    rehearsal: Rehearsal | None = None

    def first(self, count: int) -> Voyages:
        """Give the first ones, which nobody rehearses."""
        return replace(self, rehearsal=None, **self._each(lambda part: part[:count]))

    def to(self, device: str) -> Voyages:
        """Copy to a device."""
        rehearsal = None if self.rehearsal is None else self.rehearsal.to(device)
        return replace(self, rehearsal=rehearsal, **self._each(lambda part: part.to(device)))

    def _each(self, change: Callable[[Tensor], Tensor]) -> dict[str, Any]:
        names = (name for name in self.__slots__ if name != "rehearsal")
        return {name: change(getattr(self, name)) for name in names}


class FlowLesson:
    """
    Teaches a generator to draw; a `Lesson`. Its validations leave contact sheets.

    Args:
        stumbles: how often each value of `config.revise` was drawn wrong; see `count_stumbles`.
    """

    def __init__(
        self,
        source: RenderedSource,
        codec: Codec,
        tokenizer: Tokenizer,
        config: FlowConfig,
        *,
        critic: Critic | None = None,
        stumbles: Sequence[float] = (),
    ) -> None:
        self._source = source
        self._codec = codec.to(config.device)
        self._critic = critic
        self._tokenizer = tokenizer
        self._config = config
        self._codes = encode_all(codec, source, source.shelf.training)
        self._held_out = source.shelf.validation[: config.gallery]
        self._chances = often(
            chances(source.shelf, config.balance), source.shelf, config.revise, stumbles
        )
        self._rehearsed = round(config.rehearsed * config.batch)
        self._silence = tuple(map(torch.from_numpy, encode(tokenizer, [SILENCE.text])))

    def make(self, step: int) -> Voyages:
        """Draw the pictures, titles, noise and times of one step."""
        config = self._config
        rng = np.random.default_rng([config.seed, step])
        rows = rng.choice(self._source.shelf.training, config.batch, p=self._chances)
        rehearsed, others = np.split(rows, [self._rehearsed])
        # Only a title that says everything says which picture it should have been.
        phrases = [self._full(int(row), rng) for row in rehearsed]
        phrases += [self._title(int(row), rng) for row in others]
        logits = EARLY + WIDE * rng.standard_normal(config.batch, np.float32)
        places = torch.from_numpy(np.searchsorted(self._source.shelf.training, rows))
        voyages = self._voyages(
            self._codes[places].float(), rows, phrases, 1 / (1 + np.exp(-logits)), rng
        )
        return self._rehearsing(voyages, rng) if self._rehearsed else voyages

    def _rehearsing(self, voyages: Voyages, rng: np.random.Generator) -> Voyages:
        """Let the first pictures begin where the flow has come by itself."""
        length = voyages.mask.shape[1]
        ids, mask = (functional.pad(each, (0, length - each.shape[1])) for each in self._silence)
        rehearsal = Rehearsal.cast(self._rehearsed, ids, mask, rng)
        times = torch.cat([rehearsal.times, voyages.times[self._rehearsed :]])
        return replace(voyages, times=times, rehearsal=rehearsal)

    def measure(self, model: Generator, batch: Voyages) -> dict[str, Tensor]:
        """Compare where the flow heads with where it should: codes, looks, and what is named."""
        config, states = self._config, model.reader(batch.ids, batch.mask)
        errors, ahead = self._headed(model, batch, states)
        loss = errors.mean()
        parts = {"unmended": errors[: self._rehearsed], "missed": errors[self._rehearsed :]}
        losses = {name: part.mean() for name, part in parts.items() if len(part)}
        if self._critic is not None:
            losses["looks"], losses["taken"] = self._seen(self._critic, batch, ahead)
            loss = loss + config.perceptual * losses["looks"] + config.telling * losses["taken"]
        if model.heads:
            losses["named"] = name_attributes(model.named(states, batch.mask), batch.said)
            loss = loss + config.naming * losses["named"]
        return {"loss": loss, **losses}

    def judge(self, model: Generator, step: int) -> Verdict:
        """
        Measure the losses on held-out products: at fixed times, and of what is drawn of them.

        The first are the score, unless the flow rehearses: then the second are.
        """
        rng = np.random.default_rng(_SEED)
        codes = encode_all(self._codec, self._source, self._held_out).float()
        phrases = [self._full(int(row), rng) for row in self._held_out]
        voyages = [
            self._voyages(
                codes, self._held_out, phrases, np.full(len(codes), time, np.float32), rng
            ).to(self._config.device)
            for time in TIMES
        ]
        said, mask = voyages[0].said, voyages[0].mask  # titles are the same at all times
        states = model.reader(voyages[0].ids, mask)
        figures, seen = dict[str, float](), list[Tensor]()
        for time, each in zip(TIMES, voyages, strict=True):
            errors, ahead = self._headed(model, each, states)
            figures[f"loss/{time}"] = float(errors.mean())
            if self._critic is not None:
                seen.append(torch.stack(self._seen(self._critic, each, ahead)))
        losses = {"codes": sum(figures.values()) / len(figures)}
        if seen:
            figures["looks"], figures["taken"] = torch.stack(seen).mean(0).tolist()
            losses |= {"looks": figures["looks"], "taken": figures["taken"]}
        if model.heads:
            figures["misnamed"] = misnamed(model.named(states, mask), said)
        shown = self._drawn(model, voyages[0], phrases, step)
        figures |= {f"drawn/{name}": value for name, value in shown.items()}
        return Verdict(-self._weighed(shown if self._rehearsed else losses), figures)

    def _weighed(self, losses: Mapping[str, float]) -> float:
        config = self._config
        seen = config.perceptual * losses.get("looks", 0) + config.telling * losses.get("taken", 0)
        return losses["codes"] + seen

    def _headed(self, model: Generator, batch: Voyages, states: Tensor) -> tuple[Tensor, Tensor]:
        """
        Give the codes headed for, and the weighted squares of what they miss.

        Errors are in units of what the linear guess is uncertain of; where the flow has come by
        itself, of the codes' spread: there it is not noise alone that has to go.
        """
        time = batch.times[:, None, None]
        between = time * batch.codes + (1 - time) * batch.noise
        own = self._reached(model, batch, states)
        between = torch.cat([own, between[len(own) :]])
        linear, amount, shrunk = model.flow.guess(between, batch.times)
        found = model.flow.learned(shrunk, batch.times, states, batch.mask, batch.pose)
        left = (1 - time) * amount
        ahead = between + (1 - time) * linear + left * found
        left = torch.cat([model.flow.spread.expand(len(own), -1, -1), left[len(own) :]])
        return model.flow.weight * ((ahead - batch.codes) / left).square(), ahead

    def _reached(self, model: Generator, batch: Voyages, states: Tensor) -> Tensor:
        """Say where the flow comes by itself with the first pictures, if it rehearses any."""
        if batch.rehearsal is None:
            return batch.codes[:0]
        first = slice(len(batch.rehearsal.stops))
        found = drawn_so_far(
            model, batch.rehearsal, batch.noise[first], states[first], batch.mask[first],
            batch.pose[first],
        )  # fmt: skip
        # Weights that were cast without gradients must not be used where there are some.
        torch.clear_autocast_cache()
        return found

    def _seen(self, critic: Critic, batch: Voyages, ahead: Tensor) -> tuple[Tensor, Tensor]:
        """
        Say how different the pictures headed for look, and how differently they are named.

        Those without words count nothing.
        """
        told = (batch.said >= 0).any(1)
        if not told.any():
            return ahead.new_zeros(()), ahead.new_zeros(())
        with torch.autocast(ahead.device.type, enabled=False):
            shown, wanted = (self._codec.plain(each[told]) for each in (ahead, batch.codes))
        with torch.no_grad():
            real = critic(wanted)
            right = critic.named(real[-1])
        found = critic(shown)
        return apart(found, real).mean(), misled(critic.named(found[-1]), right).mean()

    def _voyages(
        self,
        codes: Tensor,
        rows: Rows,
        phrases: list[Phrase],
        times: Floats,
        rng: np.random.Generator,
    ) -> Voyages:
        ids, mask = encode(self._tokenizer, [phrase.text for phrase in phrases])
        return Voyages(
            codes=codes,
            noise=torch.from_numpy(rng.standard_normal(codes.shape, np.float32)),
            times=torch.from_numpy(times),
            ids=torch.from_numpy(ids),
            mask=torch.from_numpy(mask),
            said=torch.from_numpy(_said(self._source.shelf, rows, phrases)),
            pose=torch.from_numpy(rows % self._config.poses),
        )

    def _title(self, row: int, rng: np.random.Generator) -> Phrase:
        if rng.random() < self._config.empty_share:
            return SILENCE
        style = Style.FULL if rng.random() < self._config.full_share else Style.ANY
        return self._worded(row, rng, style)

    def _full(self, row: int, rng: np.random.Generator) -> Phrase:
        return self._worded(row, rng, Style.FULL)

    def _worded(self, row: int, rng: np.random.Generator, style: Style) -> Phrase:
        languages = self._source.languages
        language = languages[int(rng.integers(len(languages)))]
        said = self._source.phrase(row, language, rng, style=style)
        return said or SILENCE

    def _drawn(
        self, model: Generator, batch: Voyages, phrases: list[Phrase], step: int
    ) -> dict[str, float]:
        """Draw the first titles, put them below the products on a sheet, and compare both."""
        count = min(DRAWN, len(phrases))
        titles = [phrase.text for phrase in phrases[:count]]
        codes = drawn(model, self._tokenizer, titles, batch.noise[:count], batch.pose[:count])
        missed = (codes - batch.codes[:count]) / model.flow.spread
        found = {"codes": float((model.flow.weight * missed.square()).mean())}
        if self._critic is not None:
            seen = self._seen(self._critic, batch.first(count), codes)
            found["looks"], found["taken"] = map(float, seen)
        pictures = to_pixels(self._codec(codes[:SHEET]))
        folder = self._config.folder / SHEETS
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            wanted = self._source.portraits(self._held_out[:SHEET])
            _sheet(wanted, pictures).save(folder / f"{step:06d}.png")
        return found


def _said(shelf: Shelf, rows: Rows, phrases: list[Phrase]) -> Codes:
    found = np.full((len(rows), shelf.heads), -1, np.int64)
    for place, phrase in enumerate(phrases):
        columns = [column for column in phrase.mentions if column < shelf.heads]
        found[place, columns] = shelf.codes[rows[place], columns]
    return found


def _sheet(wanted: Pixels, drawn: Pixels) -> Image.Image:
    rows = []
    for start in range(0, len(wanted), COLUMNS):
        for kind in (wanted, drawn):
            tiles: Pixels = kind[start : start + COLUMNS]
            blank = np.full((COLUMNS - len(tiles), *tiles.shape[1:]), 255, np.uint8)
            rows.append(np.concatenate([*tiles, *blank], 1))
    return Image.fromarray(np.concatenate(rows))
