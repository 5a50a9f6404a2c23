"""`crosslens judge …`: golden queries, and what is learned from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crosslens.cli.screen import Json, opened, print_json, say, table

if TYPE_CHECKING:
    from crosslens.corpora.golden import GoldenSet

app = typer.Typer(help="Keep questions with their right answers.", no_args_is_help=True)
Set = Annotated[str, typer.Argument(help="Name of the set.", metavar="SET")]


@app.command()
def add(
    context: typer.Context,
    name: Set,
    words: Annotated[str, typer.Argument(help="What is asked.")],
    right: Annotated[
        list[str], typer.Option(help="Source key that is right, or KEY=GRADE; may be repeated.")
    ],
) -> None:
    """Add a question, or judgements to one that is there."""
    from crosslens.corpora.golden import Golden
    from crosslens.errors import InvalidRequest

    grades: dict[str, int] = {}
    for each in right:
        key, equals, grade = each.rpartition("=")
        if equals and not grade.isdecimal():
            raise InvalidRequest(f"right is {each!r}, it must be KEY or KEY=GRADE")
        grades[key if equals else each] = int(grade) if equals else 1
    _set(context, name).add([Golden(words, grades)])
    print(f"{len(_set(context, name).read())} questions in {name}")


@app.command("read")
def read_(
    context: typer.Context,
    name: Set,
    path: Annotated[
        Path, typer.Argument(help="JSON Lines {words, right}, or TSV of words, key, grade.")
    ],
) -> None:
    """Add the questions of a file."""
    from crosslens.corpora.golden import read_golden

    added = _set(context, name).add(read_golden(path))
    print(f"{added} read, {len(_set(context, name).read())} questions in {name}")


@app.command("list")
def list_(context: typer.Context, name: Set, as_json: Json = False) -> None:
    """Show the questions of a set."""
    held = _set(context, name).read()
    if as_json:
        shown = [{"id": n, "words": g.words, "right": dict(g.right)} for n, g in held.items()]
        print_json({"questions": shown})
        return
    rows = [
        [n, g.words, ", ".join(f"{k} ({v})" for k, v in g.right.items())] for n, g in held.items()
    ]
    table(["id", "words", "right"], rows)


@app.command()
def export(
    context: typer.Context,
    name: Set,
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    layout: Annotated[str, typer.Option(help="beir or trec.")] = "beir",
) -> None:
    """Write a set, and the products that it is asked of, for other tools."""
    from crosslens.cli.search import chosen
    from crosslens.corpora.golden import Layout

    with opened(context) as app_:
        products = (
            {"_id": key, "title": product.title, "text": product.fields.description}
            for part in app_.catalog.stream()
            for product in part
            if (key := product.fields.source_key) is not None
        )
        _set(context, name).export(folder, chosen(Layout, layout, "layout"), products)
    print(f"written to {folder}")


@app.command()
def learn(
    context: typer.Context,
    ranker: Annotated[str, typer.Argument(help="Name of the ranker.")],
    scene: Annotated[str, typer.Option(help="Learn from the feedback to this scene.")],
) -> None:
    """Learn a ranker from clicks; `crosslens evaluate --learn` learns one from judgements."""
    from crosslens import wiring
    from crosslens.cli.evaluate import name_of
    from crosslens.encode.keywords import query_tokens
    from crosslens.evaluate.learning import learned, lessons_of_clicks
    from crosslens.search.learned import write_ranker

    with opened(context) as app_:
        told = app_.exposures.store.read(scene)
        lessons = lessons_of_clicks(told, app_.catalog.read, query_tokens)
        found = learned(lessons, query_tokens, source=f"clicks of {scene}")
        path = app_.settings.home / wiring.RANKERS / f"{name_of(ranker)}.json"
        write_ranker(path, found)
    print(f"{ranker}: {found.learned['pairs']} pairs of {found.learned['questions']} answers")
    say(f"use it as rank.reranker: {ranker} in scenes.yaml")


def _set(context: typer.Context, name: str) -> GoldenSet:
    from crosslens import settings
    from crosslens.corpora.golden import GoldenSet

    return GoldenSet(settings.load(context.obj.home).home / "judged" / name)
