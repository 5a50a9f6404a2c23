"""Logs: structured, silent below the chosen level, on stderr so that stdout stays an answer."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TypeAlias

import structlog

from crosslens.telemetry import callers, tracing
from crosslens.telemetry.secrets import masked

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
Format: TypeAlias = Literal["auto", "json", "text"]
_NUMBERS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error")}


def configure(*, verbose: bool = False, level: Level = "warning", format: Format = "auto") -> None:
    """
    Send logs to stderr, those of the libraries in use included.

    Args:
        verbose: show debug lines too, whatever `level` says.
        level: lines below it are not written; libraries are heard from "warning" on.
        format: "json" writes one object per line, "text" is for people; "auto" decides by whether
            stderr is a terminal.
    """
    to_json = format == "json" or (format == "auto" and not sys.stderr.isatty())
    renderers: list[Any] = _to_json() if to_json else [structlog.dev.ConsoleRenderer()]
    number = _NUMBERS["debug" if verbose else level]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _with_caller,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *renderers, _masked],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(_Stderr()),  # type: ignore[arg-type]
    )
    _hear_libraries(shared, renderers, max(number, logging.WARNING))


def logger(name: str) -> Any:
    """Return a logger that names its part of the house."""
    return structlog.get_logger(part=name)  # binds late, so that `configure` may come after


class _Stderr:
    """Whatever stderr is at the moment of writing: it may have been exchanged since."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class _Libraries(logging.StreamHandler[Any]):
    """Lines of libraries, written like our own."""


def _hear_libraries(shared: list[Any], renderers: list[Any], level: int) -> None:
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Libraries)]:
        root.removeHandler(handler)
    handler = _Libraries(_Stderr())
    handler.setLevel(level)
    without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _with_part, structlog.stdlib.ExtraAdder(())],
            processors=[without_meta, *renderers, _masked],
        )
    )
    root.addHandler(handler)


def _to_json() -> list[Any]:
    as_json = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    return [structlog.processors.format_exc_info, as_json]


_Line: TypeAlias = MutableMapping[str, Any]


def _with_caller(_logger: Any, _name: str, line: _Line) -> _Line:
    """Say on whose behalf something happened: the request's id, and its trace if there is one."""
    if request := callers.current():
        line["request"] = request
    if trace := tracing.trace_id():
        line["trace"] = trace
    return line


def _with_part(_logger: Any, _name: str, line: _Line) -> _Line:
    line["part"] = line["_record"].name
    return line


def _masked(_logger: Any, _name: str, line: Any) -> Any:
    return masked(line)


def quieten() -> None:
    """Write warnings alone, for people, as long as nobody has set logs up: as a library should."""
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.PrintLoggerFactory(_Stderr()),  # type: ignore[arg-type]
        )


quieten()
