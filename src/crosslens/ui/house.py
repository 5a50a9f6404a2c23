"""The service that this page talks to, and who talks to it: one client per key."""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir

from crosslens.client import Client, Patience
from crosslens.ui.pictures import HandedIn

COOKIE = "crosslens_door"
_PATIENCE = Patience(tries=2, first_s=0.05, longest_s=2.0)  # a person waits
_MOST_KEYS = 1_000


@dataclass(slots=True)
class House:
    """
    Where the service is, and the keys that people opened it with.

    Attributes:
        key: of the page itself; empty when each visitor brings one, or none is needed.
        pictures: those that visitors ask with.
    """

    url: str = "http://127.0.0.1:6008"
    key: str = field(default="", repr=False)
    pictures: HandedIn = field(default_factory=lambda: HandedIn(Path(gettempdir()) / "crosslens"))
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _keys: dict[str, str] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def let_in(self, key: str) -> str:
        """Remember a visitor's key; return the token that stands for it in a cookie."""
        token = hmac.new(self._secret, key.encode(), sha256).hexdigest()
        with self._lock:
            while len(self._keys) >= _MOST_KEYS:
                self._keys.pop(next(iter(self._keys)))
            self._keys[token] = key
        return token

    def client(self, token: str | None) -> Client:
        """Return the client of a visitor; may be shared by threads, is never closed."""
        return _client(self.url, self._keys.get(token or "", "") or self.key)


@lru_cache(maxsize=64)
def _client(url: str, key: str) -> Client:
    return Client(url, key=key or None, patience=_PATIENCE)


house = House()
"""The one of this process; whoever serves the page says where it is."""
