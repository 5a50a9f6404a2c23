"""
Picture bytes in a folder: root/ab/cd/<sha256>.

A file appears whole, by a rename, so it survives a killed process; it is not flushed to the device
one by one, so a power failure may cost the last seconds, which an audit of the media finds.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crosslens.catalog.media import digest
from crosslens.disk import is_full
from crosslens.errors import CrosslensError, NotFound, StorageFull, Unavailable

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TOUCH_AFTER_S = 60.0  # a repeated file is made young again, but not at every repeat
_LEFTOVER_AFTER_S = 3_600.0


class DiskMedia:
    """A `MediaStore` in a folder; several processes may share it."""

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._root = Path(root)
        self._clock = clock
        self._unfinished = self._root / "unfinished"  # in the same file system, for the rename
        with _explained("opened"):
            self._unfinished.mkdir(parents=True, exist_ok=True)
            self._sweep_leftovers()

    def __repr__(self) -> str:
        return f"DiskMedia({str(self._root)!r})"

    def put(self, content: bytes) -> str:
        """
        Store bytes and return their SHA-256; a file that is there already costs a stat.

        Raises:
            StorageFull: no room; nothing is left behind.
            Unavailable: the folder cannot be written.
        """
        sha256 = digest(content)
        path = self._path(sha256)
        with _explained("written"):
            if not self._is_there(path, len(content)):
                self._write(path, content)
        return sha256

    def get(self, sha256: str) -> bytes:
        """
        Return the bytes.

        Raises:
            NotFound: nothing is stored under that digest, or it is not a digest.
            Unavailable: the file cannot be read.
        """
        if not _is_digest(sha256):
            raise NotFound(f"{str(sha256)[:80]!r} is not a SHA-256 in lower-case hex")
        try:
            with _explained("read"):
                return self._path(sha256).read_bytes()
        except FileNotFoundError as exc:
            raise NotFound(f"no picture is stored under {sha256}") from exc

    def delete(self, sha256: str, *, older_than_s: float = 0.0) -> None:
        """Forget the bytes, if they are at least so old; unknown digests are no error."""
        if not _is_digest(sha256):
            return
        path = self._path(sha256)
        with _explained("deleted"):
            if self._is_older(path, older_than_s):
                path.unlink(missing_ok=True)

    def digests(self, *, older_than_s: float = 0.0) -> Iterator[str]:
        """Yield what is at least so old, in order."""
        with _explained("read"):
            for outer in _folders(self._root):
                for inner in _folders(outer):
                    for path in sorted(inner.iterdir()):
                        if _is_digest(path.name) and self._is_older(path, older_than_s):
                            yield path.name

    def link(self, sha256: str, *, kind: str) -> str | None:
        """Give out no links: a folder is nobody's but ours."""
        return None

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256[2:4] / sha256

    def _is_there(self, path: Path, size: int) -> bool:
        try:
            stat = path.stat()
            if self._clock() - stat.st_mtime > _TOUCH_AFTER_S:
                os.utime(path)
        except FileNotFoundError:
            return False
        return stat.st_size == size  # another size is what a power failure left

    def _write(self, path: Path, content: bytes) -> None:
        unfinished = self._unfinished / uuid.uuid4().hex
        try:
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(content)
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    def _is_older(self, path: Path, seconds: float) -> bool:
        try:
            return self._clock() - path.stat().st_mtime >= seconds
        except FileNotFoundError:
            return False

    def _sweep_leftovers(self) -> None:
        for path in self._unfinished.iterdir():
            if self._is_older(path, _LEFTOVER_AFTER_S):
                path.unlink(missing_ok=True)


def _is_digest(sha256: object) -> bool:
    return isinstance(sha256, str) and _DIGEST.fullmatch(sha256) is not None


def _folders(parent: Path) -> Iterator[Path]:
    for path in sorted(parent.iterdir()):
        if len(path.name) == 2 and path.is_dir():
            yield path


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise _in_our_words(exc, what) from exc


def _in_our_words(exc: OSError, what: str) -> CrosslensError:
    if is_full(exc):
        return StorageFull(
            f"the media folder's disk is full ({exc.strerror}); nothing was written",
            hint="free some space and send it again",
        )
    return Unavailable(f"the media folder cannot be {what} ({exc.strerror}: {exc.filename})")
