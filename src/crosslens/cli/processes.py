"""`crosslens serve api|worker|encoder`: one sort of work per process, for those who run several."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from crosslens.cli.screen import ApiPort, Host, opened

GRACE_S = 20


def api(
    context: typer.Context,
    host: Host = None,
    port: ApiPort = None,
) -> None:
    """Answer over HTTP until Ctrl-C, and leave the changes to workers."""
    _serve_http(context, {"host": host, "port": port}, working=False, answering=True)


def worker(
    context: typer.Context,
    host: Host = None,
    port: Annotated[
        int, typer.Option(help="Port on which it tells how it is; 0 takes a free one.")
    ] = 6009,
) -> None:
    """Keep the index true until Ctrl-C; /health, /ready and /metrics tell how it goes."""
    _serve_http(context, {"host": host, "port": port}, working=True, answering=False)


def _serve_http(
    context: typer.Context, given: dict[str, Any], *, working: bool, answering: bool
) -> None:
    from crosslens.cli.serve import is_loopback, listening, quiet_signals, require_key, run

    with opened(context, **_told(given)) as app:
        app.require_shared()
        own = app.settings
        on_loopback = is_loopback(own.host)
        if not on_loopback:
            require_key(own)
        with listening(own.host, own.port) as door, quiet_signals():
            made = app.http(open_door=on_loopback, working=working, answering=answering)
            run(made, door, lambda url: _tell(url, working=working))


def _tell(url: str, *, working: bool) -> None:
    print(f"crosslens {'works, and tells how at' if working else 'is ready on'} {url}")
    sys.stdout.flush()


def encoder(
    context: typer.Context,
    host: Host = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port; 0 takes a free one. [default: 6010]", show_default=False),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM file with the certificate, for TLS.")
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option("--key", help="PEM file with the key of the certificate.")
    ] = None,
) -> None:
    """Encode words and pictures for other processes, over gRPC, until Ctrl-C."""
    from crosslens.cli.serve import is_loopback, require_key

    given: dict[str, Any] = {"host": host, "rpc_port": port}
    given |= {"rpc_certificate": certificate, "rpc_key": private_key, "encoder_url": ""}
    with opened(context, **_told(given)) as app, _asked_to_stop() as stop:
        on_loopback = is_loopback(app.settings.host)
        if not on_loopback:
            require_key(app.settings)
        server = app.encode_server(open_door=on_loopback)
        server.start()
        scheme = "grpc" if app.settings.rpc_certificate is None else "grpcs"
        print(f"crosslens encodes on {scheme}://{app.settings.host}:{server.port}")
        sys.stdout.flush()
        stop.wait()
        server.stop(grace_s=GRACE_S)


def _told(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Set an event at SIGINT and SIGTERM, instead of breaking off what is at hand."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
