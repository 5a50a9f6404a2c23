"""Bundles at work on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from crosslens.encode.bundles import HASHED_ON_LOAD, read_goldens, verify
from crosslens.encode.cards import Card, PictureCard, RerankerCard, TextCard
from crosslens.encode.goldens import CheckReport, check_goldens, check_pairs
from crosslens.encode.graphs import CPU, open_graph
from crosslens.encode.pages import large_pages
from crosslens.encode.pairs import INPUTS, Pairs
from crosslens.encode.pixels import Pixels
from crosslens.encode.towers import Row, by_length
from crosslens.encode.words import Words
from crosslens.errors import BrokenBundle, MissingExtra
from crosslens.values import Floats, Space, Vectors

OUTPUT = "vector"
MAX_ROWS = 16

_DEVICES = {
    "cpu": (),
    "cuda": (("CUDAExecutionProvider", {"use_tf32": "0"}),),  # TF32 would be another precision
    "directml": ("DmlExecutionProvider",),
    "coreml": ("CoreMLExecutionProvider",),
}


class OnnxTower:
    """
    One ONNX session, checked against the card. Safe to call from many threads at once.

    Raises:
        BrokenBundle: the file is not a graph with the inputs and the output of the format.
    """

    def __init__(self, path: Path, *, space: Space, inputs: set[str], session: Any) -> None:
        self.space = space
        self._path = path
        self._session = session
        self._shapes = {entry.name: entry.shape for entry in session.get_inputs()}
        self.inputs = set(self._shapes)
        if not self.inputs <= inputs:
            raise BrokenBundle(
                f"{path} wants inputs {sorted(self.inputs)}; allowed are {sorted(inputs)}"
            )
        self._check_output()

    def _check_output(self) -> None:
        shapes = {entry.name: entry.shape for entry in self._session.get_outputs()}
        if OUTPUT not in shapes:
            raise BrokenBundle(f"{self._path} has outputs {sorted(shapes)}, none named {OUTPUT}")
        shape = shapes[OUTPUT]
        if len(shape) != 2 or (isinstance(shape[1], int) and shape[1] != self.space.dim):
            raise BrokenBundle(f"{self._path}: {OUTPUT} is {shape}, expected [N, {self.space.dim}]")

    def check_input(self, name: str, wanted: Sequence[int | None]) -> None:
        """
        Check the dimensions that the graph fixes; None is any.

        Raises:
            BrokenBundle: one is not what the card says.
        """
        shape = self._shapes[name]
        pairs = zip(shape, wanted, strict=False)
        fixed = [
            isinstance(have, int) and want is not None and have != want for have, want in pairs
        ]
        if len(shape) != len(wanted) or any(fixed):
            raise BrokenBundle(f"{self._path} wants {name} {shape}, the card gives {list(wanted)}")

    def vectors(self, feeds: dict[str, Row]) -> Floats:
        """
        Run the graph: float32 [N, dim].

        Raises:
            BrokenBundle: the graph failed; ONNX Runtime's reason is the cause.
        """
        try:
            found = self._session.run([OUTPUT], feeds)[0]
        except Exception as exc:
            raise BrokenBundle(f"{self._path} failed to run: {exc}") from exc
        return np.asarray(found, dtype=np.float32)


class OnnxText:
    """A text encoder: TextEncoder and TextTower."""

    def __init__(self, card: TextCard, words: Words, tower: OnnxTower) -> None:
        self.card = card
        self.space = tower.space
        self._words = words
        self._tower = tower

    def prepare_queries(self, words: Sequence[str]) -> list[Row]:
        """Cut what people ask for into token ids: int64 [L] each."""
        return self._words.rows(words, prefix=self.card.query_prefix)

    def prepare_items(self, texts: Sequence[str]) -> list[Row]:
        """Cut what the catalogue holds into token ids: int64 [L] each."""
        return self._words.rows(texts, prefix=self.card.item_prefix)

    def run(self, rows: Sequence[Row]) -> Floats:
        """Compute raw vectors, texts of like length together: float32 [N, dim]."""
        out = np.empty((len(rows), self.space.dim), np.float32)
        for group in by_length(self._words.lengths(rows)):
            for start in range(0, len(group), MAX_ROWS):
                chosen = group[start : start + MAX_ROWS]
                out[chosen] = self._run([rows[n] for n in chosen])
        return out

    def _run(self, rows: Sequence[Row]) -> Floats:
        return self._tower.vectors(self.feeds(rows))

    def feeds(self, rows: Sequence[Row]) -> dict[str, Row]:
        """Pad rows to the longest, as inputs of the graph by name: int64 [N, L] each."""
        ids, mask = self._words.pad(rows)
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return {name: feeds[name] for name in sorted(self._tower.inputs)}

    def encode_queries(self, words: Sequence[str]) -> Vectors:
        """Encode what people ask for: [N, dim]."""
        return Vectors.normalized(self.space, self.run(self.prepare_queries(words)))

    def encode_items(self, texts: Sequence[str]) -> Vectors:
        """Encode what the catalogue holds: [N, dim]."""
        return Vectors.normalized(self.space, self.run(self.prepare_items(texts)))


class OnnxPictures:
    """A picture encoder: PictureEncoder and PictureTower."""

    def __init__(self, card: PictureCard, tower: OnnxTower) -> None:
        self.card = card
        self.space = tower.space
        self._pixels = Pixels(card)
        self._tower = tower

    def prepare(self, pictures: Sequence[bytes]) -> list[Row]:
        """
        Decode and resize: float32 [3, H, W] each.

        Raises:
            UnreadablePicture: one of them cannot be decoded; the message ends with its digest.
        """
        return list(self._pixels.rows(pictures))

    def run(self, rows: Sequence[Row]) -> Floats:
        """Compute raw vectors: float32 [N, dim]."""
        out = np.empty((len(rows), self.space.dim), np.float32)
        for start in range(0, len(rows), MAX_ROWS):
            stop = start + MAX_ROWS
            out[start:stop] = self._tower.vectors(self.feeds(rows[start:stop]))
        return out

    def feeds(self, rows: Sequence[Row]) -> dict[str, Row]:
        """Stack rows, as inputs of the graph by name: float32 [N, 3, H, W]."""
        size = (3, self.card.height, self.card.width)
        return {"pixel_values": np.stack(rows) if rows else np.empty((0, *size), np.float32)}

    def encode_pictures(self, pictures: Sequence[bytes]) -> Vectors:
        """
        Encode encoded pictures: [N, dim].

        Raises:
            UnreadablePicture: one of them cannot be decoded; none is encoded.
        """
        return Vectors.normalized(self.space, self.run(self.prepare(pictures)))


class OnnxPairs:
    """A cross-encoder: PairScorer."""

    def __init__(self, card: RerankerCard, pairs: Pairs, tower: OnnxTower) -> None:
        self.card = card
        self._pairs = pairs
        self._tower = tower

    def scores(self, question: str, texts: Sequence[str]) -> Floats:
        """Score texts, those of like length together: float32 [N]."""
        rows = self._pairs.rows(question, texts)
        out = np.empty(len(rows), np.float32)
        for group in by_length([row.shape[1] for row in rows]):
            for start in range(0, len(group), MAX_ROWS):
                chosen = group[start : start + MAX_ROWS]
                out[chosen] = self._run([rows[n] for n in chosen])
        return out

    def _run(self, rows: Sequence[Row]) -> Floats:
        feeds = self._pairs.feeds(rows)
        found = self._tower.vectors({name: feeds[name] for name in sorted(self._tower.inputs)})
        if not np.isfinite(found).all():
            raise BrokenBundle(f"the cross-encoder of {self._tower.space} gives no finite scores")
        return np.asarray(found[:, 0], np.float32)


@dataclass(frozen=True, slots=True)
class OnnxBundle:
    """A loaded bundle; a tower that the card lacks is None."""

    folder: Path
    card: Card
    text: OnnxText | None
    picture: OnnxPictures | None
    reranker: OnnxPairs | None = None

    def check(self) -> CheckReport:
        """
        Encode the goldens and compare.

        Raises:
            BrokenBundle: the goldens cannot be read or are of another dimension.
        """
        goldens = read_goldens(self.folder)
        if self.reranker is not None:
            return check_pairs(goldens, self.reranker)
        return check_goldens(goldens, text=self.text, pictures=self.picture)


def load(folder: Path, *, threads: int = 1, device: str = "cpu") -> OnnxBundle:
    """
    Load a bundle.

    Args:
        threads: cores that one run may use; 1 is best when runs go side by side.
        device: cpu, cuda, directml or coreml.

    Raises:
        NotFound: there is no bundle.
        BrokenBundle: a file is missing or altered, or is not what the card says.
        MissingExtra: the installed ONNX Runtime has no provider for the device.
    """
    card = verify(folder, largest=HASHED_ON_LOAD)
    settings = _Settings(card.vector_space, threads, _providers(device))
    with large_pages():
        return OnnxBundle(
            folder,
            card,
            text=_text(folder, card.text, settings) if card.text else None,
            picture=_picture(folder, card.picture, settings) if card.picture else None,
            reranker=_reranker(folder, card.reranker, settings) if card.reranker else None,
        )


@dataclass(frozen=True, slots=True)
class _Settings:
    space: Space
    threads: int
    providers: list[Any]


def _text(folder: Path, card: TextCard, settings: _Settings) -> OnnxText:
    words = Words(card, (folder / card.tokenizer).read_text("utf-8", errors="replace"))
    return OnnxText(card, words, _tower(folder / card.file, set(INPUTS), settings))


def _reranker(folder: Path, card: RerankerCard, settings: _Settings) -> OnnxPairs:
    pairs = Pairs(card, (folder / card.tokenizer).read_text("utf-8", errors="replace"))
    return OnnxPairs(card, pairs, _tower(folder / card.file, set(INPUTS), settings))


def _picture(folder: Path, card: PictureCard, settings: _Settings) -> OnnxPictures:
    tower = _tower(folder / card.file, {"pixel_values"}, settings)
    tower.check_input("pixel_values", [None, 3, card.height, card.width])
    return OnnxPictures(card, tower)


def _tower(path: Path, inputs: set[str], settings: _Settings) -> OnnxTower:
    session = open_graph(path, threads=settings.threads, providers=settings.providers)
    return OnnxTower(path, space=settings.space, inputs=inputs, session=session)


def _providers(device: str) -> list[Any]:
    if device not in _DEVICES:
        raise MissingExtra(f"device is {device!r}; allowed are {', '.join(_DEVICES)}")
    wanted = list(_DEVICES[device])
    for entry in wanted:
        name = entry if isinstance(entry, str) else entry[0]
        if name not in ort.get_available_providers():
            raise MissingExtra(
                f"the installed ONNX Runtime has no {name}",
                hint="install the build of onnxruntime for this device, or use device cpu",
            )
    return [*wanted, CPU]
