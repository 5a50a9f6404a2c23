"""What runs of a generator's parts have saved: a codec, a critic, a generator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosslens.errors import InvalidRequest
from crosslens.train.checkpoint import BEST, RunFolder
from crosslens.train.config import model_from_json
from crosslens.train.generator_codec import Codec
from crosslens.train.generator_config import CodecConfig, CriticConfig, FlowConfig
from crosslens.train.generator_critic import Critic
from crosslens.train.generator_flow import Generator, Reader


def load_codec(folder: Path) -> tuple[Codec, float]:
    """
    Read the best codec of a run, and how well it restores held-out pictures, in dB.

    Raises:
        NotFound: there is no run.
        InvalidRequest: a file is damaged, or nothing was saved yet.
    """
    run = RunFolder(folder)
    about, state = run.about(), best_of(run)
    codec = Codec(CodecConfig(**{**about["train"], "folder": folder}))
    codec.load_state_dict(state["averages"])
    return codec.eval(), float(state["score"])


def load_critic(folder: Path) -> Critic:
    """
    Read the best critic of a run, ready to look and not to learn.

    Raises:
        NotFound: there is no run.
        InvalidRequest: a file is damaged, or nothing was saved yet.
    """
    run = RunFolder(folder)
    about, state = run.about(), best_of(run)
    critic = Critic(CriticConfig(**{**about["train"], "folder": folder}), about["heads"])
    critic.load_state_dict(state["averages"])
    return critic.eval().requires_grad_(False)


def load_generator(folder: Path, codec: Codec) -> tuple[Generator, int]:
    """
    Read the best generator of a run, and the step that it had reached.

    Raises:
        NotFound: there is no run.
        InvalidRequest: a file is damaged, or nothing was saved yet.
    """
    run = RunFolder(folder)
    table = run.about()["train"]
    state = best_of(run)
    model = blank_generator(FlowConfig(**{**table, "folder": folder}), codec, run)
    model.load_state_dict(state["averages"])
    return model.eval(), int(state["step"])


def blank_generator(config: FlowConfig, codec: Codec, run: RunFolder) -> Generator:
    """Make the generator that a run trains, with weights yet to be loaded."""
    about = run.about()
    return Generator(config, codec, Reader(model_from_json(about["text"])), heads=about["heads"])


def best_of(run: RunFolder) -> Mapping[str, Any]:
    """
    Read the best state of a run.

    Raises:
        InvalidRequest: a file is damaged, or nothing was saved yet.
    """
    state = run.load(BEST)
    if state is None:
        raise InvalidRequest(f"{run.path} holds no weights yet", hint="let it reach a validation")
    return state
