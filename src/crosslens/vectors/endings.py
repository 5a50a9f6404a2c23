"""How the last process left an index: closed, killed, or with files that changed since."""

from __future__ import annotations

import enum
import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final

_CLOSED: Final = "closed"  # stands in the folder while nobody has it open, and lists its files
_OPENED: Final = "opened"  # says since which start of the machine it has been open
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_SHORT: Final = 4_096  # bytes up to which a file is known by what is in it


class Ending(enum.Enum):
    """How a folder was left."""

    CLOSED = enum.auto()
    KILLED = enum.auto()
    ALTERED = enum.auto()  # files changed afterwards, or the machine stopped without writing them


def ending(folder: Path) -> Ending:
    """Say how the last process left a folder."""
    with suppress(FileNotFoundError):
        listed = (folder / _CLOSED).read_text("utf-8", "replace")
        return Ending.CLOSED if listed in ("", _listing(folder)) else Ending.ALTERED
    with suppress(FileNotFoundError):
        since = (folder / _OPENED).read_text("utf-8", "replace")
        return Ending.KILLED if since in ("", _boot()) else Ending.ALTERED
    return Ending.KILLED


def begin(folder: Path) -> None:
    """Note that a folder is open from now on."""
    (folder / _OPENED).write_text(_boot(), "utf-8")
    (folder / _CLOSED).unlink(missing_ok=True)


def end(folder: Path) -> None:
    """Note that a folder was closed, and what is in it."""
    (folder / _CLOSED).write_text(_listing(folder), "utf-8")


def _listing(folder: Path) -> str:
    """Name every file with its size, short ones with their content."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(
        f"{file.relative_to(folder).as_posix()} {_known_by(file)}\n"
        for file in files
        if file.name not in (_CLOSED, _OPENED)
    )


def _known_by(file: Path) -> str:
    size = file.stat().st_size
    if size > _SHORT:
        return str(size)
    return f"{size} {hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest()}"


def _boot() -> str:
    with suppress(OSError):
        return _BOOT.read_text("ascii").strip()
    return ""
