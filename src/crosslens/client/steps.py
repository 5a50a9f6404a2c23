"""
What takes several tries or questions, told step by step.

Both clients follow these steps: each sends what is to be sent and waits as long as it is told, one
blocking, the other awaiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar, Unpack, cast

import httpx

from crosslens.client import calls, generating, tending
from crosslens.client.answers import ImportJob, Readiness
from crosslens.client.calls import Call
from crosslens.client.generating import Generated, Wish
from crosslens.client.replies import Reply, error_from
from crosslens.client.retrying import Patience, settled
from crosslens.client.sending import answered
from crosslens.client.tending import Task
from crosslens.errors import Conflict, Overloaded, Unavailable

T = TypeVar("T")

Outcome: TypeAlias = Reply | httpx.TransportError
Tries: TypeAlias = Generator[float | None, Outcome | None, T]
"""Yields seconds to wait, or None for the call to be sent, which is answered by its outcome."""
Steps: TypeAlias = Generator[Call[Any] | float, Any, T]
"""Yields calls, which are answered by what they return, and seconds to wait."""

_OFTEN_S = 0.05


def tries(call: Call[T], patience: Patience, service: object) -> Tries[T]:
    """
    Make a call, again as long as that may help.

    Raises:
        CrosslensError: the answer is an error.
        Unavailable: there was no answer.
    """
    tried = 0
    while True:
        tried += 1
        outcome = yield None
        assert outcome is not None  # noqa: S101 - both clients answer what is sent
        if not patience.again(call, tried, outcome):
            break
        yield patience.wait_s(tried, _retry_after(outcome))
    if isinstance(outcome, httpx.TransportError):
        raise Unavailable(
            f"the service at {service} does not answer ({outcome})",
            hint="is `crosslens serve` running there?",
        ) from outcome
    return answered(call, settled(call, tried, outcome))


def wait_for_import(job_id: str, *, timeout_s: float = 3_600.0) -> Steps[ImportJob]:
    """
    Wait until an import has ended.

    Raises:
        Overloaded: it has not in time.
    """
    ask = calls.import_job(job_id)
    return _until(
        ask, lambda job: "" if job.ended else f"the import is still {job.state}", timeout_s
    )


def wait_for_task(task_id: str, *, timeout_s: float = 3_600.0) -> Steps[Task]:
    """
    Wait until long work is over.

    Raises:
        Overloaded: it is not in time.
    """
    ask = tending.task(task_id)
    return _until(
        ask, lambda task: "" if task.over else f"the task is still {task.state}", timeout_s
    )


def generate(prompt: str, *, timeout_s: float = 3_600.0, **wish: Unpack[Wish]) -> Steps[Generated]:
    """
    Draw pictures for words, and wait until they are there.

    Raises:
        InvalidRequest, NotFound: it cannot be drawn as asked.
        Unavailable: they could not be drawn; the message says why.
        Conflict: somebody broke it off.
        Overloaded: it is not over in time.
    """
    begun = yield generating.start_drawing(prompt, **wish)
    ask = generating.drawing(begun.task)
    told = yield from _until(
        ask, lambda task: "" if task.over else f"the drawing is still {task.state}", timeout_s
    )
    if told.state == "cancelled":
        raise Conflict("the drawing was broken off")
    if told.state != "done":
        said = {"code": told.code, "detail": told.error or "the drawing failed", "hint": told.hint}
        raise error_from(503, said)
    return Generated.read(told.result)


def wait_until_indexed(*, timeout_s: float = 60.0) -> Steps[None]:
    """
    Wait until searches know everything that was written.

    Raises:
        Overloaded: they do not in time.
    """

    def lacks(readiness: Readiness) -> str:
        left = readiness.unsettled
        return f"{left} changes are not indexed" if left else ""

    yield from _until(calls.ready(), lacks, timeout_s)


def _until(ask: Call[T], lacks: Callable[[T], str], timeout_s: float) -> Steps[T]:
    """Ask until nothing is lacking any more."""
    due = time.monotonic() + timeout_s
    while what := lacks(told := (yield ask)):
        if time.monotonic() > due:
            raise Overloaded(f"{what} after {timeout_s:g} s")
        yield _OFTEN_S
    return cast("T", told)


def _retry_after(outcome: Outcome) -> str | None:
    return outcome.headers.get("retry-after") if isinstance(outcome, Reply) else None
