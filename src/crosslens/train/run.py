"""Train an encoder: start, resume or fine-tune a run in its folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from crosslens.train.batches import BatchMaker, Disturbed, vocabulary_texts
from crosslens.train.checkpoint import LAST, RunFolder, Trained, open_run, shape_of
from crosslens.train.config import TrainConfig
from crosslens.train.described import VECTORS, described
from crosslens.train.encoder_lesson import EncoderLesson
from crosslens.train.lessons import Ended, Learner, Report, run_lesson, silent
from crosslens.train.machine import prepare_torch
from crosslens.train.model import DualEncoder
from crosslens.train.revive import calibrate, learned
from crosslens.train.source import Source
from crosslens.train.tokens import train_tokenizer

TOKENS = "text.tokens.weight"
CALIBRATED = 128  # products whose pictures tell the normalisations what will come


def train_encoder(
    config: TrainConfig, source: Source, *, resume: bool = False, report: Report = silent
) -> Ended:
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
    teacher = _teacher(config.start_from)
    config = _with_inherited_shape(config, teacher)
    run = open_run(config, source.provenance, resume=resume)
    if not run.started:
        about = {"heads": source.shelf.head_sizes, "provenance": source.provenance}
        run.start(config, _tokenizer(config, source, teacher), about=about)
    learner = _learner(config, run, source, teacher)
    views = described(learner.model, source, kept=run.path / VECTORS) if config.words_only else None
    lesson = EncoderLesson(BatchMaker(source, run.tokenizer(), config, views=views))
    return run_lesson(learner, lesson, run=run, report=report)


def _teacher(folder: Path | None) -> Trained | None:
    """Load what a run starts from: a bundle or another run."""
    if folder is None:
        return None
    return learned(folder)


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
) -> Learner[DualEncoder]:
    about = run.about()
    model = DualEncoder(shape_of(about), heads=about["heads"])
    state = run.load(LAST)
    if state is None and teacher is not None:
        _take_over(model, run.tokenizer(), teacher)
        if not config.words_only:
            rng = np.random.default_rng(config.seed)
            rows = rng.choice(source.shelf.training, CALIBRATED)
            calibrate(model, Disturbed(source)(rows, rng, px=config.px_at(0)))
    model.picture.requires_grad_(not config.words_only)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Learner(model, config).resume(state, run)


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
