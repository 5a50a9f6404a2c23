"""From scores to probabilities of relevance, where that was learned from judgements."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crosslens.errors import InvalidRequest
from crosslens.search.plan import KEYWORD
from crosslens.values import Kind

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Curve:
    """
    A logistic curve over the scores of the probes of one kind of search.

    Attributes:
        spaces: probe → name of its space; the curve holds for no other.
        slopes: probe → what one more of its score adds to the log odds, at least 0, so that a
            better score never makes a product less likely.
        absent: probe → what it adds that the probe did not find the product.
        least: probability of the best hit below which an answer has no good match; 1 answer in 20
            that has one is below it.
        fitted: what it was learned from: queries, hits, error before and after.
    """

    kind: Kind
    spaces: Mapping[str, str]
    bias: float
    slopes: Mapping[str, float]
    absent: Mapping[str, float]
    least: float
    fitted: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, scores: Mapping[str, float]) -> float:
        """Return the probability that a product with these scores is relevant: [0, 1]."""
        odds = self.bias
        for probe, slope in self.slopes.items():
            score = scores.get(probe)
            odds += self.absent[probe] if score is None else slope * evened(probe, score)
        return 1 / (1 + math.exp(-max(-500.0, min(500.0, odds))))


Curves = Mapping[Kind, Curve]


def evened(probe: str, score: float) -> float:
    """Bring scores of a probe to one scale: cosines as they are, BM25 by its logarithm."""
    return math.log1p(max(0.0, score)) if probe == KEYWORD.name else score


def read_curves(path: Path, spaces: Mapping[str, str]) -> dict[Kind, Curve]:
    """
    Read the curves that hold for these spaces; none if there is no file.

    Args:
        spaces: probe → name of its space, as in use.

    Raises:
        InvalidRequest: the file is damaged or of a newer version.
    """
    if not path.exists():
        return {}
    try:
        held = json.loads(path.read_text("utf-8"))
        if held["format"] != FORMAT:
            raise ValueError(f"format {held['format']}")
        curves = [Curve(**{**row, "kind": Kind(row["kind"])}) for row in held["curves"]]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InvalidRequest(
            f"{path} holds no curves: {exc}", hint="remove it and calibrate"
        ) from exc
    return {
        curve.kind: curve
        for curve in curves
        if all(spaces.get(probe) == space for probe, space in curve.spaces.items())
    }


def write_curve(path: Path, curve: Curve) -> None:
    """Keep a curve instead of an earlier one of its kind."""
    held = json.loads(path.read_text("utf-8"))["curves"] if path.exists() else []
    rows = [row for row in held if row["kind"] != curve.kind] + [asdict(curve)]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"format": FORMAT, "curves": rows}, indent=1), "utf-8")
    draft.replace(path)
