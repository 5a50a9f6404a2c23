"""Who may come in: keys and their roles, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from crosslens.api.buckets import Buckets
from crosslens.api.keys import KeyFile, Role
from crosslens.errors import Forbidden, Unauthenticated

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; without keys it is whoever sits at this machine."""

    key_id: str
    role: Role


class Guard:
    """
    Tell callers apart.

    Args:
        open_door: whether anyone may do anything as long as no key exists, as on loopback.
        origins: web pages that may call.
    """

    def __init__(
        self, keys: KeyFile, buckets: Buckets, *, open_door: bool, origins: tuple[str, ...] = ()
    ) -> None:
        self._keys = keys
        self._buckets = buckets
        self._open_door = open_door
        self._origins = origins

    def identify(self, headers: Headers) -> Caller:
        """
        Say who asks.

        Raises:
            Unauthenticated: no key, or an unknown one.
            Forbidden: the door stands open for this machine, and the request is not from it.
        """
        text = _shown(headers)
        if text is None and self._open_door and not self._keys.all():
            self._require_local(headers)
            return Caller("", Role.ADMIN)
        key = self._keys.find(text or "")
        if key is None:
            raise Unauthenticated(
                "no API key" if text is None else "the API key is not known",
                hint="send Authorization: Bearer KEY; `crosslens key new` makes one",
            )
        return Caller(key.id, key.role)

    def admit(self, caller: Caller, needed: Role) -> None:
        """
        Let a caller do something, once.

        Raises:
            Forbidden: the role is not enough.
            RateLimited: too often.
        """
        if not caller.role.permits(needed):
            raise Forbidden(f"this needs the role {needed}, the key has {caller.role}")
        if caller.key_id:
            self._buckets.take(caller.key_id)

    def _require_local(self, headers: Headers) -> None:
        """Keep web pages of others out, also those whose name was made to point here."""
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        origin = headers.get("origin")
        page = urlsplit(origin).hostname if origin else None
        if host not in _LOCAL or (origin and origin not in self._origins and page not in _LOCAL):
            raise Forbidden(
                "without API keys the service answers this machine only",
                hint="`crosslens key new --role write` makes a key; then keys are asked for",
            )


def _shown(headers: Headers) -> str | None:
    """Return the key that a request shows."""
    given = headers.get("authorization")
    if given is None:
        return headers.get("x-api-key")
    scheme, _, text = given.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""
