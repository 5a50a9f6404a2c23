"""The drawings that a generator's bundle must repeat: made by PyTorch, which is what they show."""

from __future__ import annotations

import numpy as np
import torch
from tokenizers import Tokenizer

from crosslens.generate.bundles import Drawings
from crosslens.generate.cards import GeneratorCard
from crosslens.train.generator_codec import Codec, to_pixels
from crosslens.train.generator_flow import Generator, travel
from crosslens.train.tokens import encode

PROMPTS = ("red striped t-shirt", "藏青色真皮双肩包", "yellow mug with white dots")
STEPS = 4


def draw_goldens(
    codec: Codec, generator: Generator, tokenizer: Tokenizer, card: GeneratorCard
) -> Drawings:
    """Draw in PyTorch what a bundle with this card must draw."""
    pictures = []
    for seed, prompt in enumerate(PROMPTS):
        ids, mask = map(torch.from_numpy, encode(tokenizer, [prompt, ""]))
        shape = (1, *codec.spread.shape)
        noise = np.random.default_rng(seed).standard_normal(shape[1:], np.float32)[None]
        with torch.no_grad():
            states = generator.reader(ids, mask)
            *_, codes = travel(
                generator.flow, card.temperature * torch.from_numpy(noise), states, mask,
                torch.tensor([card.pose_of(seed)]), steps=STEPS, guidance=card.guidance,
                guided=card.guided,
            )  # fmt: skip
            pictures.append(to_pixels(codec(codes))[0])
    return Drawings(
        prompts=PROMPTS, seeds=tuple(range(len(PROMPTS))), steps=STEPS, pictures=np.stack(pictures)
    )
