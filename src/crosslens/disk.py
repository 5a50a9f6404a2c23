"""What goes wrong with a disk, in words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crosslens.errors import StorageFull, Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_full(exc: BaseException) -> bool:
    """Say whether something failed because there is no room: on the disk, or for this user."""
    return isinstance(exc, OSError) and exc.errno in _FULL


@contextmanager
def explained(
    target: Path, *, hint: str = "free some space, or name a place on another disk"
) -> Iterator[None]:
    """
    Name what cannot be written.

    Args:
        hint: what to do where there is no room.

    Raises:
        StorageFull: the disk has no room.
        Unavailable: the path cannot be written for another reason.
    """
    try:
        yield
    except OSError as exc:
        if is_full(exc):
            raise StorageFull(f"there is no space left for {target}", hint=hint) from exc
        raise Unavailable(f"{target} cannot be written: {exc.strerror or exc}") from exc
