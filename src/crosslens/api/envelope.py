"""The outermost layer: request ids, size and time limits, safe headers, a line in the log."""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from time import monotonic
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crosslens.api.metrics import Metrics
from crosslens.api.problems import TooSlow, refuse, unexpected
from crosslens.api.services import Bounds
from crosslens.errors import CrosslensError, Overloaded, TooLarge
from crosslens.telemetry import callers, logger, tracing

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_DOCS = "/docs"
_Raw: TypeAlias = Sequence[tuple[bytes, bytes]]
_POLICY = b"content-security-policy"
_SAFE: _Raw = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-site"),
    (_POLICY, b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cache-control", b"no-store"),
)
_DOCS_POLICY = (  # the page of FastAPI takes its scripts from there
    b"default-src 'self'; frame-ancestors 'none'; img-src 'self' data: https://fastapi.tiangolo.com;"
    b" style-src https://cdn.jsdelivr.net; script-src https://cdn.jsdelivr.net 'unsafe-inline'"
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
        self._ids = _ids()
        self._pending_bytes = 0

    @cached_property
    def _log(self) -> Any:
        return logger("api").bind()  # once, at the first request: then logging is set up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = _header(scope["headers"], b"x-request-id")
        request_id = given if _REQUEST_ID.fullmatch(given) else next(self._ids)
        scope["crosslens.request_id"] = request_id.decode("ascii")
        callers.name(scope["crosslens.request_id"])  # each request is a task of its own
        with tracing.arrived("http", _Carried(scope["headers"])):
            await self._serve(scope, receive, send, request_id)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        started, status = monotonic(), 0
        own = ((b"x-request-id", request_id), *_safe(scope["path"]))

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _completed(message.get("headers", ()), own)
            await send(message)

        body = _Body(self, scope, receive)
        try:
            body.check_announced()
            await self._app(scope, body.receive, sending)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the caller gets an answer
            if not status:
                await _refused(exc, scope["crosslens.request_id"])(scope, body.receive, sending)
        finally:
            self._pending_bytes -= body.pending
            self._note(scope, status, monotonic() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "")
        self._metrics.note(scope["method"], route, status, seconds)
        if tracing.is_on():
            _trace(scope, route, status)
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
        self._announced = _header(scope["headers"], b"content-length")
        self._to_disk = scope["path"] == "/import"
        self._most = bounds.max_import_bytes if self._to_disk else bounds.max_body_bytes
        self._within_s = bounds.body_timeout_s * (20 if self._to_disk else 1)
        self._due: float | None = None
        self._size = 0
        self._complete = False
        self.pending = 0

    def check_announced(self) -> None:
        """Refuse a body that says itself that it is too large."""
        if self._announced.isdigit() and int(self._announced[:20]) > self._most:
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


class _Carried(Mapping[str, str]):
    """Headers by name, decoded when somebody asks: while nothing is traced, nobody does."""

    def __init__(self, headers: _Raw) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        if found := _header(self._headers, name.encode("latin-1")):
            return found.decode("latin-1")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name, _ in self._headers)

    def __len__(self) -> int:
        return len(self._headers)


def _trace(scope: Scope, route: str, status: int) -> None:
    told = {
        "http.request.method": scope["method"],
        "http.route": route,
        "http.response.status_code": status,
        "request": scope["crosslens.request_id"],
    }
    tracing.rename(f"{scope['method']} {route or 'unknown'}", **told)


def _ids() -> Iterator[bytes]:
    """
    Yield request ids that no other process has.

    Asking the system for chance each time would let go of the interpreter lock each time.
    """
    mine = secrets.token_hex(5)
    return (f"{mine}{number:06x}".encode() for number in itertools.count(secrets.randbelow(4096)))


def _header(headers: _Raw, name: bytes) -> bytes:
    """Return the first header of a name, which ASGI has in lower case; empty if there is none."""
    return next((value for key, value in headers if key == name), b"")


def _safe(path: str) -> _Raw:
    if path != _DOCS:
        return _SAFE
    return [(name, _DOCS_POLICY if name == _POLICY else value) for name, value in _SAFE]


def _completed(headers: Iterable[tuple[bytes, bytes]], own: _Raw) -> list[tuple[bytes, bytes]]:
    """Add headers that an answer does not have already."""
    told = list(headers)
    present = {name for name, _ in told}
    return told + [header for header in own if header[0] not in present]


def _refused(exc: Exception, request_id: str) -> ASGIApp:
    if isinstance(exc, CrosslensError):
        return refuse(exc, request_id)
    return unexpected(exc, request_id)
