"""What a sentence-transformers folder says: which tower, how tokens become one vector, prompts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from crosslens.errors import InvalidRequest
from crosslens.hubs.folder import ModelFolder

POOLINGS = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "Sigmoid", "SiLU")

_MODULES, _PROMPTS, _LIMITS = (
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
)
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}  # fmt: skip
# what the authors' pages ask for where their files are silent: name → (query, item)
_BY_NAME = (
    (r"(^|[/-])(multilingual-)?e5-(small|base|large)(?!-instruct)", ("query: ", "passage: ")),
    (r"bge-(small|base|large)-zh", ("为这个句子生成表示以用于检索相关文章：", "")),
    (r"bge-(small|base|large)-en",
     ("Represent this sentence for searching relevant passages: ", "")),
    (r"nomic-embed-text", ("search_query: ", "search_document: ")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DenseStep:
    """A layer after the pooling: the folder of its weights, and what bends its output."""

    folder: ModelFolder
    activation: str
    bias: bool
    residual: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    How a folder makes one vector of a text.

    Attributes:
        tower: the folder of the transformer.
        poolings: joined in this order; empty where the folder does not say.
        max_tokens: longest input that the folder allows; None where it does not say.
        lowercase: lower-case before the tokenizer sees the text.
        prefixes: before queries, before items.
    """

    tower: ModelFolder
    poolings: tuple[str, ...] = ()
    dense: tuple[DenseStep, ...] = ()
    max_tokens: int | None = None
    lowercase: bool = False
    prefixes: tuple[str, str] = ("", "")


def read_recipe(folder: ModelFolder) -> Recipe:
    """
    Read a model folder, in sentence-transformers' layout or without it.

    Raises:
        InvalidRequest: it has a step that is not known; the message names it.
    """
    modules = folder.json(_MODULES)
    recipe = Recipe(folder, prefixes=_prefixes(folder))
    if modules is None:
        return recipe
    if not isinstance(modules, list) or not all(isinstance(m, dict) for m in modules):
        raise InvalidRequest(f"{folder.path / _MODULES} is not a list of modules")
    for module in modules:
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind not in _STEPS:
            raise InvalidRequest(
                f"{folder.name} has a step {module.get('type')!r}; known are {', '.join(_STEPS)}",
                hint="crosslens runs no code from hubs; such a model cannot be exported",
            )
        recipe = _STEPS[kind](recipe, folder.inner(str(module.get("path", ""))))
    return recipe


def _transformer(recipe: Recipe, folder: ModelFolder) -> Recipe:
    limits = folder.table(_LIMITS)
    return replace(
        recipe,
        tower=folder,
        max_tokens=limits.get("max_seq_length"),
        lowercase=bool(limits.get("do_lower_case")),
    )


def _clip(recipe: Recipe, folder: ModelFolder) -> Recipe:
    return replace(recipe, tower=folder)


def _pooling(recipe: Recipe, folder: ModelFolder) -> Recipe:
    config = folder.table("config.json")
    named: Any = config.get("pooling_mode") or [m for flag, m in _FLAGS.items() if config.get(flag)]
    modes = (named,) if isinstance(named, str) else tuple(named)
    for mode in modes:
        if mode not in POOLINGS:
            raise InvalidRequest(f"pooling is {mode!r}, known are {', '.join(POOLINGS)}")
    if config.get("include_prompt") is False:
        raise InvalidRequest(
            f"{recipe.tower.name} leaves its prompt out of the pooling; not supported"
        )
    return replace(recipe, poolings=modes or ("mean",))


def _dense(recipe: Recipe, folder: ModelFolder) -> Recipe:
    config = folder.table("config.json")
    activation = str(config.get("activation_function") or "Identity").rpartition(".")[2]
    if activation not in ACTIVATIONS:
        raise InvalidRequest(
            f"the dense layer's activation is {activation!r}, known are {', '.join(ACTIVATIONS)}"
        )
    step = DenseStep(
        folder, activation, bool(config.get("bias", True)), bool(config.get("use_residual"))
    )
    return replace(recipe, dense=(*recipe.dense, step))


def _unit(recipe: Recipe, folder: ModelFolder) -> Recipe:
    del folder  # vectors are always brought to unit length
    return recipe


_STEPS = {
    "Transformer": _transformer,
    "CLIPModel": _clip,
    "Pooling": _pooling,
    "Dense": _dense,
    "Normalize": _unit,
    "Dropout": _unit,
}


def _prefixes(folder: ModelFolder) -> tuple[str, str]:
    config = folder.table(_PROMPTS)
    prompts = config.get("prompts") or {}
    by_default = prompts.get(config.get("default_prompt_name") or "", "")
    query = prompts.get("query", by_default)
    item = prompts.get("document", prompts.get("passage", by_default))
    if query or item:
        return str(query), str(item)
    names = (folder.name, str(folder.table("config.json").get("_name_or_path", "")))
    for pattern, found in _BY_NAME:
        if any(re.search(pattern, name, re.IGNORECASE) for name in names):
            return found
    return "", ""
