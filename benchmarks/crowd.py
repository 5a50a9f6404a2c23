"""
Closed-loop users over raw sockets: each asks again when it is answered.

They are written on the event loop's protocols and share the machine with what they measure, so
they do next to nothing: a request is bytes that are ready, of an answer only status, length and
`Retry-After` are read.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import cast

import uvloop

END = b"\r\n\r\n"


@dataclass
class Round:
    """What users saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    ms: list[float] = field(default_factory=list)
    refused_ms: list[float] = field(default_factory=list)
    due: float = 0.0

    def at(self, share: float) -> float:
        ordered = sorted(self.ms) or [float("nan")]
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    def note(self, status: int, seconds: float) -> None:
        self.statuses[status] += 1
        if status < 300:
            self.ms.append(seconds * 1e3)
        elif status == 429:
            self.refused_ms.append(seconds * 1e3)


class User(asyncio.Protocol):
    """One who asks, is answered and asks again; told to come later, it does."""

    def __init__(self, questions: Iterator[bytes], seen: Round, every_s: float) -> None:
        self._questions = questions
        self._seen = seen
        self._every_s = every_s
        self._answer = b""
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(END)
        if not end or len(body) < int(_header(head, b"content-length")):
            return
        status, self._answer = int(head[9:12]), b""
        self._seen.note(status, time.perf_counter() - self._asked)
        due = self._asked + self._every_s
        pause = float(_header(head, b"retry-after")) if status == 429 else due - time.perf_counter()
        if pause > 0:
            asyncio.get_running_loop().call_later(pause, self._ask)
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        if self._asked > self._seen.due or self._transport.is_closing():
            self._transport.close()
        else:
            self._transport.write(next(self._questions))


def crowd(
    port: int | Sequence[int], users: list[tuple[Iterator[bytes], float, Round]], seconds: float
) -> None:
    """
    Let users ask for some seconds, and end when each has been answered.

    Args:
        port: of this machine; of several, users take one in turn.
        users: for each what it asks, at least how many seconds apart, what it notes in.
    """
    uvloop.run(_crowd([port] if isinstance(port, int) else port, users, seconds))


async def _crowd(
    ports: Sequence[int], users: list[tuple[Iterator[bytes], float, Round]], seconds: float
) -> None:
    due, loop = time.perf_counter() + seconds, asyncio.get_running_loop()
    made = []
    for (questions, every_s, seen), port in zip(users, cycle(ports), strict=False):
        seen.due = due

        def user(
            asked: Iterator[bytes] = questions, every: float = every_s, own: Round = seen
        ) -> User:
            return User(asked, own, every)

        made.append((await loop.create_connection(user, "127.0.0.1", port))[1])
    # those who were told to come back later than the end do not
    await asyncio.wait([user.gone for user in made], timeout=seconds + 30)


def post(path: str, body: bytes) -> bytes:
    """Write down a request."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _header(head: bytes, name: bytes) -> bytes:
    return head.lower().split(b"\r\n" + name + b": ", 1)[1].partition(b"\r\n")[0]
