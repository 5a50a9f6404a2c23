"""The contract for programs: names of options, commands and JSON keys."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from crosslens.cli.search import KINDS
from crosslens.values import Kind
from fakes import jpeg
from shell import Shell
from tiny_bundle import proved_tiny

COLOURS = {"red": (205, 30, 30), "blue": (30, 60, 200), "green": (30, 160, 60)}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A JSONL file with pictures beside it: keys that need no mapping."""
    (tmp_path / "shop" / "images").mkdir(parents=True)
    rows = []
    for n, (name, rgb) in enumerate(COLOURS.items()):
        (tmp_path / "shop" / "images" / f"{name}.jpg").write_bytes(jpeg(rgb))
        (tmp_path / "shop" / "images" / f"{name}-side.jpg").write_bytes(jpeg(rgb, (48, 48)))
        rows.append(
            {
                "id": f"sku-{n}",
                "title": f"{name} cotton shirt",
                "image": f"images/{name}.jpg",
                "other_images": [f"images/{name}-side.jpg"],
                "description": "soft and light",
                "attributes": {"colour": name.title(), "price": 10 + n, "sale": n == 0},
            }
        )
    file = tmp_path / "shop" / "items.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return file


def test_import_search_edit_remove_audit(shell: Shell, shop: Path) -> None:
    counts = shell.json("import", shop)
    assert {k: counts[k] for k in ("read", "stored", "skipped", "failed")} == {
        "read": 3, "stored": 3, "skipped": 0, "failed": 0,
    }  # fmt: skip
    again = shell.json("import", shop)
    assert (again["read"], again["stored"], again["skipped"], again["failed"]) == (3, 0, 3, 0)
    hits = shell.json("search", "blue", "shirt")["hits"]
    assert {"product_id", "source_key", "title", "score"} <= set(hits[0])
    assert hits[0]["source_key"] == "sku-1"
    assert [h["score"] for h in hits] == sorted((h["score"] for h in hits), reverse=True)
    filtered = shell.json("search", "shirt", "--filter", "price >= 11 and colour in (green, RED)")
    assert [h["source_key"] for h in filtered["hits"]] == ["sku-2"]
    product_id = hits[0]["product_id"]
    shell.json("product", "edit", product_id, "--title", "violet silk blouse")
    found = shell.json("search", "silk", "--kind", "hybrid", "--alpha", "0")["hits"]
    assert [h["product_id"] for h in found] == [product_id]
    assert shell.json("product", "show", product_id)["index"] == "current"
    shell.json("product", "remove", product_id)
    assert shell.json("search", "silk", "--kind", "hybrid", "--alpha", "0")["hits"] == []
    audit = shell("index", "audit", "--json")
    assert (audit.code, audit.json["missing"], audit.json["stale"], audit.json["orphaned"]) == (
        0, 0, 0, 0,
    )  # fmt: skip
    assert shell.json("product", "list")["total"] == 2
    assert shell("doctor").code == 0


def test_every_kind_of_search_answers(shell: Shell, shop: Path) -> None:
    shell.json("import", shop)
    picture = shop.parent / "images" / "green.jpg"
    assert shell.json("search", "red shirt", "--kind", "text2text")["hits"]
    assert shell.json("search", "red shirt", "--kind", "text2image")["hits"]
    by_picture = shell.json("search", "--image", picture, "--kind", "image2image")["hits"]
    assert by_picture[0]["source_key"] == "sku-2"
    assert len({h["product_id"] for h in by_picture}) == 3, "pictures of a product are one hit"
    assert shell.json("search", "--image", picture, "--kind", "image2text")["hits"]
    assert shell.json("search", "shirt", "--image", picture)["kind"] == "hybrid"
    assert shell.json("search", "but red", "--image", picture, "--kind", "composed")["hits"]
    like = shell.json("search", "--product", by_picture[0]["product_id"])
    assert by_picture[0]["product_id"] not in [h["product_id"] for h in like["hits"]]


def test_the_kinds_in_the_help_are_the_kinds_there_are() -> None:
    assert set(KINDS.split(", ")) == {kind.value for kind in Kind}


def test_home_may_stand_before_or_after_the_command(shell: Shell, tmp_path: Path) -> None:
    shell.json("product", "add", "red shirt", "--key", "a")
    elsewhere = shell("product", "list", "--json", f"--home={tmp_path / 'other'}")
    assert elsewhere.json["total"] == 0
    assert shell.json("product", "list")["total"] == 1


def test_a_broken_bundle_is_named_by_model_check(shell: Shell) -> None:
    assert shell("model", "check").code == 0
    assert {m["name"] for m in shell.json("model", "list")["models"]} >= {"crosslens-mini"}
    ran = shell("model", "show", "no-such-model")
    assert ran.code == 1
    assert "crosslens-mini" in ran.err


def test_a_bundle_of_elsewhere_is_listed_while_it_is_used(shell: Shell, tmp_path: Path) -> None:
    folder = proved_tiny(tmp_path / "tiny")
    shell.json("model", "use", str(folder))
    used = {m["name"]: m["used_for"] for m in shell.json("model", "list")["models"]}
    assert "cross-modal" in used[str(folder)]
    assert used["crosslens-mini"] == []


def test_an_audit_that_finds_something_exits_1_and_repair_mends_it(
    shell: Shell, shop: Path
) -> None:
    shell.json("import", shop, "--no-index")
    found = shell("index", "audit", "--json")
    assert (found.code, found.json["missing"]) == (1, 3)
    assert shell("index", "audit", "--repair").code == 0
    assert shell("index", "audit").code == 0


def test_a_rebuild_can_be_searched(shell: Shell, shop: Path) -> None:
    shell.json("import", shop)
    assert shell.json("index", "rebuild")["products"] == 3
    assert shell.json("search", "red")["hits"]
    assert shell("index", "audit").code == 0


def test_help_starts_at_once() -> None:
    """0.3 s is promised; told as a multiple of what typer takes, since machines differ."""
    ours, bare = [], []
    for _ in range(5):
        ours.append(_seconds("-m", "crosslens", "--help"))
        bare.append(_seconds("-c", "import typer.rich_utils, rich.markdown, rich.progress"))
    assert min(ours) < 4 * min(bare)


def test_help_loads_nothing_heavy() -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "crosslens", "--help"],
        check=True, stdout=-3, stderr=-1, text=True,
    ).stderr  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    heavy = {"numpy", "PIL", "onnxruntime", "sqlalchemy", "fastapi", "zvec", "tokenizers", "httpx"}
    assert "typer" in loaded
    assert not loaded & heavy


def _seconds(*arguments: str) -> float:
    """Return the processor time of a run of Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=-3)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("shell_name", ["bash", "zsh"])
def test_completion_is_offered(shell_name: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "crosslens", "--show-completion", shell_name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "crosslens" in ran.stdout.lower() or ran.returncode == 0
