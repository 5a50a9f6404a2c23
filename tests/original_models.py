"""Chinese-CLIP in its authors' own layout: small shapes, random weights, published names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers as library
from safetensors.torch import save_file
from torch import Tensor

import hub_models

SIDE, DIM, HEAD = 64, 24, 8
WORDS: dict[str, Any] = {
    "vocab_size": hub_models.vocabulary_size(), "text_attention_probs_dropout_prob": 0.1,
    "text_hidden_act": "gelu", "text_hidden_dropout_prob": 0.1, "text_hidden_size": 32,
    "text_initializer_range": 0.02, "text_intermediate_size": 48,
    "text_max_position_embeddings": 64, "text_num_attention_heads": 4,
    "text_num_hidden_layers": 3, "text_type_vocab_size": 2,
}  # fmt: skip
VIT: dict[str, Any] = {
    "embed_dim": DIM, "image_resolution": SIDE, "vision_layers": 2, "vision_width": 32,
    "vision_head_width": HEAD, "vision_patch_size": 16,
}  # fmt: skip
RN: dict[str, Any] = {
    "embed_dim": DIM, "image_resolution": SIDE, "vision_layers": "[1,2,1,1]", "vision_width": 8,
    "vision_head_width": 64, "vision_patch_size": None,
}  # fmt: skip
Weights = dict[str, Tensor]


def vit(folder: Path) -> Path:
    """A ViT size."""
    return _written(folder, VIT, original_names(reference().state_dict()))


def rn(folder: Path) -> Path:
    """The size with a residual network."""
    words = original_names(reference().state_dict())
    words = {k: v for k, v in words.items() if not k.startswith("visual.")}
    return _written(folder, RN, {**words, **dict(residual_weights())})


def reference() -> Any:
    """The library's model of the shape of `VIT`, always with the same weights."""
    text = {k.removeprefix("text_"): v for k, v in WORDS.items()}
    vision = {
        "hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 32 // HEAD, "image_size": SIDE, "patch_size": 16,
    }  # fmt: skip
    config = library.ChineseCLIPConfig(text_config=text, vision_config=vision, projection_dim=DIM)
    model = library.ChineseCLIPModel(config).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            centre = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            parameter.copy_((centre + noise / 6).half().float())
    return model


_RENAMED = (
    ("text_model.", "bert."),
    ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.embeddings.patch_embedding", "visual.conv1"),
    ("vision_model.pre_layrnorm", "visual.ln_pre"),
    ("vision_model.post_layernorm", "visual.ln_post"),
    ("vision_model.encoder.layers", "visual.transformer.resblocks"),
    ("self_attn.out_proj", "attn.out_proj"), ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"),
    ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
)  # fmt: skip


def original_names(weights: Weights) -> Weights:
    """Rename the library's weights to those of the authors' checkpoints."""
    found: Weights = {}
    for name, values in weights.items():
        if ".q_proj." in name:
            parts = [weights[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            values = torch.cat(parts)
        if "k_proj" in name or "v_proj" in name:
            continue
        name = name.replace("self_attn.q_proj.", "attn.in_proj_")
        for theirs, ours in _RENAMED:
            name = name.replace(theirs, ours)
        found[name] = values.clone()
    found["visual.proj"] = found.pop("visual_projection.weight").T.contiguous()
    found["text_projection"] = found.pop("text_projection.weight").T.contiguous()
    return found


def residual_weights() -> Iterator[tuple[str, Tensor]]:
    """Weights of the residual network, named and shaped as published."""
    draw = _Draw(torch.Generator().manual_seed(11))
    width, places = RN["vision_width"], (SIDE // 32) ** 2 + 1
    for n, (after, before) in enumerate(((width // 2, 3), (width // 2, width // 2))):
        yield from draw.convolution("visual.", n + 1, after, before, 3)
    yield from draw.convolution("visual.", 3, width, width // 2, 3)
    yield from _stages(draw, width)
    wide = width * 32
    yield "visual.attnpool.positional_embedding", draw(places, wide)
    for part, after in (("k", wide), ("q", wide), ("v", wide), ("c", DIM)):
        yield f"visual.attnpool.{part}_proj.weight", draw(after, wide)
        yield f"visual.attnpool.{part}_proj.bias", draw(after)


def _stages(draw: _Draw, before: int) -> Iterator[tuple[str, Tensor]]:
    width = before
    for stage, blocks in enumerate(json.loads(RN["vision_layers"])):
        inner = width * 2**stage
        for block in range(blocks):
            at = f"visual.layer{stage + 1}.{block}."
            yield from draw.convolution(at, 1, inner, before, 1)
            yield from draw.convolution(at, 2, inner, inner, 3)
            yield from draw.convolution(at, 3, inner * 4, inner, 1)
            if block == 0:
                yield f"{at}downsample.0.weight", draw(inner * 4, before, 1, 1)
                yield from draw.norm(f"{at}downsample.1", inner * 4)
            before = inner * 4


class _Draw:
    """Random weights that a half holds exactly, so small that values stay near one."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def __call__(self, *shape: int) -> Tensor:
        wide = torch.Size(shape[1:]).numel() or 4
        return (torch.randn(shape, generator=self.generator) / wide**0.5).half().float()

    def convolution(self, at: str, n: int, *shape: int) -> Iterator[tuple[str, Tensor]]:
        after, before, size = shape
        yield f"{at}conv{n}.weight", self(after, before, size, size)
        yield from self.norm(f"{at}bn{n}", after)

    def norm(self, name: str, channels: int) -> Iterator[tuple[str, Tensor]]:
        for part in ("weight", "running_var"):
            yield f"{name}.{part}", (1 + self(channels).abs()).half().float()
        for part in ("bias", "running_mean"):
            yield f"{name}.{part}", self(channels)
        yield f"{name}.num_batches_tracked", torch.tensor(7)


def _written(folder: Path, vision: dict[str, Any], weights: Weights) -> Path:
    hub_models.readme(folder)
    hub_models.bert_words(folder)
    (folder / "vision_model_config.json").write_text(json.dumps(vision))
    (folder / "text_model_config.json").write_text(json.dumps(WORDS))
    (folder / "configuration.json").write_text('{"framework": "pytorch"}')
    save_file(weights, folder / "model.safetensors")
    return folder


def pickled(folder: Path, name: str = "pytorch_model.bin") -> Path:
    """Rewrite the weights as ModelScope has them: a pickle of halves, trained in parallel."""
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    halves = {f"module.{k}": v.half() if v.is_floating_point() else v for k, v in weights.items()}
    torch.save({"epoch": 3, "name": "a run", "state_dict": halves}, folder / name)
    (folder / "model.safetensors").unlink()
    return folder
