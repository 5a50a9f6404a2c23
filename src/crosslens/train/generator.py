"""Train a generator: its codec first, which must pass a gate, then the flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import nn

from crosslens.errors import InvalidRequest
from crosslens.train.checkpoint import (
    BEST,
    FREE,
    LAST,
    RunFolder,
    open_run,
    shape_of,
)
from crosslens.train.config import model_from_json
from crosslens.train.generator_codec import Codec, CodecLesson, fit
from crosslens.train.generator_config import CodecConfig, CriticConfig, FlowConfig
from crosslens.train.generator_critic import Critic, CriticLesson
from crosslens.train.generator_flow import Generator, Reader
from crosslens.train.generator_lesson import FlowLesson
from crosslens.train.generator_optimizer import Mixed
from crosslens.train.generator_revive import revive_generator
from crosslens.train.generator_stumbles import count_stumbles
from crosslens.train.lessons import Ended, Learner, Report, run_lesson, silent
from crosslens.train.machine import prepare_torch
from crosslens.train.rendered import RenderedSource
from crosslens.train.revive import is_bundle, learned

LEAST_PSNR = 30.0
MAY_CHANGE = {"steps", "fall", "validate_every", "words_from", "start_from"}
HEADS = "heads."


def train_codec(
    config: CodecConfig, source: RenderedSource, *, resume: bool = False, report: Report = silent
) -> Ended:
    """
    Train a codec in `config.folder`.

    Raises:
        Conflict: the folder holds a run and `resume` is off, or that run had other settings.
        InvalidRequest: the device is not there, or `start_from` has another shape.
    """
    prepare_torch(config)
    run = open_run(config, source.provenance, resume=resume, free=FREE | MAY_CHANGE)
    codec, state = Codec(config), run.load(LAST) if run.started else None
    if state is None and config.start_from:
        _load(codec, _earlier_codec(config.start_from).state_dict(), config.start_from)
    elif state is None:
        fit(codec, source, seed=config.seed)
    if not run.started:
        run.start(config, None, about={"heads": {}, "provenance": source.provenance})
    learner = Learner(codec, config).resume(state, run)
    return run_lesson(learner, CodecLesson(source, config), run=run, report=report)


def load_codec(folder: Path) -> tuple[Codec, float]:
    """
    Read the best codec of a run, and how well it restores held-out pictures, in dB.

    Raises:
        NotFound: there is no run.
        InvalidRequest: a file is damaged, or nothing was saved yet.
    """
    run = RunFolder(folder)
    state = run.load(BEST)
    config = CodecConfig(**{**run.about()["train"], "folder": folder})
    if state is None:
        raise InvalidRequest(f"{folder} holds no codec yet", hint="let it reach a validation")
    codec = Codec(config)
    codec.load_state_dict(state["averages"])
    return codec.eval(), float(state["score"])


def part_of(begins: Path | None, part: str) -> Path | None:
    """Say where a part of a run lies; a bundle holds all of them in one folder."""
    return begins if begins is None or is_bundle(begins) else begins / part


def train_critic(
    config: CriticConfig,
    source: RenderedSource,
    codec: Path,
    *,
    resume: bool = False,
    report: Report = silent,
) -> Ended:
    """
    Train a critic in `config.folder`, by pictures as a codec brings them back.

    Raises:
        Conflict: the folder holds a run and `resume` is off, or that run had other settings.
        InvalidRequest: the device is not there, or the codec has no state yet.
    """
    prepare_torch(config)
    ready, _ = load_codec(codec)
    run = open_run(config, source.provenance, resume=resume, free=FREE | MAY_CHANGE)
    heads = source.shelf.head_sizes
    if not run.started:
        run.start(config, None, about={"heads": heads, "provenance": source.provenance})
    learner = Learner(Critic(config, heads), config).resume(run.load(LAST), run)
    return run_lesson(learner, CriticLesson(source, ready, config), run=run, report=report)


def load_critic(folder: Path) -> Critic:
    """
    Read the best critic of a run, ready to look and not to learn.

    Raises:
        NotFound: there is no run.
        InvalidRequest: a file is damaged, or nothing was saved yet.
    """
    run = RunFolder(folder)
    about, state = run.about(), _best(run)
    critic = Critic(CriticConfig(**{**about["train"], "folder": folder}), about["heads"])
    critic.load_state_dict(state["averages"])
    return critic.eval().requires_grad_(False)


def train_flow(
    config: FlowConfig,
    source: RenderedSource,
    codec: Path,
    *,
    critic: Path | None = None,
    resume: bool = False,
    report: Report = silent,
) -> Ended:
    """
    Train a flow in `config.folder`.

    Args:
        codec: the run of a codec; one that restores pictures badly is refused.
        critic: the run of a critic, which `config.perceptual`, `telling` and `revise` ask for.

    Raises:
        Conflict: the folder holds a run and `resume` is off, or that run had other settings.
        InvalidRequest: the codec does not pass the gate, `words_from` cannot read, or `start_from`
            has another shape, or a critic is asked for that is not there.
    """
    prepare_torch(config)
    ready, restored = load_codec(codec)
    if restored < LEAST_PSNR:
        raise InvalidRequest(
            f"the codec in {codec} restores pictures at {restored:.1f} dB, at least "
            f"{LEAST_PSNR:g} are needed",
            hint="train it longer, or give its codes more components",
        )
    eye = _critic(config, critic)
    run = open_run(config, source.provenance, resume=resume, free=FREE | MAY_CHANGE)
    state = run.load(LAST) if run.started else None
    model = _generator(config, ready, run) if state else _begun(config, ready, run, source, eye)
    learner = Learner(model, config, optimizer=Mixed(model, config)).resume(state, run)
    stumbles = run.about().get("stumbles", ())
    lesson = FlowLesson(source, ready, run.tokenizer(), config, critic=eye, stumbles=stumbles)
    return run_lesson(learner, lesson, run=run, report=report)


def load_generator(folder: Path, codec: Codec) -> tuple[Generator, int]:
    """
    Read the best generator of a run, and the step that it had reached.

    Raises:
        NotFound: there is no run.
        InvalidRequest: a file is damaged, or nothing was saved yet.
    """
    run = RunFolder(folder)
    table = run.about()["train"]
    state = _best(run)
    model = _generator(FlowConfig(**{**table, "folder": folder}), codec, run)
    model.load_state_dict(state["averages"])
    return model.eval(), int(state["step"])


def _critic(config: FlowConfig, folder: Path | None) -> Critic | None:
    asked = {"perceptual": config.perceptual, "telling": config.telling}
    wanted = [f"{name} is {amount:g}" for name, amount in asked.items() if amount]
    wanted += [f"revise is {config.revise}"] if config.revise else []
    if not wanted:
        return None
    if folder is None or not RunFolder(folder).started:
        raise InvalidRequest(
            f"{' and '.join(wanted)}, and there is no critic",
            hint="train one first, or do without",
        )
    return load_critic(folder).to(config.device)


def _begun(
    config: FlowConfig, codec: Codec, run: RunFolder, source: RenderedSource, critic: Critic | None
) -> Generator:
    """Make what a run begins with: another run's generator, or one that can read and no more."""
    begins = _earlier_flow(config.start_from) if config.start_from else _teacher(config)
    heads = source.shelf.head_sizes if config.naming else {}
    model = Generator(config, codec, Reader(model_from_json(begins.text)), heads=heads)
    begins.fill(model)
    # Only now, for a refusal to leave no folder behind.
    about: dict[str, Any] = {
        "heads": heads, "provenance": source.provenance, "text": begins.text,
        "stumbles": _stumbles(model, codec, critic, source, begins.tokenizer, config),
    }  # fmt: skip
    run.start(config, begins.tokenizer, about=about)
    return model


def _stumbles(
    model: Generator,
    codec: Codec,
    critic: Critic | None,
    source: RenderedSource,
    tokenizer: Tokenizer,
    config: FlowConfig,
) -> list[float]:
    if not config.revise or critic is None:
        return []
    model.to(config.device)
    return count_stumbles(model, codec.to(config.device), critic, source, tokenizer, config)


@dataclass(frozen=True, slots=True)
class _Begins:
    """What a generator begins with: tokens, the shape of its reader, and what fills it."""

    tokenizer: Tokenizer
    text: dict[str, Any]
    fill: Callable[[Generator], None]


def _earlier_flow(folder: Path) -> _Begins:
    """Begin with a bundle's generator, or with the best one of a run."""
    if is_bundle(folder):
        revived = revive_generator(folder)
        weights, tokenizer, text = revived.generator.state_dict(), revived.tokenizer, revived.text
    else:
        run = RunFolder(folder)
        weights, tokenizer, text = _best(run)["averages"], run.tokenizer(), run.about()["text"]
    return _Begins(tokenizer, text, partial(_take_over, theirs=weights, path=folder))


def _earlier_codec(folder: Path) -> Codec:
    return revive_generator(folder).codec if is_bundle(folder) else load_codec(folder)[0]


def _take_over(model: Generator, *, theirs: Mapping[str, Any], path: Path) -> None:
    """Take over weights; heads that name other attributes, or none, stay."""
    own = model.state_dict()
    known = {
        name: value
        for name, value in theirs.items()
        if not name.startswith(HEADS) or (name in own and own[name].shape == value.shape)
    }
    heads = {name: value for name, value in own.items() if name.startswith(HEADS)}
    _load(model, {**heads, **known}, path)


def _load(model: nn.Module, weights: Mapping[str, Any], path: Path) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError as exc:
        raise InvalidRequest(
            f"what was trained in {path} has another shape",
            hint="start from one of the same settings",
        ) from exc


def _best(run: RunFolder) -> Mapping[str, Any]:
    state = run.load(BEST)
    if state is None:
        raise InvalidRequest(f"{run.path} holds no weights yet", hint="let it reach a validation")
    return state


def _generator(config: FlowConfig, codec: Codec, run: RunFolder) -> Generator:
    about = run.about()
    return Generator(config, codec, Reader(model_from_json(about["text"])), heads=about["heads"])


def _teacher(config: FlowConfig) -> _Begins:
    """Begin with what has learned to read already, and no more: a bundle or a run."""
    folder = config.words_from
    teacher = learned(folder)
    words = teacher.model.text.state_dict()
    return _Begins(
        teacher.tokenizer,
        asdict(shape_of(teacher.about)),
        lambda model: _load(model.reader, words, folder),
    )
