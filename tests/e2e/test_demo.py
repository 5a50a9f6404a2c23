"""The first minutes with crosslens: the demo, started, started again and started over."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from crosslens.cli import demo_home
from crosslens.cli.demo import LIKE
from shell import Shell, start
from tiny_bundle import write_tiny

PRODUCTS = 640


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(autouse=True)
def small_model(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSLENS_CROSS_MODAL", str(tiny))
    for name in ("CROSSLENS_HOME", "CROSSLENS_CATALOG_URL", "CROSSLENS_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_second_start_reuses_the_first_and_a_reset_starts_over(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shell("demo", "--no-serve")
    assert first.code == 0, first.err
    assert f"{PRODUCTS} products" in first.out
    assert "imported and indexed in" in first.out
    assert "left out" not in first.err
    assert f"crosslens --home {shell.home} search" in first.out
    assert f"{LIKE}-1.webp" in first.out
    audit = shell.json("index", "audit")
    assert (audit["products"], audit["missing"]) == (PRODUCTS, 0)
    hits = shell.json("search", "mug", "--filter", "category = mug and price < 1000")["hits"]
    assert {hit["attributes"]["category"] for hit in hits} == {"mug"}

    product_id = hits[0]["product_id"]
    shell.json("product", "remove", product_id)
    second = shell("demo", "--no-serve")
    assert second.code == 0, second.err
    assert f"already: {PRODUCTS - 1} products" in second.out, "what people remove stays away"

    write_tiny(shell.home / "bundles" / "other", space="other@1/fp32")
    monkeypatch.setenv("CROSSLENS_CROSS_MODAL", "other")
    third = shell("demo", "--no-serve")
    assert (third.code, "indexing anew" in third.err) == (0, True), third.err

    over = shell("demo", "--reset", "--no-serve")
    assert over.code == 0, over.err
    assert f"{PRODUCTS} products" in over.out
    assert (shell.home / "bundles" / "other").is_dir(), "a reset keeps what people put there"


def test_an_interrupted_demo_goes_on_where_it_stopped(shell: Shell) -> None:
    demo = start(shell.home, "demo", "--no-serve")
    deadline = time.monotonic() + 240
    while not (shell.home / "media").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    demo.send_signal(signal.SIGINT)
    out, err = demo.communicate(timeout=240)
    assert demo.returncode == 130, err
    assert "Traceback" not in err
    assert "imported" not in out
    again = shell("demo", "--no-serve")
    assert (again.code, f"{PRODUCTS} products" in again.out) == (0, True), again.err
    assert shell("index", "audit").code == 0


@pytest.mark.parametrize("arguments", [["demo", "--no-serve"], ["demo", "--no-serve", "--reset"]])
def test_a_foreign_folder_is_left_alone(shell: Shell, arguments: list[str]) -> None:
    shell.home.mkdir()
    (shell.home / "index").mkdir()
    letter = shell.home / "index" / "letter.txt"
    letter.write_text("dear", "utf-8")
    refused = shell(*arguments)
    assert refused.code == 2
    assert "is no demo home" in refused.err
    assert letter.read_text("utf-8") == "dear"
    assert [path.name for path in shell.home.iterdir()] == ["index"]


@pytest.mark.parametrize("arguments", [["demo", "--no-serve"], ["demo", "--no-serve", "--reset"]])
def test_a_catalogue_of_ones_own_is_left_alone(
    shell: Shell, tmp_path: Path, arguments: list[str]
) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("id,title\n1,my own mug\n", "utf-8")
    shell.json("import", table)
    assert shell(*arguments).code == 2
    assert shell.json("product", "list")["total"] == 1


def test_a_home_that_is_a_file_is_refused(shell: Shell) -> None:
    shell.home.write_text("", "utf-8")
    for arguments in (["demo", "--no-serve"], ["demo", "--no-serve", "--reset"]):
        refused = shell(*arguments)
        assert refused.code == 2
        assert refused.err.startswith(f"error: {shell.home} is a file")


def test_the_demo_never_writes_to_a_catalogue_elsewhere(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSLENS_CATALOG_URL", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    refused = shell("demo", "--no-serve")
    assert (refused.code, "catalog_url" in refused.err) == (2, True)
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_reset_follows_no_link_out_of_the_home(shell: Shell, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "photo.webp").write_bytes(b"mine")
    demo_home.claim(shell.home)
    (shell.home / "media").symlink_to(outside)
    demo_home.reset(shell.home)
    assert (outside / "photo.webp").read_bytes() == b"mine"
    assert [path.name for path in shell.home.iterdir()] == [demo_home.MARK]
