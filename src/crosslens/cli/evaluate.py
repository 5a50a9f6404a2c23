"""`crosslens evaluate`: is it any good?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from crosslens.cli.screen import Json, opened, print_json, say, table
from crosslens.cli.search import KINDS, chosen

if TYPE_CHECKING:
    from crosslens.corpora.judged import JudgedSet
    from crosslens.evaluate.asking import Listener
    from crosslens.evaluate.calibrating import Hearing
    from crosslens.evaluate.gates import Against
    from crosslens.evaluate.learning import Lessons
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
    live: Annotated[
        bool, typer.Option("--live", help="Ask your own catalogue, which holds the right answers.")
    ] = False,
    scene: Annotated[str | None, typer.Option(help="Ask within this scene of yours.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="An earlier run to compare with, query by query.")
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(help="MEASURE=VALUE that must be reached; may be repeated."),
    ] = None,
    fail_if_worse: Annotated[
        list[str] | None,
        typer.Option(help="MEASURE that must not have fallen, p < 0.05; may be repeated."),
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Keep what the scores turned out to mean.")
    ] = False,
    learn: Annotated[
        str | None, typer.Option(help="Learn a ranker of this name from the judgements.")
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Index a judged set apart from your catalogue, ask its queries, and measure the answers.

    Exits with 1 when a gate (--fail-under, --fail-if-worse) does not hold.
    """
    from crosslens.corpora.judged import Judgements, open_judged
    from crosslens.evaluate.gates import floors
    from crosslens.evaluate.runs import write_trec
    from crosslens.search.request import Fusion, SearchRequest
    from crosslens.values import Kind

    asked_kind = chosen(Kind, kind, "kind")
    judge = None if judgements is None else chosen(Judgements, judgements, "judgements")
    folder = golden_folder(context, path) if live else path
    judged = open_judged(
        folder, asked_kind, judgements=judge, language=language, limit=queries, gallery=not live
    )
    base = SearchRequest(
        ANY, kind=asked_kind, alpha=alpha, fusion=chosen(Fusion, fusion, "fusion"), limit=depth
    )
    least, heard = floors(fail_under or ()), _heard(judged)
    with opened(context) if live else _gallery(context, keep) as app:
        stored = app.catalog.summary().products if live else _fill(app, judged)
        answers = _ask(app, judged, base, scene=scene, listeners=heard)
        if run is not None:
            write_trec(run, answers)
        found = _report(app, judged, answers, base, stored, heard[0])
        spaces = app.probe_spaces
    _keep_learned(context, judged, heard, spaces if calibrate else None, learn)
    beside = None if against is None else _beside(found, judged, against)
    _show(found, beside, as_json=as_json)
    _pass(found, least, fail_if_worse or (), beside)


def _heard(judged: JudgedSet) -> tuple[Hearing, Lessons]:
    from crosslens.encode.keywords import query_tokens
    from crosslens.evaluate.calibrating import Hearing
    from crosslens.evaluate.learning import Lessons

    words = {query.id: query.words or "" for query in judged.queries}
    return Hearing(), Lessons(words, judged.qrels, query_tokens)


def _keep_learned(
    context: typer.Context,
    judged: JudgedSet,
    heard: tuple[Hearing, Lessons],
    spaces: Mapping[str, str] | None,
    ranker: str | None,
) -> None:
    """Keep a curve if there are spaces that it holds for, and a ranker if it has a name."""
    from crosslens import wiring
    from crosslens.evaluate.calibrating import fitted
    from crosslens.evaluate.learning import learned
    from crosslens.search.learned import write_ranker
    from crosslens.search.relevance import write_curve

    home = home_of(context)
    hearing, lessons = heard
    if spaces is not None:
        write_curve(home / wiring.RELEVANCE, fitted(hearing, judged.qrels, spaces))
    if ranker is not None:
        found = learned(list(lessons.all.values()), lessons.tokens, source=judged.name)
        write_ranker(home / wiring.RANKERS / f"{name_of(ranker)}.json", found)


def _beside(found: Report, judged: JudgedSet, path: Path) -> Against:
    from crosslens.evaluate.gates import against, earlier_run

    return against(found, judged.queries, earlier_run(path), judged.qrels, name=str(path))


def _pass(
    found: Report, least: Mapping[str, float], not_worse: Sequence[str], beside: Against | None
) -> None:
    from crosslens.evaluate.gates import failures

    told = failures(found, least=least, not_worse=not_worse, beside=beside)
    for sentence in told:
        say(f"failed: {sentence}")
    if told:
        raise typer.Exit(1)


def golden_folder(context: typer.Context, path: Path) -> Path:
    """Return a folder, or the set of that name: in the home, else one that comes along."""
    from crosslens import wiring

    own = home_of(context) / "judged" / path
    if path.exists():
        return path
    return own if own.is_dir() else wiring.SHIPPED_SETS.get(str(path), path)


def name_of(name: str) -> str:
    """Check a name that becomes a file's."""
    from crosslens.errors import InvalidRequest

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise InvalidRequest(f"name is {name!r}, allowed are letters, digits, - and _")
    return name


def home_of(context: typer.Context) -> Path:
    """Return the user's home, which is not the gallery's."""
    from crosslens import settings

    return settings.load(context.obj.home).home


@contextmanager
def _gallery(context: typer.Context, keep: Path | None) -> Iterator[App]:
    """Open an application of its own, with the bundles that the user's settings name."""
    from crosslens import settings, telemetry, wiring

    own = settings.load(context.obj.home)
    verbose = context.obj.verbose
    telemetry.configure(verbose=verbose, level=own.log_level, format=own.log_format)
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


def _ask(
    app: App,
    judged: JudgedSet,
    base: SearchRequest,
    *,
    scene: str | None,
    listeners: Sequence[Listener],
) -> Run:
    from crosslens.cli.progress import progress
    from crosslens.evaluate.asking import Asker
    from crosslens.evaluate.judge import ask

    engine = app.engine if scene is None else app.stage(app.engine).within(scene)
    asker = Asker(engine, app.catalog, app.media, base, listeners)
    with progress(len(judged.qrels)) as bar:
        return ask(
            judged.queries,
            asker,
            judged.qrels,
            threads=app.threads,
            progress=lambda done, total: bar("asked", done),
        )


def _report(
    app: App,
    judged: JudgedSet,
    answers: Run,
    base: SearchRequest,
    products: int,
    hearing: Hearing,
) -> Report:
    from crosslens.corpora.judged import Judgements
    from crosslens.evaluate.calibrating import measured as calibration
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
    if judged.judgements is Judgements.MUGE:  # its official measure
        hits = [measured.metrics[f"hit@{k}"] for k in (1, 5, 10)]
        details["mean_recall"] = sum(hits) / len(hits)
    true = calibration(hearing, judged.qrels)
    details["calibration"] = None if true is None else true.as_json()
    return replace(measured, products=products, details=details)


def _show(found: Report, beside: Against | None, *, as_json: bool) -> None:
    if as_json:
        more = {} if beside is None else {"against": beside.as_json()}
        print_json(found.as_json() | more)
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
    if beside is not None:
        compared = [
            [name, each.difference, f"{each.low:+.4f} – {each.high:+.4f}", each.p]
            for name, each in beside.measures.items()
        ]
        table(["measure", f"beside {beside.name}", "95 % interval", "p"], compared)
    if true := found.details.get("calibration"):
        told = ", ".join(f"{n.removeprefix('error_')} {e}" for n, e in true.items() if n != "hits")
        print(f"calibration error over {true['hits']} hits: {told}")
    print(f"{found.all.queries} queries, {found.products} products, {found.seconds:.1f} s")
    for query, reason in list(found.failed.items())[:5]:
        say(f"no answer to {query}: {reason}")
