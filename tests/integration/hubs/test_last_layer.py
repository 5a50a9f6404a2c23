"""The shortened last layer: the same vectors, and only where they depend on nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import hub_models
import original_models
from crosslens.hubs.folder import ModelFolder
from crosslens.hubs.last_layer import first_token_only
from crosslens.hubs.sides import Wishes, picture_side, text_side
from crosslens.train.export import golden_pictures

pytestmark = pytest.mark.hub

TEXTS = ("a red shoe", "红色连衣裙 nike air", "x")
Build = Callable[[Path], Path]


def pictures(build: Build) -> Callable[[Path], Any]:
    return lambda folder: picture_side(ModelFolder(build(folder / "model")))


def words(build: Build, pooling: str | None = None) -> Callable[[Path], Any]:
    wishes = Wishes(pooling=pooling)
    return lambda folder: text_side(ModelFolder(build(folder / "model")), wishes)


SHORT = {
    "clip, pictures": pictures(hub_models.clip),
    "chinese_clip, pictures": pictures(hub_models.chinese_clip),
    "chinese_clip, words": words(hub_models.chinese_clip),
    "original, words": words(original_models.rn),
    "bert": words(hub_models.bert),
    "roberta": words(hub_models.roberta, "cls"),
    "electra": words(hub_models.electra, "cls"),
    "ernie": words(hub_models.ernie, "cls"),
}
WHOLE = {
    "clip, words": words(hub_models.clip),
    "siglip, pictures": pictures(hub_models.siglip2),
    "siglip, words": words(hub_models.siglip2),
    "mean": words(hub_models.bert, "mean"),
    "albert": words(hub_models.albert, "cls"),
    "mpnet": words(hub_models.mpnet, "cls"),
    "modernbert": words(hub_models.modernbert, "cls"),
    "distilbert": words(hub_models.multilingual_clip_words, "cls"),
    "t5": words(hub_models.t5, "cls"),
    "original, pictures": pictures(original_models.rn),
}


def batch(side: Any) -> Any:
    inputs = golden_pictures() if hasattr(side, "processor") else TEXTS
    with torch.no_grad():
        return side.tower(*side.inputs(list(inputs)))


@pytest.mark.parametrize("build", SHORT.values(), ids=SHORT.keys())
def test_a_tower_read_at_its_first_token_skips_the_others(build: Any, tmp_path: Path):
    side = build(tmp_path)
    names = set(side.tower.state_dict())
    whole = batch(side)
    with first_token_only(side.tower) as short:
        assert short
        assert (batch(side) - whole).abs().max() < 2e-6
        assert set(side.tower.state_dict()) != names
    assert set(side.tower.state_dict()) == names


@pytest.mark.parametrize("build", WHOLE.values(), ids=WHOLE.keys())
def test_any_other_tower_is_left_alone(build: Any, tmp_path: Path):
    side = build(tmp_path)
    names = list(side.tower.state_dict())
    with first_token_only(side.tower) as short:
        assert not short
        assert list(side.tower.state_dict()) == names


def test_the_whole_layer_is_back_after_a_failure(tmp_path: Path):
    side = words(hub_models.bert)(tmp_path)
    last = side.model.encoder.layer[-1]
    with pytest.raises(RuntimeError, match="no room"), first_token_only(side.tower):
        raise RuntimeError("no room")
    assert side.model.encoder.layer[-1] is last
