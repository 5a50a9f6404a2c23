"""Replies, and the errors of ours that problem documents stand for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crosslens import errors
from crosslens.errors import CrosslensError, InvalidRequest, Overloaded, Unavailable


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """
        Read JSON.

        Raises:
            Unavailable: it is something else, as from a proxy that stands in for the service.
        """
        try:
            return json.loads(self.content)
        except ValueError as exc:
            raise Unavailable(f"an answer that is no JSON, status {self.status}") from exc

    def error(self) -> CrosslensError | None:
        """Return the error that it stands for, if it does."""
        if self.status < 400:
            return None
        try:
            told = json.loads(self.content)
        except ValueError:
            told = {}
        return error_from(self.status, told if isinstance(told, dict) else {})


def error_from(status: int, problem: Mapping[str, Any]) -> CrosslensError:
    """Turn a problem document into the error of ours that has its code, else its status."""
    kind = _KINDS.get(str(problem.get("code"))) or _by_status(status)
    exc = kind(str(problem.get("detail") or f"status {status}"), hint=problem.get("hint"))
    if problem.get("request_id"):
        exc.add_note(f"request {problem['request_id']}, status {status}")
    return exc


def _by_status(status: int) -> type[CrosslensError]:
    if status == 429:
        return Overloaded
    if status in (502, 503, 504):
        return Unavailable
    return InvalidRequest if status < 500 else CrosslensError


def _all(kind: type[CrosslensError]) -> Iterator[type[CrosslensError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _all(below)


_KINDS = {kind.code: kind for kind in _all(CrosslensError)}
