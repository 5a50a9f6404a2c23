"""`crosslens model push|pull|shared|remove`: bundles that go from machine to machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from crosslens.cli.screen import Json, opened, print_json
from crosslens.errors import Conflict, InvalidRequest

if TYPE_CHECKING:
    from crosslens.wiring import App

Name = Annotated[str, typer.Argument(help="Name of a bundle.")]
Place = Annotated[
    str,
    typer.Option(
        help="s3://bucket/prefix, a folder, or FILE.tar. [default: bundles_url]", show_default=False
    ),
]


def push(
    context: typer.Context,
    name: Name,
    to: Place = "",
    as_json: Json = False,
) -> None:
    """Check a bundle and put it where others find it, in one step."""
    from crosslens.encode import archives, depots

    with opened(context) as app:
        folder = app.shelf.folder(name)
        if to.endswith(".tar"):
            with _new_file(Path(to)) as out:
                manifest = archives.pack(folder, out)
        else:
            manifest = depots.push(app.depot(to), folder, folder.name)
        answer = {"name": folder.name, "files": len(manifest.files), "bytes": manifest.bytes}
        _tell(answer, f"pushed {folder.name}: {manifest.bytes:,} bytes", as_json=as_json)


def pull(
    context: typer.Context,
    name: Name,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="s3://bucket/prefix, a folder, or FILE.tar. [default: bundles_url]",
            show_default=False,
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Fetch a bundle, compare every byte with its digests, and install it in one step."""
    from crosslens.encode import archives, depots, manifests

    manifests.check_bundle_name(name)
    with opened(context) as app:
        _refuse_in_use(app, name, "replace")
        folder = app.shelf.own / name
        if source.endswith(".tar"):
            with _old_file(Path(source)) as file:
                card = archives.unpack(file, folder)
        else:
            card = depots.pull(app.depot(source), name, folder)
        shown = f"installed {name} (space {card.space}, licence {card.licence})"
        hint = f"use it with `crosslens model use {name}`"
        answer = {"name": name, "space": card.space, "licence": card.licence}
        _tell(answer, f"{shown}\n{hint}", as_json=as_json)


def shared(
    context: typer.Context,
    at: Place = "",
    as_json: Json = False,
) -> None:
    """List the bundles that others have pushed."""
    with opened(context) as app:
        names = app.depot(at).names()
        _tell({"names": names}, "\n".join(names) or "none", as_json=as_json)


def remove(
    context: typer.Context,
    name: Name,
    source: Annotated[
        str,
        typer.Option("--from", help="Remove it there, s3://bucket/prefix or a folder, not here."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Remove a bundle from this home, or from where others find it."""
    with opened(context) as app:
        if source:
            app.depot(source).remove(name)
        else:
            _refuse_in_use(app, name, "remove")
            app.shelf.remove(name)
        _tell({"name": name, "removed": True}, f"removed {name}", as_json=as_json)


def _refuse_in_use(app: App, name: str, verb: str) -> None:
    if name in app.purposes() and (app.shelf.own / name).exists():
        raise Conflict(
            f"bundle {name!r} is in use, so to {verb} it would leave vectors without encoder",
            hint="switch to another one first, with `crosslens model use`",
        )


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that has its name only once it is whole."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as exc:
        raise InvalidRequest(f"{path} cannot be written ({exc.strerror})") from exc
    finally:
        part.unlink(missing_ok=True)


def _old_file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as exc:
        raise InvalidRequest(f"{path} cannot be read ({exc.strerror})") from exc


def _tell(answer: Mapping[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print(text)
