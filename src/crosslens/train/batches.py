"""Batches: what step k sees is a function of the seed and k alone, so a resumed run repeats it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from crosslens.train.augment import augment
from crosslens.train.config import TrainConfig
from crosslens.train.source import Rows, Shelf, Source, ask, relate
from crosslens.train.tokens import common_characters, encode

NAMED = 0.2
AHEAD = 3
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CHARACTERS = common_characters()


@dataclass(frozen=True, slots=True)
class Batch:
    """
    One step's input: P products, two pictures each, T phrases.

    Attributes:
        pictures: float32 [2 P, 3, S, S]; the first P and the last P show the same products.
        ids, mask: int64 [T, L].
        relation: int8 [T, P], as `relate` gives it.
        codes: int64 [P, heads], -1 where unknown.
    """

    pictures: Tensor
    ids: Tensor
    mask: Tensor
    relation: Tensor
    codes: Tensor

    def to(self, device: str) -> Batch:
        """Copy to a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__slots__))


class BatchMaker:
    """Makes the batch of any step; the same one each time it is asked."""

    def __init__(self, source: Source, tokenizer: Tokenizer, config: TrainConfig) -> None:
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
        ids, mask = encode(self.tokenizer, [_with_a_name(text, rng) for text in asked.texts])
        px = self.config.px_at(step)
        views = self.source.pictures(rows, rng)  # [P, 2, S, S, 3]
        pictures = augment(np.concatenate([views[:, 0], views[:, 1]]), rng, px=px)
        return Batch(
            pictures=pictures,
            ids=torch.from_numpy(ids),
            mask=torch.from_numpy(mask),
            relation=torch.from_numpy(relate(shelf, asked, rows)),
            codes=torch.from_numpy(shelf.codes[rows, : shelf.heads]),
        )

    def _draw(self, rng: np.random.Generator) -> Rows:
        pool = self.source.shelf.training
        if len(self._by_kind) > 1 and rng.random() < self.config.focus:
            chosen = rng.permutation(len(self._by_kind))
            few = chosen[: max(2, len(self._by_kind) // 6)]
            pool = np.concatenate([self._by_kind[kind] for kind in few])
        return rng.choice(pool, min(self.config.products, len(pool)), replace=False)


def ahead(maker: BatchMaker, first: int, last: int) -> Generator[Batch]:
    """
    Make the batches of steps first … last - 1 in a thread, a few steps ahead.

    An error in the thread reaches the caller; leaving the loop early ends the thread.
    """
    ready: queue.Queue[Batch | BaseException] = queue.Queue(AHEAD)
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
    maker: BatchMaker,
    steps: range,
    ready: queue.Queue[Batch | BaseException],
    stop: threading.Event,
) -> None:
    for step in steps:
        try:
            made: Batch | BaseException = maker.make(step)
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


def _rows_by_kind(shelf: Shelf) -> list[Rows]:
    kinds = shelf.kinds[shelf.training]
    return [shelf.training[kinds == kind] for kind in np.unique(kinds)]


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
        found.extend(ask(source, rows, rng).texts)
        if len(found) >= count:
            break
    return found
