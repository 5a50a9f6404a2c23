"""
Layers and experiments: who is asked which way. Pure.

Each layer splits the users anew, with a salt of its own, so that what one layer does is independent
of the others (Tang, Agarwal, O'Brien, Meyer: Overlapping Experiment Infrastructure, KDD 2010).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import accumulate

from crosslens.errors import InvalidRequest

SLOTS = 1_000
"""A bucket is a thousandth of the users."""

BUCKETS = ("sha256", "random")


@dataclass(frozen=True, slots=True)
class Experiment:
    """
    One way of a layer.

    Attributes:
        ratio: its share of the users, relative to the others of the layer.
        interleaves: two experiments of the layer whose rankings are mixed; empty for none.
    """

    name: str
    ratio: float
    interleaves: tuple[str, str] | tuple[()] = ()


@dataclass(frozen=True)
class Layer:
    """
    A split of the users.

    Attributes:
        salt: what makes this split independent of others.
        bucket: sha256 keeps a user where they are; random draws anew for each question.
        experiments: the first is what everyone gets who does not say who they are.
    """

    name: str
    salt: str
    bucket: str
    experiments: tuple[Experiment, ...]

    def choose(self, user: str, draw: Callable[[], float] = random.random) -> Experiment:
        """Return the experiment of a user."""
        if not user:
            return self.experiments[0]
        slot = bucket(user, self.salt) if self.bucket == "sha256" else int(draw() * SLOTS)
        return self._slots[slot]

    def named(self, name: str) -> Experiment:
        """
        Return an experiment by its name.

        Raises:
            InvalidRequest: the layer has none of this name.
        """
        for experiment in self.experiments:
            if experiment.name == name:
                return experiment
        known = ", ".join(each.name for each in self.experiments)
        raise InvalidRequest(f"layer {self.name} has no experiment {name!r}, it has {known}")

    def shares(self) -> dict[str, float]:
        """Return the share of the slots that each experiment has."""
        return {
            each.name: sum(slot is each for slot in self._slots) / SLOTS
            for each in self.experiments
        }

    @cached_property
    def _slots(self) -> tuple[Experiment, ...]:
        total = sum(each.ratio for each in self.experiments)
        edges = [
            round(SLOTS * part / total) for part in accumulate(e.ratio for e in self.experiments)
        ]
        starts = [0, *edges[:-1]]
        return tuple(
            each
            for each, start, end in zip(self.experiments, starts, edges, strict=True)
            for _ in range(end - start)
        )


def bucket(user: str, salt: str) -> int:
    """Return the slot of a user, 0 to 999: the same on every machine and after every restart."""
    digest = sha256(f"{user}#{salt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % SLOTS


def assign(
    layers: Sequence[Layer], user: str, forced: Mapping[str, str] | None = None
) -> dict[str, Experiment]:
    """
    Choose an experiment in every layer; those that are forced are not drawn.

    Raises:
        InvalidRequest: a layer or an experiment that there is not.
    """
    forced = forced or {}
    known = {layer.name: layer for layer in layers}
    for name in forced:
        if name not in known:
            there = ", ".join(known) or "none"
            raise InvalidRequest(f"there is no layer {name!r}, there are: {there}")
    return {
        layer.name: layer.named(forced[layer.name]) if layer.name in forced else layer.choose(user)
        for layer in layers
    }
