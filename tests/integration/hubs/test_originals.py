"""Chinese-CLIP in its authors' own layout, the size with a residual network included."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from torch import Tensor
from torch.nn import functional

import hub_models
import original_models
from crosslens.encode.cards import Resize
from crosslens.encode.onnx import OnnxBundle, load
from crosslens.hubs import export as exporting
from crosslens.hubs.export import Order, export_model
from crosslens.hubs.folder import ModelFolder
from crosslens.hubs.loading import convert_pickles
from crosslens.hubs.originals import load_original
from crosslens.hubs.sides import picture_side
from crosslens.hubs.words import HARD_TEXTS
from crosslens.train.export import golden_pictures
from crosslens.train.graphs import EXPORTERS, with_torchscript
from hub_exports import exported
from shell import Shell

pytestmark = [pytest.mark.hub, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

EQUAL = 2e-6
PICTURES = tuple(golden_pictures())


@pytest.fixture
def older_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, quick = exporting.write_graph, (with_torchscript,)
    monkeypatch.setattr(exporting, "write_graph", lambda graph, path, _: whole(graph, path, quick))


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return original_models.vit(tmp_path_factory.mktemp("original") / "vit")


@pytest.fixture(scope="module")
def rn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return original_models.rn(tmp_path_factory.mktemp("original") / "rn50")


@pytest.fixture(scope="module")
def bundles(vit: Path, rn: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("bundles")
    for source in (vit, rn):
        exported(source, root / source.name)
    return {source.name: load(root / source.name) for source in (vit, rn)}


def pixels(content: bytes) -> Tensor:
    """A picture as the authors prepare it: squashed, CLIP's mean and deviation."""
    side = (original_models.SIDE, original_models.SIDE)
    picture = Image.open(io.BytesIO(content)).convert("RGB").resize(side, Image.Resampling.BICUBIC)
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    std = np.array([0.26862954, 0.26130258, 0.27577711])
    values = (np.asarray(picture) / 255 - mean) / std
    return torch.from_numpy(values.transpose(2, 0, 1)[None])


def unit(vectors: Tensor) -> Any:
    return functional.normalize(vectors, dim=-1).numpy()


@pytest.mark.parametrize("name", ["vit", "rn50"])
def test_both_kinds_pass_their_goldens(bundles: dict[str, OnnxBundle], name: str):
    report = bundles[name].check()
    assert report.passed
    assert report.max_difference < EQUAL


def test_a_vit_gives_the_vectors_of_the_library_with_the_same_weights(bundles: Any, vit: Path):
    model, bundle = original_models.reference(), bundles["vit"]
    tokenizer = transformers.BertTokenizer.from_pretrained(vit, do_lower_case=True)
    for text in HARD_TEXTS[:24:3]:
        if any(len(word) > 100 for word in text.split()):
            continue
        ids = tokenizer(text, truncation=True, max_length=52, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            wanted = unit(model.get_text_features(input_ids=ids).pooler_output)
        assert np.abs(bundle.text.encode_queries([text]).array - wanted).max() < EQUAL
    for content in PICTURES:
        with torch.no_grad():
            found = model.get_image_features(pixel_values=pixels(content).float())
        wanted = unit(found.pooler_output)
        assert np.abs(bundle.picture.encode_pictures([content]).array - wanted).max() < EQUAL


def residual_vector(weights: dict[str, Tensor], picture: Tensor) -> Tensor:
    """The residual network once more, from its description, in float64 and without modules."""
    own = {name.removeprefix("visual."): values.double() for name, values in weights.items()}

    def norm(name: str, x: Tensor) -> Tensor:
        scale = own[f"{name}.weight"] / (own[f"{name}.running_var"] + 1e-5).sqrt()
        shift = own[f"{name}.bias"] - own[f"{name}.running_mean"] * scale
        return x * scale[:, None, None] + shift[:, None, None]

    def convolved(at: str, n: str, x: Tensor, stride: int = 1) -> Tensor:
        kernel = own[f"{at}conv{n}.weight"]
        found = functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        return norm(f"{at}bn{n}", found)

    def halved(x: Tensor) -> Tensor:
        return x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean((3, 5))

    x = convolved("", "1", picture, stride=2).relu()
    x = halved(convolved("", "3", convolved("", "2", x).relu()).relu())
    for stage, blocks in enumerate(json.loads(original_models.RN["vision_layers"]), 1):
        for block in range(blocks):
            at = f"layer{stage}.{block}."
            shrink = halved if stage > 1 and block == 0 else lambda same: same
            inside = convolved(at, "2", convolved(at, "1", x).relu()).relu()
            short = x
            if block == 0:
                short = functional.conv2d(shrink(x), own[f"{at}downsample.0.weight"])
                short = norm(f"{at}downsample.1", short)
            x = (convolved(at, "3", shrink(inside)) + short).relu()
    tokens = x[0].flatten(1).T
    tokens = torch.cat([tokens.mean(0, keepdim=True), tokens])
    tokens = tokens + own["attnpool.positional_embedding"]
    q, k, v = (
        (tokens @ own[f"attnpool.{part}_proj.weight"].T + own[f"attnpool.{part}_proj.bias"])
        .unflatten(1, (-1, original_models.RN["vision_head_width"]))
        for part in "qkv"
    )  # fmt: skip
    heads = torch.einsum("qhd,khd->hqk", q, k) / q.shape[-1] ** 0.5
    read = torch.einsum("hqk,khd->qhd", heads.softmax(-1), v).flatten(1)
    return read[:1] @ own["attnpool.c_proj.weight"].T + own["attnpool.c_proj.bias"]


def test_a_residual_network_gives_the_vectors_of_its_description(bundles: Any):
    weights = dict(original_models.residual_weights())
    found = bundles["rn50"].picture.encode_pictures(PICTURES).array
    for content, vector in zip(PICTURES, found, strict=True):
        wanted = unit(residual_vector(weights, pixels(content)))
        assert np.abs(vector - wanted).max() < 1e-5
    assert np.abs(found[0] - found[1]).max() > 1e-2


def test_the_size_with_a_residual_network_has_the_text_tower_of_the_others(bundles: Any):
    both = [bundles[name].text.encode_queries(HARD_TEXTS).array for name in ("vit", "rn50")]
    assert np.array_equal(*both)


def test_the_card_says_what_the_files_do_not(bundles: Any):
    card = bundles["rn50"].card
    assert (card.dim, card.text.max_tokens) == (original_models.DIM, 52)
    assert (card.picture.resize, card.picture.crop) == (Resize.SQUASH, False)
    assert (card.picture.width, card.picture.height) == (original_models.SIDE,) * 2
    assert card.training["picture_architecture"] == "cn_clip"


def test_words_of_two_hundred_letters_are_cut_and_longer_ones_unknown(bundles: Any):
    tower = bundles["vit"].text
    cut, unknown = tower.prepare_queries(["x" * 200]), tower.prepare_queries(["x" * 201])
    assert len(cut[0]) == 52
    assert len(unknown[0]) == 3


def test_the_newer_exporter_passes_the_same_gate(rn: Path, tmp_path: Path):
    order = Order("rn50", "A test.", "MIT", "a folder", exporters=EXPORTERS[:1])
    done = export_model(None, picture_side(ModelFolder(rn)), tmp_path / "new", order)
    assert done.parity["picture"] < EQUAL
    assert load(tmp_path / "new").check().passed


def test_a_pickled_checkpoint_is_refused_or_read_without_running_it(
    shell: Shell, rn: Path, tmp_path: Path, bundles: Any, older_exporter: None
):
    folder = original_models.pickled(hub_models.copied(rn, tmp_path / "rn50"))
    ran = shell("model", "export", folder)
    assert ran.code == 2
    assert "--convert-pickle" in ran.err
    made = shell.json("model", "export", folder, "--convert-pickle")
    assert made["space"] == bundles["rn50"].card.space
    assert shell("model", "check", "rn50").code == 0


def test_the_checkpoint_that_the_authors_offer_is_read_too(rn: Path, tmp_path: Path):
    folder = original_models.pickled(hub_models.copied(rn, tmp_path / "rn50"), "clip_cn_rn50.pt")
    model = load_original(convert_pickles(ModelFolder(folder), tmp_path / "safe"))
    for name, values in original_models.residual_weights():
        assert torch.equal(model.state_dict()[name], values), name


def test_of_two_checkpoints_neither_is_guessed(shell: Shell, rn: Path, tmp_path: Path):
    folder = original_models.pickled(hub_models.copied(rn, tmp_path / "rn50"), "epoch1.pt")
    shutil.copy(folder / "epoch1.pt", folder / "epoch2.pt")
    ran = shell("model", "export", folder, "--convert-pickle")
    assert ran.code == 2
    assert "2 checkpoints" in ran.err


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"embed_dim": None}, "embed_dim is None, allowed is a whole number"),
        ({"vision_layers": "[3,4]"}, "allowed is a whole number above 0, or four of them"),
        ({"vision_layers": "__import__('os')"}, "vision_layers is .*allowed is a whole number"),
        ({"vision_width": -1}, "vision_width is -1"),
        ({"image_resolution": 70}, "do not divide"),
        ({"vision_head_width": 48}, "do not divide|by heads of 48"),
        (
            {"vision_layers": 1, "vision_patch_size": 16, "vision_width": 64},
            "not of the shape|too many",
        ),
        ({"vision_layers": "[1,1,1,1]"}, "missing or too many"),
        ({"vision_width": 16}, "not of the shape"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    shell: Shell, rn: Path, tmp_path: Path, config: dict[str, Any], says: str
):
    folder = hub_models.copied(rn, tmp_path / "odd")
    changed = {**original_models.RN, **config}
    (folder / "vision_model_config.json").write_text(json.dumps(changed))
    ran = shell("model", "export", folder)
    assert ran.code == 2
    assert re.search(says, ran.err), ran.err
    assert not list((shell.home / "bundles").glob("*"))
