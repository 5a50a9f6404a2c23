import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from crosslens.corpora.composed_css3d import convert, unpickled
from crosslens.corpora.composed_sources import open_composed
from crosslens.errors import InvalidRequest


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")


def scene(*colours: str) -> list[dict[str, object]]:
    return [
        {"shape": "circle", "color": colour, "size": "small", "pos": [0.5, 0.2 * n]}
        for n, colour in enumerate(colours)
    ]


@pytest.fixture
def original(tmp_path):
    split = {
        "mods": [{"from": [0], "to": [1], "to_str": "add red object"}],
        "objects_img": [scene(), scene("red"), scene("red")],
    }
    touch(tmp_path, "images/css_train_000000.png")
    np.save(tmp_path / "css_toy_dataset_novel2_small.dup.npy", np.array({"train": split}, object))
    return tmp_path


def test_the_original_needs_no_labels_and_has_scenes_without_things(original):
    found = open_composed(original, "train", unpickle=True)
    assert found.labels[0] == ""
    assert found.labels[1] == found.labels[2]
    assert found.wishes[0].words == {"en": ("add red object",)}
    assert found.wishes[0].kind == "add"


def test_the_original_is_converted_once_and_read_without_pickle_from_then_on(original):
    convert(original)
    assert open_composed(original, "train").wishes[0].targets == (1,)


def test_a_pickle_from_python_2_with_numpy_values_is_read(tmp_path):
    split = {
        "mods": [{"from": [np.int64(0)], "to": np.array([1]), "to_str": "x"}],
        "objects_img": [[], []],
        "labels": np.array(["a", "b"]),
    }
    path = tmp_path / "css_old.npy"
    with path.open("wb") as out:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(out, header)
        pickle.dump(np.array({"train": split}, object), out, protocol=2)
    touch(tmp_path, "images/x")
    assert open_composed(tmp_path, "train", unpickle=True).labels == ["a", "b"]


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/never-made"),))


@pytest.mark.parametrize("value", [Evil(), {"train": Evil()}])
def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path, value):
    np.save(tmp_path / "evil.npy", np.array(value, object), allow_pickle=True)
    with pytest.raises(InvalidRequest, match="no data set needs"):
        unpickled(tmp_path / "evil.npy")
    assert not Path("/tmp/never-made").exists()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array at all", b"\x93NUMPY\x01\x00"])
def test_a_damaged_pickle_is_refused_in_words(tmp_path, content):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        unpickled(tmp_path / "x.npy")


def test_wishes_that_speak_of_pictures_that_are_not_there_are_refused(original):
    table = {"train": {"mods": [{"from": [0], "to": [7], "to_str": "x"}], "objects_img": [[]]}}
    write(original / "dataset.json", table)
    with pytest.raises(InvalidRequest, match="picture 7, there are 1"):
        open_composed(original, "train")


def test_fashion200k_asks_what_differs_in_one_word(tmp_path):
    rows = {"a/1.jpeg": "blue knee dress", "a/2.jpeg": "black knee dress", "b/3.jpeg": "red hat"}
    lines = "".join(f"women/{key}\t0.9\t{caption}\n" for key, caption in rows.items())
    write(tmp_path / "labels/dress_train_detect_all.txt", lines)
    write(tmp_path / "labels/dress_test_detect_all.txt", lines)
    write(tmp_path / "test_queries.txt", "women/a/1.jpeg women/a/2.jpeg\n")
    for split in ("train", "test"):
        found = open_composed(tmp_path, split)
        assert found.wishes[0].words == {"en": ("replace blue with black",)}
        assert found.wishes[0].targets == (1,)
        assert found.labels[1] == "black knee dress"
    assert len(open_composed(tmp_path, "train").wishes) == 2


def test_mit_states_keeps_nouns_for_the_test_and_leaves_out_what_has_no_state(tmp_path):
    names = ["old car/1.jpg", "new car/2.jpg", "adj car/3.jpg", "ripe fig/4.jpg", "raw fig/5.jpg"]
    touch(tmp_path, *(f"images/{name}" for name in names))
    train, test = open_composed(tmp_path, "train"), open_composed(tmp_path, "test")
    assert train.labels == ["new car", "old car"]
    assert [wish.words["en"] for wish in train.wishes] == [("old",), ("new",)]
    assert test.labels == ["raw fig", "ripe fig"]


def test_fashion_iq_joins_two_captions_and_garments(tmp_path):
    row = {"candidate": "A", "target": "B", "captions": ["is red ", "has no sleeves"]}
    write(tmp_path / "captions/cap.dress.val.json", [row])
    write(tmp_path / "image_splits/split.dress.val.json", ["A", "B", "C"])
    write(tmp_path / "captions/cap.shirt.val.json", [row | {"candidate": "D", "target": "E"}])
    write(tmp_path / "image_splits/split.shirt.val.json", ["D", "E"])
    touch(tmp_path, "images/A.png", "images/B.jpg")
    found = open_composed(tmp_path, "val")
    assert found.wishes[0].words == {"en": ("is red and has no sleeves",)}
    assert [wish.kind for wish in found.wishes] == ["dress", "shirt"]
    assert found.pictures[0].name == "A.png"
    assert len(open_composed(tmp_path, "dress.val").pictures) == 3


def test_cirr_gives_the_hard_target_first_and_refuses_a_test_without_any(tmp_path):
    row = {"reference": "a", "target_hard": "b", "caption": "add a dog",
           "target_soft": {"b": 1.0, "c": 1.0, "a": 0.5}}  # fmt: skip
    write(tmp_path / "cirr/captions/cap.rc2.val.json", [row])
    write(tmp_path / "cirr/captions/cap.rc2.test1.json", [{"reference": "a", "caption": "x"}])
    places = {name: f"./dev/{name}.png" for name in "abc"}
    write(tmp_path / "cirr/image_splits/split.rc2.val.json", places)
    write(tmp_path / "cirr/image_splits/split.rc2.test1.json", places)
    found = open_composed(tmp_path, "val")
    assert found.wishes[0].targets == (1, 2)
    assert found.pictures[0].name == "a.png"
    with pytest.raises(InvalidRequest, match="no targets"):
        open_composed(tmp_path, "test1")


@pytest.fixture
def shop(tmp_path):
    items = [{"id": f"p{n}", "title": f"bag {n}", "image": f"images/{n}.jpg"} for n in range(60)]
    write(tmp_path / "items.jsonl", "\n".join(map(json.dumps, items)))
    wishes = [
        {"id": f"c{n}", "kind": "colour", "ref": f"p{n}", "targets": [f"p{n + 1}"],
         "text_en": "in red", "text_zh": ["同款，换成红色", "要红色的"]}
        for n in range(0, 60, 2)
    ]  # fmt: skip
    write(tmp_path / "composed.jsonl", "\n".join(map(json.dumps, wishes)))
    touch(tmp_path, *(f"images/{n}.jpg" for n in range(60)))
    return tmp_path


def test_the_wishes_of_a_catalogue_are_split_so_that_no_product_is_in_both_parts(shop):
    train, test = open_composed(shop, "train"), open_composed(shop, "test")
    assert len(train.wishes) + len(test.wishes) == len(open_composed(shop, "all").wishes) == 30
    assert min(len(train.wishes), len(test.wishes)) > 2
    used = [{n for w in part.wishes for n in (w.source, *w.targets)} for part in (train, test)]
    assert not used[0] & used[1]
    assert train.wishes[0].words["zh"] == ("同款，换成红色", "要红色的")


@pytest.mark.parametrize(
    ("path", "message"),
    [("nothing", "there is no folder"), ("", "no composed set"), ("shop", "no split 'dev'")],
)
def test_what_cannot_be_opened_is_said(tmp_path, path, message, request):
    folder = request.getfixturevalue("shop") if path == "shop" else tmp_path / path
    with pytest.raises(InvalidRequest, match=message):
        open_composed(folder, "dev")
