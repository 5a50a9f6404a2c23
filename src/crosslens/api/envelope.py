"""The outermost layer: request ids, size and time limits, safe headers, a line in the log."""

from __future__ import annotations

import asyncio
import re
import secrets
from time import monotonic
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from crosslens.api.metrics import Metrics
from crosslens.api.problems import TooSlow, refuse, unexpected
from crosslens.api.services import Bounds
from crosslens.errors import CrosslensError, Overloaded, TooLarge
from crosslens.telemetry import logger

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DOCS = "/docs"
_SAFE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-site",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cache-control": "no-store",
}
_DOCS_POLICY = (  # the page of FastAPI takes its scripts from there
    "default-src 'self'; frame-ancestors 'none'; img-src 'self' data: https://fastapi.tiangolo.com;"
    " style-src https://cdn.jsdelivr.net; script-src https://cdn.jsdelivr.net 'unsafe-inline'"
)


class Envelope:
    """
    Wrap an ASGI application.

    What arrives is counted while it arrives: a body that is too large, too slow, or one too many
    for the memory set aside is refused there, whoever reads it.
    """

    def __init__(self, app: ASGIApp, bounds: Bounds, metrics: Metrics) -> None:
        self._app = app
        self._bounds = bounds
        self._metrics = metrics
        self._log = logger("api")
        self._pending_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        scope["crosslens.request_id"] = request_id
        with bound_contextvars(request=request_id):
            await self._serve(scope, receive, send, request_id)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started, status = monotonic(), 0
        headers = _SAFE | {"x-request-id": request_id}
        if scope["path"] == _DOCS:
            headers = headers | {"content-security-policy": _DOCS_POLICY}

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(message, headers)
            await send(message)

        body = _Body(self, scope, receive)
        try:
            await self._answer(scope, body, sending, request_id)
        finally:
            self._pending_bytes -= body.pending
            self._note(scope, status, monotonic() - started)

    async def _answer(self, scope: Scope, body: _Body, send: Send, request_id: str) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            body.check_announced()
            await self._app(scope, body.receive, sending)
        except CrosslensError as exc:
            if not begun:
                await refuse(exc, request_id)(scope, body.receive, send)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the caller gets an answer
            if not begun:
                await unexpected(exc, request_id)(scope, body.receive, send)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "")
        self._metrics.note(scope["method"], route, status, seconds)
        self._log.info(
            "answered",
            method=scope["method"],
            path=route or "unknown",
            status=status,
            ms=round(seconds * 1e3, 1),
            key=scope.get("crosslens.key"),
        )

    def more_pending(self, size: int) -> None:
        """Count bytes that are being held."""
        if self._pending_bytes + size > self._bounds.max_pending_bytes:
            raise Overloaded(
                f"requests of {self._pending_bytes:,} bytes are being worked on already",
                hint="try again later, with less at once",
            )
        self._pending_bytes += size


class _Body:
    """What arrives of one request, counted and timed."""

    def __init__(self, envelope: Envelope, scope: Scope, receive: Receive) -> None:
        bounds = envelope._bounds
        self._envelope = envelope
        self._receive = receive
        self._announced = Headers(scope=scope).get("content-length", "")
        self._to_disk = scope["path"] == "/import"
        self._most = bounds.max_import_bytes if self._to_disk else bounds.max_body_bytes
        self._within_s = bounds.body_timeout_s * (20 if self._to_disk else 1)
        self._due: float | None = None
        self._size = 0
        self._complete = False
        self.pending = 0

    def check_announced(self) -> None:
        """Refuse a body that says itself that it is too large."""
        if self._announced.isdecimal() and int(self._announced[:20]) > self._most:
            raise self._too_large(int(self._announced[:20]))

    async def receive(self) -> Message:
        """Pass on the next part."""
        if self._complete:
            return await self._receive()
        message = await self._in_time()
        if message["type"] == "http.request":
            self._count(len(message.get("body", b"")))
            self._complete = not message.get("more_body", False)
        return message

    async def _in_time(self) -> Message:
        loop = asyncio.get_running_loop()
        if self._due is None:
            self._due = loop.time() + self._within_s
        try:
            async with asyncio.timeout_at(self._due):
                return await self._receive()
        except TimeoutError as exc:
            self._complete = True
            raise TooSlow(f"the request did not arrive within {self._within_s:g} s") from exc

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._most:
            raise self._too_large(self._size)
        if not self._to_disk:
            self._envelope.more_pending(size)
            self.pending += size

    def _too_large(self, size: int) -> TooLarge:
        return TooLarge(
            f"the request has {size:,} bytes or more, allowed are {self._most:,}",
            hint="send it in parts, or scale pictures down first",
        )


def _request_id(given: str | None) -> str:
    return given if given and _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _complete(message: dict[str, Any] | Message, headers: dict[str, str]) -> None:
    own = MutableHeaders(raw=message.setdefault("headers", []))
    for name, value in headers.items():
        own.setdefault(name, value)
