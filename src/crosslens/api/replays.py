"""Idempotency keys: a write that is sent twice happens once and is answered twice."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from crosslens.errors import Conflict, InvalidRequest

KEEP_S = 86_400.0
MOST = 10_000
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that can be given again."""

    status: int
    content: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    fingerprint: str
    reply: asyncio.Future[Reply]
    since: float


class Replays:
    """
    Remember answers by caller and key for a day, at most 10,000, in this process.

    A second request with the same key waits for the first; only what succeeded is remembered, since
    what failed wrote nothing. Used on the event loop only, so it needs no lock.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    async def once(
        self, caller: str, key: str | None, fingerprint: str, work: Callable[[], Awaitable[Reply]]
    ) -> tuple[Reply, bool]:
        """
        Do work, or return what it answered before.

        Args:
            fingerprint: of the request; the same key for another one is the caller's mistake.

        Returns:
            The answer, and whether it is a repetition.
        """
        if key is None:
            return await work(), False
        name = (caller, checked_key(key))
        self._forget_old()
        kept = self._kept.get(name)
        while kept is not None:
            if kept.fingerprint != fingerprint:
                raise Conflict(
                    "this Idempotency-Key was used for another request",
                    hint="use a new key for each write, the same only for its repetitions",
                )
            reply = await _outcome(kept.reply)
            if reply is not None:
                return reply, True
            kept = self._kept.get(name)  # the first one failed: one of those who waited is next
        return await self._first(name, fingerprint, work), False

    async def _first(
        self, name: tuple[str, str], fingerprint: str, work: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        promise: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._kept[name] = _Kept(fingerprint, promise, self._clock())
        try:
            reply = await work()
        except BaseException:
            del self._kept[name]
            promise.cancel()
            raise
        promise.set_result(reply)
        return reply

    def _forget_old(self) -> None:
        oldest = self._clock() - KEEP_S
        while self._kept and (
            len(self._kept) >= MOST or next(iter(self._kept.values())).since < oldest
        ):
            name, kept = next(iter(self._kept.items()))
            if not kept.reply.done():
                self._kept.move_to_end(name)  # still at work: it is not old, whatever its age
                return
            del self._kept[name]


def checked_key(key: str) -> str:
    """
    Return an idempotency key.

    Raises:
        InvalidRequest: it is empty, too long or has blanks.
    """
    if not _KEY.fullmatch(key):
        raise InvalidRequest("Idempotency-Key has 1 to 200 printable ASCII characters, no blanks")
    return key


async def _outcome(promise: asyncio.Future[Reply]) -> Reply | None:
    """Wait for the first one; None if it failed."""
    if not promise.done():
        await asyncio.wait([promise])
    return None if promise.cancelled() else promise.result()
