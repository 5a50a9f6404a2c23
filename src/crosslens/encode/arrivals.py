"""A bundle that arrives from elsewhere: nobody sees it before it is whole and proven."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from crosslens.disk import is_full
from crosslens.encode.bundles import verify
from crosslens.encode.cards import Card
from crosslens.encode.folders import put_in_place
from crosslens.encode.manifests import check_file_name
from crosslens.encode.tables import Digest
from crosslens.errors import BrokenBundle, CrosslensError, StorageFull, Unavailable

_SPARE_BYTES = 64 * 2**20


class Arrival:
    """
    A draft beside the place of a bundle; leaving the block without `finish` leaves nothing.

    Args:
        folder: where the bundle shall stand; one that stands there stays until `finish`.

    Raises:
        StorageFull: the disk has less room than `expected` bytes.
    """

    def __init__(self, folder: Path, *, expected: int = 0) -> None:
        self._folder = folder
        with_room(folder.parent, expected)
        self._draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))

    def __enter__(self) -> Arrival:
        return self

    def __exit__(self, *_failure: object) -> None:
        shutil.rmtree(self._draft, ignore_errors=True)

    def take(self, name: str, pieces: Iterable[bytes], *, at_most: int) -> Digest:
        """
        Write a file, no longer than it may be, and return its digest.

        Raises:
            BrokenBundle: the name leads elsewhere, comes twice, or there are more bytes.
            StorageFull: no room.
        """
        check_file_name(name)
        sha256, size = hashlib.sha256(), 0
        try:
            with (self._draft / name).open("xb") as file:
                for piece in pieces:
                    size += len(piece)
                    if size > at_most:
                        raise BrokenBundle(f"{name} has more than the {at_most:,} bytes promised")
                    sha256.update(piece)
                    file.write(piece)
        except FileExistsError as exc:
            raise BrokenBundle(f"{name} comes twice") from exc
        except OSError as exc:
            raise _of_disk(exc, self._folder) from exc
        return Digest(sha256.hexdigest(), size)

    def take_exactly(self, name: str, pieces: Iterable[bytes], promised: Digest) -> None:
        """
        Write a file that must be what was promised; raises like `take`.

        Raises:
            BrokenBundle: other bytes.
        """
        if self.take(name, pieces, at_most=promised.bytes) != promised:
            raise BrokenBundle(
                f"{name} is not what was promised: its SHA-256 or size differs", hint="try again"
            )

    def finish(self) -> Card:
        """
        Prove that the bundle is complete and unaltered, then give it its place in one step.

        Raises:
            BrokenBundle: it is not; nothing changes.
        """
        card = verify(self._draft)
        try:
            self._draft.chmod(0o755)
            put_in_place(self._draft, self._folder)
        except OSError as exc:
            raise _of_disk(exc, self._folder) from exc
        return card


def with_room(folder: Path, expected: int) -> None:
    """
    Make a folder, and look whether so many bytes find room there.

    Raises:
        StorageFull: they do not.
        Unavailable: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as exc:
        raise _of_disk(exc, folder) from exc
    if expected + _SPARE_BYTES > free:
        raise StorageFull(
            f"the bundle needs {expected:,} bytes, {folder} has {free:,} left; nothing was fetched"
        )


def _of_disk(exc: OSError, folder: Path) -> CrosslensError:
    if is_full(exc):
        return StorageFull(f"no room for a bundle at {folder}; nothing was installed")
    return Unavailable(f"{folder} cannot be written ({exc})")
