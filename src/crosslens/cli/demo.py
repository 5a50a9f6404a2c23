"""`crosslens demo`: the sample shop, searched within a minute and without any download."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from crosslens.cli.screen import opened, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crosslens.search.request import SearchRequest
    from crosslens.wiring import App

SHOWN = 3
WORDS = ("红色格子双肩包", "polka dot high heels")
LIKE = "high-heels-08"  # a product of the sample; the one to start from in pictures and wishes
WISH = "the same heels in teal"
FILTERABLE = {
    **dict.fromkeys(("department", "category", "colour", "accent", "pattern"), "keyword"),
    **dict.fromkeys(("material", "brand", "shop", "size"), "keyword"),
    "price": "number",
}


def demo(
    context: typer.Context,
    reset: Annotated[
        bool, typer.Option("--reset", help="Delete what the demo made, and start over.")
    ] = False,
    serve: Annotated[
        bool, typer.Option(help="Open the API and the page afterwards, until Ctrl-C.")
    ] = True,
) -> None:
    """Put the sample shop into a home of its own, search it, and open it in a browser."""
    from crosslens import settings
    from crosslens.cli import demo_doors, demo_home

    home: Path = (context.obj.home or settings.demo_home()).expanduser().absolute()
    context.obj = replace(context.obj, home=home)
    if reset:
        _reset(context, home)
    demo_home.claim(home)
    with demo_home.explained(home):
        settings.write_missing(home, attributes=FILTERABLE)
    with opened(context) as app:
        _require_own(app)
        _fill(app)
        _ask(app)
        _invite(app)
        if serve:
            demo_doors.open_doors(app)


def sample_folder() -> Path:
    """Return where the sample catalogue lies in the package."""
    import crosslens.bundled

    return Path(crosslens.bundled.__file__).parent / "sample"


def _reset(context: typer.Context, home: Path) -> None:
    from crosslens.cli import demo_home

    if not home.is_dir():
        return
    if demo_home.is_claimed(home) and (home / "index").exists():
        _require_idle(context)
    demo_home.reset(home)


def _require_idle(context: typer.Context) -> None:
    """Let nobody lose the index from under their feet; one that is broken is in no one's way."""
    from crosslens.errors import CrosslensError, Unavailable

    with opened(context) as app:
        try:
            app.index_store.live()
        except Unavailable:
            raise
        except CrosslensError as exc:
            say(f"starting over although: {exc.message}")


def _require_own(app: App) -> None:
    """Refuse settings that would put the sample into another catalogue than the home's."""
    from crosslens.errors import InvalidRequest

    for name in ("catalog_url", "index_url"):
        if value := getattr(app.settings, name):
            raise InvalidRequest(
                f"setting {name} is {value!r}, but the demo keeps everything in its home",
                hint=f"unset CROSSLENS_{name.upper()} for the demo",
            )


def _fill(app: App) -> None:
    """Import the sample, unless it is there whole; then only finish what waits."""
    from crosslens.cli import demo_home
    from crosslens.cli.screen import settle

    home, sample = app.settings.home, _digest(sample_folder())
    started = perf_counter()
    before = demo_home.holds(home)
    _fit(app)
    if before != sample:
        if before:
            say("the sample is a newer one; `crosslens demo --reset` drops what it lacks now")
        _import(app)
        demo_home.remember(home, sample)
    settle(app)
    there, took = app.catalog.summary(), perf_counter() - started
    what = f"{there.products:,} products with {there.pictures:,} pictures"
    if before == sample:
        print(f"The sample shop is in {home} already: {what}.")
    else:
        print(f"The sample shop: {what}, imported and indexed in {took:.1f} s into {home}.")


def _import(app: App) -> None:
    from crosslens.cli.imports import interruptible
    from crosslens.cli.progress import progress
    from crosslens.corpora.sources import open_source

    source = open_source(sample_folder())
    with interruptible() as stop, progress(source.count_hint()) as bar:
        tally, _ = app.import_all(source, stop, on_progress=bar)
    for bad in tally.bad:
        say(f"left out: {bad.where}: {bad.reason}")
    if stop.is_set():
        say("interrupted; `crosslens demo` goes on where it stopped")
        raise typer.Exit(130)


def _fit(app: App) -> None:
    """Rebuild the index when it was made for another model than the settings name now."""
    from crosslens.cli.progress import progress

    if app.index.spec == app.index_store.wanted():
        return
    say("the model has changed since the last start; indexing anew")
    with progress(app.catalog.summary().products) as bar:
        app.rebuild(lambda done, total: bar("indexed", done))


def _ask(app: App) -> None:
    for question, request in _examples(app):
        answer = app.engine.search(request)
        print(f"\n{question}  ({answer.kind}, {answer.took_ms['total']:.0f} ms)")
        for place, hit in enumerate(answer.hits, start=1):
            print(f"  {place}. {hit.product.title}")


def _examples(app: App) -> Iterator[tuple[str, SearchRequest]]:
    from crosslens.search.request import SearchRequest
    from crosslens.values import Kind

    for words in WORDS:
        yield words, SearchRequest(words, limit=SHOWN)
    picture = _picture()
    yield (
        f"what looks like {picture.name}",
        SearchRequest(pictures=(picture.read_bytes(),), limit=SHOWN),
    )
    product_id = _like(app)
    if product_id is not None:
        yield f"more like product {product_id}", SearchRequest(product_id=product_id, limit=SHOWN)
        yield (
            f"like product {product_id}, but “{WISH}”",
            SearchRequest(WISH, product_id=product_id, kind=Kind.COMPOSED, limit=SHOWN),
        )


def _invite(app: App) -> None:
    """Print commands to try."""
    from crosslens import settings

    home = app.settings.home
    there = ["--home", str(home)] if settings.load().home != home else []
    product_id = _like(app)
    tries = [
        ["search", WORDS[1], "--filter", "price < 300", "--facet", "colour"],
        ["search", "--image", str(_picture())],
        ["product", "list"],
        ["demo", "--reset"],
    ]
    if product_id is not None:
        tries.insert(2, ["search", WISH, "--product", str(product_id), "--kind", "composed"])
    print("\nTry:")
    for arguments in tries:
        print("  " + shlex.join(["crosslens", *there, *arguments]))
    say(
        "\nThe built-in model is small: it is meant for this sample, and to be fine-tuned on "
        "pictures of your own."
    )


def _picture() -> Path:
    return sample_folder() / "images" / f"{LIKE}-1.webp"


def _like(app: App) -> int | None:
    """Find the product to start from, which people may have removed."""
    found = app.catalog.by_source_keys([LIKE]).get(LIKE)
    return None if found is None or found.retired else found.id


def _digest(folder: Path) -> str:
    """Tell one sample from another by its products and the sizes of its pictures."""
    import hashlib

    digest = hashlib.sha256((folder / "items.jsonl").read_bytes())
    for picture in sorted((folder / "images").iterdir()):
        digest.update(f"{picture.name} {picture.stat().st_size}\n".encode())
    return digest.hexdigest()
