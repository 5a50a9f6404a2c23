import json
from pathlib import Path

import pytest

from crosslens.generate.provenance import read_provenance
from drawing import write_scribble
from shell import Shell


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    home = tmp_path_factory.mktemp("home")
    write_scribble(home / "generators" / "scribble")
    return home


@pytest.fixture
def shell(home: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(home, capsys)


def test_the_shell_draws_files_that_say_how_they_came_to_be(shell: Shell, tmp_path: Path):
    where = ("--out", tmp_path, "--generator", "scribble")
    made = shell.json("generate", "红鞋", "-n", 2, "--seed", 4, *where)["pictures"]
    assert [one["seed"] for one in made] == [4, 5]
    told = read_provenance(Path(made[1]["file"]).read_bytes())
    assert told is not None
    assert (told.prompt, told.generator, told.seed) == ("红鞋", "scribble", 5)
    again = shell("generate", "红鞋", "--seed", 5, *where)
    assert made[1]["file"] in again.out


def test_a_product_comes_with_the_pictures(shell: Shell, tmp_path: Path):
    wanted = ("generate", "red shoe", "--product", "--out", tmp_path, "--generator", "scribble")
    added = shell.json(*wanted)["product_id"]
    shown = json.loads(shell("product", "show", added, "--json").out)
    assert (shown["title"], len(shown["pictures"])) == ("red shoe", 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("generate", ""), "prompt is empty"),
        (("generate", "x" * 10_000), "prompt is 10,000 characters long"),
        (("generate", "shoe", "-n", 11), "n is 11, allowed: a whole number from 1 to 10"),
        (("generate", "shoe", "--size", 37), "size is 37, allowed with crosslens-sketch: 128, 256"),
        (("generate", "shoe", "--generator", "dali"), "there are: crosslens-sketch, scribble"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    shell: Shell, tmp_path: Path, arguments: tuple[object, ...], said: str
):
    ran = shell(*arguments, "--out", tmp_path)
    assert ran.code in (1, 2)
    assert said in ran.err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_takes_no_files_is_noticed_before_drawing(shell: Shell, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    ran = shell("generate", "shoe", "--generator", "no such", "--out", tmp_path / "file" / "new")
    assert ran.code == 1
    assert "cannot be written: Not a directory" in ran.err
