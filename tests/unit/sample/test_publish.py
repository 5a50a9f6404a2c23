from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

pytest.importorskip("skia")

from crosslens.errors import InvalidRequest, MissingExtra, StorageFull
from crosslens.sample import canvas, publish
from crosslens.sample.publish import PictureFiles, PictureFormat
from shell import Shell

SMALL = PictureFiles(size=64)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        publish.publish(tmp_path / name / "shop", 6, seed=5, files=SMALL)
    one = contents(tmp_path / "one" / "shop")
    assert one == contents(tmp_path / "two" / "shop")
    assert {"items.jsonl", "queries.jsonl", "qrels.tsv", "composed.jsonl", "duplicates.jsonl",
            "README.md"} <= one.keys()  # fmt: skip


def test_what_was_written_is_counted(tmp_path: Path) -> None:
    seen: list[int] = []
    made = publish.publish(
        tmp_path / "shop", 28, seed=5, files=PictureFiles(32), on_product=seen.append
    )
    assert seen == list(range(1, 29))
    assert (made.products, made.copies) == (28, 1)
    assert made.pictures == len(list((tmp_path / "shop" / "images").iterdir()))
    assert len((tmp_path / "shop" / "items.jsonl").read_text("utf-8").splitlines()) == 28


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_what_was_interrupted_leaves_nothing(
    tmp_path: Path, error: BaseException | type[BaseException]
) -> None:
    def stop(done: int) -> None:
        raise error

    with pytest.raises((KeyboardInterrupt, StorageFull)):
        publish.publish(tmp_path / "shop", 6, seed=5, files=PictureFiles(32), on_product=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", "utf-8")
    with pytest.raises(InvalidRequest, match="is not empty"):
        publish.publish(tmp_path, 6, seed=5, files=SMALL)
    with pytest.raises(InvalidRequest, match="is a file"):
        publish.publish(tmp_path / "letter.txt", 6, seed=5, files=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    publish.publish(tmp_path, 1, seed=5, files=PictureFiles(32, PictureFormat.PNG))
    assert list((tmp_path / "images").glob("*-1.png"))


@pytest.mark.parametrize("given", [{"size": 31}, {"size": 1025}, {"quality": 0}])
def test_pictures_out_of_range_are_refused(given: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest, match="allowed is"):
        PictureFiles(**given)  # type: ignore[arg-type]


def test_the_commands_say_what_they_wrote(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    made = shell.json("sample", "render", folder, "--products", 2, "--size", 32)
    assert (made["products"], made["folder"]) == (2, str(folder))
    assert json.loads((folder / "items.jsonl").read_text("utf-8").splitlines()[0])["image"]
    page = tmp_path / "page.png"
    ran = shell("sample", "sheet", page, "--category", "mug", "--each", 2, "--size", 32)
    assert (ran.code, page.is_file()) == (0, True)
    assert shell("sample", "sheet", page, "--category", "spaceship").code == 2
    assert shell("sample", "render", folder).code == 2
    assert shell("sample", "render", tmp_path / "x", "--format", "bmp").code == 2


def test_without_the_renderer_the_extra_is_named(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingExtra("the renderer is not installed", hint="pip install 'crosslens[sample]'")

    monkeypatch.setattr("crosslens.sample.render.skia", missing)
    ran = shell("sample", "render", tmp_path / "shop", "--products", 1)
    assert (ran.code, "crosslens[sample]" in ran.err) == (1, True)
    assert list(tmp_path.iterdir()) == []
    assert canvas.skia() is not None
