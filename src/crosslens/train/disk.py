"""What goes wrong with the disk during training, in words; and room taken before it is used."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crosslens.errors import StorageFull, Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """
    Name what cannot be written.

    Raises:
        StorageFull: the disk has no room.
        Unavailable: the path cannot be written for another reason.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise _full(path) from exc
        raise Unavailable(f"{path} cannot be written: {exc.strerror or exc}") from exc


def take_room(path: Path, size: int) -> None:
    """
    Give a file its size, with room on the disk: without it, a later write into its memory kills.

    Raises:
        StorageFull: there is none.
    """
    with explained(path), path.open("ab") as out:
        os.posix_fallocate(out.fileno(), 0, size)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """
    Write a file so that the old one stays until the new one is complete.

    Raises:
        StorageFull: no room; the old one is still there.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with explained(path):
            draft.write_bytes(content)
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _full(path: Path) -> StorageFull:
    return StorageFull(
        f"there is no space left for {path}",
        hint="make room, then the same command with --resume goes on",
    )
