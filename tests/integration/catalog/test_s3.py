"""Pictures in a bucket: what is sent, links, and a store that is away or refuses."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

import servers
from crosslens.catalog.editing import Editor
from crosslens.catalog.media import digest
from crosslens.catalog.s3 import S3Media
from crosslens.errors import InvalidRequest, NotFound, Unavailable
from crosslens.objects import Bucket, Place
from fakes import jpeg
from house import House
from service import base64_of, served
from shell import Shell


@pytest.fixture
def media(bucket: Bucket) -> S3Media:
    return S3Media(bucket)


@pytest.fixture
def lonely(s3: servers.S3Server) -> Iterator[Bucket]:
    """A bucket on a port where nobody listens."""
    place = Place("shop", "")
    bucket = Bucket(place, endpoint=f"http://127.0.0.1:{servers.free_port()}")
    yield bucket
    bucket.close()


class TestPlaces:
    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("s3://shop", Place("shop", "")),
            ("s3://shop/", Place("shop", "")),
            ("s3://shop.example/a/b/", Place("shop.example", "a/b/")),
        ],
    )
    def test_a_place_is_a_bucket_and_a_prefix(self, url, place):
        assert Place.of(url) == place

    @pytest.mark.parametrize(
        "url",
        ["", "shop", "s3://", "s3:/shop", "https://shop/x", "s3://Shop", "s3://a", "s3://a b/c"],
    )
    def test_what_is_no_place_is_refused(self, url):
        with pytest.raises(InvalidRequest, match="s3://bucket/prefix"):
            Place.of(url)


class TestMedia:
    def test_what_is_stored_is_not_sent_again(self, media, bucket, monkeypatch):
        media.put(b"x")
        monkeypatch.setattr(Bucket, "put", lambda *_: pytest.fail("sent again"))
        assert media.put(b"x") == digest(b"x")

    def test_bytes_that_are_not_those_that_were_stored_are_not_given_out(self, media, bucket):
        sha256 = media.put(b"x")
        [stored] = bucket.list()
        bucket.put(stored.key, b"y")
        with pytest.raises(Unavailable, match="other bytes than were stored"):
            media.get(sha256)

    def test_what_lies_in_the_bucket_besides_is_neither_listed_nor_deleted(self, media, bucket):
        bucket.put("notes.txt", b"x")
        bucket.put(f"{digest(b'y')}", b"y")
        sha256 = media.put(b"x")
        assert list(media.digests()) == [sha256]

    def test_a_touch_keeps_the_bytes(self, media, bucket):
        sha256 = media.put(b"x")
        [stored] = bucket.list()
        bucket.touch(stored.key)
        assert media.get(sha256) == b"x"


class TestLinks:
    def test_there_are_none_unless_wanted(self, media):
        assert media.link(media.put(b"x"), kind="image/png") is None

    def test_anyone_may_follow_a_link_for_a_while(self, bucket):
        media = S3Media(bucket, links_s=60)
        link = media.link(media.put(b"x"), kind="image/png")
        assert link is not None
        with urllib.request.urlopen(link) as answer:
            assert answer.read() == b"x"
            assert answer.headers["content-type"] == "image/png"
        assert "X-Amz-Expires=60" in link
        assert "secret" not in link

    def test_what_is_not_a_digest_has_none(self, bucket):
        assert S3Media(bucket, links_s=60).link("../secret", kind="image/png") is None


class TestAway:
    def test_a_store_that_is_away_is_unavailable_and_named(self, lonely):
        with pytest.raises(Unavailable, match="store of s3://shop does not answer"):
            S3Media(lonely).put(b"x")

    def test_a_bucket_that_is_not_there_is_named(self, s3, whole_bucket):
        other = Bucket(Place("absent"), client=whole_bucket._client)
        for act in (lambda: S3Media(other).put(b"x"), other.probe, lambda: list(other.list())):
            with pytest.raises(Unavailable, match="no bucket absent"):
                act()

    def test_an_absent_object_is_not_found(self, bucket):
        with pytest.raises(NotFound):
            bucket.get("x", at_most=10)
        with pytest.raises(NotFound):
            list(bucket.pieces("x"))

    def test_more_bytes_than_wanted_are_not_read(self, bucket):
        bucket.put("x", bytes(11))
        with pytest.raises(InvalidRequest, match="more than 10 bytes"):
            bucket.get("x", at_most=10)


def test_a_shop_keeps_its_pictures_in_a_bucket(
    s3: servers.S3Server, shell: Shell, tmp_path
) -> None:
    shell.home.mkdir()
    place = s3.new_bucket()
    settings = f'media_url = "{place}/shop"\ns3_endpoint = "{s3.endpoint}"\n'
    (shell.home / "crosslens.toml").write_text(settings, "utf-8")
    (tmp_path / "red.jpg").write_bytes(jpeg())
    added = shell("product", "add", "red shoe", "--image", tmp_path / "red.jpg")
    assert added.code == 0, added.err
    stored = s3.client().list_objects_v2(Bucket=place.removeprefix("s3://"))["Contents"]
    assert [entry["Key"].rpartition("/")[2] for entry in stored] == [digest(jpeg())]
    assert not (shell.home / "media").exists()
    assert shell("doctor").code == 0
    assert shell("product", "remove", "1", "--yes").code == 0


def test_the_service_sends_on_to_links_where_they_are_wanted(bucket: Bucket, tmp_path) -> None:
    house = House()
    house.media = S3Media(bucket, links_s=60)
    house.editor = Editor(house.catalog, house.media)
    with served(tmp_path, house=house) as shop:
        added = shop.add(pictures=[base64_of(jpeg())])
        shown = shop.http.get(f"/product/{added['product_id']}/picture/0", follow_redirects=False)
        assert shown.status_code == 307
        assert shown.headers["cache-control"] == "private, no-store"
        with urllib.request.urlopen(shown.headers["location"]) as answer:
            assert answer.read() == jpeg()
            assert answer.headers["content-type"] == "image/jpeg"
        small = shop.http.get(
            f"/product/{added['product_id']}/picture/0?size=64", follow_redirects=False
        )
        assert small.status_code == 200
