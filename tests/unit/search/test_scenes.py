"""The file of scenes: what is wrong is pointed at by line, what is right is compiled once."""

from __future__ import annotations

from pathlib import Path

import pytest

import crosslens.bundled
from crosslens.errors import InvalidRequest, NotFound
from crosslens.search.marked import read_marked
from crosslens.search.request import Fusion
from crosslens.search.scene_file import SceneFile
from crosslens.search.scenes import compiled
from crosslens.values import Kind
from scening import scenes

SHIPPED = Path(crosslens.bundled.__file__).parent / "scenes.yaml"

LAYERED = """
scenes:
  shop:
    match: {kind: hybrid, candidates: 50}
    rank: {fusion: rrf, depth: 10}
    layers:
      - name: ranking
        rank: {depth: 20}
        experiments:
          - {name: base, ratio: 1}
          - name: diverse
            ratio: 1
            rank: {diversity: 0.5, depth: 30}
      - name: matching
        experiments:
          - {name: base, ratio: 9}
          - {name: wide, ratio: 1, match: {candidates: 400}}
"""


def test_the_scenes_that_come_along_are_right() -> None:
    found = compiled(read_marked(SHIPPED.read_text("utf-8"), "scenes.yaml"))
    assert set(found.scenes) == {"products", "question-answer"}
    behaviour = found.get("question-answer").choose("").behaviour
    assert [probe.name for probe in behaviour.match.probes] == ["text2text", "keyword"]
    with pytest.raises(NotFound, match="question-answer"):
        found.get("other")


def test_a_scene_is_overlaid_by_its_layer_and_that_by_its_experiment() -> None:
    scene = scenes(LAYERED).get("shop")
    base = scene.choose("ann", {"ranking": "base", "matching": "base"}).behaviour
    diverse = scene.choose("ann", {"ranking": "diverse", "matching": "wide"}).behaviour
    assert (base.rank.depth, base.rank.diversity, base.match.candidates) == (20, 0.0, 50)
    assert (diverse.rank.depth, diverse.rank.diversity) == (30, 0.5)
    assert diverse.match.candidates == 400
    assert diverse.match.kind is Kind.HYBRID
    assert diverse.rank.fusion is Fusion.RRF


def test_who_does_not_say_who_they_are_gets_the_first_experiment_of_each_layer() -> None:
    assert scenes(LAYERED).get("shop").choose("").experiments == {
        "ranking": "base",
        "matching": "base",
    }


def test_every_layer_of_every_scene_has_a_salt_of_its_own() -> None:
    """M5: one salt stood in the code for all of them, left over from another project."""
    other = LAYERED.split("scenes:\n", 1)[1].replace("  shop:", "  other:", 1)
    found = scenes(LAYERED + other).scenes.values()
    salts = [layer.salt for scene in found for layer in scene.layers]
    assert len(salts) == 4
    assert len(set(salts)) == 4


def test_one_experiment_of_two_scenes_never_leaks_from_one_to_the_other() -> None:
    """M6: experiments were shared objects, initialised anew for each scene that named them."""
    text = """
scenes:
  one:
    rank: {depth: 11}
    layers: [{name: l, experiments: [{name: same, ratio: 1, rank: {diversity: 0.1}}]}]
  two:
    rank: {depth: 22}
    layers: [{name: l, experiments: [{name: same, ratio: 1, rank: {diversity: 0.2}}]}]
"""
    found = scenes(text)
    ranks = {name: found.get(name).choose("u").behaviour.rank for name in ("one", "two", "one")}
    assert (ranks["one"].depth, ranks["one"].diversity) == (11, 0.1)
    assert (ranks["two"].depth, ranks["two"].diversity) == (22, 0.2)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("scenes:\n  a:\n    rank: {fusion: max}", 3, "rank.fusion is 'max', allowed are rrf"),
        ("scenes:\n  a:\n    rank:\n      depht: 3", 4, "rank.depht is not known"),
        ("scenes:\n  a:\n    match: {probes: {words: 1}}", 3, "probes.words is not known"),
        ("scenes:\n  a:\n    match: {probes: {keyword: 0}}", 3, "needs one probe"),
        ("scenes:\n  a:\n    match: {filter: 'colour ='}", 3, "filter cannot be read"),
        ("scenes:\n  a:\n    match: {filter: 'size = 3'}", 3, "filter cannot be read"),
        ("scenes:\n  a:\n    rank: {diversity: 2}", 3, "diversity is 2, allowed is 0 to 1"),
        ("scenes:\n  a:\n    rank: {depth: yes}", 3, "depth is True, it must be a number"),
        ("scenes:\n  a:\n    query: {synonyms: [[one]]}", 3, "needs two words"),
        ("scenes:\n  a:\n    summary: {fields: [price]}", 3, "'price', allowed are title"),
        ("scenes:\n  a:\n    rank: {reranker: best}", 3, "reranker is 'best'"),
        ("scenes:\n  a: {}\n  a: {}", 3, "names a twice"),
        ("scenes:\n  a:\n   - b\n  c", 4, "no YAML"),
        ("scenes:\n  a: !!python/object:os.system {}", 2, "has a tag"),
        ("other: 1", 1, "other is not known"),
        ("scenes:\n  a:\n    layers:\n      - {name: x}", 4, "needs a name and experiments"),
        (
            "scenes:\n  a:\n    layers:\n      - name: x\n        experiments:\n"
            "          - {name: b, ratio: 0}",
            5,
            "ratio above 0",
        ),
        (
            "scenes:\n  a:\n    layers:\n"
            "      - {name: x, experiments: [{name: b, ratio: 1, rank: {depth: 3}}]}\n"
            "      - {name: y, experiments: [{name: b, ratio: 1, rank: {depth: 4}}]}",
            5,
            "set by layer x too",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as told:
        scenes(text)
    assert told.value.message.startswith(f"scenes.yaml:{line}: ")


def test_a_file_that_changes_counts_and_a_wrong_one_keeps_the_last_that_was_right(
    tmp_path: Path,
) -> None:
    now = [0.0]
    path = tmp_path / "scenes.yaml"
    file = SceneFile(path, SHIPPED, clock=lambda: now[0])
    assert "shop" not in file().scenes

    def write(text: str, looks: int = 2) -> None:
        path.write_text(text, "utf-8")
        for _ in range(looks):
            now[0] += 2
            file()

    write(LAYERED)
    assert "shop" in file().scenes
    write(LAYERED.replace("rrf", "best"))
    assert "shop" in file().scenes
    assert file.error is not None
    assert "scenes.yaml:5: " in file.error
    write("scenes: {bare: {}}")
    assert set(file().scenes) == {"products", "question-answer", "bare"}
    assert file.error is None
    write("", looks=1)
    assert "bare" in file().scenes  # whoever saves a file may empty it first
    write("")
    assert "bare" not in file().scenes


def test_a_file_that_is_wrong_from_the_start_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "scenes.yaml").write_text("scenes: [", "utf-8")
    with pytest.raises(InvalidRequest, match="no YAML"):
        SceneFile(tmp_path / "scenes.yaml", SHIPPED)
