"""A run's folder: it describes itself, is replaced whole, and is read without unpickling."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from crosslens.errors import Conflict, InvalidRequest, NotFound
from crosslens.train.config import ModelConfig, Training, model_from_json
from crosslens.train.disk import explained, write_whole
from crosslens.train.model import DualEncoder
from crosslens.train.tokens import load_tokenizer

CONFIG, TOKENIZER, METRICS = "config.json", "tokenizer.json", "metrics.jsonl"
LAST, BEST = "last.pt", "best.pt"
ABOUT = ("train", "tokens", "heads", "provenance")
FREE = {"folder", "max_minutes", "threads", "device", "tensorboard", "log_every", "start_from"}


@dataclass(frozen=True, slots=True)
class Trained:
    """A model as a run left it, with its tokenizer and what is known of it."""

    model: DualEncoder
    tokenizer: Tokenizer
    about: dict[str, Any]
    step: int
    score: float


class RunFolder:
    """
    The folder of one run.

    `config.json` and `tokenizer.json` are written once; `metrics.jsonl` grows; `last.pt` holds
    everything that a resumed run needs, `best.pt` the weights that searched best.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def started(self) -> bool:
        """Whether a run lives here."""
        return (self.path / CONFIG).exists()

    def start(
        self, config: Training, tokenizer: Tokenizer | None, *, about: Mapping[str, Any]
    ) -> None:
        """
        Write what does not change during the run; `about` holds `heads` and `provenance`.

        Args:
            tokenizer: None for a model that reads no words.
        """
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        tokens = 0
        if tokenizer is not None:
            tokens = tokenizer.get_vocab_size()
            write_whole(self.path / TOKENIZER, tokenizer.to_str(pretty=True).encode())
        write_whole(self.path / METRICS, b"")
        table = {"train": config.to_json(), "tokens": tokens, **about}
        write_whole(self.path / CONFIG, json.dumps(table, indent=2, ensure_ascii=False).encode())

    def about(self) -> dict[str, Any]:
        """
        Read `config.json`.

        Raises:
            NotFound: there is no run.
            InvalidRequest: the file is not one that a run wrote.
        """
        try:
            table = json.loads((self.path / CONFIG).read_text("utf-8"))
        except FileNotFoundError as exc:
            raise NotFound(
                f"{self.path} is not a training run: it has no {CONFIG}",
                hint="name a folder that `crosslens train` wrote",
            ) from exc
        except ValueError as exc:
            raise InvalidRequest(f"{self.path / CONFIG} cannot be read: {exc}") from exc
        missing = [name for name in ABOUT if not isinstance(table, dict) or name not in table]
        if missing:
            raise InvalidRequest(f"{self.path / CONFIG} has no `{missing[0]}`")
        found: dict[str, Any] = table
        return found

    def require_same(
        self, config: Training, provenance: Mapping[str, Any], *, free: Collection[str] = FREE
    ) -> None:
        """
        Check that a run may be resumed with these settings and this data.

        A run that is older than a setting had its default.

        Args:
            free: settings that may differ.

        Raises:
            Conflict: something that decides the outcome differs; the message names it.
            InvalidRequest: the run has settings that are not known here.
        """
        about = self.about()
        ours = _plain(config, provenance)
        theirs = _plain(type(config).from_json(about["train"]), about["provenance"])
        for name in sorted(set(ours) - set(free)):
            if ours[name] != theirs.get(name):
                raise Conflict(
                    f"{self.path} was started with {name} = {theirs.get(name)}, not {ours[name]}",
                    hint="resume with the same settings and data, or choose another folder",
                )

    def tokenizer(self) -> Tokenizer:
        """Read the tokenizer of the run."""
        return load_tokenizer((self.path / TOKENIZER).read_text("utf-8"))

    def save(self, name: str, state: Mapping[str, Any]) -> None:
        """
        Write a state so that the old one stays until the new one is complete.

        Raises:
            StorageFull: no room; the old one is still there.
        """
        content = io.BytesIO()  # PyTorch's own writer does not say what is wrong with a disk
        torch.save(dict(state), content)
        write_whole(self.path / name, content.getbuffer())

    def load(self, name: str) -> dict[str, Any] | None:
        """
        Read a state; None if there is none yet.

        Raises:
            InvalidRequest: the file is damaged.
        """
        path = self.path / name
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as exc:
            raise InvalidRequest(
                f"{path} is damaged: {exc}", hint="remove it, or resume from a copy"
            ) from exc
        return state

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a line to `metrics.jsonl`."""
        path = self.path / METRICS
        with explained(path), path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """Read `metrics.jsonl`; a last line that was cut off is left out."""
        return list(_rows((self.path / METRICS).read_text("utf-8").splitlines()))

    def forget_after(self, step: int) -> None:
        """Drop lines of steps that a resumed run will take again."""
        kept = [json.dumps(row) + "\n" for row in self.metrics() if row["step"] <= step]
        write_whole(self.path / METRICS, "".join(kept).encode())


def open_run(
    config: Training,
    provenance: Mapping[str, Any],
    *,
    resume: bool,
    free: Collection[str] = FREE,
) -> RunFolder:
    """
    Find the folder of a run; `started` says whether there is anything to resume.

    Args:
        free: settings that may differ from those of the run that is there.

    Raises:
        Conflict: it holds a run and `resume` is off, or that run had other settings or data.
    """
    run = RunFolder(config.folder)
    if run.started and not resume:
        raise Conflict(
            f"{config.folder} already holds a training run",
            hint="resume it, or choose another folder",
        )
    if run.started:
        run.require_same(config, provenance, free=free)
    return run


def load_trained(folder: Path) -> Trained:
    """
    Read the best model of a run; the last one if it was never validated.

    Raises:
        NotFound: there is no run, or it has saved nothing yet.
        InvalidRequest: a file is damaged.
    """
    run = RunFolder(folder)
    about = run.about()
    state = run.load(BEST) or run.load(LAST)
    if state is None:
        raise NotFound(f"{folder} holds no weights yet", hint="let the run reach a validation")
    model = DualEncoder(shape_of(about), heads=about["heads"])
    restore(model, state["averages"], where=folder)
    model.eval()
    return Trained(model, run.tokenizer(), about, int(state["step"]), float(state["score"]))


def halfway(first: Trained, second: Trained) -> Trained:
    """
    Average the weights of two runs, of which one started from the other; keeps the first's story.

    What a short run learned anew and what it lost both lie on the line between them; halfway, most
    of the one is there and little of the other is gone (Wortsman et al. 2022, arXiv:2109.01903).

    Raises:
        InvalidRequest: they do not have the same shape and tokens.
    """
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    towers = [name for name in ours if name.startswith(("picture.", "text."))]
    alike = all(name in theirs and theirs[name].shape == ours[name].shape for name in towers)
    if not alike or first.tokenizer.to_str() != second.tokenizer.to_str():
        raise InvalidRequest(
            "the two runs differ in shape or tokens, so nothing lies between them",
            hint="name the run that this one started from, without --new-words",
        )
    for name in towers:
        if ours[name].is_floating_point():
            ours[name].lerp_(theirs[name], 0.5)
    return first


def shape_of(about: Mapping[str, Any]) -> ModelConfig:
    """Read the model's shape from what a run says of itself; its tokenizer decided the table."""
    return replace(model_from_json(about["train"]["model"]), vocabulary=about["tokens"])


def restore(model: DualEncoder, weights: Mapping[str, Tensor], *, where: Path) -> None:
    """
    Fill a model with weights.

    Raises:
        InvalidRequest: they are of another shape.
    """
    try:
        model.load_state_dict(dict(weights))
    except RuntimeError as exc:
        raise InvalidRequest(f"the weights in {where} do not fit its {CONFIG}: {exc}") from exc


def _plain(config: Training, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings and data as they are after they were written and read."""
    found: dict[str, Any] = json.loads(json.dumps({**config.to_json(), "data": dict(provenance)}))
    return found


def _rows(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            return
