"""
What moves the weights of a generator: Muon for the matrices inside its flow, Adam for the rest.

Muon (Jordan et al. 2024) steps equally far in every direction of a matrix, which teaches a small
network in fewer steps than Adam; on a CPU with matrix units it costs about a tenth of a step.
Its steps are scaled to the size of Adam's (Liu et al. 2025), so that one learning rate does for
both.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from crosslens.train.generator_config import FlowConfig
from crosslens.train.generator_flow import Generator

_INSIDE = tuple(
    f"flow.{part}."
    for part in (
        "down", "up", "layers", "coarser", "finer", "listen", "from_time", "from_sum", "from_heard"
    )
)  # fmt: skip
_ASKED, _TURNED = "flow.listen.questions", "turn.weight"


class Mixed:
    """Two optimisers that look like one."""

    def __init__(self, model: Generator, config: FlowConfig) -> None:
        learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
        inside = {name: p for name, p in learned.items() if _is_inside(name, p)}
        around = [p for name, p in learned.items() if name not in inside]
        rate, decay = config.learning_rate, config.weight_decay
        self._parts: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(
                list(inside.values()), lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(
                around, lr=rate, weight_decay=decay, betas=(0.9, config.second_beta), fused=True
            ),
        )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Give the groups of both; what is written to them counts."""
        return [group for part in self._parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none)

    def step(self) -> None:
        """Move all weights."""
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Give the states of both."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the states of both."""
        for part, own in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(own)


def _is_inside(name: str, parameter: nn.Parameter) -> bool:
    if parameter.ndim != 2 or name == _ASKED or name.endswith(_TURNED):
        return False
    return name.startswith(_INSIDE)
