"""The demo's home: told from other folders by a mark, so that nothing else is ever deleted."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

from crosslens import disk
from crosslens.errors import InvalidRequest

MARK = "demo.json"
MADE = ("index", "media", "catalog.db-wal", "catalog.db-shm", "catalog.db-journal", "catalog.db")
USERS = ("bundles", "crosslens.toml")  # what people put into a home; never deleted
OTHER = "name another folder with --home DIR"
explained = partial(disk.explained, hint=OTHER)


def claim(home: Path) -> None:
    """
    Make a folder the demo's home, unless it is one already.

    Raises:
        InvalidRequest: it is a file, holds a catalogue that is not the demo's, or other things.
        StorageFull, Unavailable: it cannot be written.
    """
    with explained(home):
        if home.exists() and not home.is_dir():
            raise InvalidRequest(f"{home} is a file, not a folder", hint=OTHER)
        if is_claimed(home):
            return
        if (home / "catalog.db").exists():
            raise InvalidRequest(f"{home} holds a catalogue that is not the demo's", hint=OTHER)
        home.mkdir(parents=True, exist_ok=True)
        if strange := sorted(path.name for path in home.iterdir() if path.name not in USERS):
            raise InvalidRequest(f"{home} is no demo home: it holds {strange[0]}", hint=OTHER)
        _write(home, "")


def is_claimed(home: Path) -> bool:
    """Say whether a folder is the demo's home."""
    return (home / MARK).is_file()


def reset(home: Path) -> None:
    """
    Delete what the demo made in its home; settings and bundles stay, and so does the mark.

    Raises:
        InvalidRequest: the folder is not the demo's home.
        Unavailable: something cannot be deleted.
    """
    with explained(home):
        if not is_claimed(home):
            raise InvalidRequest(f"{home} is no demo home, so nothing was deleted", hint=OTHER)
        _write(home, "")
        for name in MADE:
            _delete(home / name)


def holds(home: Path) -> str:
    """Return which sample the home holds whole, as `remember` was told; empty for none."""
    try:
        return str(json.loads((home / MARK).read_text("utf-8"))["sample"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def remember(home: Path, sample: str) -> None:
    """Note that the home holds this sample whole."""
    with explained(home):
        _write(home, sample)


def _write(home: Path, sample: str) -> None:
    draft = home / f"{MARK}.new"
    draft.write_text(json.dumps({"sample": sample}) + "\n", "utf-8")
    draft.replace(home / MARK)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
