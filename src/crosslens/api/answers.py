"""Answers: JSON written once, by the thread that made it."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic_core import to_json

JSON = "application/json"


def written(answer: Any) -> bytes:
    """Write wire values as JSON."""
    return to_json(answer, inf_nan_mode="null")


def json_response(
    content: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer with JSON that is written already."""
    return Response(content, status, headers, media_type=JSON)
