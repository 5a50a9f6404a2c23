"""Bundles that come from strangers: archives and manifests that lead elsewhere, or have no end."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from crosslens.encode.archives import pack, unpack
from crosslens.encode.bundles import verify
from crosslens.encode.manifests import MAX_BYTES, MAX_FILES, manifest_of, parse_manifest
from crosslens.errors import BrokenBundle, CrosslensError, StorageFull
from tiny_bundle import write_tiny

DIGEST = "0" * 64


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "made" / "tiny")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "home" / "bundles"


def archive(*members: tuple[tarfile.TarInfo | str, bytes]) -> io.BytesIO:
    """A tar as any program may write it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    out.seek(0)
    return out


def manifest(**files: int) -> tuple[str, bytes]:
    told = {"card.toml": [DIGEST, 1], **{name: [DIGEST, size] for name, size in files.items()}}
    return "manifest.json", json.dumps({"format": 1, "files": told}).encode()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def nothing_else(shelf: Path, outside: Path) -> None:
    """Whatever was tried, no file came to be anywhere."""
    assert not shelf.exists() or list(shelf.iterdir()) == []
    assert not outside.exists()


def test_a_bundle_is_unpacked_as_it_was_packed(bundle, shelf):
    out = io.BytesIO()
    packed = pack(bundle, out)
    out.seek(0)
    unpack(out, shelf / "tiny")
    assert manifest_of(shelf / "tiny") == packed
    verify(shelf / "tiny")
    assert [path.name for path in shelf.iterdir()] == ["tiny"]


def test_any_tar_program_can_read_an_archive(bundle):
    out = io.BytesIO()
    packed = pack(bundle, out)
    out.seek(0)
    with tarfile.open(fileobj=out) as read:
        assert read.getnames() == ["manifest.json", *packed.files]


@pytest.mark.parametrize(
    "name",
    ["../evil.txt", "/tmp/evil.txt", "a/b.txt", "..", "./card.toml", "C:\\evil", ".hidden", "a\0b"],
)
def test_a_pushed_archive_writes_nothing_outside_its_folder(bundle, shelf, tmp_path, name):
    """Reference bug M11: a path was compared as a string of letters, and led out of its folder."""
    evil = archive(manifest(**{"x.txt": 4}), ("card.toml", b"x"), (name, b"evil"))
    with pytest.raises(BrokenBundle):
        unpack(evil, shelf / "tiny")
    promised = archive(manifest(**{name: 4}), ("card.toml", b"x"), (name, b"evil"))
    with pytest.raises(BrokenBundle):
        unpack(promised, shelf / "tiny")
    nothing_else(shelf, tmp_path / "home" / "evil.txt")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_folders_and_devices_are_refused(shelf, tmp_path, kind):
    evil = archive(manifest(**{"x.txt": 1}), (link("x.txt", "/etc/passwd", kind), b""))
    with pytest.raises(BrokenBundle, match="not a plain file"):
        unpack(evil, shelf / "tiny")
    nothing_else(shelf, tmp_path / "x.txt")


def test_more_bytes_than_promised_are_not_written(shelf, tmp_path):
    bomb = archive(manifest(**{"x.txt": 10}), ("x.txt", bytes(5_000_000)))
    with pytest.raises(BrokenBundle, match="more than the 10 bytes promised"):
        unpack(bomb, shelf / "tiny")
    nothing_else(shelf, tmp_path / "x.txt")


def test_a_promise_beyond_the_disk_is_refused_before_a_byte_is_written(shelf, monkeypatch):
    # The disk of a machine may have room for the most that is taken.
    small = SimpleNamespace(free=2**30)
    monkeypatch.setattr("crosslens.encode.arrivals.shutil.disk_usage", lambda folder: small)
    with pytest.raises(StorageFull, match="left; nothing was fetched"):
        unpack(archive(manifest(**{"x.onnx": MAX_BYTES - 10})), shelf / "tiny")
    with pytest.raises(BrokenBundle, match="at most"):
        unpack(archive(manifest(**{"x.onnx": MAX_BYTES + 1})), shelf / "tiny")


def test_a_header_that_promises_gigabytes_of_itself_is_refused(shelf):
    """A pax header is read into memory by those who read it at all."""
    info = tarfile.TarInfo("./PaxHeaders/x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 40
    with pytest.raises(BrokenBundle, match="not a plain file"):
        unpack(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT)), shelf / "tiny")


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"x" * 512, bytes(1024), b"\x1f\x8b" + bytes(2_000), b"PK\x03\x04" + bytes(2_000)],
)
def test_what_is_no_archive_is_refused(shelf, content):
    with pytest.raises(BrokenBundle, match="not the archive of a bundle"):
        unpack(io.BytesIO(content), shelf / "tiny")
    assert not shelf.exists()


def test_an_archive_that_ends_early_installs_nothing(bundle, shelf):
    out = io.BytesIO()
    pack(bundle, out)
    for length in range(0, len(out.getvalue()) - 1_024, 3_000):
        with pytest.raises(BrokenBundle):
            unpack(io.BytesIO(out.getvalue()[:length]), shelf / "tiny")
    assert not shelf.exists() or list(shelf.iterdir()) == []


def test_pickled_weights_have_no_place_in_a_bundle(bundle, shelf):
    """Reference bug M17: serving a model ran whatever program lay beside it."""
    out = io.BytesIO()
    for name in ("preprocessor.py", "pytorch_model.bin", "weights.pkl"):
        (bundle / name).write_bytes(b"import os")
        with pytest.raises(BrokenBundle, match="does not belong to the bundle"):
            pack(bundle, out)
        (bundle / name).unlink()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"{}", b'{"format": 2, "files": {}}', b'{"format": 1, "files": []}', b"\xff",
        b'{"format": 1, "files": {"card.toml": ["x", 1]}}',
        b'{"format": 1, "files": {"card.toml": ["' + b"0" * 64 + b'", -1]}}',
        b'{"format": 1, "files": {"card.toml": ["' + b"0" * 64 + b'", 1, 2]}}',
        manifest(**{f"f{n}": 1 for n in range(MAX_FILES)})[1],
        b'{"format": 1, "files": {"x": ["' + b"0" * 64 + b'", 1]}}',
        b"[" * 50_000,
    ],
)  # fmt: skip
def test_a_manifest_that_promises_nonsense_is_refused(text):
    with pytest.raises(CrosslensError):
        parse_manifest(text)
