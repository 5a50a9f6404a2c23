"""The document store seam: documents under a key, replaced as a whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Protocol

KEY: Final = "queryid"
"""The field under which a document is known, as text; what a vector store knows as a number."""


class DocumentStore(Protocol):
    """Documents by `queryid`; safe to write the same ones again."""

    def put(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """
        Store documents, each in place of the one with its `queryid`; the last of equals counts.

        Raises:
            InvalidRequest: a document cannot be kept; the message says which.
            Conflict: several documents are under one `queryid` already.
            Unavailable: the store does not answer or refuses; repeat to go on.
        """
        ...

    def held(self, keys: Collection[str]) -> set[str]:
        """Return those of the keys under which there is a document."""
        ...

    def count(self) -> int:
        """Count documents."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...
