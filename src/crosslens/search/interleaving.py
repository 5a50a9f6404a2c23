"""
Mix two rankings so that clicks tell which is better.

Team draft (Radlinski, Kurup, Joachims: How Does Clickthrough Data Reflect Retrieval Quality?,
CIKM 2008): in each round both rankings pick their best product that is not there yet; who picks
first is drawn.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from crosslens.search.present import Hit


def team_draft(
    first: Sequence[Hit],
    second: Sequence[Hit],
    *,
    coin: Callable[[], bool] = lambda: random.random() < 0.5,  # noqa: S311 - no secret
) -> list[tuple[Hit, int]]:
    """Mix two rankings; each hit comes with the team that brought it, 0 or 1."""
    teams = (iter(first), iter(second))
    taken: set[int] = set()
    mixed: list[tuple[Hit, int]] = []
    picks = [0, 0]
    open_ = {0, 1}
    while open_:
        tied = picks[0] == picks[1]
        wanted = int(coin()) if tied else int(picks[1] < picks[0])
        team = wanted if wanted in open_ else next(iter(open_))
        hit = next((each for each in teams[team] if each.product.id not in taken), None)
        if hit is None:
            open_.discard(team)
            continue
        taken.add(hit.product.id)
        picks[team] += 1
        mixed.append((hit, team))
    return mixed
