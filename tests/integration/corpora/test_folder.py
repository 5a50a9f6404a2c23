import os
from pathlib import Path

import pytest

from crosslens.corpora.records import BadRecord, Record
from crosslens.corpora.sources import open_source
from crosslens.errors import InvalidRequest
from fakes import jpeg


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg())
    return path


def keys(folder: Path, **options: Path) -> list[str | None]:
    return [entry.key for entry in open_source(folder, **options)]


def test_pictures_are_read_in_the_order_of_their_paths(tmp_path):
    for name in (
        "b/1.jpg",
        "a/1.jpg",
        "a/0.PNG",
        "z.webp",
        ".hidden.jpg",
        ".git/x.jpg",
        "a/notes.txt",
    ):
        picture(tmp_path / name)
    (tmp_path / "a/notes.txt").write_text("no picture")
    entries = list(open_source(tmp_path))
    assert [entry.key for entry in entries] == ["a/0.PNG", "a/1.jpg", "b/1.jpg", "z.webp"]
    assert open_source(tmp_path).count_hint() == 4


def test_a_title_is_the_readable_file_name(tmp_path):
    path = picture(tmp_path / "red-shoe_01.jpg")
    (entry,) = open_source(tmp_path)
    assert (entry.title, entry.pictures) == ("red shoe 01", (path,))
    picture(tmp_path / "_.jpg")
    assert next(iter(open_source(tmp_path))).title == "_.jpg"


def test_a_picture_under_a_lying_name_is_found_and_others_are_not(tmp_path):
    picture(tmp_path / "really.svg")
    picture(tmp_path / "noextension")
    (tmp_path / "drawing.svg").write_text("<svg/>")
    (tmp_path / "short").write_bytes(b"\xff")
    assert keys(tmp_path) == ["noextension", "really.svg"]


def test_an_empty_file_named_as_picture_counts(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert keys(tmp_path) == ["a.jpg"]


def test_links_in_circles_end_and_outside_links_are_followed_once(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    picture(root / "a/1.jpg")
    picture(outside / "2.jpg")
    (root / "a/up").symlink_to(root, target_is_directory=True)
    (root / "twin").symlink_to(root / "a", target_is_directory=True)
    (root / "b").symlink_to(outside, target_is_directory=True)
    (root / "c").symlink_to(outside, target_is_directory=True)
    (outside / "back").symlink_to(root, target_is_directory=True)
    assert keys(root) == ["a/1.jpg", "b/2.jpg"]


def test_a_link_that_leads_nowhere_is_reported(tmp_path):
    picture(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "c.jpg")
    entries = list(open_source(tmp_path))
    assert [type(entry) for entry in entries] == [Record, BadRecord, BadRecord]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_reported(tmp_path):
    picture(tmp_path / "a.jpg")
    picture(tmp_path / "locked/b.jpg").parent.chmod(0)
    entries = list(open_source(tmp_path))
    (tmp_path / "locked").chmod(0o700)
    assert "cannot be read" in entries[1].reason


def test_a_name_that_is_not_utf8_is_reported(tmp_path):
    picture(tmp_path / "a.jpg")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))).write_bytes(jpeg())
    entries = list(open_source(tmp_path))
    assert [type(entry) for entry in entries] == [Record, BadRecord]


def test_captions_become_titles_by_path_or_by_name(tmp_path):
    for name in ("a/1.jpg", "b/1.jpg", "b/2.jpg"):
        picture(tmp_path / name)
    (tmp_path / "captions.csv").write_text(
        "file,caption,colour\nb/1.jpg,Exact,red\n1.jpg,By name,\nmissing.jpg,Nobody,\n,x,\n"
    )
    found = {e.key: e for e in open_source(tmp_path) if isinstance(e, Record)}
    assert {key: e.title for key, e in found.items()} == {
        "a/1.jpg": "By name", "b/1.jpg": "Exact", "b/2.jpg": "2",
    }  # fmt: skip
    assert found["b/1.jpg"].attributes == {"colour": "red"}
    bad = [entry for entry in open_source(tmp_path) if isinstance(entry, BadRecord)]
    assert [(e.where.line, e.key) for e in bad] == [(5, None), (4, "missing.jpg")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions.tsv", "filename\ttitle\tdescription\n1.jpg\tRed\tdeep\n"),
        ("captions.jsonl", '{"file_name": "1.jpg", "title": "Red", "description": "deep"}\n'),
        ("metadata.csv", "file_name,text,title\n1.jpg,deep,Red\n"),
    ],
)
def test_captions_may_be_of_several_kinds(tmp_path, name, text):
    picture(tmp_path / "1.jpg")
    (tmp_path / name).write_text(text)
    (entry,) = open_source(tmp_path)
    assert (entry.title, entry.description, entry.key) == ("Red", "deep", "1.jpg")


@pytest.mark.parametrize("separator", ["\t", ","])
def test_plain_captions_may_repeat_a_picture(tmp_path, separator):
    picture(tmp_path / "1.jpg")
    lines = [f"1.jpg#{n}{separator}caption {n}, long" for n in range(3)]
    (tmp_path / "captions.txt").write_text("\n".join(["image" + separator + "caption", *lines]))
    (entry,) = open_source(tmp_path)
    assert entry.title == "caption 0, long"
    assert entry.attributes == {"captions": ["caption 1, long", "caption 2, long"]}


def test_captions_may_stand_elsewhere(tmp_path):
    picture(tmp_path / "pictures/1.jpg")
    (tmp_path / "words.tsv").write_text("1.jpg\t红鞋\n")
    (entry,) = open_source(tmp_path / "pictures", captions=tmp_path / "words.tsv")
    assert entry.title == "红鞋"
    with pytest.raises(InvalidRequest, match="captions"):
        open_source(tmp_path / "pictures", captions=tmp_path / "none.tsv")


def test_captions_of_a_file_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("title\na\n")
    with pytest.raises(InvalidRequest, match="belong to a folder"):
        open_source(tmp_path / "a.csv", captions=tmp_path / "a.csv")
