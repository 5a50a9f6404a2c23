"""What every kind of model promises of its folder: bundles, composers and generators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crosslens.compose.bundles import COMPOSER
from crosslens.encode import folders
from crosslens.encode.bundles import BUNDLE
from crosslens.encode.folders import GOLDENS, Kind
from crosslens.errors import BrokenBundle, CrosslensError, NotFound, StorageFull
from crosslens.generate.bundles import GENERATOR
from drawing import write_scribble
from tiny_bundle import write_tiny
from tiny_composer import write_tiny_composer

WRITERS: dict[str, tuple[Kind[Any], Callable[[Path], object]]] = {
    "bundle": (BUNDLE, write_tiny),
    "composer": (COMPOSER, write_tiny_composer),
    "generator": (GENERATOR, write_scribble),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("kinds")
    for noun, (_, write) in WRITERS.items():
        write(folder / noun)
    return folder


@pytest.fixture(params=list(WRITERS))
def kind(request: pytest.FixtureRequest) -> Kind[Any]:
    return WRITERS[request.param][0]


@pytest.fixture
def folder(kind: Kind[Any], written: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "model"
    copy.mkdir()
    for path in (written / kind.noun).iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(bytes(content))


def without_digests(folder: Path) -> None:
    card = next(folder.glob("*.toml"))
    head, _, rest = card.read_text("utf-8").partition("[digests]")
    card.write_text(head + "[training]" + rest.split("[training]")[1], "utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_as_it_was_written_is_accepted(kind: Kind[Any], folder: Path):
    card = kind.verify(folder)
    assert {path.name for path in folder.iterdir()} == {*card.files, GOLDENS, kind.card}
    assert kind.parse(kind.format(card)) == card


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: flip(next(f.glob("*.onnx"))), "onnx was altered: its SHA-256"),
        (lambda f: next(f.glob("*.onnx")).write_bytes(b"longer"), "was altered: it has 6 bytes"),
        (lambda f: flip(f / GOLDENS), "goldens.npz was altered"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda f: (f / GOLDENS).unlink(), "goldens.npz is missing"),
        (lambda f: (f / "text.onnx.data").write_bytes(b"x"), "does not belong to the"),
        (lambda f: (f / "weights.pkl").write_bytes(b"x"), "does not belong to the"),
        (lambda f: (f / "inner").mkdir(), "does not belong to the"),
        (without_digests, "has no digest of"),
        (lambda f: next(f.glob("*.toml")).write_bytes(b"\xff"), "cannot be read"),
        (lambda f: next(f.glob("*.toml")).write_text("dim = "), "is not TOML"),
    ],
)
def test_harm_is_found_and_named(
    kind: Kind[Any], folder: Path, harm: Callable[[Path], None], message: str
):
    harm(folder)
    with pytest.raises(BrokenBundle, match=message):
        kind.verify(folder)


def test_notes_and_hidden_files_may_lie_beside(kind: Kind[Any], folder: Path):
    for name in ("README.md", "metrics.txt", "LICENSE", ".part"):
        (folder / name).write_text("read me", "utf-8")
    assert kind.verify(folder) == kind.read(folder)


def test_a_folder_without_a_card_is_not_found(kind: Kind[Any], tmp_path: Path):
    with pytest.raises(NotFound, match=f"is not a {kind.noun}: it has no {kind.card}"):
        kind.read(tmp_path)


def test_goldens_that_cannot_be_read_are_named(kind: Kind[Any], folder: Path):
    np.savez(folder / GOLDENS, other=np.zeros(3))
    with pytest.raises(BrokenBundle, match=r"goldens\.npz cannot be read"):
        kind.goldens(folder, lambda arrays: arrays["vectors"])
    (folder / GOLDENS).unlink()
    with pytest.raises(BrokenBundle, match=r"goldens\.npz cannot be read"):
        kind.goldens(folder, dict)


def test_a_file_that_the_card_names_must_be_given(kind: Kind[Any], folder: Path, tmp_path: Path):
    with pytest.raises(BrokenBundle, match="which is not given"):
        kind.write(tmp_path / "new", kind.read(folder), {GOLDENS: b""})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("number", "says"), [(28, StorageFull), (13, BrokenBundle)])
def test_a_failed_write_leaves_the_old_folder_and_no_debris(
    kind: Kind[Any],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    says: type[CrosslensError],
):
    def fail(path: Path) -> None:
        raise OSError(number, "no")

    card, before = kind.read(folder), contents(folder)
    monkeypatch.setattr(folders, "digest_of", fail)
    with pytest.raises(says):
        kind.write(folder, card, before)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
