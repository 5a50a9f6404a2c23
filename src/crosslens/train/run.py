"""Train an encoder: start, resume or fine-tune a run in its folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from crosslens.errors import Conflict, InvalidRequest
from crosslens.train.batches import Disturbed, vocabulary_texts
from crosslens.train.board import board
from crosslens.train.checkpoint import LAST, RunFolder, Trained, load_trained, shape_of
from crosslens.train.config import TrainConfig
from crosslens.train.loop import Learner, Outcome, Report, run_steps
from crosslens.train.model import DualEncoder
from crosslens.train.revive import calibrate, revive
from crosslens.train.source import Source
from crosslens.train.tokens import train_tokenizer

CARD = "card.toml"
TOKENS = "text.tokens.weight"
CALIBRATED = 128  # products whose pictures tell the normalisations what will come


class Machine(Protocol):
    """The settings of a training that say what it runs on; `TrainConfig` says what each means."""

    @property
    def device(self) -> str: ...  # noqa: D102
    @property
    def threads(self) -> int: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102


def _silent(row: Mapping[str, Any]) -> None:
    del row


def train_encoder(
    config: TrainConfig, source: Source, *, resume: bool = False, report: Report = _silent
) -> Outcome:
    """
    Train a dual encoder in `config.folder`; on a CPU, a resumed run repeats to the bit.

    Args:
        resume: go on with the run that is there; nothing there starts a new one.
        report: called with each row of `metrics.jsonl`; TensorBoard is fed beside it.

    Raises:
        Conflict: the folder holds a run and `resume` is off, or that run had other settings.
        InvalidRequest: the device is not there, or the products cannot teach anything.
        MissingExtra: TensorBoard is asked for and not installed.
    """
    prepare_torch(config)
    run = RunFolder(config.folder)
    if run.started and not resume:
        raise Conflict(
            f"{config.folder} already holds a training run",
            hint="resume it, or choose another folder",
        )
    teacher = _teacher(config.start_from)
    config = _with_inherited_shape(config, teacher)
    if run.started:
        run.require_same(config, source.provenance)
    else:
        about = {"heads": source.shelf.head_sizes, "provenance": source.provenance}
        run.start(config, _tokenizer(config, source, teacher), about=about)
    learner = _learner(config, run, source, teacher)
    with board(config.folder, wanted=config.tensorboard) as show:
        return run_steps(learner, source, run.tokenizer(), run=run, reports=(report, show))


def prepare_torch(config: Machine) -> None:
    """
    Set threads and seed.

    Raises:
        InvalidRequest: the device is not there.
    """
    try:
        torch.empty(1, device=config.device)
    except (RuntimeError, AssertionError) as exc:
        raise InvalidRequest(
            f"device is {config.device!r}, which PyTorch cannot use here: {exc}",
            hint="use cpu, or cuda where a GPU and its PyTorch are installed",
        ) from exc
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)


def _teacher(folder: Path | None) -> Trained | None:
    """Load what a run starts from: a bundle or another run."""
    if folder is None:
        return None
    return revive(folder) if (folder / CARD).exists() else load_trained(folder)


def _with_inherited_shape(config: TrainConfig, teacher: Trained | None) -> TrainConfig:
    if teacher is None:
        return config
    shape = shape_of(teacher.about)
    if config.new_words:
        shape = dataclasses.replace(shape, vocabulary=config.model.vocabulary)
    return dataclasses.replace(config, model=shape)


def _tokenizer(config: TrainConfig, source: Source, teacher: Trained | None) -> Tokenizer:
    if teacher is not None and not config.new_words:
        return teacher.tokenizer
    return train_tokenizer(
        vocabulary_texts(source, seed=config.seed),
        vocabulary=config.model.vocabulary,
        max_tokens=config.model.max_tokens,
    )


def _learner(
    config: TrainConfig, run: RunFolder, source: Source, teacher: Trained | None
) -> Learner:
    about = run.about()
    model = DualEncoder(shape_of(about), heads=about["heads"])
    state = run.load(LAST)
    if state is None and teacher is not None:
        _take_over(model, run.tokenizer(), teacher)
        if not config.words_only:
            rng = np.random.default_rng(config.seed)
            rows = rng.choice(source.shelf.training, CALIBRATED)
            calibrate(model, Disturbed(source)(rows, rng, px=config.px_at(0)))
    learner = Learner(model, config)
    if state is not None:
        learner.resume(state)
    run.forget_after(learner.step)
    return learner


def _take_over(model: DualEncoder, tokenizer: Tokenizer, teacher: Trained) -> None:
    """Copy both towers; the attribute heads belong to the old data and stay behind."""
    weights = teacher.model.state_dict()
    kept = {k: v for k, v in weights.items() if not k.startswith("heads.")}
    if tokenizer.to_str() != teacher.tokenizer.to_str():
        kept[TOKENS] = translated(weights[TOKENS], teacher.tokenizer, tokenizer)
    model.load_state_dict(kept, strict=False)


def translated(table: Tensor, old: Tokenizer, new: Tokenizer) -> Tensor:
    """Give each token the old one's row, or the mean of the pieces that it used to be."""
    known = old.get_vocab()
    rows = table.new_zeros(new.get_vocab_size(), table.shape[1])
    for token, place in new.get_vocab().items():
        pieces = [known[token]] if token in known else old.encode(token).ids[1:]
        rows[place] = table[pieces].mean(0)
    return rows
