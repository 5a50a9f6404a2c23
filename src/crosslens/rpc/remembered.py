"""Which bundles an administrator wants in memory: a file of names that outlives the process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from crosslens.encode.manifests import check_bundle_name
from crosslens.errors import InvalidRequest, Unavailable


@dataclass(frozen=True, slots=True)
class Remembered:
    """
    Names of bundles, one per line. Guarded by its owner's lock.

    Attributes:
        path: the file; it need not exist.
    """

    path: Path

    def names(self) -> list[str]:
        """Read the names; a line that is none is left out."""
        try:
            lines = self.path.read_text("utf-8", errors="replace").splitlines()
        except OSError:
            return []
        return [line for line in lines if _is_name(line)]

    def add(self, name: str) -> None:
        """Remember a name; raises Unavailable if the file cannot be written."""
        self._write([*(known for known in self.names() if known != name), name])

    def remove(self, name: str) -> None:
        """Forget a name; raises Unavailable if the file cannot be written."""
        if name in self.names():
            self._write([known for known in self.names() if known != name])

    def _write(self, names: list[str]) -> None:
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text("".join(f"{name}\n" for name in names), "utf-8")
            draft.replace(self.path)
        except OSError as exc:
            raise Unavailable(f"{self.path} cannot be written: {exc}") from exc


def _is_name(line: str) -> bool:
    try:
        check_bundle_name(line)
    except InvalidRequest:
        return False
    return True
