"""docs/capacity.md has the table that `crosslens plan` calculates."""

from __future__ import annotations

from pathlib import Path

from crosslens.capacity.indexes import INDEXES
from crosslens.capacity.measured import measured
from crosslens.capacity.plan import Wish, plan
from crosslens.cli.plan import size

DOC = Path(__file__).parents[2] / "docs" / "capacity.md"
BEGIN, END = "<!-- calculated -->\n", "<!-- /calculated -->\n"
SIZES = {"10 million": 10**7, "100 million": 10**8, "a billion": 10**9}
MACHINE_GIB = 128.0


def tables() -> str:
    plans = {
        name: plan(Wish(products=count, machine_gib=MACHINE_GIB), measured())
        for name, count in SIZES.items()
    }
    rows = [
        "| pictures | index | memory | disk | shards | machines, 2 replicas |",
        "|---" * 6 + "|",
    ]
    for name, made in plans.items():
        for one in made.indexes:
            where = (
                f"{one.shards:,} | {one.machines:,}" if one.fits else "too much for one process | "
            )
            rows.append(
                f"| {name} | {one.index.name} | {size(one.memory)} | {size(one.disk)} | {where} |"
            )
    rows += ["", "| pictures | catalogue | kept vectors | pictures of 100 kB |", "|---" * 4 + "|"]
    for name, made in plans.items():
        beside = " | ".join(size(count) for count in (made.catalog, made.kept, made.media))
        rows.append(f"| {name} | {beside} |")
    encoders = list(measured().encoders)
    rows += ["", f"| pictures | {' | '.join(encoders)} |", "|---" * (len(encoders) + 1) + "|"]
    for name, made in plans.items():
        fleet = " | ".join(f"{one.core_hours:,.0f} h, {one.cores:,} cores" for one in made.encoders)
        rows.append(f"| {name} | {fleet} |")
    return "\n".join(rows) + "\n"


def test_the_tables_are_those_that_are_calculated() -> None:
    written = DOC.read_text("utf-8")
    between = written.partition(BEGIN)[2].partition(END)[0]
    assert between == tables(), "python tests/docs/test_capacity.py writes them anew"


def test_every_index_is_explained() -> None:
    written = DOC.read_text("utf-8")
    assert all(f"| `{name}` |" in written for name in INDEXES)


if __name__ == "__main__":
    text = DOC.read_text("utf-8")
    head, _, rest = text.partition(BEGIN)
    DOC.write_text(head + BEGIN + tables() + END + rest.partition(END)[2], "utf-8")
