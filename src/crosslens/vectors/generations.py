"""Generations of an index in one folder: one is live, and one process holds them all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from crosslens.errors import Unavailable
from crosslens.vectors.index import Damage

try:
    import fcntl
except ImportError:  # Windows: the engine's own lock still keeps others out
    fcntl = None  # type: ignore[assignment]

_POINTER = "live"
_LOCK = "lock"
_OPENING = "opening"
_DAMAGE = "damage.json"


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
        name = self._read(_POINTER)
        return self.home / name if name else None

    def new(self) -> Path:
        """Return the path of a generation that does not exist yet."""
        return self.home / f"generation-{uuid.uuid4().hex[:12]}"

    def point_at(self, generation: Path) -> None:
        """Make a generation the live one; after a crash it is the former or this one."""
        self._write(_POINTER, generation.name)

    def replace(self, damaged: Path, fresh: Path, reason: str) -> None:
        """
        Make a fresh generation the live one in place of one that cannot be read.

        The damaged files get another name and are kept until `made_good`; those of an earlier
        damage go.
        """
        self._remove_damaged()
        self._write(_DAMAGE, json.dumps({"reason": reason, "since": time.time()}))
        self.point_at(fresh)
        with contextlib.suppress(FileNotFoundError):  # that may be what is wrong
            damaged.rename(self.home / damaged.name.replace("generation", "damaged"))

    def damage(self) -> Damage | None:
        """Return what the live generation stands in for, None where it is whole."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            noted = json.loads(self._read(_DAMAGE) or "{}")
            kept = next(map(str, self.home.glob("damaged-*")), "")
            return Damage(str(noted["reason"]), float(noted["since"]), kept)
        return None

    def made_good(self) -> None:
        """Forget a damage: the live generation holds everything."""
        self._remove_damaged()
        (self.home / _DAMAGE).unlink(missing_ok=True)

    @contextlib.contextmanager
    def opening(self, generation: Path) -> Iterator[bool]:
        """
        Note that a generation is being opened, and yield whether that ended a process before.

        Damaged files can crash the engine, and with it the process; the next one is warned.
        """
        note = self.home / _OPENING
        before = self._read(_OPENING)
        with contextlib.suppress(OSError):  # a full disk is for others to tell
            note.write_text(generation.name, "utf-8")
        try:
            yield before == generation.name
        finally:
            note.unlink(missing_ok=True)

    def sweep(self, *kept: Path | None) -> None:
        """Remove every generation but the live one and those kept: leftovers of a crash."""
        spared = {self.live(), *kept}
        for folder in self.home.glob("generation-*"):
            if folder not in spared:
                shutil.rmtree(folder)

    def close(self) -> None:
        """Let other processes in."""
        self._lock.close()

    def _read(self, name: str) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self.home / name).read_text("utf-8", "replace").strip()
        return ""

    def _write(self, name: str, text: str) -> None:
        partial = self.home / f"{name}.partial"
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.home / name)
        _sync_folder(self.home)

    def _remove_damaged(self) -> None:
        for folder in self.home.glob("damaged-*"):
            shutil.rmtree(folder, ignore_errors=True)


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
