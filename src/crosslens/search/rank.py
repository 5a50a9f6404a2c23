"""Many lists become one ranking. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crosslens.search.plan import Plan, Probe
from crosslens.search.request import Fusion
from crosslens.values import Candidate

RRF_K = 60  # Cormack, Clarke, Büttcher: Reciprocal Rank Fusion, SIGIR 2009
LOWEST_COSINE = -1.0
LOWEST_BM25 = 0.0


@dataclass(slots=True)
class Ranked:
    """
    A product's place in the ranking.

    Attributes:
        position: which of its pictures matched best, None if none was looked at.
        scores: raw score per probe that found it.
    """

    product_id: int
    score: float = 0.0
    position: int | None = None
    scores: dict[str, float] = field(default_factory=dict)


def rank(plan: Plan, found: Mapping[str, Sequence[Candidate]]) -> list[Ranked]:
    """
    Merge what the probes found, best first, ties by product id.

    One probe alone keeps its own scores. Several are fused by the plan's rule; a product that a
    probe did not find gets nothing from it.
    """
    probes = [probe for probe in plan.probes if probe.name in found]
    merged: dict[int, Ranked] = {}
    for probe in probes:
        candidates = found[probe.name]
        gains = _gains(probe, candidates, plan.fusion, alone=len(plan.probes) == 1)
        for candidate, gain in zip(candidates, gains, strict=True):
            _add(merged, probe.name, candidate, gain)
    return sorted(merged.values(), key=lambda ranked: (-ranked.score, ranked.product_id))


def _add(merged: dict[int, Ranked], name: str, candidate: Candidate, gain: float) -> None:
    ranked = merged.get(candidate.product_id)
    if ranked is None:
        ranked = merged[candidate.product_id] = Ranked(candidate.product_id)
    ranked.score += gain
    ranked.scores[name] = candidate.score
    if ranked.position is None:
        ranked.position = candidate.position


def _gains(
    probe: Probe, candidates: Sequence[Candidate], fusion: Fusion, *, alone: bool
) -> list[float]:
    if alone:
        return [candidate.score for candidate in candidates]
    if fusion is Fusion.RRF:
        return [probe.weight / (RRF_K + place) for place in range(1, len(candidates) + 1)]
    return [probe.weight * part for part in scaled(candidates, _lowest(probe))]


def scaled(candidates: Sequence[Candidate], lowest: float) -> list[float]:
    """
    Map scores to [0, 1]: the lowest score possible to 0, the best one found to 1.

    Keeps the order whatever the signs. Bruch, Gai, Ingber: An Analysis of Fusion Functions for
    Hybrid Retrieval, TOIS 2023 (theoretical minimum, maximum found).
    """
    if not candidates:
        return []
    best = max(candidate.score for candidate in candidates)
    width = best - lowest
    if width <= 0:
        return [0.0] * len(candidates)
    return [(candidate.score - lowest) / width for candidate in candidates]


def _lowest(probe: Probe) -> float:
    return LOWEST_BM25 if probe.purpose is None else LOWEST_COSINE
