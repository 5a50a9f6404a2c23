"""Whatever is learned, step after step: validated, saved, stopped cleanly, resumed."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from crosslens.train.batches import Movable, ahead
from crosslens.train.board import board
from crosslens.train.checkpoint import BEST, LAST, RunFolder
from crosslens.train.config import Training
from crosslens.train.machine import until_interrupted, uses_bfloat16

Report = Callable[[Mapping[str, Any]], None]
ModelT = TypeVar("ModelT", bound=nn.Module)
BatchT = TypeVar("BatchT", bound=Movable)


def silent(row: Mapping[str, Any]) -> None:
    """Report nothing."""
    del row


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a validation found: a score, the higher the better, and the figures behind it."""

    score: float
    figures: Mapping[str, float]


TaughtT = TypeVar("TaughtT", bound=nn.Module, contravariant=True)


class Lesson(Protocol[TaughtT, BatchT]):
    """What is learned: its batches, its losses, and how well it went."""

    def make(self, step: int) -> BatchT:
        """Make the batch of a step; the same one each time it is asked."""
        ...

    def measure(self, model: TaughtT, batch: BatchT) -> dict[str, Tensor]:
        """Compute the losses of a batch; `loss` is the one to lower."""
        ...

    def judge(self, model: TaughtT, step: int) -> Verdict:
        """Validate a model that is ready to be used."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """
    How a run ended.

    Attributes:
        reason: "finished", "interrupted" or "out of time".
        figures: the last validation.
    """

    finished: bool
    reason: str
    step: int
    figures: Mapping[str, float]


class Optimizer(Protocol):
    """What moves weights by their gradients; PyTorch's optimisers, and whatever behaves as one."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def zero_grad(self, set_to_none: bool = True) -> None: ...  # noqa: D102
    def step(self) -> Any: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...  # noqa: D102


class Learner(Generic[ModelT]):
    """A model, its running average and its optimiser, at some step; frozen weights stay."""

    def __init__(
        self, model: ModelT, config: Training, *, optimizer: Optimizer | None = None
    ) -> None:
        self.config = config
        self.model = model.to(config.device)
        self.averages = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.step = 0
        self.best = -math.inf
        self._optimizer: Optimizer = optimizer or torch.optim.AdamW(
            _groups(model, config.weight_decay), betas=(0.9, config.second_beta)
        )
        self._kind = torch.device(config.device).type

    def learn(self, lesson: Lesson[ModelT, BatchT], batch: BatchT) -> dict[str, float]:
        """Take one step; return its losses and the learning rate."""
        self.model.train()
        rate = self.config.rate_at(self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self._kind, torch.bfloat16, enabled=uses_bfloat16(self.config)):
            losses = lesson.measure(self.model, batch)
        self._optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self._optimizer.step()
        self._average()
        self.step += 1
        shown = {name: float(value.detach()) for name, value in losses.items()}
        return {**shown, "gradient": float(norm), "rate": rate}

    def _average(self) -> None:
        # Early on a long memory would hold the random start.
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                if value.is_floating_point():  # statistics too: they belong to these weights
                    self.averages[name].lerp_(value, 1 - decay)
                else:
                    self.averages[name].copy_(value)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[ModelT]:
        """Lend the model with its running average as weights, ready to be used."""
        own = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.averages)
        self.model.eval()
        try:
            yield self.model
        finally:
            self.model.load_state_dict(own)

    def state(self) -> dict[str, Any]:
        """Give everything that a resumed run needs."""
        return {
            "step": self.step, "score": self.best, "averages": self.averages,
            "weights": self.model.state_dict(), "optimizer": self._optimizer.state_dict(),
        }  # fmt: skip

    def resume(self, state: Mapping[str, Any] | None, run: RunFolder) -> Self:
        """Go on from the `state` that a run saved, or from the start; drop what it told since."""
        if state is not None:
            self._restore(state)
        run.forget_after(self.step)
        return self

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.step, self.best = int(state["step"]), float(state["score"])
        self.model.load_state_dict(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        for name, value in state["averages"].items():
            self.averages[name].copy_(value)


def run_lesson(
    learner: Learner[ModelT], lesson: Lesson[ModelT, BatchT], *, run: RunFolder, report: Report
) -> Ended:
    """
    Train to the end of the schedule, until time is up, or until Ctrl-C; then save.

    Raises:
        MissingExtra: TensorBoard is asked for and not installed.
    """
    config, figures = learner.config, dict[str, float]()
    started, reason = time.monotonic(), "finished"
    with (
        board(run.path, wanted=config.tensorboard) as show,
        until_interrupted() as interrupted,
        contextlib.closing(ahead(lesson, learner.step, config.steps)) as batches,
    ):
        tell = partial(_tell, run, (report, show))
        for batch in batches:
            row = learner.learn(lesson, batch.to(config.device))
            if learner.step % config.log_every == 0:
                tell({"step": learner.step, **row})
            if learner.step % config.validate_every == 0 or learner.step == config.steps:
                verdict = _validate(learner, lesson, run=run)
                figures = dict(verdict.figures)
                tell({"step": learner.step, "score": verdict.score, **figures})
            late = 0 < config.max_minutes * 60 < time.monotonic() - started
            if learner.step < config.steps and (interrupted.is_set() or late):
                reason = "interrupted" if interrupted.is_set() else "out of time"
                break
    run.save(LAST, learner.state())
    return Ended(reason == "finished", reason, learner.step, figures)


def _validate(
    learner: Learner[ModelT], lesson: Lesson[ModelT, BatchT], *, run: RunFolder
) -> Verdict:
    with learner.averaged() as model, torch.no_grad():
        verdict = lesson.judge(model, learner.step)
    if verdict.score > learner.best:
        learner.best = verdict.score
        best = {"step": learner.step, "score": verdict.score, "averages": learner.averages}
        run.save(BEST, best)
    run.save(LAST, learner.state())
    return verdict


def _tell(run: RunFolder, reports: Sequence[Report], row: Mapping[str, Any]) -> None:
    rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}
    run.append(rounded)
    for report in reports:
        report(rounded)


def _groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Decay matrices and kernels, and nothing else."""
    learned = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
    ]
