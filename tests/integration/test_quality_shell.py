"""Scenes, experiments, golden queries and duplicates as people use them: from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell

COLOURS = ("red", "blue", "green", "black")
THINGS = ("shoe", "bag", "hat", "lamp", "chair", "plate", "umbrella", "sofa", "ball", "dress")
SCENES = """
scenes:
  shop:
    match: {probes: {keyword: 1}}
    summary: {fields: {name: title}}
    layers:
      - name: ranking
        experiments: [{name: base, ratio: 1}, {name: diverse, ratio: 1, rank: {diversity: 0.5}}]
"""


@pytest.fixture
def shop(shell: Shell, tmp_path: Path) -> Shell:
    rows = [
        {"id": f"{colour}-{thing}", "title": f"{colour} {thing}", "description": f"a {thing}"}
        for colour in COLOURS
        for thing in THINGS
    ]
    file = tmp_path / "items.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert shell("import", file).code == 0
    (shell.home / "scenes.yaml").write_text(SCENES, "utf-8")
    return shell


def judged(shop: Shell, tmp_path: Path) -> None:
    rows = "".join(f"{c} {t}\t{c}-{t}\t1\n" for c in COLOURS for t in THINGS)
    (tmp_path / "q.tsv").write_text(rows, "utf-8")
    assert "40 questions in mine" in shop("judge", "read", "mine", tmp_path / "q.tsv").out


def test_golden_queries_are_kept_measured_and_gated(shop: Shell, tmp_path: Path) -> None:
    judged(shop, tmp_path)
    assert shop("judge", "add", "mine", "a lamp", "--right", "red-lamp=2").code == 0
    held = shop.json("judge", "list", "mine")["questions"]
    assert held[-1] == {"id": "q41", "words": "a lamp", "right": {"red-lamp": 2}}
    ask = ("evaluate", "mine", "--live", "--kind", "hybrid", "--alpha", "0")
    run = tmp_path / "run.trec"
    first = shop.json(*ask, "--run", run, "--fail-under", "hit@10=0.9")
    assert first["calibration"]["error_after"] < first["calibration"]["error_before"]
    again = shop(*ask, "--against", run, "--fail-if-worse", "mrr")
    assert again.code == 0
    assert "beside" in again.out
    refused = shop(*ask, "--fail-under", "hit@1=1.1")
    assert refused.code == 1
    assert "failed: hit@1 is" in refused.err
    assert shop("judge", "export", "mine", tmp_path / "beir").code == 0
    assert (tmp_path / "beir" / "qrels" / "test.tsv").exists()


def test_a_calibrated_catalogue_tells_relevance_and_when_nothing_is_good(
    shop: Shell, tmp_path: Path
) -> None:
    judged(shop, tmp_path)
    words = ("--kind", "hybrid", "--alpha", "0")
    assert "relevance" not in shop.json("search", "red shoe", *words)["hits"][0]
    assert shop("evaluate", "mine", "--live", *words, "--calibrate").code == 0
    found = shop.json("search", "red shoe", *words)
    assert found["hits"][0]["relevance"] > found["hits"][1]["relevance"]
    assert found["no_good_match"] is False
    none = shop("search", "yellow umbrellas", *words, "--json").json
    assert none["hits"][0]["relevance"] < found["hits"][0]["relevance"]


def test_a_learned_ranker_can_be_named_by_a_scene(shop: Shell, tmp_path: Path) -> None:
    judged(shop, tmp_path)
    ask = ("evaluate", "mine", "--live", "--scene", "shop", "--learn", "taught")
    assert shop(*ask).code == 0
    text = SCENES.replace("summary:", "rank: {reranker: taught}\n    summary:")
    (shop.home / "scenes.yaml").write_text(text, "utf-8")
    found = shop.json("search", "green hat", "--scene", "shop", "--explain")
    assert found["hits"][0]["title"] == "green hat"
    assert "reranker" in found["debug"]["hits"][0]["stages"]


def test_scenes_are_listed_checked_and_searched(shop: Shell, tmp_path: Path) -> None:
    found = shop.json("search", "red shoe", "--scene", "shop", "--force", "ranking=diverse")
    assert found["experiments"] == {"ranking": "diverse"}
    assert found["hits"][0]["summary"] == {"name": found["hits"][0]["title"]}
    assert {scene["name"] for scene in shop.json("scene", "list")["scenes"]} >= {"shop", "products"}
    assert "is right: shop" in shop("scene", "check").out
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("scenes:\n  a:\n    rank: {fusion: best}\n", "utf-8")
    refused = shop("scene", "check", wrong)
    assert refused.code == 2
    assert "wrong.yaml:3: scenes.a.rank.fusion is 'best'" in refused.err
    assert shop.json("scene", "assign", "shop", "ann")["experiments"].keys() == {"ranking"}
    assert shop("search", "x", "--scene", "none").code == 1


def test_experiments_are_planned_and_reported(shop: Shell) -> None:
    assert shop("experiment", "plan", "--base", "0.1", "--lift", "0.02").out.startswith("3")
    for user in range(6):
        shop("search", "red shoe", "--scene", "shop", "--user", f"u{user}")
    report = shop.json("experiment", "report", "shop", "ranking")
    assert sum(report["users"].values()) == 6
    assert report["trusted"] is True
    assert shop("experiment", "report", "shop", "other").code == 1


def test_duplicates_are_found_shown_and_decided(shop: Shell) -> None:
    assert "no duplicates" in shop("duplicates", "scan").out
    assert shop.json("duplicates", "list") == {"clusters": [], "total": 0}
    assert shop("duplicates", "distinct", "1", "2").code == 0
    assert shop("duplicates", "distinct", "1").code == 2
    assert shop("duplicates", "forget", "1", "2").code == 0
    assert shop.json("duplicates", "titles") == {"suggestions": {}}
