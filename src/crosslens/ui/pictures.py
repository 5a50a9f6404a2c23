"""Pictures that visitors hand in, kept for a while under their SHA-256 so that links hold them."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from PIL import Image

MOST_BYTES = 30_000_000
KEPT_BYTES = 500_000_000
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A folder of pictures; the oldest go when there are too many bytes."""

    folder: Path
    kept_bytes: int = KEPT_BYTES

    def put(self, content: bytes) -> str | None:
        """Keep a picture and return its digest; None when it is none that can be read."""
        if len(content) > MOST_BYTES or not _is_picture(content):
            return None
        name = sha256(content).hexdigest()
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f"{name}.new"
        draft.write_bytes(content)
        draft.replace(self.folder / name)
        self._drop_old()
        return name

    def get(self, digest: str) -> bytes | None:
        """Return a picture, or None when it is no longer kept."""
        try:
            return (self.folder / digest).read_bytes() if digest.isalnum() else None
        except OSError:
            return None

    def _drop_old(self) -> None:
        files = sorted(self.folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        total = 0
        for file in files:
            total += file.stat().st_size
            if total > self.kept_bytes:
                file.unlink(missing_ok=True)


def media_type(content: bytes) -> str:
    """Tell the media type of a picture by its first bytes."""
    with Image.open(io.BytesIO(content)) as picture:
        return Image.MIME.get(picture.format or "", "application/octet-stream")


def _is_picture(content: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(io.BytesIO(content), formats=_FORMATS).verify()
    except Exception:  # noqa: BLE001 - decoders raise whatever they like at bytes from outside
        return False
    return True
