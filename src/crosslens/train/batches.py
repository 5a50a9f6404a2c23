"""Batches: what step k sees is a function of the seed and k alone, so a resumed run repeats it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from crosslens.train.augment import augment
from crosslens.train.config import TrainConfig
from crosslens.train.source import Asked, Rows, Shelf, Source, alike, ask, relate
from crosslens.train.tokens import common_characters, encode

NAMED = 0.2
REPEATED = 0.5
FOURS = 4
AHEAD = 3
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CHARACTERS = common_characters()


class Movable(Protocol):
    """A batch, of whatever."""

    def to(self, device: str) -> Self:
        """Copy to a device."""
        ...


BatchT = TypeVar("BatchT", bound=Movable)
MadeT = TypeVar("MadeT", bound=Movable, covariant=True)


class Maker(Protocol[MadeT]):
    """Whoever makes the batch of any step."""

    def make(self, step: int) -> MadeT:
        """Make the batch of a step; the same one each time it is asked."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """
    One step's input: P products, two pictures each, T phrases, U paraphrases.

    Attributes:
        pictures: float32 [2 P, 3, S, S], or unit vectors [2 P, dim] where the pictures are
            described already; the first P and the last P show the same products.
        ids, mask: int64 [T + U, L]: T phrases that pictures are told by, then U paraphrases.
        relation: int8 [T, P], as `relate` gives it.
        paraphrased: int64 [U], which phrase each paraphrase repeats.
        meaning: int8 [U, U], as `alike` gives it for the repeated phrases and the paraphrases.
        codes: int64 [P, heads], -1 where unknown.
    """

    pictures: Tensor
    ids: Tensor
    mask: Tensor
    relation: Tensor
    paraphrased: Tensor
    meaning: Tensor
    codes: Tensor

    def to(self, device: str) -> Batch:
        """Copy to a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__slots__))


class Views(Protocol):
    """Two pictures of each product as a step sees them: disturbed pixels, or vectors."""

    def __call__(self, rows: Rows, rng: np.random.Generator, *, px: int) -> Tensor:
        """Give float32 [2 P, …]; the first P and the last P show the same products."""
        ...


class Disturbed:
    """The source's pictures, disturbed anew each time."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __call__(self, rows: Rows, rng: np.random.Generator, *, px: int) -> Tensor:
        """Give float32 [2 P, 3, px, px]."""
        views = self._source.pictures(rows, rng)  # [P, 2, S, S, 3]
        return augment(np.concatenate([views[:, 0], views[:, 1]]), rng, px=px)


class BatchMaker:
    """
    Makes the batch of any step; the same one each time it is asked.

    Args:
        views: how pictures are seen; disturbed anew in each step unless said.
    """

    def __init__(
        self,
        source: Source,
        tokenizer: Tokenizer,
        config: TrainConfig,
        *,
        views: Views | None = None,
    ) -> None:
        self._views = views or Disturbed(source)
        self.source = source
        self.tokenizer = tokenizer
        self.config = config
        self._by_kind = _rows_by_kind(source.shelf)

    def make(self, step: int) -> Batch:
        """Draw, word and disturb the products of one step."""
        rng = np.random.default_rng([self.config.seed, step])
        shelf = self.source.shelf
        rows = self._draw(rng)
        asked = ask(self.source, rows, rng)
        again, others = _paraphrases(self.source, asked, rng)
        texts = [_with_a_name(text, rng) for text in (*asked.texts, *others.texts)]
        ids, mask = encode(self.tokenizer, texts)
        return Batch(
            pictures=self._views(rows, rng, px=self.config.px_at(step)),
            ids=torch.from_numpy(ids),
            mask=torch.from_numpy(mask),
            relation=torch.from_numpy(relate(shelf, asked, rows)),
            paraphrased=torch.from_numpy(again),
            meaning=torch.from_numpy(alike(shelf, _chosen(asked, again), others)),
            codes=torch.from_numpy(shelf.codes[rows, : shelf.heads]),
        )

    def _draw(self, rng: np.random.Generator) -> Rows:
        pool = self.source.shelf.training
        count = min(self.config.products, len(pool))
        rows = rng.choice(pool, count, replace=False)
        if len(self._by_kind) < 2 or rng.random() >= self.config.focus:
            return rows
        near = [self._near(row, rng) for row in rows[: -(-count // FOURS)]]
        # What was drawn twice makes room for others of the first draw.
        return np.array(list(dict.fromkeys([*np.concatenate(near), *rows])), np.int64)[:count]

    def _near(self, row: int, rng: np.random.Generator) -> Rows:
        """Give a product and those, of some of its kind, that agree with it in most attributes."""
        shelf = self.source.shelf
        mates = self._by_kind[int(shelf.kinds[row])]
        mates = mates[(rng.random(len(mates)) < 0.5) & (mates != row)]
        known = shelf.codes[row] >= 0
        agreement = (shelf.codes[mates][:, known] == shelf.codes[row, known]).sum(1)
        order = np.argsort(-(agreement + rng.random(len(mates))))
        return np.array([row, *mates[order[: FOURS - 1]]], np.int64)


def ahead(maker: Maker[BatchT], first: int, last: int) -> Generator[BatchT]:
    """
    Make the batches of steps first … last - 1 in a thread, a few steps ahead.

    An error in the thread reaches the caller; leaving the loop early ends the thread.
    """
    ready: queue.Queue[BatchT | BaseException] = queue.Queue(AHEAD)
    stop = threading.Event()
    worker = threading.Thread(target=_fill, args=(maker, range(first, last), ready, stop))
    worker.start()
    try:
        for _ in range(first, last):
            found = ready.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stop.set()
        worker.join()


def _fill(
    maker: Maker[BatchT],
    steps: range,
    ready: queue.Queue[BatchT | BaseException],
    stop: threading.Event,
) -> None:
    for step in steps:
        try:
            made: BatchT | BaseException = maker.make(step)
        except BaseException as exc:  # noqa: BLE001  (handed to the loop, which raises it)
            made = exc
        while not stop.is_set():
            try:
                ready.put(made, timeout=0.1)
                break
            except queue.Full:
                continue
        if stop.is_set() or isinstance(made, BaseException):
            return


def _rows_by_kind(shelf: Shelf) -> dict[int, Rows]:
    kinds = shelf.kinds[shelf.training]
    return {int(kind): shelf.training[kinds == kind] for kind in np.unique(kinds)}


def _paraphrases(source: Source, asked: Asked, rng: np.random.Generator) -> tuple[Rows, Asked]:
    """Repeat half of the phrases in other words; say which ones."""
    found = [
        (place, phrase)
        for place in np.flatnonzero(rng.random(len(asked.rows)) < REPEATED)
        if (phrase := source.paraphrase(int(asked.rows[place]), asked.phrases[place], rng))
    ]
    again = np.array([place for place, _ in found], np.int64)
    return again, Asked(asked.rows[again], tuple(phrase for _, phrase in found))


def _chosen(asked: Asked, places: Rows) -> Asked:
    return Asked(asked.rows[places], tuple(asked.phrases[place] for place in places))


def _with_a_name(text: str, rng: np.random.Generator) -> str:
    """Put an invented name before or after some texts: unknown words must not mislead."""
    if rng.random() >= NAMED:
        return text
    chinese = rng.random() < 0.5
    letters, count = (
        (_CHARACTERS, rng.integers(2, 5)) if chinese else (_LETTERS, rng.integers(3, 9))
    )
    name = "".join(letters[place] for place in rng.integers(len(letters), size=int(count)))
    return f"{name} {text}" if rng.random() < 0.7 else f"{text} {name}"


def vocabulary_texts(source: Source, *, seed: int, count: int = 40_000) -> list[str]:
    """Word the training products over and over, for the tokenizer to learn from."""
    rng = np.random.default_rng([seed, 2**32])
    rows = source.shelf.training
    rounds = -(-count // (len(rows) * len(source.languages)))
    found: list[str] = []
    for _ in range(min(rounds, 20)):
        asked = ask(source, rows, rng)
        found.extend((*asked.texts, *_paraphrases(source, asked, rng)[1].texts))
        if len(found) >= count:
            break
    return found
