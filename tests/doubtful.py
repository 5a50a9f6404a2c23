"""An index of which nobody knows yet whether it is whole."""

from __future__ import annotations

from crosslens.vectors.index import Damage, IndexSpec
from crosslens.vectors.memory import MemoryStore


class DoubtfulStore(MemoryStore):
    """A memory store that doubts its index until told to trust it."""

    def __init__(self, spec: IndexSpec) -> None:
        super().__init__(spec)
        self.doubts = True
        self.reasons: list[str] = []

    @property
    def doubtful(self) -> bool:
        return self.doubts

    @property
    def damage(self) -> Damage | None:
        return Damage(self.reasons[-1], 0.0, "") if self.reasons else None

    def trust(self) -> None:
        self.doubts = False

    def begin_anew(self, reason: str) -> None:
        self.reasons.append(reason)
        self.doubts = True
        super().begin_anew(reason)
