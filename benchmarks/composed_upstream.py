"""
google/tirg on CSS3D-R, from a clone of your own, asked what our composers are asked.

    git clone https://github.com/google/tirg CLONE
    pip install --no-deps --target VISION torchvision
    PYTHONPATH=VISION python benchmarks/composed_upstream.py SET --upstream CLONE --out DIR

Its files stay as they are; its own loader, sampler, model, loss and training loop run. What they
need of a Python and a PyTorch of their time is given from outside: `.cuda()` does nothing,
`np.load` unpickles (a file that is written here), sums of `range` are lists, the triplet loss is
the same sum as one expression that PyTorch can differentiate, modules that only draw or log are
empty, and ResNet-18 starts without pretraining, as ours do. The questions of 100 sources are held
out of its training, as out of ours; recall is measured by the same code.

Its rate never falls, so a run that is asked for more steps goes on where it was, and a point of
its curve is what a run of that length would have given.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch.nn import functional

from composed_study import Curve, english, held_out
from crosslens.corpora.composed import ComposedSet
from crosslens.corpora.composed_css3d import read
from crosslens.evaluate.composed import ComposedReport, judge
from crosslens.sample.css3d import DATA, PLAIN
from crosslens.train.composer_lesson import moved, searched
from crosslens.train.source import Rows

AT_ONCE = 32
EVERY = 50
WEIGHTS = "weights.pt"


class Enough(Exception):
    """The budget is spent."""


class Triplets(torch.nn.Module):
    """The mean of log(1 + exp(d²(i, j) - d²(i, k))) over given triplets."""

    def forward(self, rows: torch.Tensor, triplets: Sequence[Sequence[int]]) -> torch.Tensor:
        i, j, k = torch.tensor(np.array(triplets)).T
        near, far = ((rows[i] - rows[other]).square().sum(1) for other in (j, k))
        return functional.softplus(near - far).mean()


class Silent:
    """A writer of logs that keeps nothing but the folder of the checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.file_writer = types.SimpleNamespace(get_logdir=lambda: str(folder))

    def add_scalar(self, *_: Any) -> None: ...


def opened(clone: Path) -> Any:
    """Import the program of a clone with what it needs around it."""
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("nothing")
    for name in ("skimage", "skimage.io", "tensorboardX"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["skimage"].io = sys.modules["skimage.io"]  # type: ignore[attr-defined]
    sys.modules["tensorboardX"].SummaryWriter = Silent  # type: ignore[attr-defined]
    import torchvision

    resnet18, load = torchvision.models.resnet18, np.load
    torchvision.models.resnet18 = lambda **_: resnet18(weights=None)
    np.load = lambda path: load(path, allow_pickle=True)
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda self: self  # type: ignore[method-assign,assignment]
    sys.path.insert(0, str(clone))
    import img_text_composition_models
    import main
    import test_retrieval
    import torch_functions

    img_text_composition_models.range = lambda count: list(range(count))
    torch_functions.TripletLoss = Triplets
    test_retrieval.test = lambda *_: []
    torch.set_num_threads(1)
    return main


def written(source: Path, folder: Path) -> None:
    """Write the set as the program reads it, without the questions that are held out."""
    kept = {wish.source for wish in held_out(read(source, "train").wishes)}
    tables = json.loads((source / PLAIN).read_text("utf-8"))
    train = tables["train"]
    train["mods"] = [mod for mod in (_without(mod, kept) for mod in train["mods"]) if mod["from"]]
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / DATA, np.array(tables, dtype=object), allow_pickle=True)
    if not (folder / "images").exists():
        (folder / "images").symlink_to(source.resolve() / "images")


def _without(mod: dict[str, Any], kept: set[int]) -> dict[str, Any]:
    pairs = [p for p in zip(mod["from"], mod["to"], strict=True) if p[0] not in kept]
    return {**mod, "from": [a for a, _ in pairs], "to": [b for _, b in pairs]}


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks a model of theirs the English questions of a set."""

    model: Any
    found: ComposedSet
    load: Any = field(repr=False)

    def __call__(self, *, only_held_out: bool = False) -> ComposedReport:
        """Ask all questions of the whole gallery, or those held out of the pictures they need."""
        wishes = held_out(self.found.wishes) if only_held_out else list(self.found.wishes)
        rows = searched(wishes, len(self.found.pictures), 0 if only_held_out else None)
        wanted = english(wishes)
        asked = moved(wanted.asked, rows)
        self.model.eval()
        with torch.no_grad():
            seen = torch.cat(list(self._seen(rows)))
            composed = torch.cat(list(self._composed(seen[asked.sources], wanted.texts)))
        self.model.train()
        labels = [self.found.labels[row] for row in rows]
        queries, gallery = (functional.normalize(part).numpy() for part in (composed, seen))
        return judge(queries, gallery, labels, asked)

    def _seen(self, rows: Rows) -> Iterator[torch.Tensor]:
        for start in range(0, len(rows), AT_ONCE):
            files = [self.found.pictures[row] for row in rows[start : start + AT_ONCE]]
            pictures = [self.load(PIL.Image.open(file).convert("RGB")) for file in files]
            yield self.model.extract_img_feature(torch.stack(pictures))

    def _composed(self, seen: torch.Tensor, texts: Sequence[str]) -> Iterator[torch.Tensor]:
        for start in range(0, len(texts), 8 * AT_ONCE):
            part = slice(start, start + 8 * AT_ONCE)
            said = self.model.extract_text_feature(texts[part])
            yield self.model.compose_img_text_features(seen[part], said)


def options(path: Path, steps: int, model: str) -> argparse.Namespace:
    """Give the program's own defaults for CSS3D; nothing is chosen here."""
    return argparse.Namespace(
        dataset="css3d", dataset_path=str(path), model=model, embed_dim=512, learning_rate=1e-2,
        learning_rate_decay_frequency=9999999, batch_size=32, weight_decay=1e-6, num_iters=steps,
        loss="soft_triplet", loader_num_workers=0, comment="", f="",
    )  # fmt: skip


def train(program: Any, asked: argparse.Namespace) -> None:
    """Run its training loop for so many steps, and judge what comes of it."""
    folder: Path = asked.out
    written(asked.set, folder / "set")
    chosen = options(folder / "set", asked.steps, asked.model)
    trainset, testset = program.load_dataset(chosen)
    model, optimizer, step = _begun(program, chosen, trainset.get_all_texts(), asked)
    test = Judge(model, read(asked.set, "train"), trainset.transform)
    curve = Curve(folder)
    curve.start(batch=chosen.batch_size, seed=asked.seed, name=f"google/tirg, {asked.model}")

    def stepped(*_: Any) -> None:
        nonlocal step
        step += 1
        if step % asked.every == 0 or step == asked.steps:
            curve.tick()
            found = test(only_held_out=True).all.metrics
            state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, folder / WEIGHTS)
            curve.add(step, {f"validation/{n}": found[n] for n in ("recall@1", "recall@10")})
        if step >= asked.steps:
            raise Enough

    optimizer.register_step_post_hook(stepped)
    if step < asked.steps:
        with contextlib.suppress(Enough):
            program.train_loop(chosen, Silent(folder), trainset, testset, model, optimizer)
    for split in filter(None, asked.splits.split(",")):
        curve.end(split, Judge(model, read(asked.set, split), trainset.transform)().all)


def _begun(
    program: Any, chosen: argparse.Namespace, texts: Sequence[str], asked: argparse.Namespace
) -> tuple[Any, torch.optim.Optimizer, int]:
    """Start by the seed, or go on."""
    path = asked.out / WEIGHTS
    state = torch.load(path) if path.exists() else {"step": 0}
    for sow in (torch.manual_seed, np.random.seed, program.datasets.random.seed):
        sow(1_000 * asked.seed + state["step"])
    model, optimizer = program.create_model_and_optimizer(chosen, texts)
    if path.exists():
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    return model, optimizer, state["step"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("set", type=Path)
    parser.add_argument("--upstream", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="tirg", choices=("tirg", "concat"))
    parser.add_argument("--steps", type=int, default=600, help="of 32 questions each")
    parser.add_argument("--every", type=int, default=EVERY, help="steps between validations")
    parser.add_argument("--splits", default="test,test_seen")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    train(opened(asked.upstream), asked)


if __name__ == "__main__":
    main()
