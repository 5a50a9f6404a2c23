"""`crosslens catalog …`: the database behind the products."""

from __future__ import annotations

import typer

from crosslens.cli.screen import Json, opened, print_json

app = typer.Typer(help="Look after the catalogue's database.", no_args_is_help=True)


@app.command()
def upgrade(context: typer.Context, as_json: Json = False) -> None:
    """Bring the database to the newest schema; needed once after an update, on servers only."""
    with opened(context) as app:
        before, after = app.upgrade_catalog()
        if as_json:
            print_json({"before": before, "after": after})
        elif before == after:
            print(f"the catalogue has schema {after} already")
        else:
            print(f"schema {before or 'none'} → {after}")
