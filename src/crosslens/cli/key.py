"""`crosslens key …`: who may call the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crosslens.cli.screen import Json, print_json, say, table

if TYPE_CHECKING:
    from crosslens.api.keys import KeyFile

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@app.command()
def new(
    context: typer.Context,
    role: Annotated[str, typer.Option(help="read, write or admin.")] = "read",
    name: Annotated[str, typer.Option(help="Whose it is, for you to remember.")] = "",
    as_json: Json = False,
) -> None:
    """Make a key and show it, once."""
    from crosslens.api.keys import Role
    from crosslens.cli.search import chosen

    key, text = _file(context).new(chosen(Role, role, "role"), name)
    if as_json:
        print_json({"id": key.id, "role": key.role.value, "name": key.name, "key": text})
    else:
        print(text)
        say("this is the only time it is shown; send it as  Authorization: Bearer KEY")


@app.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List keys, without their secrets."""
    keys = _file(context).all()
    if as_json:
        shown = [
            {"id": k.id, "role": k.role.value, "name": k.name, "created": k.created} for k in keys
        ]
        print_json({"keys": shown})
    else:
        table(["id", "role", "name", "created"], [[k.id, k.role, k.name, k.created] for k in keys])


@app.command()
def revoke(context: typer.Context, key_id: str) -> None:
    """Forget a key; a running service refuses it within a second."""
    _file(context).revoke(key_id)
    print(f"key {key_id} opens nothing any more")


def _file(context: typer.Context) -> KeyFile:
    from crosslens import settings
    from crosslens.api.keys import KeyFile

    return KeyFile(settings.load(context.obj.home).keys_path)
