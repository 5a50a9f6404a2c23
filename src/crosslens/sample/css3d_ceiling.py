"""How often anybody could be right on CSS3D-R: some wishes leave open what is wished for. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from crosslens.sample.css3d_scenes import Asked, Plan, Scene, Thing


def ceiling(plan: Plan) -> dict[str, float]:
    """
    Return the R@1, by label, of one who knows all scenes of a split and understands all words.

    "remove" and "make" name one thing of the scene. "add" may leave open what or where; of the
    scenes of the gallery that fulfil it, each is as likely to be the one that is asked for.

    Returns:
        operation → share in 0..1, and "all".
    """
    additions = _additions(plan.scenes)
    hits: dict[str, list[float]] = defaultdict(list)
    for asked in plan.asked:
        hits[asked.wish.op] += _chances(asked, plan.scenes, additions)
    every = [chance for chances in hits.values() for chance in chances]
    return {name: sum(part) / len(part) for name, part in [("all", every), *sorted(hits.items())]}


def _additions(scenes: Sequence[Scene]) -> Mapping[frozenset[Thing], set[Thing]]:
    """Tell of every scene, even of one that is not there, by what some other one exceeds it."""
    found: dict[frozenset[Thing], set[Thing]] = defaultdict(set)
    for scene in scenes:
        whole = frozenset(scene)
        for thing in whole:
            found[whole - {thing}].add(thing)
    return found


def _chances(
    asked: Asked, scenes: Sequence[Scene], additions: Mapping[frozenset[Thing], set[Thing]]
) -> Iterator[float]:
    for source in asked.sources:
        added = additions[frozenset(scenes[source])] if asked.wish.op == "add" else set()
        yield 1 / max(1, sum(map(asked.wish.fits, added)))
