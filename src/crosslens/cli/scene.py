"""`crosslens scene …`: named search behaviours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crosslens.cli.screen import Json, opened, print_json, table

app = typer.Typer(help="Look at scenes, and check their file.", no_args_is_help=True)


@app.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """Show scenes with their layers, and how many of the users each experiment gets."""
    with opened(context) as app_:
        scenes = app_.scene_file().scenes.values()
    if as_json:
        shown = [
            {"name": scene.name, "layers": {each.name: each.shares() for each in scene.layers}}
            for scene in scenes
        ]
        print_json({"scenes": shown})
        return
    rows: list[list[object]] = [
        [scene.name, layer.name, name, share]
        for scene in scenes
        for layer in scene.layers
        for name, share in layer.shares().items()
    ]
    rows += [[scene.name, None, None, None] for scene in scenes if not scene.layers]
    table(["scene", "layer", "experiment", "share"], rows)


@app.command()
def check(
    context: typer.Context,
    path: Annotated[Path | None, typer.Argument(help="The file; else that of the home.")] = None,
) -> None:
    """Check a file before a service reads it; what is wrong is named with its line."""
    from crosslens.errors import NotFound
    from crosslens.search.marked import read_marked
    from crosslens.search.scenes import compiled

    with opened(context) as app_:
        file = path or app_.settings.home / "scenes.yaml"
        if not file.is_file():
            raise NotFound(f"there is no file {file}")
        found = compiled(read_marked(file.read_text("utf-8"), str(file)), known=app_.known())
    print(f"{file} is right: {', '.join(sorted(found.scenes)) or 'no scene'}")


@app.command()
def assign(
    context: typer.Context,
    scene: Annotated[str, typer.Argument(help="Name of the scene.")],
    user: Annotated[str, typer.Argument(help="Who asks.")],
    as_json: Json = False,
) -> None:
    """Say which experiments a user gets."""
    with opened(context) as app_:
        chosen = app_.scene_file().get(scene).choose(user).experiments
    if as_json:
        print_json({"scene": scene, "experiments": dict(chosen)})
    else:
        table(["layer", "experiment"], [[layer, name] for layer, name in chosen.items()])
