"""`crosslens serve`: the HTTP service, API and worker in one process."""

from __future__ import annotations

import gc
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, create_server, socket
from typing import TYPE_CHECKING, Any

import typer

from crosslens.cli import processes
from crosslens.cli.screen import ApiPort, Host, opened

if TYPE_CHECKING:
    from crosslens.settings import Settings

GRACE_S = 20
BACKLOG = 2048


app = typer.Typer(help="Serve over HTTP; alone, everything in one process.")
for command in (processes.api, processes.worker, processes.encoder):
    app.command()(command)


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Host = None,
    port: ApiPort = None,
) -> None:
    """Serve search and catalogue over HTTP until Ctrl-C: API and worker in one process."""
    changes: dict[str, Any] = {"host": host, "port": port}
    if context.invoked_subcommand is not None:
        if any(value is not None for value in changes.values()):
            raise typer.BadParameter(f"options stand after `{context.invoked_subcommand}`")
        return
    given = {name: value for name, value in changes.items() if value is not None}
    with opened(context, **given) as app:
        settings = app.settings
        on_loopback = is_loopback(settings.host)
        if not on_loopback:
            require_key(settings)
        with listening(settings.host, settings.port) as door, quiet_signals():
            run(app.http(open_door=on_loopback), door, _tell)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_key(settings: Settings) -> None:
    """
    Refuse to open the house to a network without a lock.

    Raises:
        InvalidRequest: there is no API key.
    """
    from crosslens.api.keys import KeyFile
    from crosslens.errors import InvalidRequest

    if not KeyFile(settings.keys_path).all():
        raise InvalidRequest(
            f"host is {settings.host}, which others can reach, and there is no API key",
            hint="make one with `crosslens key new --role admin`, or listen on 127.0.0.1",
        )


@contextmanager
def listening(host: str, port: int) -> Iterator[socket]:
    """
    Take the port before anything is loaded; early callers wait in its queue.

    Raises:
        Unavailable: it cannot be had.
    """
    from crosslens.errors import Unavailable

    family = AF_INET6 if ":" in host else AF_INET
    try:
        door = create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as exc:
        raise Unavailable(
            f"cannot listen on {host} port {port}: {exc.strerror}",
            hint="another program may have the port; choose one with --port",
        ) from exc
    with door:
        yield door


def run(application: Any, door: socket, tell: Callable[[str], None]) -> None:
    """Serve an application until SIGINT or SIGTERM; `tell` gets its address once it answers."""
    import uvicorn

    class Server(uvicorn.Server):
        """Tells a person where it listens, once it does."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                _settle_memory()
                tell(shown_url(*door.getsockname()[:2]))

    logging.getLogger("uvicorn.error").addFilter(_is_news)
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who is behind a proxy
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_S,
        ws="none",
    )
    Server(config).run(sockets=[door])


def _settle_memory() -> None:
    """Let the collector of cycles look no more at what was loaded: it is there to stay."""
    gc.collect()
    gc.freeze()


def _is_news(record: logging.LogRecord) -> bool:
    """Tell of everything but what a second Ctrl-C cuts short."""
    return "CancelledError" not in record.getMessage()


def shown_url(host: str, port: int) -> str:
    """Write the address of a socket."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _tell(url: str) -> None:
    print(f"crosslens is ready on {url}  (Ctrl-C stops it)")
    print(f"try    curl '{url}/ready'")
    print(f"       curl '{url}/search' --json '{{\"words\": \"red shoe\"}}'")
    print(f"read   {url}/docs")
    sys.stdout.flush()


@contextmanager
def quiet_signals() -> Iterator[None]:
    """
    Let the server alone answer SIGINT and SIGTERM.

    It raises them again once it has stopped, which would end the process before the index is
    closed.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
