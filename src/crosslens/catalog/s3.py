"""Picture bytes in a bucket: prefix/ab/cd/<sha256>."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crosslens.catalog.media import digest
from crosslens.errors import NotFound, Unavailable
from crosslens.objects import Bucket

LARGEST = 1 << 31
_DIGEST = re.compile(r"[0-9a-f]{64}")
# A sweep takes what is older than an hour; what is younger than this needs no new start.
_TOUCH_AFTER_S = 900.0


class S3Media:
    """
    A `MediaStore` in a bucket; several processes may share it.

    Args:
        links_s: seconds that a link to a picture lasts; 0 gives none out.
    """

    def __init__(self, bucket: Bucket, *, links_s: int = 0) -> None:
        self._bucket = bucket
        self._links_s = links_s

    def __repr__(self) -> str:
        return f"S3Media({str(self._bucket.place)!r})"

    def put(self, content: bytes) -> str:
        """
        Store bytes and return their SHA-256; what is there already is not sent again.

        Raises:
            StorageFull, Unavailable: they are not stored.
        """
        sha256 = digest(content)
        key = _key(sha256)
        known = self._bucket.stored(key)
        if known is None or known.size != len(content):
            self._bucket.put(key, content)
        elif known.age_s > _TOUCH_AFTER_S:
            self._bucket.touch(key)
        return sha256

    def get(self, sha256: str) -> bytes:
        """
        Return the bytes.

        Raises:
            NotFound: nothing is stored under that digest, or it is not a digest.
            Unavailable: they cannot be read, or are not those that were stored.
        """
        if not _is_digest(sha256):
            raise NotFound(f"{str(sha256)[:80]!r} is not a SHA-256 in lower-case hex")
        try:
            content = self._bucket.get(_key(sha256), at_most=LARGEST)
        except NotFound as exc:
            raise NotFound(f"no picture is stored under {sha256}") from exc
        if digest(content) != sha256:
            raise Unavailable(f"the store returns other bytes than were stored as {sha256}")
        return content

    def delete(self, sha256: str, *, older_than_s: float = 0.0) -> None:
        """Forget the bytes, if they are at least so old; unknown digests are no error."""
        if not _is_digest(sha256):
            return
        if older_than_s > 0:
            known = self._bucket.stored(_key(sha256))
            if known is None or known.age_s < older_than_s:
                return
        self._bucket.delete(_key(sha256))

    def digests(self, *, older_than_s: float = 0.0) -> Iterator[str]:
        """Yield what is at least so old, in order."""
        for stored in self._bucket.list():
            name = stored.key.rpartition("/")[2]
            old = older_than_s <= 0 or stored.age_s >= older_than_s
            if old and _is_digest(name) and stored.key == _key(name):
                yield name

    def link(self, sha256: str, *, kind: str) -> str | None:
        """Return a URL under which anyone may fetch the bytes for a while, where that is wanted."""
        if not self._links_s or not _is_digest(sha256):
            return None
        return self._bucket.link(_key(sha256), lasts_s=self._links_s, kind=kind)

    def close(self) -> None:
        """Release connections."""
        self._bucket.close()


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _is_digest(sha256: object) -> bool:
    return isinstance(sha256, str) and _DIGEST.fullmatch(sha256) is not None
