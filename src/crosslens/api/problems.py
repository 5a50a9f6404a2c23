"""From an error to an answer: one table, RFC 9457 documents, no word about the inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from crosslens.errors import (
    CannotDraw,
    Conflict,
    CrosslensError,
    Forbidden,
    IndexBroken,
    InvalidRequest,
    MissingExtra,
    NotFound,
    OutOfDate,
    Overloaded,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnusableVector,
    WrongSpace,
)
from crosslens.telemetry import logger

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[type[CrosslensError], int] = {
    InvalidRequest: 422,
    UnusableVector: 422,  # at this door only a query can have brought it
    WrongSpace: 503,  # callers send no vectors: the index is not the one that the settings ask for
    TooLarge: 413,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    OutOfDate: 412,
    Overloaded: 429,
    MissingExtra: 501,
    Unavailable: 503,
    IndexBroken: 503,
    StorageFull: 507,
    CrosslensError: 500,
}
_INSIDE = {  # what is wrong inside is for the log, which has the request's id too
    500: "crosslens failed at this; the log of the service says why",
    501: "the service was installed without the part that this needs",
    503: "a part of the service is away or busy; try again later",
    507: "the service has no room left; nothing was written",
}
_CODES = {
    400: "bad_request",
    404: "no_such_path",
    405: "method_not_allowed",
    408: "too_slow",
    415: "unsupported_type",
}
_HINTS = {404: "see /openapi.json for what there is"}
_AGAIN_S = {429: 1, 503: 5}
_SHOWN = 60  # characters of what was sent


class TooSlow(InvalidRequest):
    """A request that did not arrive in time."""

    code = "too_slow"


class UnsupportedType(InvalidRequest):
    """A body that is neither JSON nor a form."""

    code = "unsupported_type"


class InvalidBody(InvalidRequest):
    """
    A body, path or query that does not fit its schema.

    Attributes:
        errors: each field with what is wrong about it.
    """

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        first = errors[0]
        super().__init__(f"{first['field']}: {first['message']}", hint="see /openapi.json")
        self.errors = errors


_STATUS = {**STATUS, TooSlow: 408, UnsupportedType: 415}


def status_of(exc: CrosslensError) -> int:
    """Return the HTTP status that an error deserves."""
    return next(_STATUS[kind] for kind in type(exc).__mro__ if kind in _STATUS)


def problem(exc: CrosslensError, request_id: str) -> dict[str, Any]:
    """Describe an error for the caller."""
    status = status_of(exc)
    detail, hint = exc.message, exc.hint
    if status >= 500 and not isinstance(exc, CannotDraw):
        detail, hint = _INSIDE[status], None
        logger("api").error("request failed", code=exc.code, error=str(exc), request=request_id)
    errors = {"errors": list(exc.errors)} if isinstance(exc, InvalidBody) else {}
    return described(status, exc.code, detail, hint=hint, request_id=request_id) | errors


def described(
    status: int, code: str, detail: str, *, hint: str | None, request_id: str
) -> dict[str, Any]:
    """Return the members of a problem document."""
    told = {
        "type": f"urn:crosslens:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "hint": hint,
        "request_id": request_id,
    }
    return {name: value for name, value in told.items() if value is not None}


def refuse(exc: CrosslensError, request_id: str) -> Response:
    """Answer with an error."""
    told = problem(exc, request_id)
    status = told["status"]
    headers = {}
    if status in _AGAIN_S:
        headers["retry-after"] = str(getattr(exc, "retry_after_s", _AGAIN_S[status]))
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="crosslens"'
    return _response(told, headers)


def unexpected(exc: Exception, request_id: str) -> Response:
    """Answer what nobody foresaw, with all of it in the log and none of it outside."""
    logger("api").error("request broke", request=request_id, exc_info=exc)
    told = described(500, "internal", _INSIDE[500], hint=None, request_id=request_id)
    return _response(told, {})


def explained(exc: ValidationError | RequestValidationError) -> InvalidBody:
    """Say field by field what does not fit."""
    errors = exc.errors() if isinstance(exc, RequestValidationError) else _plain_errors(exc)
    return InvalidBody(
        [{"field": _field(e["loc"]), "message": _message(e)} for e in errors[:20]]
        or [{"field": "body", "message": "it cannot be read"}]
    )


def install(app: FastAPI) -> None:
    """Make every error of an application a problem document."""
    app.add_exception_handler(CrosslensError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def request_id_of(request: Request) -> str:
    """Return the id that the envelope gave a request."""
    return str(request.scope.get("crosslens.request_id", ""))


async def _refused(request: Request, exc: Exception) -> Response:
    return refuse(cast("CrosslensError", exc), request_id_of(request))


async def _invalid(request: Request, exc: Exception) -> Response:
    return refuse(explained(cast("RequestValidationError", exc)), request_id_of(request))


async def _http(request: Request, exc: Exception) -> Response:
    raised = cast("HTTPException", exc)
    status = raised.status_code
    told = described(
        status,
        _CODES.get(status, "http_error"),
        _detail(request, raised),
        hint=_HINTS.get(status),
        request_id=request_id_of(request),
    )
    return _response(told, dict(raised.headers or {}))


def _detail(request: Request, raised: HTTPException) -> str:
    path = request.scope["path"][:200]
    if raised.status_code == 404:
        return f"there is nothing at {path!r}"
    if raised.status_code == 405:
        allowed = (raised.headers or {}).get("allow", "other methods")
        return f"{path!r} takes {allowed}, not {request.method}"
    return str(raised.detail)


def _response(told: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    content = to_json(told, inf_nan_mode="null")
    return Response(content, told["status"], dict(headers), media_type=MEDIA_TYPE)


def _is_huge(given: object) -> bool:
    return isinstance(given, int) and given.bit_length() > 64  # Python refuses to write some


def _plain_errors(exc: ValidationError) -> Sequence[Any]:
    return exc.errors(include_url=False, include_context=False)


def _field(location: Sequence[object]) -> str:
    parts = [str(part) for part in location if part not in ("body", "query", "path")]
    return ".".join(parts) or "body"


def _message(error: Mapping[str, Any]) -> str:
    """Say what is allowed, and what was sent if that is short."""
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    if error["type"] == "missing":
        return "it is missing"
    text = str(error["msg"]).removeprefix("Value error, ")
    shown = "" if error["type"].startswith("json") else _shown(error.get("input"))
    return text[:1].lower() + text[1:] + (shown and f", not {shown}")


def _shown(given: object) -> str:
    """Write what was sent as JSON has it; nothing if it is long."""
    if not isinstance(given, str | bool | int | float | None) or _is_huge(given):
        return ""
    text = json.dumps(given, ensure_ascii=False)
    return text if len(text) <= _SHOWN else ""
