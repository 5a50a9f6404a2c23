"""What runs of a generator's parts have saved: a codec, a critic, a generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crosslens.errors import InvalidRequest
from crosslens.train.checkpoint import BEST, LAST, RunFolder
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


def load_generator(folder: Path, codec: Codec, *, settled: bool = False) -> tuple[Generator, int]:
    """
    Read the best generator of a run, and the step that it had reached.

    Args:
        settled: read what lies halfway between the best state and the last one, which says the
            step. Where a run swings to and fro at its end, the middle is steadier than either point
            (Izmailov et al. 2018, arXiv:1803.05407).

    Raises:
        NotFound: there is no run.
        InvalidRequest: a file is damaged, or nothing was saved yet.
    """
    run = RunFolder(folder)
    table = run.about()["train"]
    model = blank_generator(FlowConfig(**{**table, "folder": folder}), codec, run)
    states = [best_of(run), run.load(LAST)] if settled else [best_of(run)]
    model.load_state_dict(_middle([state["averages"] for state in states if state]))
    return model.eval(), max(int(state["step"]) for state in states if state)


def blank_generator(config: FlowConfig, codec: Codec, run: RunFolder) -> Generator:
    """Make the generator that a run trains, with weights yet to be loaded."""
    about = run.about()
    return Generator(config, codec, Reader(model_from_json(about["text"])), heads=about["heads"])


def _middle(weights: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Average weights, one set or several."""
    first = weights[0]
    return {
        name: torch.stack([each[name] for each in weights]).mean(0)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }


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
