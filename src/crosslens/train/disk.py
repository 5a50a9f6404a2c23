"""Files of a training: written whole, and given their room before they are used."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from crosslens import disk

explained = partial(
    disk.explained, hint="make room, then the same command with --resume goes on"
)  # fmt: skip


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
