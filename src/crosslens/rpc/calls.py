"""Calls of the encode service: counted, logged, and part of the trace that they came with."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import grpc
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from crosslens.telemetry import callers, logger

_SERVICE = "/crosslens.encode.v1.EncodeService/"
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Numbers:
    """What happened at the door of the encode service, for Prometheus."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._calls = Counter(
            "crosslens_encode_calls_total",
            "Calls answered.",
            ["call", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "crosslens_encode_seconds",
            "Time from the arrival of a call to its answer.",
            ["call"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.inside = Gauge(
            "crosslens_encode_calls_inside", "Calls being answered.", registry=self._registry
        )

    def note(self, call: str, status: str, seconds: float) -> None:
        """Count one answer."""
        self._calls.labels(call, status).inc()
        self._seconds.labels(call).observe(seconds)

    def page(self) -> bytes:
        """Write all numbers down."""
        return generate_latest(self._registry)


class Calls(grpc.ServerInterceptor):  # type: ignore[misc]
    """Stands in front of all other interceptors, so that refusals count too."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._log = logger("rpc")

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """Let a call through, and note how it went."""
        handler = continuation(details)
        if handler is None or not details.method.startswith(_SERVICE):
            return handler
        name = details.method.removeprefix(_SERVICE)
        headers = {key: v for key, v in details.invocation_metadata if isinstance(v, str)}

        def answered(request: Any, context: grpc.ServicerContext) -> Any:
            with callers.arrived(name, headers), self._numbers.inside.track_inprogress():
                started = monotonic()
                try:
                    return handler.unary_unary(request, context)
                finally:
                    self._note(name, context.code(), monotonic() - started)

        return grpc.unary_unary_rpc_method_handler(
            answered, handler.request_deserializer, handler.response_serializer
        )

    def _note(self, call: str, code: Any, seconds: float) -> None:
        status = "OK" if code is None else code.name
        self._numbers.note(call, status, seconds)
        self._log.info("answered", call=call, status=status, ms=round(seconds * 1e3, 1))
