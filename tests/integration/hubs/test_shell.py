"""`crosslens model export` from the shell, its bundles at work, and what must not work."""

from __future__ import annotations

import errno
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hub_models
from crosslens import settings, wiring
from crosslens.cli import model_export
from crosslens.encode.bundles import read_card
from crosslens.errors import Unavailable
from crosslens.hubs import export as exporting
from crosslens.hubs.drift import Sample, drift, text_feeds
from crosslens.hubs.export import Order, export_model
from crosslens.hubs.folder import ModelFolder
from crosslens.hubs.precision import Precision
from crosslens.hubs.sides import Wishes, text_side
from crosslens.search.request import SearchRequest
from crosslens.train.graphs import with_torchscript
from crosslens.values import Kind
from fakes import jpeg
from shell import Shell

pytestmark = [pytest.mark.hub, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(autouse=True)
def older_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is quicker, and passes the same gate."""
    quick = (with_torchscript,)
    whole = exporting.write_graph
    monkeypatch.setattr(exporting, "write_graph", lambda graph, path, _: whole(graph, path, quick))


@pytest.fixture(scope="module")
def bge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hub_models.bert(tmp_path_factory.mktemp("hub") / "bge-tiny")


def test_export_check_use_and_search_from_the_shell(shell: Shell, bge: Path, tmp_path: Path):
    made = shell.json("model", "export", bge, "--query-prefix", "ask: ")
    assert made["name"] == "bge-tiny"
    assert made["licence"] == "mit"
    assert made["parity"]["text"] <= 1e-4
    assert shell("model", "check", "bge-tiny").code == 0
    card = shell.json("model", "show", "bge-tiny")
    assert card["text"]["query_prefix"] == "ask: "
    assert card["training"]["source"] == "a folder"
    rows = [{"id": f"p{n}", "title": title} for n, title in enumerate(("red shoe", "a dress"))]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert shell("import", tmp_path / "items.jsonl").code == 0
    assert shell.json("model", "use", "bge-tiny", "--for", "text")["products"] == 2
    found = shell.json("search", "red shoe", "--kind", "text2text")
    assert found["hits"][0]["title"] == "red shoe"
    used = {row["name"]: row["used_for"] for row in shell.json("model", "list")["models"]}
    assert used["bge-tiny"] == ["text"]
    assert used["crosslens-mini"] == ["cross-modal", "looks"]


def test_each_purpose_has_a_bundle_and_a_space_of_its_own(
    shell: Shell, bge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clip = hub_models.clip(tmp_path / "clip-tiny")
    shell.json("model", "export", bge)
    looks = shell.json("model", "export", clip, "--towers", "pictures", "--name", "looks-tiny")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "red.jpg").write_bytes(jpeg((200, 20, 20)))
    row = {"id": "1", "title": "red shoe", "image": "red.jpg"}
    (tmp_path / "shop" / "items.jsonl").write_text(json.dumps(row))
    assert shell("import", tmp_path / "shop" / "items.jsonl").code == 0
    changed = settings.load(shell.home, text="bge-tiny", looks="looks-tiny")
    with wiring.build(changed) as app:
        with pytest.raises(Unavailable, match="built for other bundles"):
            app.worker()
        app.rebuild(progress=lambda done, total: None)
        spaces = {space.name.partition("@")[0] for space in app.encoders.text_spaces}
        assert spaces == {"bge-tiny", "crosslens-mini"}
        seen = {space.name for space in app.encoders.picture_spaces}
        assert looks["space"] in seen
        assert len(seen) == 2
        asked: list[str] = []
        own = app.encoders.text.encode_queries
        monkeypatch.setattr(
            app.encoders.text, "encode_queries", lambda words: asked.extend(words) or own(words)
        )
        for kind, picture in ((Kind.TEXT2TEXT, ()), (Kind.TEXT2IMAGE, ())):
            request = SearchRequest("red shoe", kind=kind, pictures=picture)
            assert app.engine.search(request).hits
        assert asked == ["red shoe"]
        pictures = (jpeg((200, 20, 20)),)
        request = SearchRequest(kind=Kind.IMAGE2IMAGE, pictures=pictures)
        assert app.engine.search(request).hits


def test_a_tower_of_another_space_is_refused_where_words_and_pictures_must_meet(
    shell: Shell, bge: Path
):
    shell.json("model", "export", bge)
    ran = shell("model", "use", "bge-tiny")
    assert ran.code == 1
    assert "no picture tower" in ran.err


def test_towers_that_do_not_belong_together_are_refused(shell: Shell, bge: Path, tmp_path: Path):
    clip = hub_models.clip(tmp_path / "clip-tiny")
    ran = shell("model", "export", bge, "--pictures", clip)
    assert ran.code == 2
    assert "do not belong together: text vectors have 32 numbers, picture vectors 24" in ran.err
    assert not (shell.home / "bundles").exists() or not any((shell.home / "bundles").iterdir())


def test_a_licence_without_commerce_is_said_aloud(shell: Shell, tmp_path: Path):
    source = hub_models.bert(tmp_path / "nc")
    hub_models.readme(source, "cc-by-nc-4.0")
    ran = shell("model", "export", source)
    assert ran.code == 0
    assert "NOT FOR COMMERCIAL USE" in ran.err
    assert "licence cc-by-nc-4.0" in ran.out


def test_a_missing_licence_is_said(shell: Shell, tmp_path: Path):
    source = hub_models.bert(tmp_path / "unknown")
    (source / "README.md").unlink()
    ran = shell("model", "export", source)
    assert "name no licence" in ran.err


def spoilt(source: Path, target: Path, **config: Any) -> Path:
    folder = hub_models.copied(source, target)
    changed = json.loads((folder / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps(changed))
    return folder


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model_type": "llama"}, "architecture of odd is 'llama': known are albert, bert"),
        ({"model_type": "siglip2"}, "NaFlex"),
        ({"model_type": ""}, "names no model_type"),
        ({"auto_map": {"AutoModel": "modeling.Own"}}, "runs no code from hubs"),
        ({"model_type": "jina_clip"}, "needs code from its hub"),
        ({"num_hidden_layers": 3}, "are missing"),
        ({"hidden_size": 64}, "cannot be loaded|of another shape"),
    ],
)
def test_models_that_cannot_be_exported_are_refused(
    shell: Shell, bge: Path, tmp_path: Path, config: dict[str, Any], says: str
):
    import re

    ran = shell("model", "export", spoilt(bge, tmp_path / "odd", **config))
    assert ran.code in (1, 2)
    assert re.search(says, ran.err), ran.err
    assert not list((shell.home / "bundles").glob("*"))


def test_a_model_that_does_not_say_its_pooling_needs_to_be_told(
    shell: Shell, bge: Path, tmp_path: Path
):
    plain = hub_models.copied(bge, tmp_path / "plain")
    (plain / "modules.json").unlink()
    ran = shell("model", "export", plain)
    assert ran.code == 2
    assert "--pooling cls or --pooling mean" in ran.err
    assert shell("model", "export", plain, "--pooling", "cls").code == 0


def test_a_cut_off_weights_file_is_refused(shell: Shell, bge: Path, tmp_path: Path):
    folder = hub_models.copied(bge, tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    ran = shell("model", "export", folder)
    assert ran.code == 2
    assert "cannot be loaded" in ran.err


class _Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was run')",))


def test_pickled_weights_are_refused_or_read_without_running_them(
    shell: Shell, bge: Path, tmp_path: Path
):
    from safetensors.torch import load_file

    folder = hub_models.copied(bge, tmp_path / "pickled")
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    ran = shell("model", "export", folder)
    assert ran.code == 2
    assert "are pickled" in ran.err
    assert "--convert-pickle" in ran.err
    made = shell.json("model", "export", folder, "--convert-pickle", "--name", "one")
    safe = shell.json("model", "export", bge, "--name", "one")
    assert made["space"] == safe["space"]
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"x": _Evil()}))
    ran = shell("model", "export", folder, "--convert-pickle")
    assert ran.code == 2
    assert "nothing of it was run" in ran.err
    assert (folder / "pytorch_model.bin").exists()
    assert not (folder / "model.safetensors").exists()


def test_clip_in_a_folder_of_sentence_transformers_is_exported(shell: Shell, tmp_path: Path):
    source = hub_models.clip_in_sentence_layout(tmp_path / "clip-st")
    assert not (source / "config.json").exists()
    assert shell.json("model", "export", source, "--towers", "pictures")["dim"] == hub_models.DIM


def test_code_beside_a_harmless_model_is_not_run(shell: Shell, tmp_path: Path):
    source = hub_models.bge_vl(tmp_path / "bge-vl")
    assert shell("model", "export", source).code == 0


def test_a_name_that_is_no_folder_is_refused_before_anything_is_loaded(shell: Shell):
    ran = shell("model", "export", "./nowhere")
    assert ran.code == 2
    assert "is no folder" in ran.err


def test_offline_without_a_download_says_so(shell: Shell):
    ran = shell("model", "export", "someone/model", "--offline")
    assert ran.code == 1
    assert "no complete download" in ran.err


@pytest.mark.parametrize("option", [("--precision", "int4"), ("--from", "x"), ("--towers", "x")])
def test_options_that_are_not_known_are_named(shell: Shell, bge: Path, option: tuple[str, str]):
    ran = shell("model", "export", bge, *option)
    assert ran.code == 2
    assert f"{option[0][2:]} is '{option[1]}', allowed are" in ran.err


def test_a_missing_extra_is_one_sentence(shell: Shell, bge: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(model_export, "NEEDED", ("torch", "no_such_library"))
    ran = shell("model", "export", bge)
    assert ran.code == 1
    assert "pip install 'crosslens[hub]'" in ran.err


def test_a_full_disk_leaves_the_old_bundle_and_nothing_else(
    shell: Shell, bge: Path, monkeypatch: pytest.MonkeyPatch
):
    shell.json("model", "export", bge)
    before = read_card(shell.home / "bundles" / "bge-tiny")

    def full(*anything: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(exporting, "save_graph", full)
    ran = shell("model", "export", bge, "--query-prefix", "other: ")
    assert ran.code == 1
    assert "no room to export bge-tiny" in ran.err
    assert [path.name for path in (shell.home / "bundles").iterdir()] == ["bge-tiny"]
    assert read_card(shell.home / "bundles" / "bge-tiny") == before


def test_a_graph_that_differs_from_the_original_is_never_written(
    shell: Shell, bge: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = exporting.write_graph

    def spoil(graph: Any, path: Path, exporters: Any) -> Any:
        proto = whole(graph, path, exporters)
        from onnx import numpy_helper

        for tensor in proto.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.ndim == 2 and values.dtype == np.float32:
                tensor.CopyFrom(numpy_helper.from_array(values * 1.01, tensor.name))
        return proto

    monkeypatch.setattr(exporting, "write_graph", spoil)
    ran = shell("model", "export", bge)
    assert ran.code == 1
    assert "differs from the original" in ran.err
    assert not list((shell.home / "bundles").iterdir())


KINDS = [f"{colour} {kind}" for colour in ("red", "a", "x") for kind in ("shoe", "dress")]
WORDS = tuple(f"{kind} {n}" for n in range(8) for kind in KINDS)


def shrunk(source: Path, folder: Path, precision: Precision) -> Any:
    side = text_side(ModelFolder(source), Wishes())
    order = Order(
        "small", "A test.", "MIT", "a folder", precision=precision,
        sample=Sample(WORDS * 4 if precision is Precision.INT8 else WORDS),
    )  # fmt: skip
    return export_model(side, None, folder, order)


@pytest.mark.parametrize("precision", ["fp16", "int8w", "int8"])
def test_a_precision_is_judged_named_and_kept_apart(bge: Path, tmp_path: Path, precision: str):
    from crosslens.encode.onnx import load

    done = shrunk(bge, tmp_path / "small", Precision(precision))
    cost = done.drift["text"]
    assert cost.mean_cosine > 0.97
    assert cost.batch_effect < 1e-5
    assert done.card.space.endswith(f"/{precision}")
    assert "ten nearest" in done.card.training["text_drift"]
    bundle = load(tmp_path / "small")
    assert bundle.check().passed
    whole = bundle.text.encode_items(WORDS).array
    alone = np.concatenate([bundle.text.encode_items([word]).array for word in WORDS])
    assert np.abs(whole - alone).max() < 1e-5


def test_a_precision_without_enough_real_inputs_is_refused(bge: Path, tmp_path: Path):
    side = text_side(ModelFolder(bge), Wishes())
    order = Order("small", "A.", "MIT", "x", precision=Precision.FP16, sample=Sample(("red shoe",)))
    with pytest.raises(Exception, match="at least 32 real inputs, 1 are there"):
        export_model(side, None, tmp_path / "small", order)
    assert not (tmp_path / "small").exists()


class _Session:
    """A tower whose vectors depend on the batch, as dynamic quantisation makes them."""

    def __init__(self, *, leak: float = 0.0, noise: float = 0.0) -> None:
        self.leak, self.noise = leak, noise
        self.table = np.random.default_rng(0).standard_normal((100, 8)).astype(np.float32)

    def run(self, outputs: list[str], feeds: dict[str, Any]) -> list[Any]:
        vectors = self.table[feeds["input_ids"]].sum(1)
        rough = np.sin(vectors * 99) * self.noise
        return [vectors + rough + self.leak * vectors.mean(0)]


def test_a_vector_that_depends_on_its_batch_is_found_out():
    rng = np.random.default_rng(1)
    feeds = [{"input_ids": rng.integers(0, 100, (1, 5))} for _ in range(40)]
    good = drift(_Session(), _Session(), feeds)
    assert (good.mean_cosine, good.neighbours) == (pytest.approx(1), 1)
    assert good.batch_effect < 1e-6
    leaking = drift(_Session(), _Session(leak=0.1), feeds)
    with pytest.raises(Exception, match="changes with its batch"):
        leaking.require(Precision.INT8_WEIGHTS, "text")
    rough = drift(_Session(), _Session(noise=3.0), feeds)
    with pytest.raises(Exception, match="too far from fp32"):
        rough.require(Precision.INT8, "text")


def test_the_sample_shop_gives_words_and_pictures():
    words, pictures = model_export._of_sample_shop()
    assert len(words) >= 200
    assert len(pictures) >= 100
    assert any("\u4e00" <= letter <= "\u9fff" for word in words for letter in word)


def test_items_are_measured_with_their_prefix(bge: Path):
    from crosslens.encode.words import Words

    side = text_side(ModelFolder(bge), Wishes(item_prefix="red "))
    words = Words(side.card, side.tokenizer)
    feed = text_feeds(words, side.card, ["shoe"], {"input_ids"})[0]
    assert feed["input_ids"].tolist() == words.pad(words.rows(["red shoe"]))[0].tolist()
