"""Errors ↔ statuses of gRPC: the code and the hint travel along, so that an error stays itself."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from crosslens import errors
from crosslens.errors import CrosslensError, Overloaded, TooLarge, Unavailable

CODE, HINT = "crosslens-code", "crosslens-hint-bin"
_STATUSES = (  # the first that fits counts
    (errors.TooLarge, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.WrongSpace, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (errors.Forbidden, grpc.StatusCode.PERMISSION_DENIED),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.Conflict, grpc.StatusCode.ABORTED),
    (errors.Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.StorageFull, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
    (errors.MissingExtra, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.BrokenBundle, grpc.StatusCode.FAILED_PRECONDITION),
)


def status_of(error: CrosslensError) -> grpc.StatusCode:
    """Return the status that an error travels under."""
    fits = (status for kind, status in _STATUSES if isinstance(error, kind))
    return next(fits, grpc.StatusCode.INTERNAL)


def trailers_of(error: CrosslensError) -> tuple[tuple[str, str | bytes], ...]:
    """Return what travels beside the status."""
    hint = ((HINT, error.hint.encode()),) if error.hint else ()
    return ((CODE, error.code), *hint)


def error_of(failure: grpc.RpcError, where: str) -> CrosslensError:
    """Return the error that a failed call stands for; `where` is the service's address."""
    call: grpc.Call = failure  # what a call raises is the call
    told = dict(call.trailing_metadata() or ())
    details = call.details() or ""
    if kind := _KINDS.get(str(told.get(CODE, ""))):
        hint = told.get(HINT)
        return kind(
            details, hint=hint.decode("utf-8", "replace") if isinstance(hint, bytes) else None
        )
    if "larger than max" in details:
        return TooLarge(f"a call larger than the encode service at {where} takes ({details})")
    if call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Overloaded(f"the encode service at {where} has enough to do ({details})")
    if call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return Unavailable(
            f"the encode service at {where} does not answer ({details})",
            hint="is `crosslens serve encoder` running there, and does encoder_url name it?",
        )
    return Unavailable(f"the encode service at {where} failed ({call.code().name}: {details})")


def _every(kind: type[CrosslensError]) -> Iterator[type[CrosslensError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _every(below)


_KINDS = {kind.code: kind for kind in reversed(list(_every(CrosslensError)))}
