"""`crosslens model …`: which bundles there are, and whether they are what they claim."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli.depot import pull, push, remove, shared
from crosslens.cli.model_export import export
from crosslens.cli.screen import Json, opened, print_json, say, table
from crosslens.errors import CrosslensError, InvalidRequest

if TYPE_CHECKING:
    from crosslens.encode.cards import Card
    from crosslens.wiring import App

PURPOSES = ("cross_modal", "text", "looks")

app = typer.Typer(
    help="Export, list, show, check, use and share encoder bundles.", no_args_is_help=True
)
app.command("export")(export)
for command in (push, pull, shared, remove):
    app.command()(command)


@app.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the bundles of this home, the built-in ones, and what is used from elsewhere."""
    with opened(context) as app:
        used = app.purposes()
        names = [
            *app.shelf.names(),
            *(name for name in used if "/" in name and Path(name).is_dir()),
        ]
        rows = [_row(name, app.shelf.card(name), used.get(name, [])) for name in names]
        if as_json:
            print_json({"models": rows})
            return
        shown = [[", ".join(v) if isinstance(v, list) else v for v in row.values()] for row in rows]
        table(["name", "space", "dim", "towers", "licence", "used for"], [r[:-1] for r in shown])
        for row in rows:
            print(f"{row['name']}: {row['about']}")


def _row(name: str, card: Card, purposes: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "space": card.space,
        "dim": card.dim,
        "towers": list(card.towers),
        "licence": card.licence,
        "used_for": purposes,
        "about": card.about,
    }


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of a bundle, or its folder.")],
    as_json: Json = False,
) -> None:
    """Show a bundle's card."""
    from dataclasses import asdict

    with opened(context) as app:
        shown = asdict(app.shelf.card(name))
        if as_json:
            print_json(shown)
        else:
            _print_nested(shown)


@app.command()
def check(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Bundles; all if none.")] = None,
    as_json: Json = False,
) -> None:
    """Compare bundles with their digests and golden vectors; exit 0 only if all agree."""
    with opened(context) as app:
        checks = [_checked(app, name) for name in names or app.shelf.names()]
        if as_json:
            print_json({"checks": checks})
        else:
            rows = [[c["name"], "ok" if c["ok"] else "FAILED", c["detail"]] for c in checks]
            table(["bundle", "", "detail"], rows)
        if not all(check["ok"] for check in checks):
            say("hint: do not use a bundle that fails; export or install it again")
            raise typer.Exit(1)


@app.command()
def use(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of a bundle, or its folder.")],
    purpose: Annotated[
        str, typer.Option("--for", help="cross-modal (words and pictures), text, or looks.")
    ] = "cross-modal",
    as_json: Json = False,
) -> None:
    """
    Switch to a bundle: check it, build the index for it beside the live one, and switch.

    Where the home has a gate.yaml, its golden queries are asked before the switch.
    """
    from crosslens import settings, wiring
    from crosslens.cli.progress import progress

    setting = purpose.replace("-", "_")
    if setting not in PURPOSES:
        allowed = ", ".join(wanted.replace("_", "-") for wanted in PURPOSES)
        raise InvalidRequest(f"purpose is {purpose!r}, allowed are {allowed}")
    own = settings.load(context.obj.home)
    name = str(Path(name).expanduser().absolute()) if "/" in name else name
    with (
        wiring.build(own) as now,
        wiring.build(own, catalog=now.catalog, chosen={**now.chosen, setting: name}) as app,
    ):
        app.bundle(name).check().require(name)
        parts = {"catalog": app.catalog, "media": app.media, "index_store": app.index_store}
        with (
            wiring.build(own, **parts, chosen=now.chosen) as former,
            progress(app.catalog.summary().products) as bar,
        ):
            done = app.succeed(lambda: former.engine, lambda n, total: bar("rebuilding", n))
        settings.write_value(own.home, setting, name)
        app.worker().drain()
    if as_json:
        print_json({"name": name, "purpose": purpose, "products": done.products})
    else:
        print(f"{name} now serves {purpose}; {done.products} products indexed for it")


def _checked(app: App, name: str) -> dict[str, Any]:
    try:
        report = app.bundle(name).check()
    except CrosslensError as exc:
        return {"name": name, "ok": False, "detail": exc.message}
    return {"name": name, "ok": report.passed, "detail": str(report)}


def _print_nested(value: dict[str, Any], indent: str = "") -> None:
    for name, part in value.items():
        if isinstance(part, dict):
            print(f"{indent}{name}")
            _print_nested(part, indent + "  ")
        elif part not in (None, "", [], ()):
            print(f"{indent}{name:<14} {part}")
