import json
from collections import Counter, defaultdict

import numpy as np
import pytest
from PIL import Image

from crosslens.corpora.composed_sources import open_composed
from crosslens.errors import InvalidRequest
from crosslens.sample.css3d import DATA, PLAIN, Look, pictures, publish
from crosslens.sample.css3d import plan as plan_set
from crosslens.sample.css3d_ceiling import ceiling
from crosslens.sample.css3d_render import draw
from crosslens.sample.css3d_scenes import (
    CONDITION_A,
    CONDITION_B,
    Asked,
    Plan,
    Thing,
    Wish,
    applied,
    chinese,
    english,
    invent,
    label,
)

RED_CUBE = Thing(0, "cube", "red", "large")
GREY_BALL = Thing(4, "sphere", "gray", "small")


@pytest.fixture(scope="module")
def plan():
    return invent(20, 40, CONDITION_A, seed=5)


def test_every_scene_is_asked_about_in_two_different_ways_at_least(plan):
    told = defaultdict(set)
    for asked in plan.asked:
        for source in asked.sources:
            told[source].add(english(asked.wish))
    assert set(told) == set(range(20))
    assert min(map(len, told.values())) >= 2


def test_each_wish_is_put_to_three_base_scenes_and_each_time_makes_a_scene(plan):
    assert len(plan.scenes) == 20 + 3 * 40
    assert Counter(t for a in plan.asked for t in a.targets) == Counter(range(20, 140))


def test_colours_meet_shapes_as_the_condition_says(plan):
    assert all(t.colour in CONDITION_A[t.shape] for scene in plan.scenes for t in scene)
    assert not set(CONDITION_A["cube"]) & set(CONDITION_B["cube"])


def test_the_same_seed_invents_the_same_split(plan):
    assert invent(20, 40, CONDITION_A, seed=5) == plan
    assert invent(20, 40, CONDITION_A, seed=6) != plan


def test_too_few_wishes_are_refused_instead_of_leaving_scenes_with_one():
    with pytest.raises(InvalidRequest, match="two of them"):
        invent(20, 10, CONDITION_A, seed=1)


@pytest.mark.parametrize(
    ("wish", "en", "zh"),
    [
        (Wish("add", (("colour", "brown"),)), "add brown object", "加一个棕色的物体"),
        (
            Wish("add", (("cell", 8), ("size", "large"), ("shape", "sphere"))),
            "add large circle to bottom-right",
            "在右下角加一个大圆球",
        ),
        (Wish("remove", (("cell", 4),)), "remove middle-center object", "去掉正中间的物体"),
        (
            Wish("make", (("colour", "blue"),), ("size", "small")),
            "make blue object small",
            "把蓝色的物体变小",
        ),
        (
            Wish("make", (("shape", "cube"),), ("shape", "cylinder")),
            "make rectangle triangle",
            "把方块变成圆柱",
        ),
    ],
)
def test_wishes_are_said_in_both_languages(wish, en, zh):
    assert english(wish) == en
    assert chinese(wish) == zh


def test_a_wish_means_exactly_one_thing():
    scene = (RED_CUBE, GREY_BALL)
    rng = np.random.default_rng(0)
    gone = applied(Wish("remove", (("size", "small"),)), scene, rng, CONDITION_B)
    assert gone == (RED_CUBE,)
    twins = (GREY_BALL, Thing(5, "cube", "green", "small"))
    assert applied(Wish("remove", (("size", "small"),)), twins, rng, CONDITION_B) is None
    same = Wish("make", (("shape", "cube"),), ("colour", "red"))
    assert applied(same, scene, rng, CONDITION_B) is None


def test_what_is_not_said_can_only_be_guessed():
    ball, cylinder = GREY_BALL, Thing(8, "cylinder", "green", "small")
    base = (RED_CUBE,)
    scenes = (base, (RED_CUBE, ball), (RED_CUBE, cylinder), (RED_CUBE, ball), ())
    vague = Asked(Wish("add", (("size", "small"),)), (0,), (1,))
    plain = Asked(Wish("add", (("colour", "green"),)), (0,), (2,))
    gone = Asked(Wish("remove", (("shape", "cube"),)), (0,), (4,))
    found = ceiling(Plan(scenes, (vague, plain, gone)))
    assert found["add"] == pytest.approx(3 / 4)  # two scenes of one label are one answer
    assert found["remove"] == 1
    assert found["all"] == pytest.approx(5 / 6)


def test_a_label_is_the_same_in_whatever_order_things_stand():
    assert label((RED_CUBE, GREY_BALL)) == label((GREY_BALL, RED_CUBE))


def test_a_thing_shows_in_its_place_and_colour():
    empty = draw((), np.random.default_rng(1), width=48, height=32).astype(int)
    red = draw((RED_CUBE,), np.random.default_rng(1), width=48, height=32).astype(int)
    changed = np.abs(red - empty).sum(2) > 60
    assert changed[:16, :24].sum() > 10
    assert changed[16:, 24:].sum() == 0
    y, x = np.argwhere(changed[:16, :24])[len(np.argwhere(changed[:16, :24])) // 2]
    assert red[y, x, 0] > red[y, x, 1] + 20


@pytest.mark.parametrize("shape", ["cube", "sphere", "cylinder"])
def test_the_lamp_throws_a_shadow(shape):
    ground = draw((), np.random.default_rng(1), width=48, height=32).astype(int)
    scene = (Thing(4, shape, "yellow", "large"),)
    lit = draw(scene, np.random.default_rng(1), width=48, height=32).astype(int)
    assert (ground.sum(2) - lit.sum(2)).max() > 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("css3d") / "set"
    publish(path, Look(width=24, samples=1, bases=12), processes=2)
    return path


def test_the_set_is_written_in_the_layout_of_the_original_and_read_back(folder):
    found = open_composed(folder, "train")
    assert len(list((folder / "images").iterdir())) == pictures(Look(bases=12))
    assert all(path.is_file() for path in found.pictures)
    assert len(found.wishes) == 3 * 72
    assert found.languages() == ("en", "zh")
    assert {wish.kind for wish in found.wishes} == {"add", "remove", "make"}
    assert found.about["name"] == "CSS3D-R"
    limits = json.loads((folder / "about.json").read_text("utf-8"))["ceiling"]
    assert all(limits[split]["add"] < 1 == limits[split]["remove"] for split in limits)


def test_the_full_set_has_the_counts_of_the_original():
    assert pictures(Look()) == 19_012 + 19_057 + 4_750


def test_pictures_drawn_by_several_processes_are_those_that_one_would_draw(folder):
    scene = plan_set(Look(bases=12))["test"].scenes[70]
    alone = draw(scene, np.random.default_rng([2, 70]), width=24, height=16, samples=1)
    path = open_composed(folder, "test").pictures[70]
    assert np.array_equal(np.asarray(Image.open(path)), alone)


def test_the_pickle_is_opened_only_when_asked_for_and_says_the_same(folder, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    (old / DATA).write_bytes((folder / DATA).read_bytes())
    (old / "images").symlink_to(folder / "images")
    with pytest.raises(InvalidRequest, match="pickle"):
        open_composed(old, "train")
    found = open_composed(old, "train", unpickle=True)
    assert found.wishes == open_composed(folder, "train").wishes
    assert not (old / PLAIN).exists()
