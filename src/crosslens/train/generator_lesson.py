"""What a flow learns: to go from noise to the codes of the picture that a title speaks of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor

from crosslens.train.disk import explained
from crosslens.train.generator_codec import Codec, encode_all, to_pixels
from crosslens.train.generator_config import FlowConfig
from crosslens.train.generator_critic import Critic, apart, misled
from crosslens.train.generator_flow import Generator, follow
from crosslens.train.lessons import Verdict
from crosslens.train.losses import misnamed, name_attributes
from crosslens.train.rendered import RenderedSource
from crosslens.train.source import Codes, Phrase, Pixels, Rows, Shelf, Style, chances
from crosslens.train.tokens import encode
from crosslens.values import Floats

TIMES = (0.05, 0.25, 0.5, 0.75, 0.95)
EARLY, WIDE = -1.0, 1.3  # where on the way most is learned, and how far around: in logits
SHEET, COLUMNS, SHEET_STEPS, SHEET_GUIDANCE = 32, 8, 12, 2.5
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
    """

    codes: Tensor
    noise: Tensor
    times: Tensor
    ids: Tensor
    mask: Tensor
    said: Tensor
    pose: Tensor

    def to(self, device: str) -> Voyages:
        """Copy to a device."""
        return Voyages(*(getattr(self, name).to(device) for name in self.__slots__))


class FlowLesson:
    """Teaches a generator to draw; a `Lesson`. Its validations leave contact sheets."""

    def __init__(
        self,
        source: RenderedSource,
        codec: Codec,
        tokenizer: Tokenizer,
        config: FlowConfig,
        *,
        critic: Critic | None = None,
    ) -> None:
        self._source = source
        self._codec = codec.to(config.device)
        self._critic = critic
        self._tokenizer = tokenizer
        self._config = config
        self._codes = encode_all(codec, source, source.shelf.training)
        self._held_out = source.shelf.validation[: config.gallery]
        self._chances = chances(source.shelf, config.balance)

    def make(self, step: int) -> Voyages:
        """Draw the pictures, titles, noise and times of one step."""
        config = self._config
        rng = np.random.default_rng([config.seed, step])
        rows = rng.choice(self._source.shelf.training, config.batch, p=self._chances)
        phrases = [self._title(int(row), rng) for row in rows]
        logits = EARLY + WIDE * rng.standard_normal(config.batch, np.float32)
        places = torch.from_numpy(np.searchsorted(self._source.shelf.training, rows))
        return self._voyages(
            self._codes[places].float(), rows, phrases, 1 / (1 + np.exp(-logits)), rng
        )

    def measure(self, model: Generator, batch: Voyages) -> dict[str, Tensor]:
        """Compare where the flow heads with where it should: codes, looks, and what is named."""
        config, states = self._config, model.reader(batch.ids, batch.mask)
        errors, ahead = self._headed(model, batch, states)
        losses = {"missed": errors.mean()}
        loss = losses["missed"]
        if self._critic is not None:
            losses["looks"], losses["taken"] = self._seen(self._critic, batch, ahead)
            loss = loss + config.perceptual * losses["looks"] + config.telling * losses["taken"]
        if model.heads:
            losses["named"] = name_attributes(model.named(states, batch.mask), batch.said)
            loss = loss + config.naming * losses["named"]
        return {"loss": loss, **losses}

    def judge(self, model: Generator, step: int) -> Verdict:
        """Measure the loss on held-out products at fixed times; draw a contact sheet."""
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
        score = -sum(figures.values()) / len(figures)
        if seen:
            figures["looks"], figures["taken"] = torch.stack(seen).mean(0).tolist()
            score -= self._config.perceptual * figures["looks"]
            score -= self._config.telling * figures["taken"]
        if model.heads:
            figures["misnamed"] = misnamed(model.named(states, mask), said)
        self._draw_sheet(model, [phrase.text for phrase in phrases], step)
        return Verdict(score, figures)

    def _headed(self, model: Generator, batch: Voyages, states: Tensor) -> tuple[Tensor, Tensor]:
        """Give the weighted errors of what the linear guess misses, and the codes headed for."""
        time = batch.times[:, None, None]
        between = time * batch.codes + (1 - time) * batch.noise
        linear, amount, shrunk = model.flow.guess(between, batch.times)
        found = model.flow.learned(shrunk, batch.times, states, batch.mask, batch.pose)
        wanted = (batch.codes - batch.noise - linear) / amount
        errors = model.flow.weight * (found - wanted).square()
        return errors, between + (1 - time) * (linear + amount * found)

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

    def _draw_sheet(self, model: Generator, titles: list[str], step: int) -> None:
        """Put held-out products as they are above what is drawn from their titles."""
        titles = titles[:SHEET]
        ids, mask = encode(self._tokenizer, titles + [""] * len(titles))
        device = self._config.device
        states = model.reader(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
        shape = (len(titles), *self._codes.shape[1:])
        noise = torch.from_numpy(np.random.default_rng(_SEED).standard_normal(shape, np.float32))
        codes = follow(
            model.flow, noise.to(device), states, torch.from_numpy(mask).to(device),
            torch.from_numpy(self._held_out[:SHEET] % self._config.poses).to(device),
            steps=SHEET_STEPS, guidance=SHEET_GUIDANCE,
        )  # fmt: skip
        drawn = to_pixels(self._codec(codes))
        folder = self._config.folder / SHEETS
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            wanted = self._source.portraits(self._held_out[:SHEET])
            _sheet(wanted, drawn).save(folder / f"{step:06d}.png")


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
