"""Picture bytes under their SHA-256: content-addressed, so a repeat costs nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol


class MediaStore(Protocol):
    """Immutable bytes by digest; safe to call from many threads and processes."""

    def put(self, content: bytes) -> str:
        """
        Store bytes and return their SHA-256 in lower-case hex; readers never see a part of them.

        Storing them again makes them young again, so that no sweep takes them meanwhile.

        Raises:
            StorageFull: no room; nothing is left behind.
        """
        ...

    def get(self, sha256: str) -> bytes:
        """
        Return the bytes.

        Raises:
            NotFound: nothing is stored under that digest, or it is not a digest.
        """
        ...

    def delete(self, sha256: str, *, older_than_s: float = 0.0) -> None:
        """Forget the bytes if they are at least so old; unknown digests are no error."""
        ...

    def digests(self, *, older_than_s: float = 0.0) -> Iterator[str]:
        """Yield the digest of everything that is at least so old, in order."""
        ...

    def link(self, sha256: str, *, kind: str) -> str | None:
        """
        Return a URL under which anyone may fetch the bytes for a while; None to send them oneself.

        Args:
            kind: media type that whoever follows it is told.
        """
        ...


def digest(content: bytes) -> str:
    """Return the SHA-256 in lower-case hex."""
    return hashlib.sha256(content).hexdigest()
