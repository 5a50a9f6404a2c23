"""
Learning curves of composers on CSS3D-R, and tables of them beside google/tirg.

    crosslens sample css3d SET --width 72
    python benchmarks/composed_study.py ours SET --out DIR --method tirg --seed 1 --steps 2000
    python benchmarks/composed_upstream.py SET --upstream CLONE --out DIR/theirs-1 --seed 1
    python benchmarks/composed_study.py told DIR
    python benchmarks/composed_study.py ceiling SET

A run is a folder of DIR; it goes on where it was stopped. CPU time is that of the whole process,
validations left out. `told` counts runs of one name as seeds. `ceiling` says how often somebody
who sees everything would be right at first: "add object" does not say which.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from time import process_time
from typing import Any

from crosslens.corpora.composed import ComposedSet, Wish
from crosslens.corpora.composed_css3d import ABOUT, read
from crosslens.evaluate.composed import ComposedReport
from crosslens.evaluate.report import Part
from crosslens.sample.css3d import Look, plan
from crosslens.sample.css3d_ceiling import ceiling
from crosslens.train.composer import load_composer, train_composer
from crosslens.train.composer_config import ComposerConfig, Loss, Method, Shape
from crosslens.train.composer_data import Material, over_pixels
from crosslens.train.composer_lesson import Questions, parted, questions, report

SHOWN = ("recall@1", "recall@5", "recall@10", "id recall@1", "id recall@5", "id recall@10")
HELD_OUT = 100


class Curve:
    """What a run was worth when: `curve.jsonl` in its folder, and `ended.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "curve.jsonl"
        self._begun = process_time()
        rows = lines(self._path)
        self._spent = rows[-1]["cpu"] if rows else 0.0

    def start(self, **about: Any) -> None:
        """Say what runs."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "study.json").write_text(json.dumps(about), "utf-8")
        self._begun = process_time()

    def tick(self) -> None:
        """Count the time since the last call as training."""
        now = process_time()
        self._spent += now - self._begun
        self._begun = now

    def add(self, step: int, found: Mapping[str, float]) -> None:
        """Write a point; the time since the last tick was spent on it, and is not counted."""
        with self._path.open("a", encoding="utf-8") as out:
            row = {"step": step, "cpu": round(self._spent, 2), **found}
            out.write(json.dumps(row) + "\n")
        print(row, flush=True)
        self._begun = process_time()

    def end(self, split: str, found: Part) -> None:
        """Write what came of it on a split."""
        path = self._folder / "ended.json"
        table = json.loads(path.read_text("utf-8")) if path.exists() else {}
        table[split] = dict(found.metrics)
        path.write_text(json.dumps(table, indent=1), "utf-8")
        print(split, {name: round(found.metrics[name], 4) for name in SHOWN}, flush=True)


def lines(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines; one that is not there holds none."""
    text = path.read_text("utf-8") if path.exists() else ""
    return [json.loads(row) for row in text.splitlines()]


def in_english(found: ComposedReport) -> Part:
    """Give the part that google/tirg can be asked, too."""
    return found.by["language"]["en"] if "language" in found.by else found.all


def held_out(wishes: Sequence[Wish]) -> list[Wish]:
    """Give the wishes that nothing learns from and that everything is chosen by."""
    return parted(wishes, HELD_OUT)[1]


def english(found: Sequence[Wish]) -> Questions:
    """Ask wishes in English alone."""
    return questions([dataclasses.replace(w, words={"en": w.words["en"]}) for w in found])


def material(folder: Path, split: str, cache: Path) -> tuple[ComposedSet, Material]:
    found = read(folder, split)
    return found, over_pixels(found, cache / f"pictures-{split}.u8")


def ours(asked: argparse.Namespace) -> None:
    """Train one of ours, and judge it on the splits that it did not see."""
    _, training = material(asked.set, "train", asked.cache)
    shape = Shape(method=Method(asked.method), **json.loads(asked.shape))
    config = ComposerConfig(
        folder=asked.out / asked.name, steps=asked.steps, seed=asked.seed, threads=1,
        held_out=HELD_OUT, gallery=1, loss=Loss(asked.loss), shape=shape,
        **json.loads(asked.settings),
    )  # fmt: skip
    curve = Curve(config.folder)
    curve.start(batch=config.batch, seed=asked.seed, name=asked.title or asked.method)

    def told(row: Mapping[str, Any]) -> None:
        if "score" in row:
            curve.add(row["step"], {k: v for k, v in row.items() if "/" in k})
        else:
            curve.tick()

    train_composer(config, training, resume=True, report=told)
    trained = load_composer(config.folder)
    for split in filter(None, asked.splits.split(",")):
        found, there = material(asked.set, split, asked.cache)
        answer = report(trained.model, trained.tokenizer, there, questions(found.wishes))
        curve.end(split, in_english(answer))
        path = config.folder / f"{split}.json"
        path.write_text(json.dumps(answer.as_json(), indent=1), "utf-8")


def told(folder: Path) -> None:
    """Write tables of all runs of a folder: how they ended, and how they got there."""
    runs = defaultdict(list)
    for path in sorted(folder.glob("*/study.json")):
        runs[json.loads(path.read_text("utf-8"))["name"]].append(path.parent)
    for split in ("test", "test_seen"):
        print(f"\n| {split} | seeds | {' | '.join(SHOWN)} |\n|{'---|' * (len(SHOWN) + 2)}")
        for name, folders in runs.items():
            ended = [_ended(each).get(split) for each in folders]
            if good := [one for one in ended if one]:
                cells = (_spread([one[each] for one in good]) for each in SHOWN)
                print(f"| {name} | {len(good)} | {' | '.join(cells)} |")
    for name, folders in runs.items():
        print(f"\n| {name} | questions | CPU s | per CPU s | held-out R@1 |\n|---|---|---|---|---|")
        for row in _averaged(folders):
            print(row)


def _ended(folder: Path) -> dict[str, Any]:
    path = folder / "ended.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def _spread(values: Sequence[float]) -> str:
    spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread}"


def _averaged(folders: Sequence[Path]) -> Iterator[str]:
    """Average the points that all seeds have."""
    batch = json.loads((folders[0] / "study.json").read_text("utf-8"))["batch"]
    points = defaultdict(list)
    for folder in folders:
        for row in lines(folder / "curve.jsonl"):
            points[row["step"]].append(row)
    for step, rows in sorted(points.items()):
        cpu = mean(row["cpu"] for row in rows)
        found = _spread([row["validation/recall@1"] for row in rows])
        pace = step * batch / max(cpu, 1e-9)
        yield f"| step {step:,} | {step * batch:,} | {cpu:.0f} | {pace:.0f} | {found} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("ours")
    run.add_argument("set", type=Path)
    run.add_argument("--out", type=Path, required=True)
    run.add_argument("--name", required=True, help="folder of the run")
    run.add_argument("--title", help="what the tables call it; runs of one title are its seeds")
    run.add_argument("--cache", type=Path, required=True)
    run.add_argument("--method", default="tokens")
    run.add_argument("--loss", default="siblings")
    run.add_argument("--steps", type=int, default=1_000)
    run.add_argument("--seed", type=int, default=1)
    run.add_argument("--shape", default="{}", help="JSON, as in config.json")
    run.add_argument("--settings", default="{}", help="JSON, as in config.json")
    run.add_argument("--splits", default="test,test_seen", help="judged at the end; may be empty")
    commands.add_parser("told").add_argument("out", type=Path)
    commands.add_parser("ceiling").add_argument("set", type=Path)
    asked = parser.parse_args(arguments)
    if asked.command == "ours":
        ours(asked)
    elif asked.command == "told":
        told(asked.out)
    else:
        look = json.loads((asked.set / ABOUT).read_text("utf-8"))["look"]
        for name, found in plan(Look(**look)).items():
            print(name, ceiling(found))


if __name__ == "__main__":
    main()
