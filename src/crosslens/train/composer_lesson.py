"""What a composer learns, step by step, and how it is judged."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from crosslens.corpora.composed import Wish
from crosslens.errors import InvalidRequest
from crosslens.evaluate.composed import Asked, ComposedReport, judge
from crosslens.train.composer_config import ComposerConfig
from crosslens.train.composer_data import Material, mirrored_words, numbered
from crosslens.train.composer_losses import compare
from crosslens.train.composer_model import Composer
from crosslens.train.lessons import Verdict
from crosslens.train.source import Rows
from crosslens.train.tokens import encode
from crosslens.values import Floats

CHUNK = 128
VALIDATION = "validation"
WATCHED = 32  # sources of the training and of a watched split whose wishes are asked
_HELD_OUT = 7


@dataclass(frozen=True, slots=True)
class Wishes:
    """
    One step: U sources, B questions about them and their B targets.

    Attributes:
        pictures: the sources, then the targets [U + B, …].
        source: int64 [B], which of the sources each question starts from.
        ids, mask: int64 [B, L].
        spoken: the bundle's vectors of the words, [B, dim] or [B, 0].
        labels: int64 [B], of the targets.
        draw: int64 [], from which noise is drawn, so that a resumed run draws the same.
    """

    pictures: Tensor
    source: Tensor
    ids: Tensor
    mask: Tensor
    spoken: Tensor
    labels: Tensor
    draw: Tensor

    def to(self, device: str) -> Wishes:
        """Copy to a device."""
        return Wishes(*(getattr(self, name).to(device) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Questions:
    """Wishes in words: each phrasing in each language is a question."""

    wishes: list[Wish]
    texts: list[str]
    asked: Asked


@dataclass(frozen=True, slots=True)
class Exam:
    """Questions about some material, and which of its pictures are searched."""

    material: Material
    questions: Questions
    gallery: Rows

    @classmethod
    def of(cls, material: Material, wishes: Sequence[Wish], most: int) -> Self:
        """Ask wishes of all pictures that they need, and of others up to `most`."""
        return cls(material, questions(wishes), searched(wishes, len(material.labels), most))


class ComposerLesson:
    """
    Teaches a composer; a `Lesson`.

    It is judged by wishes that were kept from it. How well it knows what it has seen, and what a
    split finds that is only watched, is told beside that and decides nothing.

    Args:
        watched: another split; the wishes about some of its sources are asked.

    Raises:
        InvalidRequest: the material has too few sources to keep some for validation.
    """

    def __init__(
        self,
        material: Material,
        tokenizer: Tokenizer,
        config: ComposerConfig,
        *,
        watched: Material | None = None,
    ) -> None:
        self._material = material
        self._tokenizer = tokenizer
        self._config = config
        self._labels = numbered(material.labels)
        training, held_out = parted(material.wishes, config.held_out)
        self._by_source = list(_by_source(training).items())
        if not self._by_source or not held_out:
            raise InvalidRequest(
                f"{len(material.wishes)} wishes are too few to learn from and to be judged by"
            )
        self._exams = {
            VALIDATION: Exam.of(material, held_out, config.gallery),
            "training": Exam.of(material, parted(training, WATCHED)[1], config.gallery),
        }
        if watched is not None:
            few = parted(watched.wishes, WATCHED)[1] or watched.wishes
            self._exams["test"] = Exam.of(watched, few, config.gallery)

    def make(self, step: int) -> Wishes:
        """Draw the sources, wishes and words of one step."""
        config = self._config
        rng = np.random.default_rng([config.seed, step])
        chosen = self._draw(rng)
        targets = np.array([_any(wish.targets, rng) for wish in chosen], np.int64)
        sources, places = np.unique([wish.source for wish in chosen], return_inverse=True)
        rows = np.concatenate([sources.astype(np.int64), targets])
        flipped = rng.random(len(sources)) < config.mirror
        texts = [
            mirrored_words(_said(wish, rng)) if flipped[place] else _said(wish, rng)
            for wish, place in zip(chosen, places, strict=True)
        ]
        ids, mask = encode(self._tokenizer, texts)
        dropped = rng.random(mask.shape) < config.word_drop
        dropped[:, 0] = False
        mirrored = np.concatenate([flipped, flipped[places]])
        return Wishes(
            pictures=self._material.sights.take(rows, rng, shift=config.shift, mirrored=mirrored),
            source=torch.from_numpy(places.astype(np.int64)),
            ids=torch.from_numpy(ids),
            mask=torch.from_numpy(np.where(dropped, 0, mask)),
            spoken=_spoken(self._material, texts),
            labels=torch.from_numpy(self._labels[targets]),
            draw=torch.tensor(int(rng.integers(2**31))),
        )

    def measure(self, model: Composer, batch: Wishes) -> dict[str, Tensor]:
        """Compare composed vectors with those of the targets."""
        torch.manual_seed(int(batch.draw))
        seen = model.see(batch.pictures)
        few = len(seen) - len(batch.source)
        composed = model.compose(seen[:few][batch.source], batch.ids, batch.mask, batch.spoken)
        targets = model.place(seen[few:])
        loss = compare(self._config.loss, composed, targets, batch.labels, model.scale)
        hit = (composed.detach().float() @ targets.detach().float().T).argmax(1)
        right = batch.labels[hit] == batch.labels
        return {"loss": loss, "hit": right.float().mean(), "scale": model.scale}

    def judge(self, model: Composer, step: int) -> Verdict:
        """Ask the questions of the sources that were kept, and those that are only watched."""
        found = {
            name: report(
                model, self._tokenizer, exam.material, exam.questions, gallery=exam.gallery
            ).all.metrics
            for name, exam in self._exams.items()
        }
        figures = {
            f"{name}/{metric}": metrics[metric]
            for name, metrics in found.items()
            for metric in ("recall@1", "recall@10")
        }
        return Verdict(found[VALIDATION]["recall@1"], figures)

    def _draw(self, rng: np.random.Generator) -> list[Wish]:
        config = self._config
        wanted = min(len(self._by_source), -(-config.batch // config.siblings))
        chosen: list[Wish] = []
        for place in rng.choice(len(self._by_source), wanted, replace=False):
            _, wishes = self._by_source[place]
            few = rng.permutation(len(wishes))[: config.siblings]
            chosen += [wishes[number] for number in few]
        return chosen[: config.batch]


def searched(wishes: Sequence[Wish], count: int, most: int | None) -> Rows:
    """
    List which of `count` pictures are searched: all that the wishes need, then others.

    Args:
        most: how many at most, where the wishes do not need more; None for all.
    """
    if most is None:
        return np.arange(count, dtype=np.int64)
    needed = {number for wish in wishes for number in (wish.source, *wish.targets)}
    rng = np.random.default_rng(_HELD_OUT)
    others = [n for n in rng.permutation(count).tolist() if n not in needed]
    return np.array(sorted(needed) + others[: max(0, most - len(needed))], np.int64)


def questions(wishes: Sequence[Wish]) -> Questions:
    """Turn wishes into questions, ordered by source."""
    ordered = sorted(enumerate(wishes), key=lambda pair: pair[1].source)
    rows = [
        (number, wish, language, phrasing, text)
        for number, wish in ordered
        for language, texts in wish.words.items()
        for phrasing, text in enumerate(texts)
    ]
    asked = Asked(
        sources=np.array([wish.source for _, wish, *_ in rows], np.int64),
        targets=np.array([wish.targets[0] for _, wish, *_ in rows], np.int64),
        groups=[str(number) for number, *_ in rows],
        kinds=[wish.kind for _, wish, *_ in rows],
        languages=[language for _, _, language, *_ in rows],
        phrasings=[phrasing for *_, phrasing, _ in rows],
    )
    return Questions([wish for _, wish, *_ in rows], [text for *_, text in rows], asked)


def report(
    model: Composer,
    tokenizer: Tokenizer,
    material: Material,
    wanted: Questions,
    *,
    gallery: Rows | None = None,
) -> ComposedReport:
    """
    Ask a composer, and measure by labels and by targets.

    Args:
        gallery: the pictures that are searched; all of them unless said.
    """
    rows = np.arange(len(material.labels), dtype=np.int64) if gallery is None else gallery
    labels = [material.labels[row] for row in rows]
    by_label: dict[str, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        by_label[label].append(number)
    right = [
        np.array(sorted({n for t in wish.targets for n in by_label[material.labels[t]]}), np.int64)
        for wish in wanted.wishes
    ]
    there = moved(wanted.asked, rows)
    composed = compose_all(model, tokenizer, material, wanted)
    return judge(composed, place_all(model, material, rows), labels, there, right=right)


def moved(asked: Asked, rows: Rows) -> Asked:
    """Number pictures by their place in a gallery of `rows`, which holds all that are asked for."""
    places = np.full(int(rows.max()) + 1, -1, np.int64)
    places[rows] = np.arange(len(rows))
    return dataclasses.replace(
        asked, sources=places[asked.sources], targets=places[asked.targets]
    )  # fmt: skip


def place_all(model: Composer, material: Material, rows: Rows) -> Floats:
    """Encode pictures: float32 [N, dim]."""
    device, parts = model.log_scale.device, []
    with torch.no_grad():
        for start in range(0, len(rows), CHUNK):
            seen = model.see(material.sights.take(rows[start : start + CHUNK]).to(device))
            parts.append(model.place(seen).float().cpu().numpy())
    return np.concatenate(parts)


def compose_all(
    model: Composer, tokenizer: Tokenizer, material: Material, wanted: Questions
) -> Floats:
    """Compose questions: float32 [Q, dim]."""
    device, parts = model.log_scale.device, []
    with torch.no_grad():
        for start in range(0, len(wanted.texts), CHUNK):
            texts = wanted.texts[start : start + CHUNK]
            sources, place = np.unique(
                wanted.asked.sources[start : start + CHUNK], return_inverse=True
            )
            seen = model.see(material.sights.take(sources).to(device))
            ids, mask = (torch.from_numpy(part).to(device) for part in encode(tokenizer, texts))
            spoken = _spoken(material, texts).to(device)
            composed = model.compose(seen[torch.from_numpy(place).to(device)], ids, mask, spoken)
            parts.append(composed.float().cpu().numpy())
    return np.concatenate(parts)


def _spoken(material: Material, texts: Sequence[str]) -> Tensor:
    if not material.spoken:
        return torch.zeros(len(texts), 0)
    return torch.from_numpy(np.stack([material.spoken[text] for text in texts]))


def _said(wish: Wish, rng: np.random.Generator) -> str:
    languages = list(wish.words)
    texts = wish.words[languages[int(rng.integers(len(languages)))]]
    return texts[int(rng.integers(len(texts)))]


def _any(targets: Sequence[int], rng: np.random.Generator) -> int:
    return targets[int(rng.integers(len(targets)))]


def _by_source(wishes: Sequence[Wish]) -> dict[int, list[Wish]]:
    found: dict[int, list[Wish]] = defaultdict(list)
    for wish in wishes:
        found[wish.source].append(wish)
    return dict(sorted(found.items()))


def parted(wishes: Sequence[Wish], held_out: int) -> tuple[list[Wish], list[Wish]]:
    """Keep the wishes of some sources apart, always the same; at most of a quarter of them."""
    sources = sorted({wish.source for wish in wishes})
    rng = np.random.default_rng(_HELD_OUT)
    few = min(held_out, len(sources) // 4)
    kept = set(rng.permutation(sources)[:few].tolist())
    training = [wish for wish in wishes if wish.source not in kept]
    return training, [wish for wish in wishes if wish.source in kept]
