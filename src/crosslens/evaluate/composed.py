"""
Composed search by the protocol of its literature (Vo et al. 2019), and with how sure it is.

The gallery is all pictures of a split; the picture that a question starts from is left out, by its
number only; a hit is a picture with the label of the target. Recall by number is stricter: the
target itself must be found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crosslens.evaluate.report import Part, part
from crosslens.values import Floats

DEPTHS = (1, 5, 10, 50, 100)
BLOCK = 512  # questions compared with the whole gallery at once
Numbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """
    Questions, as arrays of one length Q.

    Attributes:
        sources: number of the picture that each starts from.
        targets: number of the picture that is right; the first where there are several.
        groups: questions of one group are not independent (phrasings, languages of one wish).
        kinds: kind of change of each, "" where unknown.
        languages: of the words.
        phrasings: which phrasing of its wish each is.
    """

    sources: Numbers
    targets: Numbers
    groups: Sequence[str]
    kinds: Sequence[str]
    languages: Sequence[str]
    phrasings: Sequence[int]


@dataclass(frozen=True, slots=True)
class ComposedReport:
    """
    What a way of composing is worth.

    Attributes:
        all: over all questions; `recall@k` by label, `id recall@k` by number.
        by: "change", "language" → value → part.
        spread: over wishes said in several ways, of the means of `recall@1` and `recall@10` per
            phrasing: the lowest and the highest. Empty where each wish is said in one way.
        agreement: share of those wishes of which all phrasings hit at 10, or none does.
    """

    all: Part
    gallery: int
    by: Mapping[str, Mapping[str, Part]]
    spread: Mapping[str, tuple[float, float]]
    agreement: float | None

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            **self.all.as_json(),
            "gallery": self.gallery,
            "by": {
                name: {value: each.as_json() for value, each in parts.items()}
                for name, parts in self.by.items()
            },
            "spread": {name: list(bounds) for name, bounds in self.spread.items()},
            "agreement": self.agreement,
        }


def ranks(
    queries: Floats, gallery: Floats, right: Sequence[Numbers] | Numbers, sources: Numbers
) -> Numbers:
    """
    Rank the first right picture of each question, from 0; ties count against us.

    Args:
        queries: [Q, dim], of unit length, as `gallery` [N, dim].
        right: numbers of the right pictures of each question; the source is never one.
        sources: [Q], left out.
    """
    found = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), BLOCK):
        scores = queries[start : start + BLOCK] @ gallery.T
        scores[np.arange(len(scores)), sources[start : start + BLOCK]] = -np.inf
        for row in range(len(scores)):
            own = np.atleast_1d(right[start + row])
            own = own[own != sources[start + row]]
            best = scores[row, own].max(initial=-np.inf)
            ahead = (scores[row] >= best).sum() - (scores[row, own] >= best).sum()
            found[start + row] = ahead if len(own) else len(gallery)
    return found


def by_label(labels: Sequence[str], targets: Numbers) -> list[Numbers]:
    """Give, for each question, the pictures that have the label of its target."""
    places: dict[str, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        places[label].append(number)
    arrays = {label: np.array(found, np.int64) for label, found in places.items()}
    return [arrays[labels[int(target)]] for target in targets]


def judge(
    queries: Floats,
    gallery: Floats,
    labels: Sequence[str],
    asked: Asked,
    *,
    right: Sequence[Numbers] | None = None,
    depths: Sequence[int] = DEPTHS,
) -> ComposedReport:
    """
    Measure composed vectors against the vectors of a gallery.

    Args:
        right: what is right where labels do not say it, such as several targets.
    """
    found = ranks(queries, gallery, right or by_label(labels, asked.targets), asked.sources)
    strict = ranks(queries, gallery, asked.targets, asked.sources)
    values = {f"recall@{k}": (found < k).astype(float) for k in depths}
    values |= {f"id recall@{k}": (strict < k).astype(float) for k in depths}
    everything = range(len(found))
    spread, agreement = _paraphrased(found, asked)
    return ComposedReport(
        all=part(values, everything, asked.groups),
        gallery=len(gallery),
        by={
            name: _parts(values, asked.groups, column)
            for name, column in (("change", asked.kinds), ("language", asked.languages))
            if len(set(column)) > 1
        },
        spread=spread,
        agreement=agreement,
    )


def _parts(
    values: Mapping[str, NDArray[np.float64]], groups: Sequence[str], column: Sequence[str]
) -> dict[str, Part]:
    places: dict[str, list[int]] = defaultdict(list)
    for number, value in enumerate(column):
        places[value].append(number)
    return {value: part(values, chosen, groups) for value, chosen in sorted(places.items())}


def _paraphrased(
    found: Numbers, asked: Asked
) -> tuple[dict[str, tuple[float, float]], float | None]:
    """Compare the phrasings of the same wishes, language by language."""
    phrasings = np.asarray(asked.phrasings)
    if not len(phrasings) or phrasings.max() == 0:
        return {}, None
    names = np.array([f"{lang} {n}" for lang, n in zip(asked.languages, phrasings, strict=True)])
    spread = {}
    for depth in (1, 10):
        means = [float((found[names == name] < depth).mean()) for name in np.unique(names)]
        spread[f"recall@{depth}"] = (min(means), max(means))
    hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for group, language, rank in zip(asked.groups, asked.languages, found, strict=True):
        hits[group, language].append(bool(rank < 10))
    agreed = [len(set(each)) == 1 for each in hits.values()]
    return spread, float(np.mean(agreed))
