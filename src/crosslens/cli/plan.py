"""`crosslens plan`: how much memory, disk and encoding a catalogue of a size needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli.screen import Json, print_json, table

if TYPE_CHECKING:
    from crosslens.capacity.plan import Plan


def plan(
    products: Annotated[int, typer.Option(help="Products of the catalogue.")],
    pictures_per_product: Annotated[float, typer.Option(help="On average.")] = 1.0,
    dim: Annotated[int, typer.Option(help="Components of the vectors.")] = 512,
    index: Annotated[
        str | None,
        typer.Option(help="zvec, hnsw, ivf_flat, ivf_sq8, diskann or flat. [default: all]"),
    ] = None,
    spaces: Annotated[
        int, typer.Option(help="Spaces per side; 2 if words or looks have bundles of their own.")
    ] = 1,
    replicas: Annotated[int, typer.Option(help="Copies of the index.")] = 2,
    machine_gib: Annotated[float, typer.Option(help="Memory of a machine that searches.")] = 64.0,
    picture_kb: Annotated[float, typer.Option(help="Size of a picture as it is stored.")] = 100.0,
    days: Annotated[float, typer.Option(help="In which everything is to be encoded anew.")] = 7.0,
    as_json: Json = False,
) -> None:
    """Say how much memory, disk and encoding a catalogue of a size needs; asks nobody."""
    from crosslens.capacity.indexes import INDEXES
    from crosslens.capacity.measured import measured
    from crosslens.capacity.plan import Wish
    from crosslens.capacity.plan import plan as planned

    wish = Wish(
        products=products,
        pictures_per_product=pictures_per_product,
        dim=dim,
        text_spaces=spaces,
        picture_spaces=spaces,
        replicas=replicas,
        machine_gib=machine_gib,
        picture_kb=picture_kb,
        days=days,
    )
    made = planned(wish, measured(), indexes=[index] if index else list(INDEXES))
    if as_json:
        print_json(_object(made))
    else:
        _show(made, measured().about)


def _show(made: Plan, about: str) -> None:
    wish = made.wish
    print(
        f"{wish.products:,} products, {wish.pictures:,.0f} pictures, {wish.vectors:,.0f} vectors "
        f"of {wish.dim}"
    )
    rows = [
        [
            one.index.name,
            size(one.memory),
            size(one.disk),
            one.shards,
            one.machines,
            one.index.about if one.fits else f"{one.index.about}; too much for one process",
        ]
        for one in made.indexes
    ]
    table(["index", "memory", "disk", "shards", "machines", ""], rows)
    print(
        f"memory and disk of one replica; machines of {wish.machine_gib:g} GiB, "
        f"{wish.replicas} replicas\n"
    )
    beside = [
        ["catalogue", size(made.catalog)],
        ["kept vectors, per worker", size(made.kept)],
        ["pictures in the bucket", size(made.media)],
    ]
    table(["beside it", "disk"], beside)
    fleet = [[one.name, f"{one.core_hours:,.1f}", f"{one.cores:,}"] for one in made.encoders]
    table(["encoding everything anew", "core hours", f"cores for {wish.days:g} days"], fleet)
    print(about)


def _object(made: Plan) -> dict[str, Any]:
    return {
        "wish": asdict(made.wish),
        "vectors": made.wish.vectors,
        "indexes": [
            {
                "index": one.index.name,
                "memory_bytes": round(one.memory),
                "disk_bytes": round(one.disk),
                "shards": one.shards,
                "machines": one.machines,
                "fits": one.fits,
            }
            for one in made.indexes
        ],
        "catalog_bytes": round(made.catalog),
        "kept_bytes": round(made.kept),
        "media_bytes": round(made.media),
        "encoders": [
            {"encoder": one.name, "core_hours": round(one.core_hours, 2), "cores": one.cores}
            for one in made.encoders
        ],
    }


def size(count: float) -> str:
    """Write bytes for people: 1.5 GB; thousands, not 1,024s."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1_000:
            return f"{count:.3g} {unit}"
        count /= 1_000
    return f"{count:,.3g} PB"
