"""Train a composer: start or resume a run in its folder, and read what came of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from crosslens.errors import InvalidRequest, NotFound
from crosslens.train.checkpoint import BEST, FREE, LAST, RunFolder, open_run
from crosslens.train.composer_config import (
    ComposerConfig,
    Optimizer,
    Shape,
    shape_from_json,
)
from crosslens.train.composer_data import Material
from crosslens.train.composer_lesson import ComposerLesson
from crosslens.train.composer_model import Composer
from crosslens.train.lessons import Ended, Learner, Report, run_lesson, silent
from crosslens.train.machine import prepare_torch
from crosslens.train.tokens import train_tokenizer

COMPOSER = "composer"


@dataclass(frozen=True, slots=True)
class TrainedComposer:
    """A composer as a run left it, with its tokenizer and what is known of it."""

    model: Composer
    tokenizer: Tokenizer
    about: dict[str, Any]
    step: int
    score: float


def train_composer(
    config: ComposerConfig,
    material: Material,
    *,
    watched: Material | None = None,
    resume: bool = False,
    report: Report = silent,
) -> Ended:
    """
    Train a composer in `config.folder`; on a CPU, a resumed run repeats to the bit.

    Args:
        watched: another split, of whose wishes some are asked at each validation, to look at.
        resume: go on with the run that is there, also to another number of steps; nothing there
            starts a new one.
        report: called with each row of `metrics.jsonl`; TensorBoard is fed beside it.

    Raises:
        Conflict: the folder holds a run and `resume` is off, or that run had other settings.
        InvalidRequest: the device is not there, or the wishes cannot teach anything.
        MissingExtra: TensorBoard is asked for and not installed.
    """
    prepare_torch(config)
    run = open_run(config, material.provenance, resume=resume, free=FREE | {"steps"})
    if not run.started:
        about = {"heads": {}, "provenance": dict(material.provenance), "kind": COMPOSER}
        run.start(config, _tokenizer(config.shape, material), about=about)
    model = Composer(_fitted(config.shape, run)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner = Learner(model, config, optimizer=_optimizer(model, config))
    lesson = ComposerLesson(material, run.tokenizer(), config, watched=watched)
    learner.resume(run.load(LAST), run)
    return run_lesson(learner, lesson, run=run, report=report)


def load_composer(folder: Path) -> TrainedComposer:
    """
    Read the best composer of a run; the last one if it was never validated.

    Every weight must be there and fit: a file that lacks one is refused, not filled by chance.

    Raises:
        NotFound: there is no run, or it has saved nothing yet.
        InvalidRequest: a file is damaged, or it is a run of something else.
    """
    run = RunFolder(folder)
    about = run.about()
    if about.get("kind") != COMPOSER:
        raise InvalidRequest(f"{folder} is not the run of a composer")
    state = run.load(BEST) or run.load(LAST)
    if state is None:
        raise NotFound(f"{folder} holds no weights yet", hint="let the run reach a validation")
    shape = _fitted(shape_from_json(about["train"]["shape"]), run)
    model = Composer(shape)
    try:
        model.load_state_dict(state["averages"])
    except RuntimeError as exc:
        raise InvalidRequest(f"the weights in {folder} do not fit its config: {exc}") from exc
    model.eval()
    return TrainedComposer(
        model, run.tokenizer(), about, int(state["step"]), float(state["score"])
    )  # fmt: skip


def _optimizer(model: Composer, config: ComposerConfig) -> torch.optim.Optimizer | None:
    """Give the reference's optimiser where it is wanted: it decays all weights alike."""
    if config.optimizer is Optimizer.ADAMW:
        return None
    return torch.optim.SGD(
        model.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )


def _tokenizer(shape: Shape, material: Material) -> Tokenizer:
    return train_tokenizer(
        material.texts(), vocabulary=shape.vocabulary, max_tokens=shape.max_tokens
    )


def _fitted(shape: Shape, run: RunFolder) -> Shape:
    """Give the table as many rows as the tokenizer has tokens."""
    return dataclasses.replace(shape, vocabulary=run.tokenizer().get_vocab_size())
