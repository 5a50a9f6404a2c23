"""What of OpenTelemetry's API traces are made with; imported only while there are any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any


def current_span() -> Any:
    """Return the stage that is going on."""
    from opentelemetry import trace

    return trace.get_current_span()


def trace_id() -> str:
    """Return the id of the trace that is going on; empty if there is none."""
    told = current_span().get_span_context()
    return f"{told.trace_id:032x}" if told.is_valid else ""


def place() -> Any:
    """Return where in a trace we are."""
    from opentelemetry import context

    return context.get_current()


def nowhere() -> Any:
    """Return a place outside of all traces."""
    from opentelemetry.context import Context

    return Context()


@contextmanager
def using(made: Any) -> Iterator[Any]:
    """Let a span be what is going on, without ending it."""
    from opentelemetry import trace

    with trace.use_span(made, record_exception=False, set_status_on_exception=False):
        yield made


def headers() -> dict[str, str]:
    """Write down where we are, as the W3C's Trace Context has it."""
    carrier: dict[str, str] = {}
    _propagator().inject(carrier)
    return carrier


def context_of(headers: Mapping[str, str]) -> Any:
    """Read where another process was; nowhere if it does not say."""
    return _propagator().extract(dict(headers), context=nowhere())


def to(made: Any) -> Any:
    """Return a link to a span."""
    from opentelemetry.trace import Link

    return Link(made.get_span_context())


def kind(name: str) -> Any:
    """Return a kind of span: SERVER, CLIENT."""
    from opentelemetry.trace import SpanKind

    return SpanKind[name]


def failed(why: str) -> Any:
    """Return the status of a stage that failed."""
    from opentelemetry.trace import Status, StatusCode

    return Status(StatusCode.ERROR, why)


@cache
def _propagator() -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator()
