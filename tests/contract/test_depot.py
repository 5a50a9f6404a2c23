"""What every depot of bundles promises, in a folder or in a bucket."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosslens.encode.bundles import read_card, verify
from crosslens.encode.depots import BucketDepot, Depot, FolderDepot, pull, push
from crosslens.encode.manifests import Manifest
from crosslens.encode.tables import Digest
from crosslens.errors import BrokenBundle, CrosslensError, InvalidRequest, NotFound
from crosslens.objects import Bucket
from tiny_bundle import write_tiny


@pytest.fixture(params=["folder", "bucket"])
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> Depot:
    if request.param == "folder":
        return FolderDepot(tmp_path / "depot")
    bucket: Bucket = request.getfixturevalue("bucket")
    return BucketDepot(bucket)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = write_tiny(tmp_path / "made" / "tiny")
    (folder / "LICENSE").write_text("Apache-2.0", "utf-8")
    (folder / "README.md").write_text("说明", "utf-8")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_bundle_is_pulled_as_it_was_pushed_notes_and_licence_included(depot, bundle, tmp_path):
    manifest = push(depot, bundle, "tiny")
    assert depot.names() == ["tiny"]
    assert depot.manifest("tiny") == manifest
    card = pull(depot, "tiny", tmp_path / "shelf" / "tiny")
    assert card == read_card(bundle)
    assert contents(tmp_path / "shelf" / "tiny") == contents(bundle)


def test_several_bundles_have_names_of_their_own(depot, bundle):
    for name in ("b", "a", "a.1"):
        push(depot, bundle, name)
    assert depot.names() == ["a", "a.1", "b"]


def test_pushing_again_replaces_the_bundle(depot, bundle, tmp_path):
    push(depot, bundle, "tiny")
    (bundle / "README.md").write_text("second", "utf-8")
    push(depot, bundle, "tiny")
    pull(depot, "tiny", tmp_path / "shelf" / "tiny")
    assert contents(tmp_path / "shelf" / "tiny") == contents(bundle)


def test_pulling_again_replaces_what_is_there(depot, bundle, tmp_path):
    shelf = tmp_path / "shelf"
    push(depot, bundle, "tiny")
    pull(depot, "tiny", shelf / "tiny")
    (bundle / "README.md").write_text("second", "utf-8")
    push(depot, bundle, "tiny")
    pull(depot, "tiny", shelf / "tiny")
    assert (shelf / "tiny" / "README.md").read_text("utf-8") == "second"
    assert [path.name for path in shelf.iterdir()] == ["tiny"]


def test_what_was_removed_is_gone(depot, bundle):
    push(depot, bundle, "tiny")
    depot.remove("tiny")
    assert depot.names() == []
    for act in (depot.manifest, depot.remove):
        with pytest.raises(NotFound):
            act("tiny")


def test_what_is_not_there_is_not_found_and_nothing_is_installed(depot, tmp_path):
    with pytest.raises(NotFound):
        pull(depot, "absent", tmp_path / "shelf" / "absent")
    assert not (tmp_path / "shelf" / "absent").exists()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "a\\b", "x" * 101]
)
def test_a_name_that_leads_elsewhere_is_refused(depot, bundle, tmp_path, name):
    for act in (
        lambda: push(depot, bundle, name),
        lambda: pull(depot, name, tmp_path / "shelf" / "x"),
        lambda: depot.manifest(name),
        lambda: depot.remove(name),
    ):
        with pytest.raises(InvalidRequest, match="bundle name"):
            act()
    assert depot.names() == []


def test_an_altered_bundle_is_not_pushed(depot, bundle):
    (bundle / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(BrokenBundle):
        push(depot, bundle, "tiny")
    assert depot.names() == []


class Interrupted(Exception):
    pass


def test_a_push_that_is_broken_off_leaves_what_was_there(depot, bundle, tmp_path, monkeypatch):
    push(depot, bundle, "tiny")
    before = depot.manifest("tiny")
    (bundle / "README.md").write_text("second", "utf-8")
    lying = Manifest(
        {**before.files, "README.md": Digest("0" * 64, 6), "NEW.txt": Digest("1" * 64, 1)}
    )
    with pytest.raises((CrosslensError, OSError)):
        depot.publish("tiny", bundle, lying)
    assert depot.manifest("tiny") == before
    pull(depot, "tiny", tmp_path / "shelf" / "tiny")


class Broken:
    """A depot whose connection ends in the middle of the third file, or that sends other bytes."""

    def __init__(self, depot: Depot, *, lies: bool) -> None:
        self._depot = depot
        self._lies = lies
        self._read = 0

    def manifest(self, name: str) -> Manifest:
        return self._depot.manifest(name)

    def read(self, name: str, file: str, digest: Digest) -> Iterator[bytes]:
        self._read += 1
        whole = b"".join(self._depot.read(name, file, digest))
        yield whole[:1]
        if self._read == 3:
            if self._lies:
                yield bytes(len(whole) - 1)
                return
            raise Interrupted
        yield whole[1:]


@pytest.mark.parametrize(("lies", "failure"), [(True, BrokenBundle), (False, Interrupted)])
def test_a_pull_that_fails_half_way_leaves_what_was_there(depot, bundle, tmp_path, lies, failure):
    shelf = tmp_path / "shelf"
    push(depot, bundle, "tiny")
    pull(depot, "tiny", shelf / "tiny")
    before = contents(shelf / "tiny")
    for target in ("tiny", "new"):
        with pytest.raises(failure):
            pull(Broken(depot, lies=lies), "tiny", shelf / target)  # type: ignore[arg-type]
    assert contents(shelf / "tiny") == before
    assert [path.name for path in shelf.iterdir()] == ["tiny"]
    verify(shelf / "tiny")


def test_a_link_in_a_bundle_is_not_followed(depot, bundle, tmp_path):
    (tmp_path / "secret").write_text("secret", "utf-8")
    (bundle / "NOTES.md").symlink_to(tmp_path / "secret")
    with pytest.raises(BrokenBundle, match="not a plain file"):
        push(depot, bundle, "tiny")
    if isinstance(depot, FolderDepot):
        shutil.copytree(bundle, tmp_path / "depot" / "tiny", symlinks=True)
        with pytest.raises(BrokenBundle, match="not a plain file"):
            pull(depot, "tiny", tmp_path / "shelf" / "tiny")
