"""What was shown to whom, and what they did with it: what experiments and rankers learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from threading import Lock
from typing import Any, Protocol

from crosslens.errors import InvalidRequest, NotFound


class Action(StrEnum):
    """What people do with a product of an answer."""

    CLICK = "click"
    CART = "cart"
    BUY = "buy"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Shown:
    """
    A product as it stood in an answer.

    Attributes:
        scores: raw score per probe.
        team: which of two interleaved rankers brought it; empty without interleaving.
    """

    product_id: int
    score: float
    scores: Mapping[str, float] = field(default_factory=dict)
    team: str = ""


@dataclass(frozen=True, slots=True)
class Exposure:
    """
    One answer.

    Attributes:
        answer: its id, as the caller was told.
        user: `pseudonym` of who asked; empty if they did not say.
        experiments: layer → experiment that this answer was made by.
        asked: words, kind, and what else tells the question.
        first: rank of the first product shown, from 0.
    """

    answer: str
    at: datetime
    scene: str
    user: str = ""
    experiments: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    shown: tuple[Shown, ...] = ()
    first: int = 0

    def rank(self, product_id: int) -> int:
        """
        Return where a product stood, from 0.

        Raises:
            InvalidRequest: it was not in the answer.
        """
        for place, each in enumerate(self.shown):
            if each.product_id == product_id:
                return self.first + place
        raise InvalidRequest(f"product {product_id} was not in answer {self.answer}")


@dataclass(frozen=True, slots=True)
class Feedback:
    """What someone did with a product of an answer; doing it twice counts once."""

    answer: str
    product_id: int
    action: Action
    rank: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """An exposure with the feedback to it."""

    exposure: Exposure
    feedback: tuple[Feedback, ...] = ()


class ExposureStore(Protocol):
    """The log of answers and feedback; safe to call from many threads."""

    def log(self, exposures: Sequence[Exposure]) -> None:
        """Write answers down; an id that is there already is left as it is."""
        ...

    def exposure(self, answer: str) -> Exposure:
        """
        Read one answer.

        Raises:
            NotFound: there is none of this id.
        """
        ...

    def tell(self, feedback: Sequence[Feedback]) -> int:
        """Write feedback down; return how much of it was new."""
        ...

    def read(
        self, scene: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Told]:
        """Yield the answers of a scene with their feedback, oldest first."""
        ...

    def forget(self, before: datetime) -> int:
        """Forget answers given before a moment, with their feedback; return how many answers."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


def pseudonym(user: str) -> str:
    """Return what stands for a user in the log: 32 hexadecimal digits, the same every time."""
    return sha256(f"crosslens user {user}".encode()).hexdigest()[:32] if user else ""


class MemoryExposures:
    """An `ExposureStore` that one process forgets when it ends."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._exposures: dict[str, Exposure] = {}
        self._feedback: dict[tuple[str, int, Action], Feedback] = {}

    def log(self, exposures: Sequence[Exposure]) -> None:
        """Write answers down."""
        with self._lock:
            for exposure in exposures:
                self._exposures.setdefault(exposure.answer, exposure)

    def exposure(self, answer: str) -> Exposure:
        """Read one answer."""
        with self._lock:
            if answer not in self._exposures:
                raise NotFound(f"there is no answer {answer!r}")
            return self._exposures[answer]

    def tell(self, feedback: Sequence[Feedback]) -> int:
        """Write feedback down."""
        with self._lock:
            before = len(self._feedback)
            for each in feedback:
                self._feedback.setdefault((each.answer, each.product_id, each.action), each)
            return len(self._feedback) - before

    def read(
        self, scene: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Told]:
        """Yield the answers of a scene."""
        with self._lock:
            exposures = sorted(self._exposures.values(), key=lambda each: (each.at, each.answer))
            feedback = sorted(self._feedback.values(), key=lambda each: (each.rank, each.action))
        told: dict[str, list[Feedback]] = {}
        for each in feedback:
            told.setdefault(each.answer, []).append(each)
        for exposure in exposures:
            if exposure.scene == scene and _within(exposure.at, since, until):
                yield Told(exposure, tuple(told.get(exposure.answer, ())))

    def forget(self, before: datetime) -> int:
        """Forget old answers."""
        with self._lock:
            old = {name for name, each in self._exposures.items() if each.at < before}
            for name in old:
                del self._exposures[name]
            self._feedback = {key: f for key, f in self._feedback.items() if key[0] not in old}
            return len(old)

    def close(self) -> None:
        """Do nothing."""


def _within(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or at >= since) and (until is None or at < until)
