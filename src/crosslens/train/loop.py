"""The training loop: step after step, validated, saved, stopped cleanly, resumed to the bit."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from crosslens.train.batches import Batch, BatchMaker, ahead
from crosslens.train.checkpoint import BEST, LAST, RunFolder
from crosslens.train.config import Precision, TrainConfig
from crosslens.train.described import VECTORS, described
from crosslens.train.losses import both_ways, name_attributes, same_meaning, same_product
from crosslens.train.model import DualEncoder
from crosslens.train.source import Source
from crosslens.train.validate import Recall, validate

LENGTHS = 4  # groups of texts of similar length
Report = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How a run ended.

    Attributes:
        finished: whether the schedule was completed.
        reason: "finished", "interrupted" or "out of time".
        recalls: the last validation.
    """

    finished: bool
    reason: str
    step: int
    recalls: dict[str, Recall]


class Learner:
    """A model, its running average and its optimiser, at some step."""

    def __init__(self, model: DualEncoder, config: TrainConfig) -> None:
        self.config = config
        model.picture.requires_grad_(not config.words_only)
        self.model = model.to(config.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averages = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.step = 0
        self.best = -1.0
        self._optimizer = torch.optim.AdamW(_parameter_groups(model, config.weight_decay))
        self._bfloat16 = _uses_bfloat16(config)

    def learn(self, batch: Batch) -> dict[str, float]:
        """Take one step; return its losses and the learning rate."""
        self.model.train()
        rate = learning_rate(self.config, self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(batch.pictures.device.type, torch.bfloat16, enabled=self._bfloat16):
            losses = measure(self.model, batch, self.config)
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
                if value.is_floating_point():
                    self.averages[name].lerp_(value, 1 - decay)
                else:
                    self.averages[name].copy_(value)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[DualEncoder]:
        """Lend the model with its running average as weights, ready to encode."""
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
            "step": self.step, "best": self.best, "averages": self.averages,
            "weights": self.model.state_dict(), "optimizer": self._optimizer.state_dict(),
            "score": self.best,
        }  # fmt: skip

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.step, self.best = int(state["step"]), float(state["best"])
        self.model.load_state_dict(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        for name, value in state["averages"].items():
            self.averages[name].copy_(value)


def measure(model: DualEncoder, batch: Batch, config: TrainConfig) -> dict[str, Tensor]:
    """Compute the losses of a batch; `loss` is their weighted sum."""
    pictures, beside = _see(model, batch)
    texts = _read(model, batch.ids, batch.mask)
    words, others = texts[: len(batch.relation)], texts[len(batch.relation) :]
    with torch.autocast(pictures.device.type, enabled=False):
        scores = model.scale * words @ pictures.T
        losses = {"search": both_ways(scores, torch.cat([batch.relation, batch.relation], 1))}
        losses |= beside
        losses["meaning"] = (
            same_meaning(words[batch.paraphrased], others, batch.meaning, scale=model.scale)
            if len(others)
            else scores.new_zeros(())
        )
        weights = {
            "instance": config.instance_weight, "attributes": config.attribute_weight,
            "meaning": config.meaning_weight,
        }  # fmt: skip
        total = sum(
            (weights.get(name, 1.0) * loss for name, loss in losses.items()), scores.new_zeros(())
        )
    return {"loss": total, **losses}


def _read(model: DualEncoder, ids: Tensor, mask: Tensor) -> Tensor:
    """Encode texts by length, so that short ones are not padded to the longest."""
    lengths = mask.sum(1)
    order = lengths.argsort(stable=True)
    found = []
    for part in order.chunk(LENGTHS):
        longest = int(lengths[part].max())
        found.append(model.text(ids[part, :longest], mask[part, :longest]))
    return torch.cat(found)[order.argsort()]


def _see(model: DualEncoder, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Give the pictures' unit vectors, and what the picture tower learns from them alone."""
    if batch.pictures.ndim == 2:  # described already
        return batch.pictures, {}
    features = model.picture.describe(batch.pictures)
    pictures = model.picture.to_unit(features)
    with torch.autocast(pictures.device.type, enabled=False):
        guesses = {name: head(features.float()) for name, head in model.heads.items()}
        codes = torch.cat([batch.codes, batch.codes])
        return pictures, {
            "instance": same_product(*pictures.chunk(2)),
            "attributes": name_attributes(guesses, codes),
        }


def learning_rate(config: TrainConfig, step: int) -> float:
    """Rise in a straight line over the warm-up, then fall along a cosine to zero."""
    warm_up = min(config.warm_up, config.steps // 10)
    if step < warm_up:
        return config.learning_rate * (step + 1) / warm_up
    done = (step - warm_up) / max(1, config.steps - warm_up)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def run_steps(
    learner: Learner,
    source: Source,
    tokenizer: Tokenizer,
    *,
    run: RunFolder,
    reports: Sequence[Report],
) -> Outcome:
    """Train to the end of the schedule, until time is up, or until Ctrl-C; then save."""
    config = learner.config
    views = described(learner.model, source, kept=run.path / VECTORS) if config.words_only else None
    maker = BatchMaker(source, tokenizer, config, views=views)
    started, recalls, reason = time.monotonic(), {}, "finished"
    with (
        until_interrupted() as interrupted,
        contextlib.closing(ahead(maker, learner.step, config.steps)) as batches,
    ):
        for batch in batches:
            row = learner.learn(batch.to(config.device))
            if learner.step % config.log_every == 0:
                _tell(run, reports, {"step": learner.step, **row})
            if learner.step % config.validate_every == 0 or learner.step == config.steps:
                recalls = _validate(learner, source, tokenizer, run=run, reports=reports)
            if learner.step < config.steps and (
                interrupted.is_set() or _out_of_time(config, started)
            ):
                reason = "interrupted" if interrupted.is_set() else "out of time"
                break
    run.save(LAST, learner.state())
    return Outcome(reason == "finished", reason, learner.step, recalls)


def _validate(
    learner: Learner,
    source: Source,
    tokenizer: Tokenizer,
    *,
    run: RunFolder,
    reports: Sequence[Report],
) -> dict[str, Recall]:
    with learner.averaged() as model:
        recalls = validate(model, tokenizer, source, gallery=learner.config.gallery)
    score = sum(r.at_1 for r in recalls.values()) / max(1, len(recalls))
    if score > learner.best:
        learner.best = score
        run.save(BEST, {"step": learner.step, "score": score, "averages": learner.averages})
    run.save(LAST, learner.state())
    shown = {
        f"{name}/R@{depth}": round(value, 4)
        for name, found in recalls.items()
        for depth, value in ((1, found.at_1), (10, found.at_10))
    }
    _tell(run, reports, {"step": learner.step, "score": round(score, 4), **shown})
    return recalls


def _tell(run: RunFolder, reports: Sequence[Report], row: Mapping[str, Any]) -> None:
    rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}
    run.append(rounded)
    for report in reports:
        report(rounded)


def _out_of_time(config: TrainConfig, started: float) -> bool:
    return 0 < config.max_minutes * 60 < time.monotonic() - started


@contextlib.contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """
    Turn the first Ctrl-C into a flag, so that a step is never cut in half; the second interrupts.

    In a thread other than the main one, signals are none of ours and the flag stays down.
    """
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def raise_flag(signum: int, frame: object) -> None:
        flag.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, raise_flag)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


def _parameter_groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Decay matrices and kernels, and nothing else."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _uses_bfloat16(config: TrainConfig) -> bool:
    if config.precision is not Precision.AUTO:
        return config.precision is Precision.BFLOAT16
    if config.device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    # Without matrix units bfloat16 is slower than float32 on a CPU.
    return config.device == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16"))
