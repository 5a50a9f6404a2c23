"""Logs: structured, silent below the chosen level, on stderr so that stdout stays an answer."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def configure(*, verbose: bool = False, as_json: bool | None = None) -> None:
    """
    Send logs to stderr: for people on a terminal, as JSON lines elsewhere.

    Args:
        verbose: show debug lines too; the default shows warnings.
        as_json: None decides by whether stderr is a terminal.
    """
    to_json = not sys.stderr.isatty() if as_json is None else as_json
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if not to_json:
        renderer = structlog.dev.ConsoleRenderer()
    level = logging.DEBUG if verbose else logging.WARNING
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(_Stderr()),  # type: ignore[arg-type]
    )


class _Stderr:
    """Whatever stderr is at the moment of writing: it may have been exchanged since."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def logger(name: str) -> Any:
    """Return a logger that names its part of the house."""
    return structlog.get_logger(part=name)  # binds late, so that `configure` may come after
