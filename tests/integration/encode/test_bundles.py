from __future__ import annotations

from pathlib import Path

import pytest

from crosslens.encode.bundles import read_card, read_goldens, verify, write_bundle
from crosslens.encode.goldens import Goldens
from crosslens.errors import BrokenBundle, NotFound
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


def test_an_unlisted_kind_of_weights_is_listed_once_it_is_given(tmp_path: Path) -> None:
    given = {**plain_files(), "text.onnx.data": b"more"}
    write_bundle(tmp_path / "b", card(), files=given, goldens=Goldens())
    assert "text.onnx.data" in verify(tmp_path / "b").digests


def test_large_files_are_compared_by_size_alone_when_asked(folder: Path) -> None:
    (folder / "picture.onnx").write_bytes(b"Picture")
    verify(folder, largest=6)
    with pytest.raises(BrokenBundle, match="altered"):
        verify(folder, largest=7)


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_folder_without_a_card_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="is not a bundle"):
        verify(tmp_path / name)
