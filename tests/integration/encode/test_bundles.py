from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from crosslens.encode import bundles
from crosslens.encode.bundles import read_card, read_goldens, verify, write_bundle
from crosslens.encode.goldens import Goldens
from crosslens.errors import BrokenBundle, NotFound, StorageFull
from tiny_bundle import card


def plain_files() -> dict[str, bytes]:
    return {"text.onnx": b"text", "tokenizer.json": b"{}", "picture.onnx": b"picture"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "tiny", card(), files=plain_files(), goldens=Goldens())
    return tmp_path / "tiny"


def test_a_bundle_that_is_written_verifies_and_reads_the_same(tmp_path: Path) -> None:
    weights = tmp_path / "weights.onnx"
    weights.write_bytes(b"text")
    given = {**plain_files(), "text.onnx": weights}
    written = write_bundle(tmp_path / "a" / "tiny", card(), files=given, goldens=Goldens())
    assert verify(tmp_path / "a" / "tiny") == written
    assert sorted(written.digests) == [
        "goldens.npz", "picture.onnx", "text.onnx", "tokenizer.json",
    ]  # fmt: skip
    assert written.digests["text.onnx"].bytes == 4
    assert read_goldens(tmp_path / "a" / "tiny").tolerance == Goldens().tolerance
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["tiny"]


def test_writing_again_replaces_the_whole_bundle(folder: Path) -> None:
    (folder / "README.md").write_text("old")
    new = write_bundle(folder, card(about="New."), files=plain_files(), goldens=Goldens())
    assert read_card(folder) == new
    assert not (folder / "README.md").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_file_that_the_card_names_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(BrokenBundle, match=r"picture\.onnx"):
        write_bundle(
            tmp_path / "b", card(),
            files={"text.onnx": b"", "tokenizer.json": b""}, goldens=Goldens(),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_an_unlisted_kind_of_weights_is_listed_once_it_is_given(tmp_path: Path) -> None:
    given = {**plain_files(), "text.onnx.data": b"more"}
    write_bundle(tmp_path / "b", card(), files=given, goldens=Goldens())
    assert "text.onnx.data" in verify(tmp_path / "b").digests


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, StorageFull), (errno.EACCES, BrokenBundle)]
)
def test_a_failed_write_leaves_the_old_bundle_and_no_debris(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def fail(_path: Path) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(bundles, "digest_of", fail)
    with pytest.raises(kind):
        write_bundle(folder, card(about="New."), files=plain_files(), goldens=Goldens())
    monkeypatch.undo()
    assert verify(folder).about == card().about
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(bytes(content))


def _without_digests(folder: Path) -> None:
    text = (folder / "card.toml").read_text().split("[digests]")
    (folder / "card.toml").write_text(text[0] + "[training]" + text[1].split("[training]")[1])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: _flip(f / "text.onnx"), "text.onnx was altered"),
        (lambda f: _flip(f / "goldens.npz"), "goldens.npz was altered"),
        (lambda f: (f / "text.onnx").write_bytes(b"longer"), "text.onnx has 6 bytes"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda f: (f / "goldens.npz").unlink(), "goldens.npz is missing"),
        (lambda f: (f / "text.onnx.data").write_bytes(b"x"), "does not belong"),
        (lambda f: (f / "weights.pkl").write_bytes(b"x"), "does not belong"),
        (lambda f: (f / "inner").mkdir(), "does not belong"),
        (_without_digests, "has no digest of text.onnx"),
        (lambda f: (f / "card.toml").write_bytes(b"\xff"), "cannot be read"),
    ],
)
def test_harm_is_found_and_named(folder: Path, harm: Callable[[Path], None], message: str) -> None:
    harm(folder)
    with pytest.raises(BrokenBundle, match=message):
        verify(folder)


def test_large_files_are_compared_by_size_alone_when_asked(folder: Path) -> None:
    _flip(folder / "picture.onnx")
    verify(folder, largest=6)
    with pytest.raises(BrokenBundle, match="altered"):
        verify(folder, largest=7)


def test_notes_and_hidden_files_are_welcome(folder: Path) -> None:
    for name in ("README.md", "NOTICE.txt", "LICENSE", ".DS_Store"):
        (folder / name).write_text("x")
    verify(folder)


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_folder_without_a_card_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="is not a bundle"):
        verify(tmp_path / name)


def test_missing_goldens_are_reported(folder: Path) -> None:
    (folder / "goldens.npz").unlink()
    with pytest.raises(BrokenBundle, match="goldens"):
        read_goldens(folder)
