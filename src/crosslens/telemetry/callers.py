"""On whose behalf something happens: a request's id, carried over threads and processes."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from crosslens.telemetry import tracing

HEADER = "x-request-id"
_MOST = 1_200  # characters: of the ids of a wave
_IDS = re.compile(rf"[A-Za-z0-9._,-]{{1,{_MOST}}}")
_request: ContextVar[str] = ContextVar("crosslens_request", default="")


class Caller(NamedTuple):
    """Who waits for something: the request's id, and where in its trace."""

    request: str
    place: Any


def name(request: str) -> None:
    """Say which request is being answered here, and in what is started from here."""
    _request.set(request)


def current() -> str:
    """Return the id of the request that is being answered here; several with commas, or none."""
    return _request.get()


def caller() -> Caller:
    """Return who waits for what happens here, for work that goes on in another thread."""
    return Caller(_request.get(), tracing.place())


@contextmanager
def on_behalf_of(waiting: Sequence[Caller], stage: str) -> Iterator[None]:
    """Do what several wait for: one stage of the first's trace, seen from the others'."""
    ids = ",".join(dict.fromkeys(who.request for who in waiting if who.request))
    before = _request.set(ids[:_MOST])
    try:
        with tracing.shared(stage, [who.place for who in waiting]):
            yield
    finally:
        _request.reset(before)


def told() -> list[tuple[str, str]]:
    """Return what to tell another process: headers with the request's id and its trace."""
    request = _request.get()
    ids = [(HEADER, request)] if request else []
    return ids + list(tracing.departing().items())


@contextmanager
def arrived(stage: str, headers: Mapping[str, str]) -> Iterator[None]:
    """Go on here with what another process asked for."""
    given = headers.get(HEADER, "")
    before = _request.set(given if _IDS.fullmatch(given) else next(_own_ids))
    try:
        with tracing.arrived(stage, headers):
            yield
    finally:
        _request.reset(before)


class Errand:
    """
    Work that nobody waits for, with an id of its own: begun here, gone on with there.

    Args:
        stage: what it is called in traces; a trace of its own.
        products: product → revision, by which it can be found.
    """

    def __init__(self, stage: str, products: Mapping[int, int]) -> None:
        self.request = next(_own_ids)
        self._span = tracing.begun(stage, products, request=self.request)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Do a part of it."""
        before = _request.set(self.request)
        try:
            with tracing.inside(self._span):
                yield
        finally:
            _request.reset(before)

    def end(self) -> None:
        """Say that it is done."""
        tracing.ended(self._span)


def _ids() -> Iterator[str]:
    mine = secrets.token_hex(5)
    return (f"{mine}{number:06x}" for number in itertools.count(secrets.randbelow(4096)))


_own_ids = _ids()
