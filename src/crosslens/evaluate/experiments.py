"""Reports of experiments from the log of answers and feedback."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from crosslens.catalog.exposures import Action, Told
from crosslens.errors import InvalidRequest
from crosslens.evaluate.trials import SPLIT_IS_WRONG, Effect, effect, per_user, sign_test, split_p
from crosslens.search.experiments import Layer


@dataclass(frozen=True, slots=True)
class Duel:
    """
    Two rankings that were mixed; a user is won by the ranking that they did more with.

    Attributes:
        p: of the sign test over users; ties count for neither.
    """

    rivals: tuple[str, str]
    wins: tuple[int, int]
    ties: int
    p: float


@dataclass(frozen=True, slots=True)
class ExperimentReport:
    """
    What an experiment did.

    Attributes:
        users: per experiment; those without a name and forced answers are left out.
        split_p: how likely such a split is; below 0.001 `trusted` is false.
        effects: experiment → beside the first one of the layer.
        duels: of experiments that mix two others.
    """

    scene: str
    layer: str
    action: str
    users: Mapping[str, int]
    answers: Mapping[str, int]
    split_p: float
    effects: Mapping[str, Effect]
    duels: Mapping[str, Duel] = field(default_factory=dict)

    @property
    def trusted(self) -> bool:
        """Whether the users fell as the ratios say."""
        return self.split_p >= SPLIT_IS_WRONG

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self) | {"trusted": self.trusted}


def report(
    told: Iterable[Told], *, scene: str, layer: Layer, action: Action = Action.CLICK
) -> ExperimentReport:
    """
    Compare the experiments of a layer by how often an answer led to an action.

    Per user the share of their answers with the action is averaged; a user of several experiments,
    which happens when ratios were changed, counts for the first they were seen in.

    Raises:
        InvalidRequest: the layer draws anew for each question, so that users are not split.
    """
    if layer.bucket != "sha256":
        raise InvalidRequest(
            f"layer {layer.name} draws anew for each question; only sticky ones can be compared"
        )
    home: dict[str, str] = {}
    outcomes: dict[str, dict[str, list[float]]] = {each.name: {} for each in layer.experiments}
    credit: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for each in told:
        name = each.exposure.experiments.get(layer.name, "")
        user = each.exposure.user
        if not user or name not in outcomes or each.exposure.asked.get("forced"):
            continue
        if home.setdefault(user, name) != name:
            continue
        acted = any(f.action is action for f in each.feedback)
        outcomes[name].setdefault(user, []).append(float(acted))
        _credit(credit[name].setdefault(user, defaultdict(int)), each, action)
    first = layer.experiments[0].name
    ours = per_user(outcomes[first])
    effects = {
        name: found
        for name, users in outcomes.items()
        if name != first and (found := effect(ours, per_user(users))) is not None
    }
    counts = {name: len(users) for name, users in outcomes.items()}
    return ExperimentReport(
        scene,
        layer.name,
        action.value,
        counts,
        {name: sum(map(len, users.values())) for name, users in outcomes.items()},
        split_p(counts, layer.shares()),
        effects,
        {
            each.name: _duel(each.interleaves, credit[each.name])
            for each in layer.experiments
            if len(each.interleaves) == 2
        },
    )


def _credit(teams: dict[str, int], told: Told, action: Action) -> None:
    team = {each.product_id: each.team for each in told.exposure.shown}
    for each in told.feedback:
        if each.action is action and team.get(each.product_id):
            teams[team[each.product_id]] += 1


def _duel(rivals: tuple[str, str], users: Mapping[str, Mapping[str, int]]) -> Duel:
    ahead = [teams.get(rivals[0], 0) - teams.get(rivals[1], 0) for teams in users.values()]
    wins = (sum(each > 0 for each in ahead), sum(each < 0 for each in ahead))
    return Duel(rivals, wins, len(ahead) - sum(wins), sign_test(*wins))
