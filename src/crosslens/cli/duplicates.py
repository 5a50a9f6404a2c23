"""`crosslens duplicates …`: what is in the catalogue twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli.screen import Json, opened, print_json, say, settle, table

if TYPE_CHECKING:
    from crosslens.catalog.product import Product
    from crosslens.indexing.clusters import Cluster

app = typer.Typer(
    help="Find products that are there twice, and decide on them.", no_args_is_help=True
)
Ids = Annotated[list[int], typer.Argument(help="Ids of products.", metavar="ID…")]
TIERS = "exact, near or same_product"


@app.command()
def scan(context: typer.Context, as_json: Json = False) -> None:
    """Look through the whole catalogue; what was found is kept until the next scan."""
    from collections import Counter

    from crosslens.cli.progress import progress

    with opened(context) as app_, progress(None) as bar:
        found = app_.duplicate_scanner.scan(lambda phase, done, total: bar(phase, done))
        app_.duplicates.replace(found)
    counts = Counter(pair.tier.value for pair in found)
    if as_json:
        print_json({"pairs": dict(counts)})
    else:
        print(", ".join(f"{n} {tier}" for tier, n in counts.items()) or "no duplicates")


@app.command("list")
def list_(
    context: typer.Context,
    tier: Annotated[list[str] | None, typer.Option(help=f"Only {TIERS}; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Clusters to show.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="Clusters to leave out before them.")] = 0,
    as_json: Json = False,
) -> None:
    """Show clusters that nobody decided on, surest first, with the evidence."""
    from crosslens.catalog.duplicates import Tier
    from crosslens.cli.search import chosen
    from crosslens.indexing.clusters import ALL_TIERS, open_clusters

    tiers = [chosen(Tier, name, "tier") for name in tier or ()] or list(ALL_TIERS)
    with opened(context) as app_:
        if app_.duplicates.scanned() is None:
            say("hint: `crosslens duplicates scan` looks for them")
        found = open_clusters(app_.catalog, app_.duplicates, tiers=tiers)
        shown = found[offset : offset + limit]
        ids = [product_id for cluster in shown for product_id in cluster.product_ids]
        products = app_.catalog.read(ids)
    if as_json:
        rows = [_as_object(cluster, products) for cluster in shown]
        print_json({"clusters": rows, "total": len(found)})
        return
    for cluster in shown:
        print(cluster.tier.value)
        keys = [
            [id, products[id].title, products[id].fields.source_key] for id in cluster.product_ids
        ]
        table(["product", "title", "key"], keys)
    say(f"{len(found)} clusters in all")


@app.command()
def distinct(context: typer.Context, product_ids: Ids) -> None:
    """Remember that these are different products; they are not shown together again."""
    from crosslens.catalog.duplicates import Verdict

    _require_two(product_ids)
    with opened(context) as app_:
        app_.duplicates.decide(product_ids, Verdict.DISTINCT)
    print(f"{len(product_ids)} products are no duplicates of each other")


@app.command()
def merge(
    context: typer.Context,
    keep: Annotated[int, typer.Argument(help="The product that stays.", metavar="KEEP")],
    others: Annotated[list[int], typer.Argument(help="Those it replaces.", metavar="ID…")],
) -> None:
    """Give one product the pictures of others and remove them."""
    from crosslens.indexing.clusters import merge as join

    with opened(context) as app_:
        kept = join(app_.editor, app_.media, app_.duplicates, keep=keep, others=others)
        settle(app_)
    print(f"product {kept.id} stays, with {len(kept.pictures)} pictures")


@app.command()
def forget(context: typer.Context, product_ids: Ids) -> None:
    """Forget what was decided about these products."""
    _require_two(product_ids)
    with opened(context) as app_:
        app_.duplicates.forget(product_ids)
    print("forgotten")


@app.command()
def titles(
    context: typer.Context,
    product_id: Annotated[
        int | None, typer.Argument(help="Only this product; else all without a title.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Products to look at.")] = 20,
    as_json: Json = False,
) -> None:
    """Suggest titles for products whose title is a number or the name of a file."""
    from dataclasses import asdict
    from itertools import islice

    from crosslens.search.titles import is_untitled, suggest

    with opened(context) as app_:
        untitled = (p for part in app_.catalog.stream() for p in part if is_untitled(p))
        wanted = [app_.product(product_id)] if product_id else islice(untitled, limit)
        found = {p.id: suggest(app_.engine, p) for p in wanted if p.pictures}
    if as_json:
        shown = {id: [asdict(each) for each in suggested] for id, suggested in found.items()}
        print_json({"suggestions": shown})
        return
    rows = [[id, each.title, each.score] for id, suggested in found.items() for each in suggested]
    table(["product", "title", "score"], rows)


def _as_object(cluster: Cluster, products: dict[int, Product]) -> dict[str, Any]:
    return {
        "tier": cluster.tier.value,
        "products": [
            {
                "product_id": id,
                "title": products[id].title,
                "source_key": products[id].fields.source_key,
            }
            for id in cluster.product_ids
        ],
        "pairs": [
            {"left": p.left, "right": p.right, "tier": p.tier.value, "evidence": dict(p.evidence)}
            for p in cluster.pairs
        ],
    }


def _require_two(product_ids: list[int]) -> None:
    from crosslens.errors import InvalidRequest

    if len(set(product_ids)) < 2:
        raise InvalidRequest("a decision needs at least two products")
