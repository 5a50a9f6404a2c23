"""Chinese-CLIP as its authors lay it out: two configs, a vocabulary, weights by their names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from crosslens.errors import InvalidRequest
from crosslens.hubs.folder import (
    ORIGINAL_PICTURES,
    ORIGINAL_WORDS,
    SAFE_WEIGHTS,
    ModelFolder,
    require_safe_weights,
)
from crosslens.hubs.vision_resnet import SHRINKS, ResidualTower
from crosslens.hubs.vision_transformer import PatchTower

LONGEST_WORD = 200  # letters that its authors' tokenizer cuts; longer ones are unknown to it

_HEAD_WIDTH = 64  # where the file does not say
_STAGES = 4
_TEXT = {
    "vocab_size": "vocab_size",
    "text_hidden_size": "hidden_size",
    "text_num_hidden_layers": "num_hidden_layers",
    "text_num_attention_heads": "num_attention_heads",
    "text_intermediate_size": "intermediate_size",
    "text_max_position_embeddings": "max_position_embeddings",
    "text_type_vocab_size": "type_vocab_size",
}
_TOGETHER = re.compile(r"(.*\.attn)\.in_proj_(weight|bias)\Z")
_NOT_NEEDED = ("bert.pooler.", "bert.embeddings.position_ids", "logit_scale")


class OriginalModel(nn.Module):
    """
    Both towers, which answer as the library's `ChineseCLIPModel` does.

    Its text tower is the library's; its picture tower is of this package, for the library has none
    with a residual network.

    Args:
        visual: pixels [N, 3, S, S] → [N, dim].
        config: the text tower's, and the side and the length of vectors of the other.
    """

    def __init__(self, visual: nn.Module, config: Any) -> None:
        super().__init__()
        self.config = config
        self.visual = visual
        self.bert: nn.Module = transformers.ChineseCLIPTextModel(
            config.text_config, add_pooling_layer=False
        )
        width = int(config.text_config.hidden_size)
        self.text_projection = nn.Parameter(torch.zeros(width, int(config.projection_dim)))

    @property
    def text_model(self) -> nn.Module:
        """The text tower before its projection."""
        return self.bert

    def get_image_features(self, pixel_values: Tensor) -> BaseModelOutputWithPooling:
        """Encode pictures: the vectors [N, dim] are its `pooler_output`."""
        return BaseModelOutputWithPooling(pooler_output=self.visual(pixel_values))

    def get_text_features(
        self, input_ids: Tensor, attention_mask: Tensor
    ) -> BaseModelOutputWithPooling:
        """Encode words, by their first token: the vectors [N, dim] are its `pooler_output`."""
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return BaseModelOutputWithPooling(pooler_output=hidden[:, 0] @ self.text_projection)


def load_original(folder: ModelFolder) -> OriginalModel:
    """
    Load a model for inference, in float32.

    Raises:
        InvalidRequest: a config that is not one, or pickled, missing or alien weights.
        NotFound: it has no weights.
    """
    require_safe_weights(folder)
    shape = _Numbers(folder, ORIGINAL_PICTURES)
    model = OriginalModel(_visual(shape), _config(folder, shape))
    weights = _split(_weights(folder))
    try:
        missing, alien = model.load_state_dict(weights, strict=False)
    except RuntimeError as exc:
        raise InvalidRequest(
            f"the weights of {folder.name} are not of the shape that its files say: {exc}"
        ) from exc
    wrong = [*missing, *(name for name in alien if not name.startswith(_NOT_NEEDED))]
    if wrong:
        raise InvalidRequest(
            f"the weights of {folder.name} are not those of a Chinese-CLIP of this shape: "
            f"{len(wrong)} are missing or too many, such as {wrong[0]}"
        )
    return model.float().eval()


def original_tokenizer(folder: ModelFolder) -> transformers.BertTokenizer:
    """Load the tokenizer: a BERT's, lower case, that cuts longer words than the library's."""
    kind = transformers.BertTokenizer
    found: transformers.BertTokenizer = kind.from_pretrained(str(folder.path), do_lower_case=True)
    found.backend_tokenizer.model.max_input_chars_per_word = LONGEST_WORD
    return found


def original_processor(folder: ModelFolder) -> Any:
    """Make the picture processor: squashed to a square, CLIP's mean and deviation."""
    side = _Numbers(folder, ORIGINAL_PICTURES).whole("image_resolution")
    return transformers.ChineseCLIPImageProcessorPil(
        size={"height": side, "width": side}, do_center_crop=False, resample=3
    )


class _Numbers:
    """A config file, read number by number."""

    def __init__(self, folder: ModelFolder, name: str) -> None:
        self.path: Path = folder.path / name
        self.table = folder.table(name)

    def whole(self, key: str, default: int | None = None) -> int:
        """Read a whole number above 0; raises InvalidRequest."""
        value: Any = self.table.get(key, default)
        if not _counts(value):
            self._refuse(key, "a whole number above 0")
        return int(value)

    def layers(self) -> int | list[int]:
        """How many blocks, or how many in each of four stages; their authors write it as text."""
        value = self.table.get("vision_layers")
        found: Any = _parsed(value) if isinstance(value, str) else value
        stages = isinstance(found, list) and len(found) == _STAGES and all(map(_counts, found))
        if not stages and not _counts(found):
            self._refuse("vision_layers", "a whole number above 0, or four of them")
        layers: int | list[int] = found
        return layers

    def _refuse(self, key: str, allowed: str) -> None:
        raise InvalidRequest(f"{self.path}: {key} is {self.table.get(key)!r}, allowed is {allowed}")


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _visual(shape: _Numbers) -> nn.Module:
    layers = shape.layers()
    given: dict[str, Any] = {
        "dim": shape.whole("embed_dim"),
        "side": shape.whole("image_resolution"),
        "blocks": layers,
        "width": shape.whole("vision_width"),
        "head_width": shape.whole("vision_head_width", _HEAD_WIDTH),
    }
    patch = SHRINKS if isinstance(layers, list) else shape.whole("vision_patch_size")
    channels = given["width"] * SHRINKS if isinstance(layers, list) else given["width"]
    if given["side"] % patch or channels % given["head_width"]:
        raise InvalidRequest(
            f"{shape.path}: pictures of {given['side']} pixels do not divide by {patch}, or "
            f"{channels} channels by heads of {given['head_width']}"
        )
    if isinstance(layers, list):
        return ResidualTower(**given)
    return PatchTower(patch=patch, **given)


def _config(folder: ModelFolder, pictures: _Numbers) -> Any:
    words = _Numbers(folder, ORIGINAL_WORDS)
    return transformers.ChineseCLIPConfig(
        text_config={
            "hidden_act": str(words.table.get("text_hidden_act", "gelu")),
            "layer_norm_eps": 1e-12,
            **{own: words.whole(key) for key, own in _TEXT.items()},
        },
        vision_config={"image_size": pictures.whole("image_resolution")},
        projection_dim=pictures.whole("embed_dim"),
    )


def _weights(folder: ModelFolder) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for path in sorted(folder.path.glob(SAFE_WEIGHTS)):
        try:
            weights |= load_file(path)
        except (OSError, SafetensorError) as exc:
            raise InvalidRequest(f"the weights in {path} cannot be read: {exc}") from exc
    return {name.removeprefix("module."): values for name, values in weights.items()}


def _split(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give queries, keys and values matrices of their own."""
    found: dict[str, Tensor] = {}
    for name, values in weights.items():
        together = _TOGETHER.match(name)
        if together is None:
            found[name] = values
            continue
        for part, own in zip("qkv", values.chunk(3), strict=False):
            found[f"{together[1]}.{part}.{together[2]}"] = own
    return found
