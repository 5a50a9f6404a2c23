"""Processes of a server profile: Milvus Lite as a server, and crosslens one sort of work each."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers import await_port, free_port
from servers import running as serving


@dataclass
class Process:
    """`crosslens serve SORT` on a free port; what it says on stderr lies in a file."""

    url: str
    running: subprocess.Popen[str]
    log: Path

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.running.send_signal(number)
        self.running.communicate(timeout=60)
        return self.running.returncode


@contextmanager
def started(sort: str, home: Path, settings: Mapping[str, str]) -> Iterator[Process]:
    """Run a process until the block ends, and see that it says where it is."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / f"{sort}.log"
    named = {f"CROSSLENS_{name.upper()}": value for name, value in settings.items()}
    with log.open("w") as errors:
        running = subprocess.Popen(
            [sys.executable, "-m", "crosslens", "--home", str(home), "serve", sort, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=dict(os.environ) | named,  # noqa: TID251 - of the child
        )
    assert running.stdout is not None
    try:
        line = running.stdout.readline()
        found = re.search(r"\w+://\S+", line)
        assert found, (line, log.read_text("utf-8"))
        yield Process(found[0], running, log)
    finally:
        if running.poll() is None:
            running.kill()
        running.communicate()


@contextmanager
def milvus(folder: Path) -> Iterator[str]:
    """Run Milvus Lite as a server of its own and return its URL for the settings."""
    pytest.importorskip("milvus_lite")
    folder.mkdir()
    port = free_port()
    program = Path(sys.executable).with_name("milvus-lite")
    where = ["--data-dir", str(folder / "data"), "--host", "127.0.0.1", "--port", str(port)]
    with serving([str(program), "server", *where], folder) as process:
        await_port(port, process, folder)
        yield f"milvus:http://127.0.0.1:{port}"


def eventually(check: Callable[[], bool], *, within_s: float = 60.0) -> None:
    """Wait until a check holds."""
    until = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < until, "it does not come about"
        time.sleep(0.2)
