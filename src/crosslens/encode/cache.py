"""
Remember the vectors of what people ask again and again.

Only queries: put these round the encoders that `search` gets, and give `indexing` the encoders
inside, so that importing a catalogue does not push the queries out.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from crosslens.encode.encoder import PictureEncoder, TextEncoder
from crosslens.values import Floats, Space, Vectors


class VectorCache:
    """
    Least recently used vectors of one space, by the SHA-256 of their input. Thread-safe.

    Args:
        entries: how many are kept; 0 keeps none.
    """

    def __init__(self, space: Space, *, entries: int) -> None:
        self.space = space
        self.hits = 0
        self.misses = 0
        self._entries = entries
        self._rows: OrderedDict[bytes, Floats] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def vectors(self, inputs: Sequence[bytes], encode: Callable[[list[int]], Vectors]) -> Vectors:
        """
        Return a vector per input, in order: [N, dim].

        Args:
            encode: called at most once, with the positions that are not remembered; two callers
                may encode the same input at the same time.
        """
        keys = [hashlib.sha256(content).digest() for content in inputs]
        found = self._known(keys)
        missing = {key: n for n, key in enumerate(keys) if key not in found}
        if missing:
            fresh = encode(list(missing.values())).array
            found |= {key: row.copy() for key, row in zip(missing, fresh, strict=True)}
            self._remember(missing, found)
        rows = [found[key] for key in keys]
        return Vectors(self.space, np.array(rows, np.float32).reshape(-1, self.space.dim))

    def _known(self, keys: Sequence[bytes]) -> dict[bytes, Floats]:
        with self._lock:
            found = {key: self._rows[key] for key in keys if key in self._rows}
            for key in found:
                self._rows.move_to_end(key)
            self.hits += len(found)
            self.misses += len(set(keys)) - len(found)
        return found

    def _remember(self, keys: Iterable[bytes], found: dict[bytes, Floats]) -> None:
        with self._lock:
            for key in keys:
                self._rows[key] = found[key]
                self._rows.move_to_end(key)
            while len(self._rows) > self._entries:
                self._rows.popitem(last=False)


class CachedText:
    """A text encoder that remembers queries; items pass through."""

    def __init__(self, encoder: TextEncoder, *, entries: int = 10_000) -> None:
        self.space = encoder.space
        self.cache = VectorCache(encoder.space, entries=entries)
        self._encoder = encoder

    def encode_queries(self, words: Sequence[str]) -> Vectors:
        """
        Encode what people ask for: [N, dim]; equal words are encoded once.

        Raises:
            Overloaded: the queue is full or the deadline passed.
        """
        inputs = [word.encode("utf-8", "surrogatepass") for word in words]
        return self.cache.vectors(
            inputs, lambda missing: self._encoder.encode_queries([words[n] for n in missing])
        )

    def encode_items(self, texts: Sequence[str]) -> Vectors:
        """Encode what the catalogue holds: [N, dim]; never remembered."""
        return self._encoder.encode_items(texts)


class CachedPictures:
    """A picture encoder that remembers what it saw: for the pictures people search with."""

    def __init__(self, encoder: PictureEncoder, *, entries: int = 1_000) -> None:
        self.space = encoder.space
        self.cache = VectorCache(encoder.space, entries=entries)
        self._encoder = encoder

    def encode_pictures(self, pictures: Sequence[bytes]) -> Vectors:
        """
        Encode encoded pictures: [N, dim]; equal bytes are encoded once.

        Raises:
            UnreadablePicture: one of them cannot be decoded; none is encoded.
            Overloaded: the queue is full or the deadline passed.
        """
        return self.cache.vectors(
            pictures, lambda missing: self._encoder.encode_pictures([pictures[n] for n in missing])
        )
