"""A model as its hub lays it out: JSON, weights, vocabularies; nothing in it is ever run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosslens.errors import InvalidRequest, NotFound

UNKNOWN_LICENCE = "unknown"
SAFE_WEIGHTS = "*.safetensors"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")

# a class of this name in these files is the architecture of the library with other methods added
HARMLESS_CODE = frozenset({"modeling_MMRet_CLIP.CLIPModel"})

# Chinese-CLIP as its authors and ModelScope lay it out: no config.json, but these two
ORIGINAL = "cn_clip"
ORIGINAL_PICTURES, ORIGINAL_WORDS = "vision_model_config.json", "text_model_config.json"

_CONFIG = "config.json"
_FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"^([A-Za-z_]+):\s*(.*)$")
_NOT_COMMERCIAL = re.compile(r"(?:^|[-_ ])nc(?:$|[-_ ])|non-?commercial|research", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """
    A model on this disk.

    Attributes:
        name: what the hub calls it, or the folder's name.
        source: where it comes from, for the card: `huggingface:BAAI/bge-m3@5617a9f`, or `a folder`.
    """

    path: Path
    name: str = ""
    source: str = "a folder"

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.path.resolve().name)

    def json(self, name: str) -> Any:
        """
        Read a JSON file; None if there is none.

        Raises:
            InvalidRequest: it is not JSON.
        """
        path = self.path / name
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as exc:
            raise InvalidRequest(f"{path} cannot be read as JSON: {exc}") from exc

    def table(self, name: str) -> dict[str, Any]:
        """Read a JSON object; empty if there is none."""
        found = self.json(name)
        if found is not None and not isinstance(found, dict):
            raise InvalidRequest(f"{self.path / name} is not a JSON object")
        return found or {}

    @property
    def config(self) -> dict[str, Any]:
        """
        What the model says it is.

        Raises:
            NotFound: there is no such folder, or it says nothing.
        """
        if not self.path.is_dir():
            raise NotFound(f"there is no folder {self.path}")
        found = self.table(_CONFIG)
        if not found:
            hint = (
                "name the folder that holds config.json, or modules.json of sentence-transformers"
            )
            raise NotFound(f"{self.path} is not a model: it has no {_CONFIG}", hint=hint)
        return found

    @property
    def architecture(self) -> str:
        """The name under which the library knows the architecture, or `ORIGINAL`."""
        found = str(self.table(_CONFIG).get("model_type") or "")
        names = (ORIGINAL_PICTURES, ORIGINAL_WORDS)
        if not found and all((self.path / name).is_file() for name in names):
            return ORIGINAL
        return found or str(self.config.get("model_type", ""))

    def inner(self, path: str) -> ModelFolder:
        """
        Look at a folder within.

        Raises:
            InvalidRequest: the path leads out.
        """
        folder = (self.path / path).resolve()
        if not folder.is_relative_to(self.path.resolve()):
            raise InvalidRequest(
                f"{self.path / 'modules.json'}: path {path!r} leads out of the folder"
            )
        return ModelFolder(folder, self.name, self.source)

    def about(self) -> Mapping[str, Sequence[str]]:
        """Read the head of the model's README: plain keys and lists, anything else is left out."""
        readme = self.path / "README.md"
        if not readme.is_file():
            return {}
        found = _FRONT_MATTER.match(readme.read_text("utf-8", errors="replace"))
        return _keys(found.group(1)) if found else {}


def _keys(front: str) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    current = ""
    for line in front.splitlines():
        head = _KEY.match(line)
        if head:
            current = head.group(1)
            keys[current] = _values(head.group(2))
        elif current and re.match(r"\s*- ", line):
            keys[current] += _values(line.strip()[2:])
    return keys


def _values(text: str) -> list[str]:
    parts = text.strip().strip("[]").split(",") if text.strip().startswith("[") else [text]
    return [part.strip().strip("'\"") for part in parts if part.strip().strip("'\"")]


def licence_of(folder: ModelFolder) -> str:
    """Return the licence that the model's files name, or `unknown`."""
    about = folder.about()
    for key in ("license", "licence"):
        named = about.get(f"{key}_name") or about.get(key)
        if named:
            return named[0]
    return UNKNOWN_LICENCE


def forbids_commerce(licence: str) -> bool:
    """Whether a licence looks like one that leaves out commercial use."""
    return bool(_NOT_COMMERCIAL.search(licence))


def require_no_code(folder: ModelFolder) -> None:
    """
    Refuse a model whose architecture is a program in its own folder.

    Raises:
        InvalidRequest: it needs code from the hub.
    """
    code = folder.config.get("auto_map") or {}
    needed = {str(name).rpartition("--")[2] for name in _flat(code.values())}
    models = {name for name in needed if not name.startswith(("configuration_", "processing_"))}
    if models - HARMLESS_CODE or (needed and folder.architecture in ("", "new")):
        raise InvalidRequest(
            f"{folder.name} needs code from its hub ({', '.join(sorted(needed))}), "
            "and crosslens runs no code from hubs",
            hint="choose a model whose architecture is part of the transformers library",
        )


def _flat(values: Any) -> list[Any]:
    return [v for value in values for v in (value if isinstance(value, list) else [value]) if v]


def require_safe_weights(folder: ModelFolder) -> None:
    """
    Refuse weights that could only be had by unpickling.

    Raises:
        InvalidRequest: there are no others.
        NotFound: there are no weights at all.
    """
    if any(folder.path.glob(SAFE_WEIGHTS)):
        return
    pickled = [path.name for pattern in PICKLED for path in sorted(folder.path.glob(pattern))]
    if pickled:
        raise InvalidRequest(
            f"the weights of {folder.name} are pickled ({pickled[0]}): reading them can run code",
            hint="choose a revision with safetensors; or add --convert-pickle, which takes tensors "
            "and nothing else out, with PyTorch's restricted reader",
        )
    raise NotFound(f"{folder.path} has no weights: no {SAFE_WEIGHTS} is there")
