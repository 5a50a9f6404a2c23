"""Serve the page: Streamlit under uvicorn, with a guard around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from socket import socket
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crosslens.ui.house import house
from crosslens.ui.pictures import HandedIn
from crosslens.ui.routes import routes

SCRIPT = Path(__file__).parent / "assets" / "script.py"
GRACE_S = 2
_POLICY = (  # whatever the page holds, it asks nobody but its own server
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; connect-src 'self' ws: wss:; "
    "font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'; form-action 'self'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """
    Say to browsers what the page may do, and answer only those that mean this machine.

    Args:
        local: whether the page listens on loopback; then a name that was made to point here by
            others is refused.
    """

    def __init__(self, app: ASGIApp, *, local: bool) -> None:
        self._app = app
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif self._local and not is_local(Headers(scope=scope).get("host", "")):
            await _refuse(scope, send)
        else:
            await self._app(scope, receive, _with_headers(send))


def is_local(host: str) -> bool:
    """Whether a Host header means this machine by its own name."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def run(
    door: socket,
    *,
    service: str,
    key: str,
    pictures: Path,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """
    Serve until SIGINT or SIGTERM.

    Args:
        door: listens already.
        service: where the API is.
        key: API key of the page itself; empty: each visitor brings one, if one is needed.
        pictures: folder for pictures that visitors ask with.
        ready: called once the page answers.
    """
    import uvicorn
    from streamlit.starlette import App

    house.url, house.key, house.pictures = service, key, HandedIn(pictures)
    local = is_local(door.getsockname()[0])
    app = App(SCRIPT, routes=routes(house.pictures), middleware=[Middleware(Guard, local=local)])

    class Server(uvicorn.Server):
        """Tells when it answers."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                await asyncio.get_running_loop().run_in_executor(None, _warm)
                ready()

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    Server(config).run(sockets=[door])


def _warm() -> None:
    """Import what the first visitor would wait for."""
    from crosslens.ui import page  # noqa: F401


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    plain = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 421, "headers": plain})
    await send({"type": "http.response.body", "body": b"This page answers this machine only."})
