"""Who may call: a key as a bearer token, except for health and reflection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

from crosslens.encode.statuses import status_of, trailers_of
from crosslens.errors import CrosslensError

Door: TypeAlias = Callable[[str | None, bool], None]
"""Called with the token, if any, and whether an administrator is needed; raises to refuse."""

_SERVICE = "/crosslens.encode.v1.EncodeService/"
_OF_ADMINISTRATORS = frozenset({f"{_SERVICE}LoadModel", f"{_SERVICE}UnloadModel"})


class Access(grpc.ServerInterceptor):  # type: ignore[misc]
    """Ask each call for its token before anything of it is read."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """Let a call through, or answer it with the refusal."""
        if details.method.startswith(_SERVICE):
            try:
                self._door(_token(details), details.method in _OF_ADMINISTRATORS)
            except CrosslensError as exc:
                return _refusal(exc)
        return continuation(details)


def _token(details: Any) -> str | None:
    told = dict(details.invocation_metadata)
    scheme, _, token = str(told.get("authorization", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _refusal(error: CrosslensError) -> Any:
    def refuse(_request: Any, context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata(trailers_of(error))
        context.abort(status_of(error), error.message)

    return grpc.unary_unary_rpc_method_handler(refuse)
