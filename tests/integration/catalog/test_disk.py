"""Pictures in a folder: what the disk may do to them."""

import multiprocessing
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from crosslens.catalog.disk import DiskMedia
from crosslens.catalog.media import digest
from crosslens.errors import NotFound, StorageFull, Unavailable

DAY_S = 86_400.0
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "media"


def files(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_bytes_lie_under_their_digest(root):
    sha256 = DiskMedia(root).put(b"x")
    assert (root / sha256[:2] / sha256[2:4] / sha256).read_bytes() == b"x"
    assert DiskMedia(root).get(sha256) == b"x"


def test_a_repeat_writes_no_file(root):
    media = DiskMedia(root)
    path = root / "2d" / "71" / media.put(b"x")
    before = path.stat()
    media.put(b"x")
    assert path.stat() == before


def test_a_file_that_a_power_failure_cut_short_is_written_anew(root):
    media = DiskMedia(root)
    sha256 = media.put(b"whole")
    (root / sha256[:2] / sha256[2:4] / sha256).write_bytes(b"")
    media.put(b"whole")
    assert media.get(sha256) == b"whole"


def test_only_the_old_is_listed_and_swept_and_a_repeat_makes_it_young(root):
    media = DiskMedia(root)
    old, young, repeated = media.put(b"old"), media.put(b"young"), media.put(b"repeated")
    for sha256 in (old, repeated):
        path = root / sha256[:2] / sha256[2:4] / sha256
        os.utime(path, (time.time() - DAY_S,) * 2)
    assert set(media.digests(older_than_s=DAY_S / 2)) == {old, repeated}
    media.put(b"repeated")
    assert list(media.digests(older_than_s=DAY_S / 2)) == [old]
    media.delete(young, older_than_s=DAY_S / 2)
    media.delete(repeated, older_than_s=DAY_S / 2)
    media.delete(old, older_than_s=DAY_S / 2)
    assert set(media.digests()) == {young, repeated}


def test_a_path_is_never_made_of_what_is_no_digest(root):
    media = DiskMedia(root)
    secret = root.parent / "secret"
    secret.write_text("x")
    for name in ("../secret", "../../secret", str(secret), "..", "unfinished"):
        with pytest.raises(NotFound):
            media.get(name)
        media.delete(name)
    assert secret.exists()


def test_foreign_files_are_overlooked(root):
    media = DiskMedia(root)
    sha256 = media.put(b"x")
    (root / "README").write_text("hello")
    (root / sha256[:2] / "note.txt").write_text("hello")
    (root / sha256[:2] / sha256[2:4] / ".DS_Store").write_text("hello")
    assert list(media.digests()) == [sha256]


def test_what_a_killed_process_left_is_invisible_and_swept_when_old(root):
    media = DiskMedia(root)
    old, young = root / "unfinished" / "old", root / "unfinished" / "young"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (time.time() - DAY_S,) * 2)
    assert list(media.digests()) == []
    DiskMedia(root)
    assert files(root) == ["young"]


def test_a_full_disk_is_told_and_leaves_nothing_behind(root):
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        told = pool.submit(put_with_little_room, str(root)).result()
    assert told == "StorageFull"
    assert files(root) == []


def put_with_little_room(root: str) -> str:
    media = DiskMedia(Path(root))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
    try:
        media.put(b"x" * 100_000)
    except StorageFull as failure:
        return type(failure).__name__
    return "stored"


def test_a_root_that_is_a_file_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="cannot be opened"):
        DiskMedia(tmp_path / "file")


def test_a_folder_that_went_away_comes_back_with_the_next_picture(root):
    media = DiskMedia(root)
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir()
    root.rmdir()
    sha256 = media.put(b"x")
    assert media.get(sha256) == b"x"


def test_processes_storing_the_same_bytes_disturb_nobody(root):
    with ProcessPoolExecutor(3, mp_context=SPAWN) as pool:
        stored = set(pool.map(store, [str(root)] * 3))
    assert stored == {digest(b"x" * 100_000)}
    assert files(root) == sorted(stored)


def store(root: str) -> str:
    media = DiskMedia(Path(root))
    return {media.put(b"x" * 100_000) for _ in range(20)}.pop()
