"""Training on folders as they come: clear messages, and runs that survive being killed."""

from __future__ import annotations

import json
import os
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fakes import jpeg
from shell import Shell, start

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(find_spec("torch") is None, reason="training is not installed"),
]

TINY = ("--products", "8", "--threads", "1")


def shop(folder: Path, rows: list[dict[str, object]], *, corrupt: frozenset[int] = frozenset()):
    """Write a data set; picture n is a colour of its own, or no picture at all."""
    (folder / "images").mkdir(parents=True)
    lines = []
    for n, row in enumerate(rows):
        name = f"images/{n}.jpg"
        colour = tuple(int(v) for v in np.random.default_rng(n).integers(0, 256, 3))
        content = b"\xff\xd8 no picture" if n in corrupt else jpeg(colour, (40, 40))
        (folder / name).write_bytes(content)
        lines.append(json.dumps({"id": f"p{n}", "image": name, **row}))
    (folder / "items.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


def named(count: int, **more: object) -> list[dict[str, object]]:
    return [{"title": f"Thing number {n}", **more} for n in range(count)]


def refused(shell: Shell, *arguments: object) -> str:
    ran = shell("train", "encoder", *arguments)
    assert ran.code == 2, ran
    assert ran.err.count("error: ") == 1
    assert "Traceback" not in ran.err
    return ran.err


def test_corrupt_pictures_are_left_out_and_named(shell: Shell, tmp_path: Path) -> None:
    data = shop(tmp_path / "data", named(24), corrupt=frozenset({3, 11}))
    ran = shell("train", "encoder", tmp_path / "run", "--data", data, "--steps", 2, *TINY)
    assert ran.code == 0, ran.err
    assert "left out: p3" in ran.err
    assert "left out: p11" in ran.err
    assert "finished at step 2" in ran.out


def test_three_products_are_too_few(shell: Shell, tmp_path: Path) -> None:
    said = refused(shell, tmp_path / "run", "--data", shop(tmp_path / "data", named(3)))
    assert "3 products with a title and a picture, training needs 16" in said


def test_one_category_is_enough(shell: Shell, tmp_path: Path) -> None:
    data = shop(tmp_path / "data", named(24, category="mugs"))
    ran = shell("train", "encoder", tmp_path / "run", "--data", data, "--steps", 2, *TINY)
    assert ran.code == 0, ran.err


def test_products_without_titles_are_refused(shell: Shell, tmp_path: Path) -> None:
    data = shop(tmp_path / "data", [{"title": ""} for _ in range(24)])
    said = refused(shell, tmp_path / "run", "--data", data)
    assert "0 products with a title and a picture" in said


def test_a_full_disk_is_said_and_the_run_goes_on_once_there_is_room(
    shell: Shell, tmp_path: Path
) -> None:
    data, run = shop(tmp_path / "data", named(24)), tmp_path / "run"
    run.mkdir()
    full = run / f".last.pt.{os.getpid()}"
    full.symlink_to("/dev/full")
    ran = shell("train", "encoder", run, "--data", data, "--steps", 3, *TINY)
    assert ran.code == 1, ran
    assert "there is no space left for" in ran.err
    assert "--resume goes on" in ran.err
    again = shell("train", "encoder", run, "--data", data, "--steps", 3, "--resume", *TINY)
    assert (again.code, "finished at step 3" in again.out) == (0, True), again.err


def test_resuming_with_other_settings_is_refused(shell: Shell, tmp_path: Path) -> None:
    data, run = shop(tmp_path / "data", named(24)), tmp_path / "run"
    assert shell("train", "encoder", run, "--data", data, "--steps", 2, *TINY).code == 0
    ran = shell("train", "encoder", run, "--data", data, "--steps", 3, "--resume", *TINY)
    assert "was started with steps = 2, not 3" in ran.err
    assert "already holds a training run" in shell("train", "encoder", run, "--data", data).err


def test_a_run_killed_at_any_moment_ends_where_an_undisturbed_one_does(
    shell: Shell, tmp_path: Path
) -> None:
    import torch

    data = shop(tmp_path / "data", named(24))
    options = ("--data", data, "--steps", 12, "--validate-every", 3, *TINY)
    assert shell("train", "encoder", tmp_path / "whole", *options).code == 0
    killed = start(shell.home, "train", "encoder", tmp_path / "killed", *options)
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed" / "last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    assert killed.returncode == -signal.SIGKILL
    ran = shell("train", "encoder", tmp_path / "killed", *options, "--resume")
    assert ran.code == 0, ran.err
    ends = [torch.load(tmp_path / name / "last.pt", weights_only=True) for name in
            ("whole", "killed")]  # fmt: skip
    assert ends[0]["step"] == ends[1]["step"] == 12
    for part in ("weights", "averages"):
        assert all(torch.equal(value, ends[1][part][key]) for key, value in ends[0][part].items())
