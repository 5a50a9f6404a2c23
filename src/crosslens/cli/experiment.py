"""`crosslens experiment …`: which way is better?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from crosslens.cli.screen import Json, opened, print_json, say, table

app = typer.Typer(help="Compare the experiments of a scene on its users.", no_args_is_help=True)


@app.command()
def report(
    context: typer.Context,
    scene: Annotated[str, typer.Argument(help="Name of the scene.")],
    layer: Annotated[str, typer.Argument(help="Name of the layer.")],
    action: Annotated[str, typer.Option(help="click, cart, buy or dismissed.")] = "click",
    since: Annotated[datetime | None, typer.Option(help="Only answers from then on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only answers before (UTC).")] = None,
    as_json: Json = False,
) -> None:
    """
    Show effects with intervals and p-values, and whether the split can be trusted.

    “At the end” holds if the end was set beforehand, “at any time” however often you look.
    """
    from datetime import UTC

    from crosslens.catalog.exposures import Action
    from crosslens.cli.search import chosen
    from crosslens.errors import NotFound
    from crosslens.evaluate.experiments import report as made

    bounds = [None if at is None else at.replace(tzinfo=UTC) for at in (since, until)]
    with opened(context) as app_:
        layers = {each.name: each for each in app_.scene_file().get(scene).layers}
        if layer not in layers:
            raise NotFound(f"scene {scene} has no layer {layer!r}, it has {', '.join(layers)}")
        told = app_.exposures.store.read(scene, since=bounds[0], until=bounds[1])
        kind = chosen(Action, action, "action")
        found = made(told, scene=scene, layer=layers[layer], action=kind)
    if as_json:
        print_json(found.as_json())
        return
    rows = [
        [
            name,
            found.users[name],
            each.means[1],
            each.difference,
            f"{each.low:+.4f} … {each.high:+.4f}",
            each.p,
            f"{each.low_at_any_time:+.4f} … {each.high_at_any_time:+.4f}",
            each.p_at_any_time,
        ]
        for name, each in found.effects.items()
    ]
    heading = ["experiment", "users", "mean", "effect", "95 % at the end", "p", "95 % at any time"]
    table([*heading, "p at any time"], rows)
    for name, duel in found.duels.items():
        print(f"{name}: {duel.rivals[0]} wins {duel.wins[0]} users, {duel.rivals[1]} "
              f"{duel.wins[1]}, {duel.ties} ties, p = {duel.p:.4f}")  # fmt: skip
    if not found.trusted:
        say(f"the split is broken (p = {found.split_p:.2g}): users {dict(found.users)}; "
            "find out who is missing before you believe any effect")  # fmt: skip


@app.command()
def plan(
    base: Annotated[float, typer.Option(min=0, max=1, help="Rate as it is, such as 0.1.")],
    lift: Annotated[float, typer.Option(help="Change that you want to find, such as 0.02.")],
    power: Annotated[float, typer.Option(min=0.01, max=0.999, help="How surely.")] = 0.8,
) -> None:
    """Say how many users each experiment needs."""
    from crosslens.errors import InvalidRequest
    from crosslens.evaluate.trials import needed_users

    if not (lift and 0 <= base + lift <= 1):
        raise InvalidRequest(f"lift is {lift}; base + lift must be another rate in 0 to 1")
    print(f"{needed_users(base, lift, power=power)} users in each experiment")
