"""
What a generator draws wrong as it begins to learn on, so that it is shown more of that.

What is still drawn wrong is a small part of all products, a shirt's buttons on some in a hundred.
"""

from __future__ import annotations

import numpy as np
import torch
from tokenizers import Tokenizer

from crosslens.train.generator_codec import Codec
from crosslens.train.generator_config import FlowConfig
from crosslens.train.generator_critic import Critic
from crosslens.train.generator_flow import Generator
from crosslens.train.generator_rehearsal import drawn
from crosslens.train.rendered import RenderedSource
from crosslens.train.source import Style, column_of

TRIED = 16  # products of a value
_SEED = 50_000


@torch.no_grad()
def count_stumbles(
    model: Generator,
    codec: Codec,
    critic: Critic,
    source: RenderedSource,
    tokenizer: Tokenizer,
    config: FlowConfig,
) -> list[float]:
    """
    Draw some training products of each value of an attribute from their titles.

    Returns:
        Per value, the mean probability that the critic gives to other values, 0 to 1.

    Raises:
        InvalidRequest: products have no such attribute.
    """
    rng, shelf = np.random.default_rng(_SEED), source.shelf
    values = shelf.codes[shelf.training, column_of(shelf, "revise", config.revise)]
    found = []
    for value in range(shelf.head_sizes[config.revise]):
        rows = shelf.training[values == value]
        rows = rng.choice(rows, min(TRIED, len(rows)), replace=False)
        languages = rng.choice(source.languages, len(rows))
        phrases = [
            source.phrase(int(row), str(language), rng, style=Style.FULL)
            for row, language in zip(rows, languages, strict=True)
        ]
        titles = [phrase.text if phrase else "" for phrase in phrases]
        noise = rng.standard_normal((len(rows), *codec.spread.shape), np.float32)
        device = config.device
        codes = drawn(
            model, tokenizer, titles, torch.from_numpy(noise).to(device),
            torch.from_numpy(rows % config.poses).to(device),
        )  # fmt: skip
        logits = critic.named(critic(codec.plain(codes))[-1])[f"names {config.revise}"]
        found.append(float(1 - logits.softmax(1)[:, value].mean()) if len(rows) else 0.0)
    return found
