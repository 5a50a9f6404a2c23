"""/health, /ready and /metrics of an encode service, for those who ask by HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from crosslens.errors import CrosslensError, Unauthenticated, Unavailable
from crosslens.rpc.access import Door

_PATIENCE_S = 10.0
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Told:
    """
    What the page tells.

    Attributes:
        door: who may read the numbers: the same as may call.
    """

    is_ready: Callable[[], bool]
    numbers: Callable[[], bytes]
    door: Door


class StatusPage:
    """
    Answer over HTTP in threads of its own.

    Raises:
        Unavailable: the address cannot be had.
    """

    def __init__(self, host: str, port: int, told: Told) -> None:
        try:
            self._server = _Server((host, port), _handler(told))
        except OSError as exc:
            raise Unavailable(
                f"cannot listen on {host} port {port}: {exc.strerror}",
                hint="another program may have the port; see rpc_status_port",
            ) from exc
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="status")
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)


def _handler(told: Told) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S
        server_version = "crosslens"
        sys_version = ""

        def do_GET(self) -> None:
            status, kind, content = _answer(told, self.path, self.headers.get("authorization"))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.send_header("x-content-type-options", "nosniff")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing: who asks, asks every few seconds."""

    return Handler


def _answer(told: Told, path: str, authorization: str | None) -> tuple[int, str, bytes]:
    if path == "/health":
        return 200, _JSON, b'{"status":"alive"}'
    if path == "/ready":
        if told.is_ready():
            return 200, _JSON, b'{"status":"ready"}'
        return 503, _JSON, b'{"status":"not ready"}'
    if path != "/metrics":
        return 404, _JSON, b'{"code":"no_such_path"}'
    scheme, _, token = (authorization or "").partition(" ")
    try:
        told.door(token.strip() if scheme.lower() == "bearer" else None, False)
    except CrosslensError as exc:
        status = 401 if isinstance(exc, Unauthenticated) else 403
        return status, _JSON, b'{"code":"' + exc.code.encode() + b'"}'
    return 200, _TEXT, told.numbers()
