"""What every media store promises, in memory, on disk or in a bucket."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from crosslens.catalog.disk import DiskMedia
from crosslens.catalog.media import MediaStore, digest
from crosslens.catalog.memory import MemoryMedia
from crosslens.catalog.s3 import S3Media
from crosslens.errors import NotFound
from crosslens.objects import Bucket


def in_bucket(request: pytest.FixtureRequest) -> S3Media:
    bucket: Bucket = request.getfixturevalue("bucket")
    return S3Media(bucket)


@pytest.fixture(params=["memory", "disk", "s3"])
def media(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    makers: dict[str, Callable[[], MediaStore]] = {
        "memory": MemoryMedia,
        "disk": lambda: DiskMedia(tmp_path / "media"),
        "s3": lambda: in_bucket(request),
    }
    return makers[request.param]()


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 10_000])
def test_bytes_are_read_back_under_their_sha256(media, content):
    sha256 = media.put(content)
    assert sha256 == digest(content)
    assert media.get(sha256) == content


def test_a_repeat_is_stored_once(media):
    assert media.put(b"x") == media.put(b"x")
    assert list(media.digests()) == [digest(b"x")]


def test_what_is_not_stored_is_not_found(media):
    with pytest.raises(NotFound, match="no picture is stored"):
        media.get(digest(b"x"))


@pytest.mark.parametrize(
    "name",
    ["", "..", "../../etc/passwd", "a" * 63, "A" * 64, "/" * 64, "a" * 64 + "\n", "é" * 64, "\0"],
)
def test_what_is_not_a_digest_is_not_found_and_deleting_it_does_nothing(media, name):
    with pytest.raises(NotFound):
        media.get(name)
    media.delete(name)


def test_deleted_bytes_are_gone_and_deleting_twice_is_no_error(media):
    sha256 = media.put(b"x")
    media.delete(sha256)
    media.delete(sha256)
    assert list(media.digests()) == []
    with pytest.raises(NotFound):
        media.get(sha256)
    assert media.put(b"x") == sha256


def test_digests_are_listed_in_order(media):
    expected = sorted(media.put(bytes([n])) for n in range(50))
    assert list(media.digests()) == expected


def test_what_is_young_is_neither_listed_nor_deleted_when_only_the_old_is_meant(media):
    sha256 = media.put(b"x")
    assert list(media.digests(older_than_s=3_600)) == []
    media.delete(sha256, older_than_s=3_600)
    assert media.get(sha256) == b"x"
    media.delete(sha256, older_than_s=0)
    assert list(media.digests()) == []


def test_threads_storing_the_same_bytes_disturb_nobody(media):
    content = b"x" * 100_000

    def store() -> None:
        for _ in range(20):
            media.put(content)
            assert media.get(digest(content)) == content

    threads = [threading.Thread(target=store) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(media.digests()) == [digest(content)]
