"""Reports of experiments from simulated users."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from crosslens.catalog.exposures import Action, Exposure, Feedback, Shown, Told, pseudonym
from crosslens.errors import InvalidRequest
from crosslens.evaluate.experiments import report
from crosslens.search.experiments import Experiment, Layer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LAYER = Layer(
    "rank",
    "shop/rank",
    "sha256",
    (Experiment("base", 1), Experiment("new", 1), Experiment("mixed", 1, ("base", "new"))),
)


def simulated(
    rates: dict[str, float], *, users: int, seed: int = 1, lost: float = 0.0
) -> Iterator[Told]:
    rng = np.random.default_rng(seed)
    for n in range(users):
        name = LAYER.choose(str(n)).name
        if name == "new" and rng.random() < lost:
            continue
        for turn in range(int(rng.integers(1, 4))):
            teams = [("base", "new")[k % 2] if name == "mixed" else "" for k in range(4)]
            shown = tuple(Shown(k, 1.0, {}, team) for k, team in enumerate(teams))
            exposure = Exposure(
                f"{n:024x}{turn:08x}", NOW, "shop", pseudonym(str(n)), {"rank": name}, {}, shown
            )
            clicked = rng.random() < rates[name]
            product = int(rng.choice([1, 1, 1, 0])) if name == "mixed" else 0
            told = Feedback(exposure.answer, product, Action.CLICK, product, NOW)
            yield Told(exposure, (told,) if clicked else ())


def test_a_planted_effect_is_found_and_its_interval_holds_it() -> None:
    rates = {"base": 0.2, "new": 0.3, "mixed": 0.2}
    found = report(simulated(rates, users=6_000), scene="shop", layer=LAYER)
    effect = found.effects["new"]
    assert effect.low < 0.1 < effect.high
    assert effect.p < 1e-6
    assert effect.p_at_any_time < 0.05
    assert found.trusted
    assert sum(found.users.values()) == 6_000
    assert found.answers["base"] > found.users["base"]


def test_mixed_rankings_tell_who_wins_more_users() -> None:
    rates = {"base": 0.2, "new": 0.2, "mixed": 0.5}
    duel = report(simulated(rates, users=1_500), scene="shop", layer=LAYER).duels["mixed"]
    assert duel.rivals == ("base", "new")
    assert duel.wins[1] > 2 * duel.wins[0]
    assert duel.p < 0.001


def test_a_side_that_loses_users_takes_the_trust_away() -> None:
    rates = dict.fromkeys(("base", "new", "mixed"), 0.2)
    assert not report(simulated(rates, users=6_000, lost=0.15), scene="shop", layer=LAYER).trusted


def test_forced_answers_and_unnamed_users_do_not_count() -> None:
    exposure = Exposure("a" * 32, NOW, "shop", "", {"rank": "base"})
    forced = Exposure("b" * 32, NOW, "shop", "u", {"rank": "base"}, {"forced": True})
    found = report([Told(exposure), Told(forced)], scene="shop", layer=LAYER)
    assert sum(found.users.values()) == 0
    assert found.as_json()["trusted"] is True


def test_a_layer_that_draws_each_time_has_no_users_to_compare() -> None:
    layer = Layer("rank", "s", "random", LAYER.experiments)
    with pytest.raises(InvalidRequest, match="sticky"):
        report([], scene="shop", layer=layer)
