from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from crosslens.errors import MissingExtra
from crosslens.telemetry import callers, tracing


def asked(request: str) -> callers.Caller:
    def here() -> callers.Caller:
        callers.name(request)
        return callers.caller()

    return copy_context().run(here)


def test_a_thread_that_works_for_several_names_them_all_and_forgets_them_afterwards() -> None:
    waiting = [asked("a"), asked("b"), asked("a"), asked("")]

    def work() -> tuple[str, str]:
        with callers.on_behalf_of(waiting, "wave"):
            during = callers.current()
        return during, callers.current()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() == ("a,b", "")


def test_another_process_goes_on_with_the_id_that_it_was_told() -> None:
    def tell() -> dict[str, str]:
        callers.name("abc")
        return dict(callers.told())

    told = copy_context().run(tell)
    with callers.arrived("encode", told):
        assert callers.current() == "abc"


def test_an_id_that_is_none_is_replaced() -> None:
    with callers.arrived("encode", {"x-request-id": 'no"id'}):
        given = callers.current()
    with callers.arrived("encode", {}):
        assert callers.current() not in ("", given)
    assert given
    assert '"' not in given


def test_while_nothing_is_traced_stages_are_one_and_the_same_nothing() -> None:
    assert tracing.span("a", n=1) is tracing.span("b")
    assert tracing.departing() == {}
    assert tracing.place() is None


def test_while_nothing_is_traced_opentelemetry_is_not_imported() -> None:
    script = (
        "import sys\n"
        "from crosslens.telemetry import callers, configure, logger, tracing\n"
        "configure()\n"
        "with callers.arrived('a', {}), tracing.span('b'): logger('c').warning('d')\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_without_opentelemetry_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("opentelemetry.sdk.resources", "opentelemetry.exporter.otlp.proto.http"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not there
    with pytest.raises(MissingExtra) as refused:
        tracing.begin("test", url="http://127.0.0.1:1")
    assert "crosslens[otel]" in str(refused.value)
    assert not tracing.is_on()
