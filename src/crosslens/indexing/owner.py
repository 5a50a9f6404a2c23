"""Who holds a lease: named so that others on the same machine can tell whether it still runs."""

from __future__ import annotations

import os
import socket
from itertools import count

_workers = count(1)


def new_owner() -> str:
    """Return a name no other worker has: host, process, and number within the process."""
    return f"{socket.gethostname()}/{os.getpid()}/{next(_workers)}"


def is_dead(owner: str) -> bool:
    """Say whether the owner was a process of this machine that has ended; False when in doubt."""
    host, _, process = owner.rpartition("/")[0].rpartition("/")
    if host != socket.gethostname() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
