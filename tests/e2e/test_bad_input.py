"""What bad input gets: one clear sentence or an honest report, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from fakes import jpeg
from shell import Shell, start

CLEAR = "error: "


def refused(shell: Shell, *arguments: object) -> str:
    ran = shell(*arguments)
    assert ran.code == 2, (arguments, ran)
    assert ran.err.startswith(CLEAR), ran.err
    assert "Traceback" not in ran.err
    return ran.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["search", ""], "nothing to look for"),
        (["search", "   "], "nothing to look for"),
        (["search", "?!"], "words"),
        (["search", "x" * 2_001], "2,001"),
        (["search", "red", "--alpha", "nan"], "alpha is nan"),
        (["search", "red", "--alpha", "1.5"], "alpha is 1.5"),
        (["search", "red", "--limit=-1"], "limit is -1"),
        (["search", "red", "--limit", "0"], "limit is 0"),
        (["search", "red", "--offset=-1"], "offset is -1"),
        (["search", "red", "--kind", "text2sound"], "text2image"),
        (["search", "red", "--kind", "image2image"], "needs a picture"),
        (["search", "red", "--filter", "size = 3"], "size"),
        (["search", "red", "--filter", "colour = "], "filter"),
        (["search", "red", "--filter", "("], "filter"),
        (["search", "--image", "no-such-file.jpg"], "no-such-file.jpg"),
        (["import", "no-such-folder"], "no-such-folder"),
        (["product", "add", ""], "title"),
        (["product", "add", "shirt", "-", "price"], ""),
        (["product", "add", "shirt", "--attribute", "price"], "NAME=VALUE"),
        (["evaluate", "no-such-folder", "--kind", "text2image"], "no-such-folder"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(
    shell: Shell, arguments: list[str], named: str
) -> None:
    ran = shell(*arguments)
    assert ran.code == 2, ran
    assert "Traceback" not in ran.err
    assert named in ran.err


def test_a_title_of_10_mb_is_refused_and_nothing_is_stored(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    rows = [{"id": "a", "title": "x" * 10_000_000}, {"id": "b", "title": "fine"}]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    counts = shell.json("import", file)
    assert (counts["read"], counts["stored"], counts["failed"]) == (2, 1, 1)
    assert counts["bad"][0]["line"] == 1
    assert "10,000,000" in counts["bad"][0]["reason"]
    assert shell.json("product", "list")["total"] == 1


@pytest.mark.parametrize(
    "words",
    ["'; DROP TABLE products; --", '" or 1=1 --', "red') or ('1'='1", "%_*?", "\\", "red\nblue"],
)
def test_injections_are_just_words_and_values(shell: Shell, words: str) -> None:
    shell.json("product", "add", "red shirt", "--attribute", "colour=red")
    (shell.home / "crosslens.toml").write_text('[attributes]\ncolour = "keyword"\n', "utf-8")
    shell.json("index", "rebuild")
    found = shell("search", "shirt", "--filter", f"colour = {json.dumps(words)}", "--json")
    assert found.code == 0, found.err
    assert found.json["hits"] == []
    assert shell("search", f"shirt {words}", "--json").json["hits"]
    assert shell.json("product", "list")["total"] == 1


@pytest.fixture
def odd_pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "odd"
    folder.mkdir()
    whole = jpeg((90, 10, 40), (200, 160))
    (folder / "fine.jpg").write_bytes(whole)
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_bytes(b"this is not a picture")
    (folder / "page.jpg").write_bytes(b"<html><script>alert(1)</script></html>")
    (folder / "lying.png").write_bytes(whole)  # a JPEG by its bytes, and readable
    Image.new("1", (12_000, 9_000)).save(folder / "bomb.png")  # 108 megapixels in 14 kB
    return folder


def test_each_odd_picture_is_reported_and_the_fine_ones_are_stored(
    shell: Shell, odd_pictures: Path
) -> None:
    counts = shell.json("import", odd_pictures)
    reasons = {Path(bad["file"]).name: bad["reason"] for bad in counts["bad"]}
    assert counts["read"] == counts["stored"] + counts["skipped"] + counts["failed"] == 7
    assert set(reasons) == {"truncated.jpg", "empty.jpg", "text.jpg", "page.jpg", "bomb.png"}
    assert "pixels" in reasons["bomb.png"]
    assert shell("doctor").code == 0


def test_a_bomb_is_refused_as_a_query_too(shell: Shell, odd_pictures: Path) -> None:
    shell.json("product", "add", "red shirt", "--image", odd_pictures / "fine.jpg")
    for name in ("bomb.png", "truncated.jpg", "text.jpg", "empty.jpg"):
        refused(shell, "search", "--image", odd_pictures / name)


def test_every_fixture_of_imagededup_is_stored_or_reported(
    shell: Shell, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "imagededup_fixtures"
    counts = shell.json("import", folder)
    assert counts["read"] == counts["stored"] + counts["failed"]
    assert counts["stored"] >= 20
    assert all(bad["reason"] for bad in counts["bad"])
    assert shell("index", "audit").code == 0
    again = shell.json("import", folder)
    assert (again["stored"], again["skipped"]) == (0, counts["stored"])


def test_two_imports_at_once_both_succeed(shell: Shell, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for n in range(150):
            content = jpeg((n, 90 if name == "one" else 190, 40), (40, 40))
            (tmp_path / name / f"{name}-{n:03}.jpg").write_bytes(content)
    children = [start(shell.home, "import", tmp_path / name, "--json") for name in ("one", "two")]
    answers = [child.communicate(timeout=300) for child in children]
    for child, (out, err) in zip(children, answers, strict=True):
        assert child.returncode == 0, err
        counts = json.loads(out)
        assert (counts["read"], counts["stored"], counts["failed"]) == (150, 150, 0)
    assert shell("index", "audit", "--json").json["products"] == 300
    assert shell("index", "audit").code == 0


def test_ctrl_c_stops_an_import_between_batches_and_repeating_it_goes_on(
    shell: Shell, tmp_path: Path
) -> None:
    import signal
    import time

    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(3_000):
        (folder / f"{n:04}.jpg").write_bytes(jpeg((n % 251, n % 17, 9), (24, 24)))
    child = start(shell.home, "import", folder, "--json")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _stored(shell.home) == 0:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=300)
    if child.returncode == 0:
        pytest.skip("the import was quicker than the interrupt")
    assert child.returncode == 130, err
    counts = json.loads(out)
    assert counts["interrupted"] is True
    assert counts["read"] == counts["stored"] + counts["skipped"] + counts["failed"] < 3_000
    rest = shell.json("import", folder)
    assert rest["stored"] == 3_000 - counts["stored"]
    assert shell("index", "audit").code == 0


def _stored(home: Path) -> int:
    import sqlite3
    from contextlib import closing

    try:
        with closing(sqlite3.connect(home / "catalog.db")) as connection:
            return int(connection.execute("SELECT count(*) FROM products").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 90 MB: more than the engine's reserve, less than what is to be written."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root on Linux to mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=90m", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_said_nothing_is_half_written_and_it_goes_on_once_there_is_room(
    small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(small_disk / "home", capsys)
    pictures = tmp_path / "noise"
    pictures.mkdir()
    for n in range(60):
        noise = Image.frombytes("RGB", (512, 512), os.urandom(512 * 512 * 3))
        noise.save(pictures / f"{n:02}.png")  # 0.8 MB each: 47 MB in all
    ran = shell("import", pictures, "--json")
    assert "Traceback" not in ran.err
    assert ran.code == 1 or ran.json["waiting"] > 0, ran
    if ran.code == 1:
        assert "room" in ran.err or "full" in ran.err, ran.err
    with_rows = shell.json("product", "list", "--limit", 100)["products"]
    for product in with_rows:
        for picture in product["pictures"]:
            sha = picture["sha256"]
            assert next((small_disk / "home" / "media").rglob(sha)).stat().st_size > 0
    subprocess.run(["mount", "-o", "remount,size=400m", small_disk], check=True)
    counts = shell.json("import", pictures)
    assert counts["failed"] == 0
    assert shell.json("product", "list")["total"] == 60
    assert shell("index", "audit").code == 0
