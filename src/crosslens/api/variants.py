"""Scaled pictures: made once, kept on disk, dropped when there are too many."""

from __future__ import annotations

import io
import os
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from PIL import Image

from crosslens.catalog.media import MediaStore
from crosslens.errors import StorageFull
from crosslens.pictures import Limits, decode

SIZES = (64, 128, 256, 512, 1024)  # few, so that nobody fills the disk with odd ones
QUALITY = 85
_LOOK_EVERY = 500  # variants made between two looks at how much there is


class Variants:
    """
    JPEGs whose longer side has at most so many pixels, by the digest of the picture.

    Two callers who want the same one at once share the work. Losing the folder costs nothing.
    """

    def __init__(self, root: Path, media: MediaStore, *, limits: Limits, max_bytes: int) -> None:
        self._root = root
        self._media = media
        self._limits = limits
        self._max_bytes = max_bytes
        self._making: dict[Path, Future[bytes]] = {}
        self._lock = threading.Lock()
        self._made = 0

    def get(self, sha256: str, size: int) -> bytes:
        """
        Return a variant, made if need be; small pictures are not enlarged.

        Raises:
            NotFound, Unavailable: the bytes of the picture cannot be had.
        """
        path = self._root / sha256[:2] / f"{sha256}-{size}.jpg"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return self._make_once(path, sha256, size)

    def _make_once(self, path: Path, sha256: str, size: int) -> bytes:
        with self._lock:
            promise = self._making.get(path)
            mine = promise is None
            if promise is None:
                promise = self._making[path] = Future()
        if mine:
            self._keep_promise(promise, path, sha256, size)
        return promise.result()

    def _keep_promise(self, promise: Future[bytes], path: Path, sha256: str, size: int) -> None:
        try:
            promise.set_result(self._made_content(path, sha256, size))
        except BaseException as exc:  # noqa: BLE001 - those who wait for it must hear of it
            promise.set_exception(exc)
        finally:
            with self._lock:
                del self._making[path]

    def _made_content(self, path: Path, sha256: str, size: int) -> bytes:
        if path.exists():  # another was done with it between our look and our promise
            return path.read_bytes()
        content = scaled(self._media.get(sha256), size, self._limits)
        self._write(path, content)
        return content

    def _write(self, path: Path, content: bytes) -> None:
        """Keep a variant; a full disk is no reason not to show it."""
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
            draft.replace(path)
            self._made += 1
            if self._made % _LOOK_EVERY == 1:
                trim(self._root, self._max_bytes)
        except (OSError, StorageFull):
            draft.unlink(missing_ok=True)


def scaled(content: bytes, size: int, limits: Limits) -> bytes:
    """Scale a picture down until its longer side has at most `size` pixels, as a JPEG."""
    image = decode(content, limits, draft=(size, size))
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return out.getvalue()


def trim(root: Path, max_bytes: int) -> None:
    """Delete the oldest files until at most three quarters of what is allowed are left."""
    files = sorted(_files(root))
    held = sum(size for _, size, _ in files)
    if held <= max_bytes:
        return
    for _, size, path in files:
        if held <= max_bytes * 3 // 4:
            return
        Path(path).unlink(missing_ok=True)
        held -= size


def _files(root: Path) -> Iterator[tuple[float, int, str]]:
    for folder in os.scandir(root):
        for file in os.scandir(folder.path):
            stat = file.stat()
            yield stat.st_mtime, stat.st_size, file.path
