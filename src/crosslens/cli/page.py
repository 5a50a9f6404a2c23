"""`crosslens page`: the page in a browser, beside the service or far from it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli.screen import Host
from crosslens.cli.serve import is_loopback, listening, shown_url

if TYPE_CHECKING:
    from crosslens.settings import Settings

HAS_PAGE = find_spec("streamlit") is not None


def page(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            help="Service to talk to. [default: http://127.0.0.1:6008]", show_default=False
        ),
    ] = None,
    host: Host = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port; 0 takes a free one. [default: 6006]", show_default=False),
    ] = None,
    with_stdin: Annotated[bool, typer.Option("--with-stdin", hidden=True)] = False,
) -> None:
    """Serve the page until Ctrl-C: search, manage, look after and measure in a browser."""
    from crosslens import settings as all_settings

    require_page()
    changes: dict[str, Any] = {"url": url, "page_host": host, "page_port": port}
    given = {name: value for name, value in changes.items() if value is not None}
    settings = all_settings.load(context.obj.home, **given)
    require_visitors_keys(settings)
    if with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    with listening(settings.page_host, settings.page_port) as door:
        _run(door, settings)


def require_page() -> None:
    """
    Stop where the page cannot be had.

    Raises:
        MissingExtra: Streamlit is not installed.
    """
    from crosslens.errors import MissingExtra

    if not HAS_PAGE:
        raise MissingExtra(
            "the page needs Streamlit, which is not installed",
            hint="pip install 'crosslens[ui]'",
        )


def require_visitors_keys(settings: Settings) -> None:
    """
    Refuse to lend the page's own key to a whole network.

    Raises:
        InvalidRequest: the page has a key and listens to others than this machine.
    """
    from crosslens.errors import InvalidRequest

    if settings.key.get_secret_value() and not is_loopback(settings.page_host):
        raise InvalidRequest(
            f"page_host is {settings.page_host}, which others can reach, and the page has a key: "
            "whoever comes would act with it",
            hint="leave the key out; then each visitor is asked for one",
        )


def _run(door: Any, settings: Settings) -> None:
    from crosslens.ui import serve

    url = shown_url(*door.getsockname()[:2])
    serve.run(
        door,
        service=settings.url or f"http://127.0.0.1:{settings.port}",
        key=settings.key.get_secret_value(),
        pictures=settings.home / "page" / "pictures",
        ready=lambda: print(f"the page is ready on {url}  (Ctrl-C stops it)", flush=True),
    )


def _end_with_stdin() -> None:
    """End when whoever started the page does, however that is."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
