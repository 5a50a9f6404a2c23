"""What the README and the guides show is run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from fakes import jpeg
from shell import Shell

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str) -> list[list[str]]:
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("crosslens ")]


def test_the_first_screen_shows_exactly_the_two_commands() -> None:
    first = blocks(README, "sh")[0].splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]
    targets = (ROOT / "Makefile").read_text("utf-8")
    assert "\ndemo:" in targets
    assert "\ntest:" in targets


def test_the_shell_examples_of_the_readme_run(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    for n, colour in enumerate(["red", "pink", "blue", "red", "green", "red", "red"]):
        (tmp_path / f"{n}.jpg").write_bytes(jpeg((40 * n, 30, 200 - 20 * n)))
        rows.append({"id": str(n), "title": f"{colour} striped dress {n}", "image": f"{n}.jpg",
                     "attributes": {"colour": colour, "price": 20 + n}})  # fmt: skip
    (tmp_path / "products.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    monkeypatch.chdir(tmp_path)
    shown = commands(README)
    assert len(shown) >= 8
    for command in shown:
        ran = shell(*command[1:])
        assert ran.code == 0, (command, ran.err)


def test_the_python_example_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(README, "python")
    exec(compile(example, "README.md", "exec"), {})
    assert "red cotton shirt" in capsys.readouterr().out


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), (page.name, target)
