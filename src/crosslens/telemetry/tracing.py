"""
Traces: which stage took how long, over threads and processes, told by OpenTelemetry.

As long as nothing has `begin`-ed, every function here does nothing, and OpenTelemetry is not even
imported. What people ask for and what products are called never gets into a trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import time_ns
from typing import Any

from crosslens.errors import InvalidRequest, MissingExtra
from crosslens.telemetry import links

_NOTHING: AbstractContextManager[None] = nullcontext()
_tracer: Any = None


def begin(
    service: str, *, url: str = "", ratio: float = 1.0, exporter: Any = None
) -> Callable[[], None]:
    """
    Trace from now on.

    Args:
        service: what this process is called in traces.
        url: OTLP over HTTP: a collector such as http://collector:4318.
        ratio: share of what begins here that is traced; what came with a trace goes on with it.
        exporter: where spans go instead of `url`, as tests want it.

    Returns:
        What ends it, and sends what has not been sent.

    Raises:
        MissingExtra: the extra `otel` is not installed.
        InvalidRequest: not such a URL.
    """
    global _tracer
    provider = _provider(service, ratio, exporter or _otlp(url), at_once=exporter is not None)
    _tracer = tracer = provider.get_tracer("crosslens")

    def end() -> None:
        global _tracer
        if _tracer is tracer:
            _tracer = None
        provider.shutdown()

    return end


def span(stage: str, **attributes: Any) -> AbstractContextManager[Any]:
    """Enter a stage; attributes are numbers and names that are no secret."""
    if _tracer is None:
        return _NOTHING
    return _stage(stage, attributes)


def note(**attributes: Any) -> None:
    """Add to the stage that is going on."""
    if _tracer is not None:
        links.current_span().set_attributes(_named(attributes))


def rename(stage: str, **attributes: Any) -> None:
    """Say what the stage that is going on has turned out to be."""
    if _tracer is not None:
        links.current_span().update_name(stage)
        note(**attributes)


def touched(products: Mapping[int, int]) -> None:
    """Note product → revision, so that what happens to a product can be followed."""
    if _tracer is not None:
        _touched(links.current_span(), products)


def is_on() -> bool:
    """Whether stages are noted."""
    return _tracer is not None


def trace_id() -> str:
    """Return the id of the trace that is going on, in hexadecimal; empty if there is none."""
    return "" if _tracer is None else links.trace_id()


def place() -> Any:
    """Return where in a trace we are, for `shared`; None while nothing is traced."""
    return None if _tracer is None else links.place()


def departing() -> dict[str, str]:
    """Return the headers that carry the trace to another process."""
    return {} if _tracer is None else links.headers()


def arrived(stage: str, headers: Mapping[str, str]) -> AbstractContextManager[Any]:
    """Enter a stage that another process asked for; `headers` have lower-case names."""
    if _tracer is None:
        return _NOTHING
    return _stage(stage, {}, context=links.context_of(headers), kind=links.kind("SERVER"))


def calling(stage: str) -> AbstractContextManager[Any]:
    """Enter a stage that another process does for us."""
    return _NOTHING if _tracer is None else _stage(stage, {}, kind=links.kind("CLIENT"))


@contextmanager
def shared(stage: str, places: Sequence[Any]) -> Iterator[None]:
    """Enter a stage that several wait for: a part of the first's trace, linked from the others'."""
    first, *others = places
    if _tracer is None or first is None:
        yield
        return
    started = time_ns()
    with _stage(stage, {"questions": len(places)}, context=first) as here:
        yield
    for other in others:
        seen = _tracer.start_span(
            stage,
            context=other,
            links=[links.to(here)],
            attributes=_named({"questions": len(places)}),
            start_time=started,
        )
        seen.end()


def begun(stage: str, products: Mapping[int, int], **attributes: Any) -> Any:
    """Begin a trace of its own, to be gone on with in `inside` and `ended`."""
    if _tracer is None:
        return None
    made = _tracer.start_span(stage, context=links.nowhere(), attributes=_named(attributes))
    _touched(made, products)
    return made


def inside(made: Any) -> AbstractContextManager[Any]:
    """Go on with what was `begun`."""
    return _NOTHING if made is None else links.using(made)


def ended(made: Any) -> None:
    """End what was `begun`."""
    if made is not None:
        made.end()


@contextmanager
def _stage(stage: str, attributes: Mapping[str, Any], **options: Any) -> Iterator[Any]:
    with _tracer.start_as_current_span(
        stage,
        attributes=_named(attributes),
        record_exception=False,  # messages may hold what a trace must not
        set_status_on_exception=False,
        **options,
    ) as made:
        try:
            yield made
        except BaseException as exc:
            made.set_status(links.failed(type(exc).__name__))
            raise


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Put our attributes under our name; those that OpenTelemetry names have theirs."""
    return {
        name if "." in name else f"crosslens.{name}": value for name, value in attributes.items()
    }


def _touched(made: Any, products: Mapping[int, int]) -> None:
    for product_id, revision in products.items():
        made.add_event("product", _named({"product": product_id, "revision": revision}))


def _provider(service: str, ratio: float, exporter: Any, *, at_once: bool) -> Any:
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as exc:
        raise _missing() from exc
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}),
        sampler=ParentBased(TraceIdRatioBased(ratio)),
    )
    processor = SimpleSpanProcessor if at_once else BatchSpanProcessor
    provider.add_span_processor(processor(exporter))
    return provider


def _otlp(url: str) -> Any:
    if not url.startswith(("http://", "https://")):
        raise InvalidRequest(f"traces_url is {url!r}", hint="such as http://collector.example:4318")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as exc:
        raise _missing() from exc
    return OTLPSpanExporter(endpoint=url.rstrip("/") + "/v1/traces")


def _missing() -> MissingExtra:
    return MissingExtra(
        "traces need OpenTelemetry, which is not installed",
        hint="pip install 'crosslens[otel]'",
    )
