"""Train a generator: its codec first, which must pass a gate, then the flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from crosslens.errors import InvalidRequest
from crosslens.train.checkpoint import FREE, LAST, RunFolder, open_run
from crosslens.train.generator_begins import beginning_of, earlier_codec, take
from crosslens.train.generator_codec import Codec, CodecLesson, fit
from crosslens.train.generator_config import CodecConfig, CriticConfig, FlowConfig
from crosslens.train.generator_critic import Critic, CriticLesson
from crosslens.train.generator_flow import Generator
from crosslens.train.generator_lesson import FlowLesson
from crosslens.train.generator_optimizer import Mixed
from crosslens.train.generator_runs import blank_generator, load_codec, load_critic
from crosslens.train.generator_stumbles import count_stumbles
from crosslens.train.lessons import Ended, Learner, Report, run_lesson, silent
from crosslens.train.machine import prepare_torch
from crosslens.train.rendered import RenderedSource

LEAST_PSNR = 30.0
MAY_CHANGE = {"steps", "fall", "validate_every", "words_from", "start_from"}


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
        take(codec, earlier_codec(config.start_from).state_dict(), config.start_from)
    elif state is None:
        fit(codec, source, seed=config.seed)
    if not run.started:
        run.start(config, None, about={"heads": {}, "provenance": source.provenance})
    learner = Learner(codec, config).resume(state, run)
    return run_lesson(learner, CodecLesson(source, config), run=run, report=report)


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
    if state is not None:
        model = blank_generator(config, ready, run)
    else:
        begins, heads = beginning_of(config), source.shelf.head_sizes if config.naming else {}
        model = begins.generator(config, ready, heads)
        # Only now, for a refusal to leave no folder behind.
        about: dict[str, Any] = {
            "heads": heads, "provenance": source.provenance, "text": begins.text,
            "stumbles": _stumbles(model, ready, eye, source, begins.tokenizer, config),
        }  # fmt: skip
        run.start(config, begins.tokenizer, about=about)
    learner = Learner(model, config, optimizer=Mixed(model, config)).resume(state, run)
    stumbles = run.about().get("stumbles", ())
    lesson = FlowLesson(source, ready, run.tokenizer(), config, critic=eye, stumbles=stumbles)
    return run_lesson(learner, lesson, run=run, report=report)


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
