"""What stands beside every path: the role it needs and the lane it works in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from fastapi import Depends, Request

from crosslens.api.access import Caller
from crosslens.api.keys import Role
from crosslens.api.lanes import Lane
from crosslens.api.runtime import Lanes, Runtime


def runtime_of(request: Request) -> Runtime:
    """Return what the application of a request keeps."""
    return cast("Runtime", request.app.state.runtime)


def allow(role: Role, lane: Callable[[Lanes], Lane]) -> Any:
    """
    Let only those in whose key has the role, and only as many as the lane has room for.

    Both is decided before a byte of the body is read.
    """

    async def enter(request: Request) -> AsyncIterator[Caller]:
        with admitted(request, role, lane) as caller:
            try:
                yield caller
            finally:
                await request.close()  # files of a form

    enter.__dict__["role"] = role
    return Depends(enter)


@contextmanager
def admitted(request: Request, role: Role, lane: Callable[[Lanes], Lane]) -> Iterator[Caller]:
    """
    Be let in; what `allow` does.

    Raises:
        Unauthenticated, Forbidden: by whom the request is.
        RateLimited, Overloaded: it is one too many.
    """
    runtime = runtime_of(request)
    caller = runtime.guard.identify(request.headers)
    request.scope["crosslens.key"] = caller.key_id
    runtime.guard.admit(caller, role)
    with lane(runtime.lanes).admission():
        yield caller


def caller_id(request: Request) -> str:
    """Return the id of the key that a request showed; empty without keys."""
    return str(request.scope.get("crosslens.key", ""))
