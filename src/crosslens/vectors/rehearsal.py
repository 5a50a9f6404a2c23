"""Try an index out in a process of its own: files that crash the engine end only that one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from crosslens.errors import CrosslensError, IndexBroken
from crosslens.vectors.trial import try_out
from crosslens.vectors.zvec_index import ZvecIndex

PATIENCE_S: Final = 600.0  # the log of a large index takes its time
OPENER: Final = (sys.executable, "-m", "crosslens.vectors.rehearsal")


def rehearse(folder: Path, *, opener: Sequence[str] = OPENER) -> None:
    """
    Open an index elsewhere, try it out, and close it.

    Args:
        opener: the command that does so, without the folder.

    Raises:
        IndexBroken: the process that did so crashed, or came to no end. An index that merely
            fails raises nothing: opening and asking it here says why.
    """
    ours, none = subprocess.PIPE, subprocess.DEVNULL  # our end closes when we end, which ends it
    command = [*opener, str(folder)]
    with subprocess.Popen(command, stdin=ours, stdout=none, stderr=none) as other:  # noqa: S603
        try:
            code = other.wait(PATIENCE_S)
        except subprocess.TimeoutExpired as exc:
            other.kill()
            raise IndexBroken(f"opening the vector index in {folder} comes to no end") from exc
    if code < 0:
        raise IndexBroken(f"the vector index in {folder} crashed the engine (signal {-code})")


def _end_with_the_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    index = ZvecIndex.open(Path(sys.argv[1]))
    with suppress(CrosslensError):
        try_out(index)
    index.close()
    os._exit(0)
