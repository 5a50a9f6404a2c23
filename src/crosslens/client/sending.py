"""Between calls and httpx: what both clients do alike."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, TypeVar

import httpx

from crosslens.client.calls import Call
from crosslens.client.replies import Reply
from crosslens.errors import InvalidRequest

T = TypeVar("T")

LOCAL = "http://127.0.0.1:6008"


def checked_url(url: str) -> str:
    """
    Return the address of a service.

    Raises:
        InvalidRequest: it is none.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidRequest(f"url is {url!r}; it must begin with http:// or https://")
    return url


def headers_of(key: str | None) -> dict[str, str]:
    """Return what every request says."""
    return {"user-agent": "crosslens-client"} | ({"authorization": f"Bearer {key}"} if key else {})


def keywords(call: Call[Any], files: ExitStack) -> dict[str, Any]:
    """Return what httpx needs for a call; files that it opens are closed with the stack."""
    wanted: dict[str, Any] = {"headers": dict(call.headers)}
    if call.file is not None:
        content = files.enter_context(call.file.open("rb"))
        return wanted | {"files": {"file": (call.file.name, content)}, "data": dict(call.params)}
    if call.body is not None:
        wanted["content"] = call.body
        wanted["headers"]["content-type"] = "application/json"
    return wanted | {"params": dict(call.params)}


def reply_of(response: httpx.Response) -> Reply:
    """Keep what is needed of a response."""
    return Reply(response.status_code, response.headers, response.content)


def answered(call: Call[T], reply: Reply) -> T:
    """
    Read the answer.

    Raises:
        CrosslensError: the reply is an error.
    """
    told_not_ready = call.path == "/ready" and reply.status == 503
    exc = None if told_not_ready else reply.error()
    if exc is not None:
        raise exc
    return call.read(reply)
