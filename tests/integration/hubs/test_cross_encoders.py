"""Cross-encoders: exported as their hubs lay them out, compared, and at work in scenes."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hub_models
from crosslens.encode.onnx import OnnxBundle, load
from crosslens.errors import BrokenBundle, InvalidRequest
from crosslens.hubs import crossing
from crosslens.hubs.crossing import export_reranker, orders_kept
from crosslens.hubs.drift import Sample
from crosslens.hubs.export import Exported, Order
from crosslens.hubs.folder import ModelFolder
from crosslens.hubs.pairs import is_cross_encoder, pair_side, require_same_pairs
from crosslens.hubs.precision import Precision
from crosslens.hubs.sides import Wishes
from crosslens.hubs.words import HARD_TEXTS
from crosslens.train.graphs import with_torchscript
from shell import Shell

pytestmark = [pytest.mark.hub, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

NAMES = ("bge_reranker", "ms_marco")
EQUAL = 2e-5
TEXTS = [*HARD_TEXTS[:16], "word " * 300]
SCENES = """
scenes:
  shop:
    match: {probes: {keyword: 1}}
    rank: {reranker: judge, depth: 3}
"""


def exported(source: Path, target: Path, **order: Any) -> Exported:
    side = pair_side(ModelFolder(source), Wishes())
    given: dict[str, Any] = {"exporters": (with_torchscript,), **order}
    return export_reranker(side, target, Order(target.name, "A test.", "MIT", "a folder", **given))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    root = tmp_path_factory.mktemp("cross")

    @functools.cache
    def made(name: str) -> tuple[Path, OnnxBundle]:
        source = getattr(hub_models, name)(root / name)
        exported(source, root / "bundles" / name)
        return source, load(root / "bundles" / name)

    yield made
    made.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_a_cross_encoder_gives_the_scores_of_sentence_transformers(models: Any, name: str) -> None:
    reference = pytest.importorskip("sentence_transformers")
    from torch import nn

    source, bundle = models(name)
    original = reference.CrossEncoder(str(source), device="cpu")
    for question in ("red shoe", "红色的鞋", "a question " * 40):
        wanted = original.predict([(question, t) for t in TEXTS], activation_fn=nn.Identity())
        found = bundle.reranker.scores(question, TEXTS)
        assert np.abs(found - wanted).max() < EQUAL
    assert np.ptp(wanted) > 100 * EQUAL, "the scores tell texts apart"


@pytest.mark.parametrize("name", NAMES)
def test_a_cross_encoder_passes_its_goldens_and_scores_alone_as_among_others(
    models: Any, name: str
) -> None:
    _, bundle = models(name)
    report = bundle.check()
    assert report.passed
    assert report.compared == 12
    together = bundle.reranker.scores("red shoe", TEXTS)
    alone = [bundle.reranker.scores("red shoe", [text])[0] for text in TEXTS]
    assert np.abs(together - alone).max() < EQUAL


def test_question_and_text_are_told_apart_by_their_types(models: Any) -> None:
    _, bundle = models("ms_marco")
    [there] = bundle.reranker.scores("red shoe", ["a dress"])
    [back] = bundle.reranker.scores("a dress", ["red shoe"])
    assert abs(there - back) > EQUAL
    assert "token_type_ids" in bundle.reranker._tower.inputs


def test_a_model_with_three_numbers_per_pair_is_refused(tmp_path: Path) -> None:
    source = hub_models.bge_reranker(tmp_path / "entailment", numbers=3)
    with pytest.raises(InvalidRequest, match="gives 3 numbers per pair, one is needed"):
        pair_side(ModelFolder(source), Wishes())


def test_weights_that_lack_the_judging_layer_are_refused(tmp_path: Path) -> None:
    source = hub_models.roberta(tmp_path / "encoder")
    config = json.loads((source / "config.json").read_text())
    config["architectures"] = ["XLMRobertaForSequenceClassification"]
    (source / "config.json").write_text(json.dumps(config | {"num_labels": 1}))
    assert is_cross_encoder(ModelFolder(source))
    with pytest.raises(InvalidRequest, match="are missing"):
        pair_side(ModelFolder(source), Wishes())


def test_a_graph_that_differs_from_the_original_becomes_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = crossing.write_graph

    def altered(*arguments: Any) -> Any:
        proto = whole(*arguments)
        last = max(proto.graph.initializer, key=lambda each: len(each.raw_data))
        last.raw_data = bytes(len(last.raw_data))
        return proto

    monkeypatch.setattr(crossing, "write_graph", altered)
    source = hub_models.ms_marco(tmp_path / "model")
    with pytest.raises(BrokenBundle, match="differs from the original"):
        exported(source, tmp_path / "bundles" / "judge")
    assert not (tmp_path / "bundles" / "judge").exists()
    assert list((tmp_path / "bundles").iterdir()) == []


def test_a_tokenizer_that_cuts_otherwise_is_found(models: Any) -> None:
    source, _ = models("ms_marco")
    side = pair_side(ModelFolder(source), Wishes())
    own = json.loads(side.tokenizer)
    own["normalizer"] = None
    import dataclasses

    with pytest.raises(BrokenBundle, match="the tokenizer cuts"):
        require_same_pairs(dataclasses.replace(side, tokenizer=json.dumps(own)))


def test_smaller_precisions_keep_the_orders_or_become_no_bundle(
    models: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, whole = models("ms_marco")
    sample = Sample(words=tuple(f"{text} {n}" for n in range(4) for text in HARD_TEXTS[:6]))
    done = exported(source, tmp_path / "half", precision=Precision.FP16, sample=sample)
    assert done.card.training["reranker_orders_kept"] >= 0.995
    assert done.card.space.endswith("/fp16")
    half = load(tmp_path / "half")
    assert half.check().passed
    drift = half.reranker.scores("red shoe", TEXTS) - whole.reranker.scores("red shoe", TEXTS)
    assert 0 < np.abs(drift).max() < 0.01
    with pytest.raises(BrokenBundle, match="real texts"):
        exported(source, tmp_path / "few", precision=Precision.FP16)
    monkeypatch.setitem(crossing._ORDERS_KEPT, Precision.FP16, 1.01)
    with pytest.raises(BrokenBundle, match="of the orders of fp32"):
        exported(source, tmp_path / "worse", precision=Precision.FP16, sample=sample)
    with pytest.raises(InvalidRequest, match="allowed for rerankers are fp32, fp16, int8w"):
        exported(source, tmp_path / "static", precision=Precision.INT8, sample=sample)


def test_the_share_of_orders_that_stay_is_counted() -> None:
    before = np.array([0.1, 0.2, 0.3], np.float32)
    assert orders_kept(before, before * 7) == 1
    assert orders_kept(before, np.array([0.1, 0.3, 0.2], np.float32)) == pytest.approx(2 / 3)


def test_a_scene_ranks_again_by_a_cross_encoder(shell: Shell, tmp_path: Path) -> None:
    source = hub_models.bge_reranker(tmp_path / "judge")
    made = shell.json("model", "export", source, "--fields", "title")
    assert made["parity"]["reranker"] <= 1e-4
    assert shell("model", "check", "judge").code == 0
    listed = {row["name"]: row["towers"] for row in shell.json("model", "list")["models"]}
    assert listed["judge"] == ["reranker"]
    titles = ("red shoe", "red red dress", "red query", "a red word")
    rows = [{"id": f"p{n}", "title": title} for n, title in enumerate(titles)]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert shell("import", tmp_path / "items.jsonl").code == 0
    (shell.home / "scenes.yaml").write_text(SCENES)
    found = shell.json("search", "red", "--scene", "shop", "--explain")
    judge = load(shell.home / "bundles" / "judge").reranker
    stages = {h["product_id"]: h["stages"] for h in found["debug"]["hits"]}
    hits = [(hit["title"], stages[hit["product_id"]]) for hit in found["hits"]]
    assert sum("reranker" in stage for _, stage in hits) == 3, "no more than depth"
    again = [(title, stage["reranker"]) for title, stage in hits if "reranker" in stage]
    wanted = judge.scores("red", [title for title, _ in again])
    assert [score for _, score in again] == pytest.approx(wanted.tolist(), abs=1e-4)
    assert [score for _, score in again] == sorted((s for _, s in again), reverse=True)
    assert found["debug"]["took_ms"]["reranker"] > 0


def test_a_bundle_that_is_no_cross_encoder_is_refused_with_its_line(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "scenes.yaml"
    file.write_text(SCENES.replace("judge", "crosslens-mini"))
    told = shell("scene", "check", file)
    assert told.code != 0
    why = "rank.reranker is 'crosslens-mini', a bundle that is no cross-encoder: it has a text"
    assert f"{file}:5: scenes.shop.{why}" in told.err
    file.write_text(SCENES.replace("judge", "nobody"))
    assert "rank.reranker is 'nobody', allowed are" in shell("scene", "check", file).err


def test_a_cross_encoder_is_no_encoder_and_one_that_was_altered_is_not_used(
    shell: Shell, tmp_path: Path
) -> None:
    source = hub_models.ms_marco(tmp_path / "judge")
    assert shell("model", "export", source).code == 0
    told = shell("model", "use", "judge", "--for", "text")
    assert told.code != 0
    assert "has no text tower" in told.err
    assert "name it as rank.reranker of a scene" in told.err
    graph = shell.home / "bundles" / "judge" / "reranker.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"?")
    file = tmp_path / "scenes.yaml"
    file.write_text(SCENES)
    told = shell("scene", "check", file)
    assert f"{file}:5: scenes.shop.rank.reranker is 'judge', which cannot be used" in told.err
    assert "was altered" in told.err
    assert "is a cross-encoder" in shell("model", "export", source, "--pooling", "cls").err
