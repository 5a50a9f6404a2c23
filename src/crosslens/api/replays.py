"""
Idempotency keys: a write that is sent twice happens once and is answered twice.

The answer is kept with the write, in one transaction, so neither a restart nor a second process
over the same catalogue can do it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from crosslens.catalog.receipts import Receipt
from crosslens.catalog.store import CatalogStore
from crosslens.errors import CrosslensError, InvalidRequest

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_TIDY_S = 3_600.0


class ReusedKey(InvalidRequest):
    """An idempotency key that was used for another request."""

    code = "reused_key"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that can be given again."""

    status: int
    content: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """
    What a caller says: this write is to happen once.

    Attributes:
        fingerprint: of the request, as a SHA-256 in hexadecimal.

    Raises:
        InvalidRequest: the key is empty, too long or has blanks.
    """

    caller: str
    key: str
    fingerprint: str

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise InvalidRequest(
                "Idempotency-Key has 1 to 200 printable ASCII characters, no blanks"
            )

    def receipt(self, reply: Reply) -> Receipt:
        """Return what to keep with the write."""
        return Receipt(
            self.caller, self.key, self.fingerprint, reply.status, reply.headers, reply.content
        )


class Replays:
    """Answers given before, by caller and key, for a day."""

    def __init__(self, catalog: CatalogStore, *, clock: Callable[[], float] = monotonic) -> None:
        self._catalog = catalog
        self._clock = clock
        self._tidy_at = clock() + _TIDY_S

    def given(self, claim: Claim) -> Reply | None:
        """
        Return what the write was answered before; None if it has not happened.

        Raises:
            ReusedKey: the key was used for another request.
        """
        kept = self._catalog.receipt(claim.caller, claim.key)
        if kept is None:
            return None
        if kept.fingerprint != claim.fingerprint:
            raise ReusedKey(
                "this Idempotency-Key was used for another request",
                hint="use a new key for each write, the same only for its repetitions",
            )
        return Reply(kept.status, kept.content, dict(kept.headers))

    def once(self, claim: Claim, write: Callable[[], Reply]) -> tuple[Reply, bool]:
        """
        Do a write that keeps the claim's receipt, unless it has happened.

        Returns:
            The answer, and whether it was given before.

        Raises:
            ReusedKey: the key was used for another request.
        """
        self._tidy()
        try:
            return write(), False
        except CrosslensError:
            given = self.given(claim)  # another with the same key was quicker
            if given is None:
                raise
            return given, True

    def _tidy(self) -> None:
        if self._clock() >= self._tidy_at:
            self._tidy_at = self._clock() + _TIDY_S
            self._catalog.forget_receipts()
