"""Files and folders that appear whole, or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from crosslens.disk import explained
from crosslens.errors import Conflict


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """
    Yield a folder beside `target` that is renamed to it in the end, or removed on any failure.

    Raises:
        Conflict: there is something at `target` already.
        StorageFull, Unavailable: something in the folder could not be written.
    """
    target = target.expanduser().absolute()
    if os.path.lexists(target):
        raise Conflict(f"{target} is there already", hint="name a folder that does not exist yet")
    unfinished = _beside(target)
    with explained(target):
        unfinished.mkdir(parents=True)
        try:
            yield unfinished
            unfinished.rename(target)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise


@contextmanager
def whole_file(target: Path) -> Iterator[IO[str]]:
    """
    Yield a text file that replaces `target` in the end, or is removed on any failure.

    Raises:
        StorageFull, Unavailable: it could not be written; `target` is as it was.
    """
    unfinished = _beside(target)
    with explained(target):
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                yield file
            unfinished.replace(target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def _beside(target: Path) -> Path:
    return target.parent / f".{target.name}.{uuid.uuid4().hex[:12]}.unfinished"
