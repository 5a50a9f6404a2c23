"""`crosslens evaluate`: is it any good?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from crosslens.cli.screen import Json, print_json, say, table
from crosslens.cli.search import KINDS, chosen

if TYPE_CHECKING:
    from crosslens.corpora.judged import JudgedSet
    from crosslens.evaluate.report import Report
    from crosslens.evaluate.runs import Run
    from crosslens.search.request import SearchRequest
    from crosslens.wiring import App

ANY = "any"  # a request is never without words; each query brings its own


def evaluate(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Folder of products, queries and judgements.")],
    kind: Annotated[str, typer.Option(help=f"One of {KINDS}.")] = "auto",
    alpha: Annotated[float | None, typer.Option(help="Share of vectors against keywords.")] = None,
    fusion: Annotated[str, typer.Option(help="rrf (by rank) or score.")] = "rrf",
    language: Annotated[str | None, typer.Option(help="Only queries in en or zh.")] = None,
    judgements: Annotated[
        str | None,
        typer.Option(help="queries, photos, composed, captions, titles or muge; else by itself."),
    ] = None,
    queries: Annotated[int | None, typer.Option(min=1, help="Ask only the first so many.")] = None,
    depth: Annotated[int, typer.Option(min=1, max=999, help="Results per query.")] = 100,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the indexed products in this folder for next time.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Write a TREC run file.")] = None,
    as_json: Json = False,
) -> None:
    """Index a judged set apart from your catalogue, ask its queries, and measure the answers."""
    from crosslens.corpora.judged import Judgements, open_judged
    from crosslens.evaluate.runs import write_trec
    from crosslens.search.request import Fusion, SearchRequest
    from crosslens.values import Kind

    asked_kind = chosen(Kind, kind, "kind")
    judge = None if judgements is None else chosen(Judgements, judgements, "judgements")
    judged = open_judged(path, asked_kind, judgements=judge, language=language, limit=queries)
    base = SearchRequest(
        ANY, kind=asked_kind, alpha=alpha, fusion=chosen(Fusion, fusion, "fusion"), limit=depth
    )
    with _gallery(context, keep) as app:
        stored = _fill(app, judged)
        answers = _ask(app, judged, base)
        if run is not None:
            write_trec(run, answers)
        _show(_report(app, judged, answers, base, stored), as_json=as_json)


@contextmanager
def _gallery(context: typer.Context, keep: Path | None) -> Iterator[App]:
    """Open an application of its own, with the bundles that the user's settings name."""
    from crosslens import settings, telemetry, wiring

    telemetry.configure(verbose=context.obj.verbose)
    own = settings.load(context.obj.home)
    shelf = wiring.App(own).shelf
    bundles = {
        purpose: str(shelf.folder(name).absolute())
        for purpose in ("cross_modal", "text", "looks")
        if (name := getattr(own, purpose))
    }
    with TemporaryDirectory(prefix="crosslens-") as folder:
        home = Path(folder) if keep is None else keep
        apart = {"home": home.absolute(), "catalog_url": "", "index_url": "", "attributes": {}}
        with wiring.build(own.model_copy(update=apart | bundles)) as app:
            yield app


def _fill(app: App, judged: JudgedSet) -> int:
    """Import the gallery; return how many products it has."""
    from crosslens.cli.imports import interruptible
    from crosslens.cli.progress import progress

    with progress(judged.products.count_hint()) as bar, interruptible() as stop:
        tally, _ = app.import_all(judged.products, stop, on_progress=bar)
    if stop.is_set():
        raise KeyboardInterrupt
    for bad in tally.bad[:5]:
        say(f"left out: {bad.where}: {bad.reason}")
    if tally.failed > 5:
        say(f"left out: {tally.failed} products in all")
    return tally.stored + tally.skipped


def _ask(app: App, judged: JudgedSet, base: SearchRequest) -> Run:
    from crosslens.cli.progress import progress
    from crosslens.evaluate.asking import Asker
    from crosslens.evaluate.judge import ask

    asker = Asker(app.engine, app.catalog, app.media, base)
    with progress(len(judged.qrels)) as bar:
        return ask(
            judged.queries,
            asker,
            judged.qrels,
            threads=app.threads,
            progress=lambda done, total: bar("asked", done),
        )


def _report(
    app: App, judged: JudgedSet, answers: Run, base: SearchRequest, products: int
) -> Report:
    from crosslens.evaluate.judge import report

    details = {
        "set": judged.name,
        "kind": judged.kind.value,
        "judgements": judged.judgements.value,
        "alpha": base.alpha,
        "fusion": base.fusion.value,
        "bundles": {app.shelf.card(name).name: used for name, used in app.purposes().items()},
    }
    measured = report(judged.queries, answers, judged.qrels)
    return replace(measured, products=products, details=details)


def _show(found: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(found.as_json())
        return
    rows = [
        [name, value, "{:.4f} – {:.4f}".format(*found.all.intervals[name])]
        for name, value in found.metrics.items()
    ]
    table(["measure", "mean", "95 % interval"], rows)
    for name, parts in found.by.items():
        measures = list(found.metrics)
        cells = [[v, p.queries, *(p.metrics[m] for m in measures)] for v, p in parts.items()]
        table([name, "queries", *measures], cells)
    print(f"{found.all.queries} queries, {found.products} products, {found.seconds:.1f} s")
    for query, reason in list(found.failed.items())[:5]:
        say(f"no answer to {query}: {reason}")
