"""Composers at work on ONNX Runtime: loaded once, with all their weights, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crosslens.compose.bundles import Goldens, read_goldens, verify
from crosslens.compose.cards import GRAPH, TOKENIZER, ComposerCard
from crosslens.encode.folders import require_close
from crosslens.encode.graphs import open_graph
from crosslens.encode.words import Words
from crosslens.errors import BrokenBundle, WrongSpace
from crosslens.values import Floats, Vectors

INPUTS = ("picture", "words", "input_ids", "attention_mask")
OUTPUT = "vector"
MAX_ROWS = 64


class OnnxComposer:
    """
    A composer: `Composer`. Safe to call from many threads; a question is never mixed with another.

    Raises:
        BrokenBundle: the graph cannot be loaded, or has other inputs than the format.
    """

    def __init__(self, card: ComposerCard, words: Words, session: Any) -> None:
        self.card = card
        self.name = card.name
        self.space = card.vector_space
        self._words = words
        self._session = session
        found = sorted(entry.name for entry in session.get_inputs())
        self._inputs = set(found)
        if not self._inputs <= set(INPUTS):
            raise BrokenBundle(f"composer {card.name} wants inputs {found}; known are {INPUTS}")

    def compose(self, pictures: Vectors, words: Sequence[str], spoken: Vectors) -> Vectors:
        """Compose row by row: [N, dim]."""
        for given in (pictures, spoken):
            if given.space != self.space:
                raise WrongSpace(
                    f"composer {self.name} is of {self.space}, the vectors are of {given.space}"
                )
        parts = [
            self._run(pictures.array[at], words[at], spoken.array[at])
            for at in (slice(n, n + MAX_ROWS) for n in range(0, len(words), MAX_ROWS))
        ]
        found = np.concatenate(parts) if parts else np.empty((0, self.space.dim), np.float32)
        return Vectors.normalized(self.space, found)

    def _run(self, pictures: Floats, words: Sequence[str], spoken: Floats) -> Floats:
        ids, mask = self._words.pad(self._words.rows(words))
        feeds = {"picture": pictures, "words": spoken, "input_ids": ids, "attention_mask": mask}
        try:
            found = self._session.run([OUTPUT], {name: feeds[name] for name in self._inputs})[0]
        except Exception as exc:
            raise BrokenBundle(f"composer {self.name} failed to run: {exc}") from exc
        return np.asarray(found, np.float32)

    def check(self, goldens: Goldens) -> None:
        """
        Compose the goldens, together and one by one.

        Raises:
            BrokenBundle: the vectors are not those that the exporter measured.
        """
        pictures = Vectors(self.space, goldens.pictures)
        spoken = Vectors(self.space, goldens.spoken)
        whole = self.compose(pictures, goldens.words, spoken).array
        singles = [
            self.compose(
                Vectors(self.space, goldens.pictures[n : n + 1]),
                goldens.words[n : n + 1],
                Vectors(self.space, goldens.spoken[n : n + 1]),
            ).array
            for n in range(len(goldens.words))
        ]
        for found in (whole, np.concatenate(singles)):
            difference = float(np.abs(found - goldens.vectors).max())
            require_close(f"composer {self.name}", difference, goldens.tolerance)


def load(folder: Path) -> OnnxComposer:
    """
    Load a composer, and let it prove itself.

    Raises:
        NotFound: there is none.
        BrokenBundle: a file is missing or altered, or it does not give its golden vectors.
    """
    card = verify(folder)
    words = Words(card.words, (folder / TOKENIZER).read_text("utf-8"))
    composer = OnnxComposer(card, words, open_graph(folder / GRAPH))
    composer.check(read_goldens(folder))
    return composer
