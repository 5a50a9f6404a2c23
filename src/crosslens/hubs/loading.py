"""Model folders → PyTorch: known architectures only, every weight accounted for, no code run."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from crosslens.errors import InvalidRequest
from crosslens.hubs.folder import (
    ORIGINAL,
    PICKLED,
    SAFE_WEIGHTS,
    ModelFolder,
    require_no_code,
    require_safe_weights,
)
from crosslens.hubs.originals import load_original

PAIRED = {
    "clip": "CLIPModel",
    "chinese_clip": "ChineseCLIPModel",
    "siglip": "SiglipModel",
}
SENTENCE = {
    "albert": "AlbertModel",
    "bert": "BertModel",
    "camembert": "CamembertModel",
    "distilbert": "DistilBertModel",
    "electra": "ElectraModel",
    "ernie": "ErnieModel",
    "modernbert": "ModernBertModel",
    "mpnet": "MPNetModel",
    "nomic_bert": "NomicBertModel",
    "roberta": "RobertaModel",
    "t5": "T5EncoderModel",
    "xlm-roberta": "XLMRobertaModel",
}
CROSS = {
    "albert": "AlbertForSequenceClassification",
    "bert": "BertForSequenceClassification",
    "camembert": "CamembertForSequenceClassification",
    "distilbert": "DistilBertForSequenceClassification",
    "electra": "ElectraForSequenceClassification",
    "ernie": "ErnieForSequenceClassification",
    "modernbert": "ModernBertForSequenceClassification",
    "mpnet": "MPNetForSequenceClassification",
    "roberta": "RobertaForSequenceClassification",
    "xlm-roberta": "XLMRobertaForSequenceClassification",
}
_REASONS = {
    "siglip2": "its NaFlex towers take pictures of changing shape; "
    "export a fixed size instead, such as google/siglip2-base-patch16-224",
    "jina_clip": "it needs code from its hub, and crosslens runs none",
    "new": "it needs code from its hub, and crosslens runs none",
    "": "config.json names no model_type",
}
_NOT_NEEDED = ("pooler.", "position_ids", "logit_", "decoder.")


def load(folder: ModelFolder) -> Any:
    """
    Load an encoder for inference, in float32.

    Raises:
        InvalidRequest: an unknown architecture, code from the hub, pickled, missing or alien
            weights.
        NotFound: it has no weights.
    """
    if folder.architecture == ORIGINAL:
        return load_original(folder)
    return _sound(folder, {**PAIRED, **SENTENCE}, _NOT_NEEDED)


def load_cross(folder: ModelFolder) -> Any:
    """Load a model that judges pairs of texts, as `load` does; every weight is needed."""
    return _sound(folder, CROSS, ("position_ids",))


def _sound(folder: ModelFolder, known: Mapping[str, str], spare: Sequence[str]) -> Any:
    require_no_code(folder)
    kind = _class(folder, known)
    require_safe_weights(folder)
    model, found = _loaded(folder, kind)
    missing = [key for key in found["missing_keys"] if not any(part in key for part in spare)]
    wrong = [str(key) for key in found["mismatched_keys"]]
    if missing or wrong:
        raise InvalidRequest(
            f"the weights of {folder.name} are not those of a {kind.__name__}: "
            f"{len(missing)} are missing and {len(wrong)} of another shape, "
            f"such as {(missing + wrong)[0]}"
        )
    return model.eval()


def load_dense(folder: ModelFolder) -> dict[str, torch.Tensor]:
    """
    Read the weights of a dense layer.

    Raises:
        InvalidRequest: they are pickled or damaged.
        NotFound: there are none.
    """
    require_safe_weights(folder)
    try:
        return dict(load_file(folder.path / "model.safetensors"))
    except (OSError, SafetensorError) as exc:
        raise InvalidRequest(f"the weights in {folder.path} cannot be read: {exc}") from exc


def _class(folder: ModelFolder, known: Mapping[str, str]) -> Any:
    if folder.architecture not in known:
        reason = _REASONS.get(folder.architecture, f"known are {', '.join(sorted(known))}")
        raise InvalidRequest(
            f"the architecture of {folder.name} is {folder.architecture!r}: {reason}"
        )
    return getattr(transformers, known[folder.architecture])


def _loaded(folder: ModelFolder, kind: Any) -> tuple[Any, dict[str, Any]]:
    failure: Exception | None = None
    for attention in ("sdpa", "eager"):
        try:
            with quiet():
                model, found = kind.from_pretrained(
                    str(folder.path),
                    local_files_only=True,
                    trust_remote_code=False,
                    use_safetensors=True,
                    output_loading_info=True,
                    dtype=torch.float32,
                    attn_implementation=attention,
                )
                return model, found
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as exc:
            failure = exc
    raise InvalidRequest(f"{folder.name} cannot be loaded: {failure}") from failure


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's remarks and bars from the user; what matters is checked."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)


def convert_pickles(folder: ModelFolder, scratch: Path) -> ModelFolder:
    """
    Copy a model, its pickled weights rewritten as safetensors.

    Tensors are taken out by PyTorch's restricted reader, which runs no code; whatever is not a
    tensor stays behind.

    Raises:
        InvalidRequest: a file holds more than tensors, or it is not clear which one is meant.
    """
    shutil.copytree(folder.path, scratch, ignore=shutil.ignore_patterns(*PICKLED, "*.py", ".*"))
    for place in pickled_places(folder):
        _convert(place, scratch / place.relative_to(folder.path))
    return ModelFolder(scratch, folder.name, folder.source)


def pickled_places(folder: ModelFolder) -> list[Path]:
    """Return the folders within whose weights are pickled and nothing else."""
    places = {path.parent for pattern in PICKLED for path in folder.path.rglob(pattern)}
    return sorted(place for place in places if not any(place.glob(SAFE_WEIGHTS)))


def _convert(place: Path, target: Path) -> None:
    weights: dict[str, torch.Tensor] = {}
    for file in _pickles(place):
        try:
            found = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as exc:
            raise InvalidRequest(
                f"{file} holds more than tensors, and nothing of it was run: {exc}"
            ) from exc
        table = found.get("state_dict", found) if isinstance(found, dict) else {}
        weights |= {k: v.clone().contiguous() for k, v in table.items() if torch.is_tensor(v)}
    if weights:
        save_file(weights, target / "model.safetensors", metadata={"format": "pt"})


def _pickles(place: Path) -> list[Path]:
    """Find the weights: in the hubs' names, or else the one checkpoint that lies there."""
    named = sorted(place.glob("pytorch_model*.bin"))
    checkpoints = sorted(place.glob("*.pt"))
    if not named and len(checkpoints) > 1:
        raise InvalidRequest(
            f"{place} has {len(checkpoints)} checkpoints, such as {checkpoints[0].name}",
            hint="leave only the one that is meant",
        )
    return named or checkpoints
