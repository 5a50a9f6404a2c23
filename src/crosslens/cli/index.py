"""`crosslens index …`: keep vectors true to the catalogue."""

from __future__ import annotations

from typing import Annotated

import typer

from crosslens.cli.keywords import train_keywords
from crosslens.cli.screen import Json, opened, print_json, say, table
from crosslens.errors import Unavailable

app = typer.Typer(help="Work, rebuild, audit and look at the index.", no_args_is_help=True)
app.command()(train_keywords)


@app.command()
def work(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option(help="Go on waiting for changes until interrupted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Settle every change that waits."""
    from crosslens.cli.imports import interruptible

    with opened(context) as app, interruptible() as stop:
        worker = app.worker()
        settled = worker.run(stop) if follow else worker.finish(stop)
        backlog = app.catalog.backlog()
        if as_json:
            print_json(
                {
                    "settled": settled,
                    "waiting": backlog.waiting + backlog.leased,
                    "parked": backlog.parked,
                }
            )
        else:
            print(
                f"{settled} changes settled, {backlog.waiting + backlog.leased} wait, "
                f"{backlog.parked} parked"
            )


@app.command()
def rebuild(
    context: typer.Context,
    fresh: Annotated[
        bool, typer.Option(help="Encode everything again, also what was kept.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build a new index beside the live one and switch to it."""
    from crosslens.cli.progress import progress

    with opened(context) as app, progress(app.catalog.summary().products) as bar:
        done = app.rebuild(progress=lambda n, total: bar("rebuilding", n), fresh=fresh)
        app.worker().drain()
        if as_json:
            print_json(
                {
                    "products": done.products,
                    "left_out": list(done.left_out),
                    "replayed": done.replayed,
                    "seconds": round(done.seconds, 2),
                }
            )
        else:
            print(
                f"{done.products} products indexed anew in {done.seconds:.1f} s, "
                f"{done.replayed} changes replayed, "
                f"{len(done.left_out)} products left out"
            )


@app.command()
def audit(
    context: typer.Context,
    repair: Annotated[bool, typer.Option(help="Announce what differs and index it again.")] = False,
    as_json: Json = False,
) -> None:
    """Compare catalogue and index; exit 0 only if they agree."""
    from crosslens.indexing.audit import audit as compare
    from crosslens.indexing.audit import repair as announce

    with opened(context) as app:
        index = app.index
        found = compare(app.catalog, index)
        repaired = announce(app.catalog, found) if repair else 0
        if repaired:
            app.worker().drain()
            found = compare(app.catalog, index)
        counts = {
            "products": found.products,
            "missing": len(found.missing),
            "stale": len(found.stale),
            "orphaned": len(found.orphaned),
            "repaired": repaired,
            "examples": [*found.missing, *found.stale, *found.orphaned][:20],
        }
        if as_json:
            print_json(counts)
        else:
            print(", ".join(f"{n} {name}" for name, n in counts.items() if name != "examples"))
            if not found.clean:
                say("hint: `crosslens index audit --repair` indexes what differs again")
        if not found.clean:
            raise typer.Exit(1)


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Show what is indexed, what waits and what is parked with its reason."""
    with opened(context) as app:
        catalog = app.catalog
        summary, backlog, parked = catalog.summary(), catalog.backlog(), catalog.parked()
        try:
            held = app.index.counts()
            indexed: dict[str, object] = {
                "indexed_products": held.products,
                "indexed_pictures": held.pictures,
            }
        except Unavailable as exc:  # another process has it, which is no reason to say nothing
            indexed = {"index": exc.message}
        answer = {
            "products": summary.products,
            "pictures": summary.pictures,
            "retired": summary.retired,
            **indexed,
            "waiting": backlog.waiting,
            "leased": backlog.leased,
            "parked": backlog.parked,
            "oldest_s": round(backlog.oldest_s, 1),
        }
        if as_json:
            reasons = [
                {"product_id": p.product_id, "tries": p.tries, "error": p.error} for p in parked
            ]
            print_json({**answer, "parked_products": reasons})
            return
        for name, value in answer.items():
            print(f"{name:<17} {value}")
        if parked:
            table(["product", "tries", "error"], [[p.product_id, p.tries, p.error] for p in parked])
