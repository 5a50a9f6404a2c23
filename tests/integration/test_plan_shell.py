"""`crosslens plan`."""

from __future__ import annotations

import json

from shell import Shell


def test_a_plan_for_people_names_every_index_and_what_it_is_made_of(shell: Shell) -> None:
    ran = shell("plan", "--products", "10000000")
    assert ran.code == 0, ran.err
    for word in ("zvec", "hnsw", "diskann", "catalogue", "crosslens-mini", "measured on"):
        assert word in ran.out


def test_a_plan_for_programs_has_bytes(shell: Shell) -> None:
    asked = ("--pictures-per-product", "3", "--index", "diskann", "--dim", "768", "--json")
    ran = shell("plan", "--products", "1000000", *asked)
    told = json.loads(ran.out)
    assert told["vectors"] == 4_000_000
    [index] = told["indexes"]
    assert index["index"] == "diskann"
    assert 0 < index["memory_bytes"] < index["disk_bytes"]


def test_what_cannot_be_planned_is_said(shell: Shell) -> None:
    ran = shell("plan", "--products", "0")
    assert ran.code == 2
    assert "products is 0" in ran.err
    ran = shell("plan", "--products", "1", "--index", "annoy")
    assert ran.code == 2
    assert "hnsw" in ran.err
