"""`crosslens product …`: look at and edit the catalogue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli.screen import Json, opened, print_json, settle, table

if TYPE_CHECKING:
    from crosslens.catalog.editing import Edits
    from crosslens.catalog.product import Product
    from crosslens.wiring import App

app = typer.Typer(help="Add, show, edit, remove and list products.", no_args_is_help=True)

Attribute = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="Attribute; JSON values such as 5 or true are read."),
]
Images = Annotated[list[Path] | None, typer.Option(help="Picture; may be repeated, in order.")]


@app.command()
def add(
    context: typer.Context,
    title: Annotated[str, typer.Argument(help="1 to 2,000 characters.")],
    image: Images = None,
    description: Annotated[str, typer.Option(help="Longer text.")] = "",
    attribute: Attribute = None,
    key: Annotated[str | None, typer.Option(help="Your own key, unique.")] = None,
    as_json: Json = False,
) -> None:
    """Add a product and index it."""
    from crosslens.catalog.product import ProductFields

    fields = ProductFields(title, description, _attributes(attribute), key)
    with opened(context) as app:
        product = app.editor.add(fields, _contents(image))
        settle(app)
        _show(product, as_json)


@app.command()
def show(context: typer.Context, product_id: int, as_json: Json = False) -> None:
    """Show a product and whether the index knows it."""
    with opened(context) as app:
        product = app.product(product_id)
        _show(product, as_json, state=_state(app, product_id))


@app.command()
def edit(
    context: typer.Context,
    product_id: int,
    title: Annotated[str | None, typer.Option(help="New title.")] = None,
    description: Annotated[str | None, typer.Option(help="New description.")] = None,
    attribute: Attribute = None,
    image: Images = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="Take all pictures off.")] = False,
    revision: Annotated[
        int | None, typer.Option(help="Edit only if the product is still at this revision.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change what is given and leave the rest; NAME= takes an attribute off."""
    from crosslens.errors import InvalidRequest

    if image and no_images:
        raise InvalidRequest("--image and --no-images contradict each other")
    edits: Edits = {}
    if title is not None:
        edits["title"] = title
    if description is not None:
        edits["description"] = description
    if attribute:
        edits["merge_attributes"] = _attributes(attribute, removing=True)
    if image or no_images:
        edits["pictures"] = _contents(image)
    with opened(context) as app:
        product = app.editor.edit(product_id, revision=revision, **edits)
        settle(app)
        _show(product, as_json)


@app.command()
def remove(
    context: typer.Context,
    product_ids: list[int],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Take products out of the catalogue and of every search."""
    with opened(context) as app:
        found = [app.product(product_id) for product_id in product_ids]
        if not (yes or as_json):
            named = ", ".join(f"{p.id} “{p.title[:40]}”" for p in found[:5])
            typer.confirm(f"remove {len(found)} product(s): {named}?", abort=True)
        for product in found:
            app.editor.remove(product.id)
        settle(app)
        if as_json:
            print_json({"removed": product_ids})
        else:
            print(f"removed {len(found)} product(s)")


@app.command("list")
def list_(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Products to show.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="Products to leave out before them.")] = 0,
    oldest_first: Annotated[bool, typer.Option(help="Begin with the oldest.")] = False,
    as_json: Json = False,
) -> None:
    """List products, newest first."""
    with opened(context) as app:
        page = app.catalog.page(limit=limit, offset=offset, newest_first=not oldest_first)
        total = app.catalog.summary().products
        if as_json:
            print_json({"total": total, "products": [as_object(product) for product in page]})
            return
        rows = [[p.id, p.title, len(p.pictures), p.fields.source_key] for p in page]
        table(["product", "title", "pictures", "key"], rows)
        print(f"{len(page)} of {total} products")


def as_object(product: Product) -> dict[str, Any]:
    """Turn a product into plain values for JSON."""
    return {
        "product_id": product.id,
        "source_key": product.fields.source_key,
        "title": product.title,
        "description": product.fields.description,
        "attributes": dict(product.fields.attributes),
        "pictures": [
            {"sha256": p.sha256, "width": p.width, "height": p.height, "format": p.format}
            for p in product.pictures
        ],
        "created": product.created.isoformat(),
        "updated": product.updated.isoformat(),
        "revision": product.revision,
    }


def _show(product: Product, as_json: bool, state: str | None = None) -> None:
    shown = as_object(product) | ({} if state is None else {"index": state})
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        if value not in (None, "", [], {}):
            shown_value = value
            if isinstance(value, dict):
                shown_value = ", ".join(f"{k} = {v}" for k, v in value.items())
            elif isinstance(value, list):
                shown_value = ", ".join(f"{p['width']}×{p['height']} {p['format']}" for p in value)
            print(f"{name:<12} {shown_value}")


def _state(app: App, product_id: int) -> str:
    waiting = app.catalog.waiting([product_id])
    if product_id not in waiting:
        return "current"
    parked = waiting[product_id]
    return "waiting" if parked is None else f"parked after {parked.tries} tries: {parked.error}"


def _attributes(given: list[str] | None, *, removing: bool = False) -> dict[str, Any]:
    from crosslens.errors import InvalidRequest

    attributes: dict[str, Any] = {}
    for pair in given or []:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise InvalidRequest(f"attribute {pair!r} is not NAME=VALUE")
        attributes[name] = _value(text) if text or not removing else None
    return attributes


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | list) else text


def _contents(images: list[Path] | None) -> list[bytes]:
    from crosslens.cli.search import read_picture

    return [read_picture(path) for path in images or []]
