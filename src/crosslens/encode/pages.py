"""
Weights in large pages of memory, where the system allows it.

One text reads every weight once; in pages of 4 KiB the processor looks up an address for each
thousand numbers. Linux moves what is there already (MADV_COLLAPSE, 6.1 and later).
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Region = tuple[int, int]

SMALLEST = 16 * 2**20  # bytes; stacks and small buffers stay as they are
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25
_STEP = 16 * 2**20  # bytes per call, so that the process can end in between
_MAPS = Path("/proc/self/maps")


@contextmanager
def large_pages() -> Iterator[list[threading.Thread]]:
    """
    Move what is allocated within the context to large pages afterwards, in the background.

    Yields:
        A list that holds the thread which moves it, once the context is left; or stays empty.
    """
    movers: list[threading.Thread] = []
    before = _anonymous()
    yield movers
    fresh = [region for region in fresh_regions(before, _anonymous()) if _size(region) >= SMALLEST]
    if fresh:
        mover = threading.Thread(target=_move, args=(fresh,), name="large-pages", daemon=True)
        movers.append(mover)
        mover.start()


def fresh_regions(before: Sequence[Region], after: Iterable[Region]) -> list[Region]:
    """Return the parts of `after` that are not in `before`; both are sorted, start to end."""
    found = []
    for start, end in after:
        for known_start, known_end in before:
            if known_end <= start or known_start >= end:
                continue
            if known_start > start:
                found.append((start, known_start))
            start = known_end
        if start < end:
            found.append((start, end))
    return found


def _size(region: Region) -> int:
    return region[1] - region[0]


def _anonymous() -> list[Region]:
    """List the writable memory of this process that no file lies behind."""
    if sys.platform != "linux":
        return []
    try:
        lines = _MAPS.read_text().splitlines()
    except OSError:
        return []
    return [region for line in lines if (region := _region(line.split(maxsplit=5)))]


def _region(fields: Sequence[str]) -> Region | None:
    named = fields[5] if len(fields) > 5 else ""
    if fields[1] != "rw-p" or named not in ("", "[heap]"):
        return None
    start, _, end = fields[0].partition("-")
    return int(start, 16), int(end, 16)


def _move(regions: Iterable[Region]) -> None:
    """Ask for large pages; a system that has none refuses, and nothing changes."""
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for start, end in regions:
        for at in range(start, end, _STEP):
            length = min(_STEP, end - at)
            libc.madvise(at, length, _MADV_HUGEPAGE)
            libc.madvise(at, length, _MADV_COLLAPSE)
