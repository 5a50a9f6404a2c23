"""Documents in memory: the readable reference."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from crosslens.documents.store import KEY


class MemoryDocuments:
    """A `DocumentStore` that one process forgets when it ends."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    def put(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Store documents; see DocumentStore."""
        for document in documents:
            self.documents[document[KEY]] = dict(document)

    def held(self, keys: Collection[str]) -> set[str]:
        """Return those of the keys that are there."""
        return {key for key in keys if key in self.documents}

    def count(self) -> int:
        """Count documents."""
        return len(self.documents)

    def close(self) -> None:
        """Do nothing."""
