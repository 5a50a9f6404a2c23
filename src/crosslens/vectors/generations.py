"""Generations of an index in one folder: one is live, and one process holds them all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import uuid
from pathlib import Path
from typing import IO

from crosslens.errors import Unavailable

try:
    import fcntl
except ImportError:  # Windows: the engine's own lock still keeps others out
    fcntl = None  # type: ignore[assignment]

_POINTER = "live"
_LOCK = "lock"


class Generations:
    """
    A folder with a sub-folder per generation and a pointer file that names the live one.

    The folder is locked from the first use until `close`; the lock file says by whom.

    Raises:
        Unavailable: another process holds the folder; the message names it.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(home)

    def live(self) -> Path | None:
        """Return the folder of the live generation, None before there is one."""
        with contextlib.suppress(FileNotFoundError):
            return self.home / (self.home / _POINTER).read_text("utf-8").strip()
        return None

    def new(self) -> Path:
        """Return the path of a generation that does not exist yet."""
        return self.home / f"generation-{uuid.uuid4().hex[:12]}"

    def point_at(self, generation: Path) -> None:
        """Make a generation the live one; after a crash it is the former or this one."""
        partial = self.home / f"{_POINTER}.partial"
        with partial.open("w", encoding="utf-8") as file:
            file.write(generation.name)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.home / _POINTER)
        _sync_folder(self.home)

    def sweep(self, *kept: Path | None) -> None:
        """Remove every generation but the live one and those kept: leftovers of a crash."""
        spared = {self.live(), *kept}
        for folder in self.home.glob("generation-*"):
            if folder not in spared:
                shutil.rmtree(folder)

    def close(self) -> None:
        """Let other processes in."""
        self._lock.close()


def _locked(home: Path) -> IO[str]:
    file = (home / _LOCK).open("a+", encoding="utf-8")
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise Unavailable(
            f"the index in {home} is in use by {holder}",
            hint="stop it, or let several processes share Milvus",
        ) from exc
    file.truncate(0)
    file.write(f"process {os.getpid()} ({' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])})")
    file.flush()
    return file


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system can open a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
