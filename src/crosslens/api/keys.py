"""API keys: random, shown once, kept as a hash, each with a role."""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from time import monotonic

from crosslens.errors import InvalidRequest, NotFound

_KEY = re.compile(r"cl_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
_LOOK_AGAIN_S = 1.0


class Role(StrEnum):
    """What a key may do; each role may also do what those before it may."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def permits(self, needed: Role) -> bool:
        """Whether this role is enough."""
        roles = list(Role)
        return roles.index(self) >= roles.index(needed)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """
    A key as it is kept; the secret itself is not.

    Attributes:
        digest: SHA-256 of the secret, which has 256 random bits, so that no slow hash is needed.
    """

    id: str
    role: Role
    name: str
    created: str
    digest: str


class KeyFile:
    """The keys of a home, in one file; changes by other processes are seen within a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._looked = -_LOOK_AGAIN_S
        self._keys: dict[str, ApiKey] = {}

    def all(self) -> Sequence[ApiKey]:
        """List the keys, oldest first."""
        with self._lock:
            self._look()
            return list(self._keys.values())

    def new(self, role: Role, name: str = "") -> tuple[ApiKey, str]:
        """Make a key and return it with the text that opens the door, which is not kept."""
        if len(name) > 100 or not name.isprintable():
            raise InvalidRequest("name of a key has 1 to 100 printable characters")
        secret = secrets.token_urlsafe(32)
        made = datetime.now(UTC).isoformat(timespec="seconds")
        with self._lock:
            self._look(at_once=True)
            key = ApiKey(secrets.token_hex(4), role, name, made, _digest(secret))
            self._save({**self._keys, key.id: key})
        return key, f"cl_{key.id}_{secret}"

    def revoke(self, key_id: str) -> None:
        """
        Forget a key; a running service refuses it within a second.

        Raises:
            NotFound: there is no such key.
        """
        with self._lock:
            self._look(at_once=True)
            if key_id not in self._keys:
                raise NotFound(f"there is no key {key_id!r}", hint="see `crosslens key list`")
            self._save({id: key for id, key in self._keys.items() if id != key_id})

    def find(self, text: str) -> ApiKey | None:
        """Return the key that a text opens the door with; takes as long for wrong ones."""
        parts = _KEY.fullmatch(text)
        with self._lock:
            self._look()
            key = self._keys.get(parts[1]) if parts else None
        given = _digest(parts[2] if parts else "")
        kept = key.digest if key else "0" * 64
        return key if hmac.compare_digest(given, kept) else None

    def _look(self, *, at_once: bool = False) -> None:
        if not at_once and monotonic() - self._looked < _LOOK_AGAIN_S:
            return
        self._looked = monotonic()
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._keys, self._seen = {}, None
            return
        if self._seen != (found.st_mtime_ns, found.st_size):
            self._keys = _read(self._path)
            self._seen = (found.st_mtime_ns, found.st_size)

    def _save(self, keys: dict[str, ApiKey]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        only_owner = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(only_owner, "w", encoding="utf-8") as file:
            json.dump({"keys": [asdict(key) for key in keys.values()]}, file, indent=1)
        draft.replace(self._path)
        self._keys = keys


def _read(path: Path) -> dict[str, ApiKey]:
    try:
        rows = json.loads(path.read_text("utf-8"))["keys"]
        keys = [ApiKey(**{**row, "role": Role(row["role"])}) for row in rows]
    except (ValueError, KeyError, TypeError) as exc:
        raise InvalidRequest(
            f"the API keys in {path} cannot be read: {exc}", hint="remove the file, make new keys"
        ) from exc
    return {key.id: key for key in keys}


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
