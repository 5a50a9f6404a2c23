"""From a folder of wishes to a composer that answers, in the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell
from tiny_bundle import png, proved_tiny
from tiny_composer import write_tiny_composer

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four products, each wished to be the next one, in two languages."""
    folder = tmp_path_factory.mktemp("wishes") / "shop"
    (folder / "images").mkdir(parents=True)
    items, wishes = [], []
    for n in range(24):
        (folder / f"images/{n}.png").write_bytes(png(n, (48, 32)))
        items.append({"id": f"p{n}", "title": f"bag {n}", "image": f"images/{n}.png"})
        targets = [f"p{n + 1 - 2 * (n % 2)}"]
        texts = {"text_en": [f"but {n}", f"with {n}"], "text_zh": f"换成{n}"}
        wishes.append(
            {"id": f"c{n}", "kind": "number", "ref": f"p{n}", "targets": targets, **texts}
        )
    for name, rows in (("items", items), ("composed", wishes)):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, "utf-8")
    return folder


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    home = tmp_path / "home"
    proved_tiny(home / "bundles" / "tiny")
    (home / "crosslens.toml").write_text('cross_modal = "tiny"\n', "utf-8")
    return Shell(home, capsys)


SMALL = ("--steps", 4, "--batch", 8, "--siblings", 2, "--validate-every", 2, "--threads", 1)


def test_a_composer_is_trained_and_judged_and_one_in_the_home_is_used(
    shell: Shell, shop: Path, tmp_path: Path
):
    run = tmp_path / "run"
    learned = ("train", "composer", run, "--data", shop, "--bundle", "tiny", *SMALL)
    assert shell.json(*learned)["step"] == 4
    assert shell(*learned).code == 1, "a run is not overwritten"
    assert shell.json(*learned, "--resume")["finished"]
    judged = shell.json("train", "judge-composer", run, shop, "--bundle", "tiny")
    assert set(judged["by"]["language"]) == {"en", "zh"}
    assert {"recall@1", "recall@100", "id recall@10"} <= set(judged["metrics"])
    assert judged["spread"]["recall@1"]
    shell.json("import", shop)
    asked = ("search", "换成3", "--image", shop / "images/3.png", "--kind", "composed")
    assert "no composer" in shell.json(*asked)["notes"][0]
    write_tiny_composer(shell.home / "composers" / "mine")  # exporting takes PyTorch a while
    found = shell.json(*asked, "--without", "red", "--weight", 1)
    assert found["notes"] == []
    assert found["hits"]


def test_pixels_are_learned_from_too_and_cannot_be_exported(
    shell: Shell, shop: Path, tmp_path: Path
):
    run = tmp_path / "run"
    shell.json(
        "train", "composer", run, "--data", shop, "--method", "tirg_lastconv", *SMALL,
        "--loss", "soft_triplet", "--dim", 8, "--decay-every", 2, "--optimizer", "sgd",
        "--momentum", 0.5, "--weight-decay", 1e-6, "--rate", 0.01, "--reader", "lstm",
        "--scale", 16, "--shift", 1, "--mirror", 0.5, "--watch", "train",
    )  # fmt: skip
    told = json.loads((run / "config.json").read_text("utf-8"))["train"]
    assert (told["optimizer"], told["momentum"], told["mirror"]) == ("sgd", 0.5, 0.5)
    assert (told["shape"]["reader"], told["shape"]["scale"]) == ("lstm", 16)
    assert '"test/recall@1"' in (run / "metrics.jsonl").read_text("utf-8")
    assert shell("train", "judge-composer", run, shop).code == 0
    refused = shell("train", "export-composer", run, "mine")
    assert (refused.code, "composes pixels" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--method", "magic"), "method is 'magic'"),
        (("--loss", "none"), "loss is 'none'"),
        (("--optimizer", "none"), "optimizer is 'none'"),
        (("--reader", "none"), "reader is 'none'"),
        (("--plain", 0.5), "have no sum"),
        (("--split", "dev"), "no split 'dev'"),
        (("--rendered", 20), "one of them"),
    ],
)
def test_what_cannot_be_learned_is_said(shell: Shell, shop: Path, tmp_path: Path, wrong, says):
    refused = shell("train", "composer", tmp_path / "run", "--data", shop, *wrong)
    assert (refused.code, says in refused.err) == (2, True)
