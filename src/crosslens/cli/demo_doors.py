"""The demo's doors: the API in this process, the page in one of its own, ended together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from crosslens.cli.page import HAS_PAGE
from crosslens.cli.screen import say
from crosslens.cli.serve import listening, quiet_signals, run, shown_url

if TYPE_CHECKING:
    from socket import socket

    from crosslens.wiring import App

PATIENCE_S = 10.0


def open_doors(app: App) -> None:
    """Serve the API and the page until Ctrl-C."""
    settings = app.settings
    with _nearby("127.0.0.1", settings.port) as door:
        url = shown_url(*door.getsockname()[:2])
        with _page(app, url), quiet_signals():
            run(app.http(), door, _tell)


@contextmanager
def _nearby(host: str, port: int) -> Iterator[socket]:
    """Listen on a port, or on a free one where another program has it."""
    from crosslens.errors import Unavailable

    with ExitStack() as stack:
        try:
            door = stack.enter_context(listening(host, port))
        except Unavailable:
            say(f"port {port} is taken; taking a free one")
            door = stack.enter_context(listening(host, 0))
        yield door


@contextmanager
def _page(app: App, url: str) -> Iterator[None]:
    """Keep the page running beside the API; it ends with us, however we end."""
    if not HAS_PAGE:
        say("without the page: it needs the extra `ui`, pip install 'crosslens[ui]'")
        yield
        return
    with _nearby("127.0.0.1", app.settings.page_port) as door:
        port = door.getsockname()[1]
    command = [sys.executable, "-m", "crosslens", "--home", str(app.settings.home), "page"]
    options = ["--url", url, "--host", "127.0.0.1", "--port", str(port), "--with-stdin"]
    page = subprocess.Popen([*command, *options], stdin=subprocess.PIPE)  # noqa: S603 - ourselves
    try:
        yield
    finally:
        _end(page)


def _end(page: subprocess.Popen[bytes]) -> None:
    if page.stdin is not None:
        page.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        page.wait(PATIENCE_S)
        return
    page.kill()
    page.wait()


def _tell(url: str) -> None:
    print(f"\nthe API is ready on {url}  (read {url}/docs; Ctrl-C ends both)", flush=True)
