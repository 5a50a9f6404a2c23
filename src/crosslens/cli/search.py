"""`crosslens search`: ask from the shell."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli.screen import Json, opened, print_json, say, table

if TYPE_CHECKING:
    from crosslens.search.present import Answer, Hit
    from crosslens.search.request import SearchRequest
    from crosslens.wiring import App

KINDS = "auto, text2text, text2image, image2image, image2text, hybrid, composed"


def search(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(help="What to look for.")] = None,
    image: Annotated[
        list[Path] | None, typer.Option(help="Picture to look like; may be repeated.")
    ] = None,
    product: Annotated[int | None, typer.Option(help="Product to look like, by its id.")] = None,
    kind: Annotated[str, typer.Option(help=f"One of {KINDS}.")] = "auto",
    alpha: Annotated[
        float | None,
        typer.Option(help="Share of vectors against keywords: 1 vectors only, 0 keywords only."),
    ] = None,
    fusion: Annotated[str, typer.Option(help="rrf (by rank) or score.")] = "rrf",
    filter: Annotated[
        str | None, typer.Option(help="Such as: colour = red and price < 50", metavar="EXPR")
    ] = None,
    facet: Annotated[
        list[str] | None, typer.Option(help="Attribute to count values of; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Hits to show, 1 to 1,000.")] = 10,
    offset: Annotated[int, typer.Option(help="Hits to leave out before them.")] = 0,
    explain: Annotated[bool, typer.Option(help="Show the score of each probe.")] = False,
    weight: Annotated[
        list[float] | None,
        typer.Option(help="Composed: how much each picture counts, then the product."),
    ] = None,
    without: Annotated[str, typer.Option(help="Composed: words for what is not wanted.")] = "",
    scene: Annotated[str | None, typer.Option(help="Answer as this scene says.")] = None,
    user: Annotated[str, typer.Option(help="Who asks, for experiments of the scene.")] = "",
    force: Annotated[
        list[str] | None, typer.Option(help="LAYER=EXPERIMENT; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Search by words, by picture, by a product of the catalogue, or by words and picture."""
    from crosslens.search.request import Fusion, SearchRequest
    from crosslens.values import Kind
    from crosslens.vectors import filters

    request = SearchRequest(
        words=" ".join(words or []),
        pictures=tuple(read_picture(path) for path in image or []),
        product_id=product,
        kind=chosen(Kind, kind, "kind"),
        alpha=alpha,
        fusion=chosen(Fusion, fusion, "fusion"),
        where=None if filter is None else filters.parse(filter),
        facets=tuple(facet or ()),
        limit=limit,
        offset=offset,
        explain=explain,
        weights=tuple(weight or ()),
        without=without,
    )
    with opened(context) as app:
        if scene is not None:
            _staged(app, request, scene, user, forced(force or ()), as_json=as_json)
            return
        answer = app.engine.search(request)
        if as_json:
            print_json(as_object(answer))
        else:
            _show(answer, request)


def forced(given: Iterable[str]) -> dict[str, str]:
    """Read LAYER=EXPERIMENT."""
    from crosslens.errors import InvalidRequest

    pairs = [each.partition("=") for each in given]
    for layer, equals, name in pairs:
        if not (layer and equals and name):
            raise InvalidRequest(f"force is {layer!r}, it must be LAYER=EXPERIMENT")
    return {layer: name for layer, _, name in pairs}


def _staged(
    app: App,
    request: SearchRequest,
    scene: str,
    user: str,
    force: dict[str, str],
    *,
    as_json: bool,
) -> None:
    from crosslens.search.stage import Asking

    asking = Asking(scene, user, force, debug=request.explain)
    staged = app.stage(app.engine).search(request, asking)
    if as_json:
        told = as_object(staged.answer)
        for hit, summary in zip(told["hits"], staged.summaries, strict=True):
            hit["summary"] = dict(summary)
        about = {"scene": scene, "answer": staged.answer_id}
        print_json(
            told | about | {"experiments": dict(staged.experiments), "debug": dict(staged.debug)}
        )
        return
    _show(staged.answer, request)
    chosen = ", ".join(f"{layer}={name}" for layer, name in staged.experiments.items())
    say(f"scene {scene}{f' ({chosen})' if chosen else ''}, answer {staged.answer_id}")


def as_object(answer: Answer) -> dict[str, Any]:
    """Turn an answer into plain values for JSON."""
    return {
        "hits": [_hit_object(hit) for hit in answer.hits],
        "kind": answer.kind.value,
        "found": answer.found,
        "facets": answer.facets,
        "notes": list(answer.notes),
        "missing": dict(answer.missing),
        "took_ms": {name: round(ms, 2) for name, ms in answer.took_ms.items()},
        **({} if answer.no_good_match is None else {"no_good_match": answer.no_good_match}),
    }


def _hit_object(hit: Hit) -> dict[str, Any]:
    product = hit.product
    return {
        "product_id": product.id,
        "source_key": product.fields.source_key,
        "title": product.title,
        "score": hit.score,
        "picture": hit.position,
        "description": product.fields.description,
        "attributes": dict(product.fields.attributes),
        "pictures": [picture.sha256 for picture in product.pictures],
        **({"scores": dict(hit.scores)} if hit.scores else {}),
        **({} if hit.relevance is None else {"relevance": round(hit.relevance, 4)}),
    }


def _show(answer: Answer, request: SearchRequest) -> None:
    if not answer.hits:
        say("nothing found")
    columns = ["#", "product", "score", "title", "key"] + (["scores"] if request.explain else [])
    rows = [
        [place, hit.product.id, hit.score, hit.product.title, hit.product.fields.source_key]
        + ([_scores(hit)] if request.explain else [])
        for place, hit in enumerate(answer.hits, request.offset + 1)
    ]
    if rows:
        table(columns, rows)
    for name, counts in answer.facets.items():
        listed = ", ".join(f"{value} ({n})" for value, n in list(counts.items())[:20])
        print(f"{name}: {listed}")
    for name, reason in answer.missing.items():
        say(f"no answer from {name}: {reason}")
    if answer.no_good_match:
        say("nothing here is likely to be what you look for")
    for note in answer.notes:
        say(f"note: {note}")
    say(f"{answer.kind} search, {answer.took_ms['total']:.0f} ms")


def _scores(hit: Hit) -> str:
    return ", ".join(f"{name} {score:.3f}" for name, score in sorted(hit.scores.items()))


def read_picture(path: Path) -> bytes:
    """Read a picture file, or say why it cannot be read."""
    from crosslens.errors import InvalidRequest

    try:
        return path.read_bytes()
    except OSError as exc:
        raise InvalidRequest(f"picture {path} cannot be read: {exc.strerror}") from exc


def chosen(kinds: Any, value: str, name: str) -> Any:
    """Return the member of an enumeration, or say which there are."""
    from crosslens.errors import InvalidRequest

    try:
        return kinds(value)
    except ValueError as exc:
        allowed = ", ".join(kinds)
        raise InvalidRequest(f"{name} is {value!r}, allowed are {allowed}") from exc
