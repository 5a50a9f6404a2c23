import dataclasses
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import crosslens.bundled
from crosslens.encode.bundles import read_goldens, verify
from crosslens.encode.pixels import Pixels
from crosslens.encode.words import Words
from crosslens.errors import Conflict, InvalidRequest, NotFound
from crosslens.train.checkpoint import LAST, RunFolder, load_trained
from crosslens.train.export import export
from crosslens.train.graphs import with_torchscript
from crosslens.train.rendered import RenderConfig, RenderedSource, draw
from crosslens.train.revive import calibrate, revive
from crosslens.train.run import train_encoder, translated
from crosslens.train.settle import settle, write_graphs
from crosslens.train.tokens import train_tokenizer
from tiny_bundle import write_tiny
from unit.train.shops import ToyShop, tiny_config, toy_source

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> RenderedSource:
    return toy_source(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="module")
def finished(toys: RenderedSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert train_encoder(tiny_config(folder), toys).finished
    return folder


@pytest.fixture(scope="module")
def bundle(finished: Path) -> Path:
    folder = finished.parent / "toy"
    export(finished, folder, name="toy", about="Squares.", notes={"command": "x"})
    return folder


def states_differ(first: Path, second: Path) -> list[str]:
    left, right = RunFolder(first).load(LAST), RunFolder(second).load(LAST)
    assert left is not None
    assert right is not None
    return [
        f"{part}.{name}"
        for part in ("weights", "averages")
        for name, value in left[part].items()
        if not torch.equal(value, right[part][name])
    ]


def states(part: torch.nn.Module) -> dict[str, list[float]]:
    return {name: value.flatten().tolist() for name, value in part.state_dict().items()}


class Stop:
    """Presses Ctrl-C when a step is reported."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, row: Mapping[str, Any]) -> None:
        if row["step"] == self.step and "loss" in row:
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupted_and_resumed_run_ends_where_the_uninterrupted_one_does(
    toys: RenderedSource, finished: Path, tmp_path: Path
):
    config = tiny_config(tmp_path / "run")
    first = train_encoder(config, toys, report=Stop(3))
    assert (first.finished, first.reason, first.step) == (False, "interrupted", 3)
    assert train_encoder(config, toys, resume=True).finished
    assert states_differ(tmp_path / "run", finished) == []
    assert RunFolder(tmp_path / "run").metrics() == RunFolder(finished).metrics()


def test_a_killed_run_goes_on_from_its_last_validation(
    toys: RenderedSource, finished: Path, tmp_path: Path
):
    class Killed(BaseException):
        pass

    def kill(row: Mapping[str, Any]) -> None:
        if row["step"] == 6:
            raise Killed

    config = tiny_config(tmp_path / "run")
    with pytest.raises(Killed):
        train_encoder(config, toys, report=kill)
    assert train_encoder(config, toys, resume=True).finished
    assert states_differ(tmp_path / "run", finished) == []
    assert RunFolder(tmp_path / "run").metrics() == RunFolder(finished).metrics()


def test_a_run_stops_when_its_minutes_are_over(toys: RenderedSource, tmp_path: Path):
    outcome = train_encoder(tiny_config(tmp_path / "run", max_minutes=1e-6), toys)
    assert (outcome.reason, outcome.step) == ("out of time", 1)


def test_a_folder_with_a_run_is_not_overwritten(toys: RenderedSource, finished: Path):
    with pytest.raises(Conflict, match="already holds a training run"):
        train_encoder(tiny_config(finished), toys)


def test_resuming_with_other_settings_is_refused(toys: RenderedSource, finished: Path):
    with pytest.raises(Conflict, match=r"products = 12, not 13"):
        train_encoder(tiny_config(finished, products=13), toys, resume=True)


def test_a_run_that_is_older_than_a_setting_had_its_default(finished: Path, tmp_path: Path):
    about = RunFolder(finished).about()
    del about["train"]["second_beta"]
    (tmp_path / "config.json").write_text(json.dumps(about), "utf-8")
    run, data = RunFolder(tmp_path), about["provenance"]
    run.require_same(tiny_config(tmp_path), data)
    with pytest.raises(Conflict, match=r"second_beta = 0\.999, not 0\.9"):
        run.require_same(tiny_config(tmp_path, second_beta=0.9), data)


def test_a_device_that_is_not_there_is_refused(toys: RenderedSource, tmp_path: Path):
    with pytest.raises(InvalidRequest, match="device is 'quantum'"):
        train_encoder(tiny_config(tmp_path / "run", device="quantum"), toys)


def test_fine_tuning_takes_over_the_towers_and_the_tokenizer(
    toys: RenderedSource, finished: Path, tmp_path: Path
):
    config = tiny_config(tmp_path / "tuned", start_from=finished, steps=1, learning_rate=1e-7)
    train_encoder(config, toys)
    before, after = load_trained(finished).model, load_trained(tmp_path / "tuned").model
    assert torch.allclose(before.text.widen.weight, after.text.widen.weight, atol=1e-4)
    own, inherited = (folder / "tokenizer.json" for folder in (tmp_path / "tuned", finished))
    assert own.read_bytes() == inherited.read_bytes()


def test_words_can_be_taught_alone(toys: RenderedSource, finished: Path, tmp_path: Path):
    config = tiny_config(tmp_path / "words", start_from=finished, words_only=True)
    assert train_encoder(config, toys).finished
    before, after = (load_trained(folder).model for folder in (finished, tmp_path / "words"))
    assert states(before.picture) == states(after.picture)
    assert states(before.text) != states(after.text)
    assert "instance" not in RunFolder(tmp_path / "words").metrics()[0]


def test_a_run_that_teaches_words_alone_resumes_to_the_bit(
    toys: RenderedSource, finished: Path, tmp_path: Path
):
    configs = [
        tiny_config(tmp_path / name, start_from=finished, words_only=True)
        for name in ("whole", "stopped")
    ]
    train_encoder(configs[0], toys)
    assert not train_encoder(configs[1], toys, report=Stop(3)).finished
    assert train_encoder(configs[1], toys, resume=True).finished
    assert states_differ(tmp_path / "whole", tmp_path / "stopped") == []


def test_mixed_precision_keeps_whole_weights_and_resumes_to_the_bit(
    toys: RenderedSource, finished: Path, tmp_path: Path
):
    configs = [tiny_config(tmp_path / n, precision="bfloat16") for n in ("whole", "stopped")]
    assert train_encoder(configs[0], toys).finished
    assert not train_encoder(configs[1], toys, report=Stop(3)).finished
    assert train_encoder(configs[1], toys, resume=True).finished
    assert states_differ(tmp_path / "whole", tmp_path / "stopped") == []
    assert states_differ(tmp_path / "whole", finished) != [], "computed in bfloat16"
    weights = load_trained(tmp_path / "whole").model.state_dict().values()
    assert {v.dtype for v in weights if v.is_floating_point()} == {torch.float32}


def test_new_words_start_from_the_pieces_that_they_were():
    old = train_tokenizer(["red shoes"] * 5, vocabulary=7300, max_tokens=8)
    new = train_tokenizer(["red trainers"] * 5, vocabulary=7300, max_tokens=8)
    table = torch.randn(old.get_vocab_size(), 3)
    found = translated(table, old, new)
    pieces = table[old.encode("trainers").ids[1:]]
    assert torch.equal(found[new.token_to_id("red")], table[old.token_to_id("red")])
    assert torch.allclose(found[new.token_to_id("trainers")], pieces.mean(0))
    assert len(pieces) > 1
    assert torch.isfinite(found).all()


def test_a_run_can_take_over_towers_and_learn_words_of_its_own(
    toys: RenderedSource, finished: Path, tmp_path: Path
):
    config = tiny_config(
        tmp_path / "tuned", start_from=finished, new_words=True, steps=1, learning_rate=1e-7
    )
    train_encoder(config, toys)
    before, after = load_trained(finished).model, load_trained(tmp_path / "tuned").model
    assert torch.allclose(before.text.widen.weight, after.text.widen.weight, atol=1e-4)


def test_a_cache_is_drawn_on_from_where_it_stopped(tmp_path: Path):
    config = RenderConfig(products=160, validation=4, px=16)
    whole = (draw(ToyShop(), config, folder=tmp_path / "whole") / "pictures.u8").read_bytes()

    class Tired(Exception):
        pass

    def tire(done: int, of: int) -> None:
        raise Tired

    with pytest.raises(Tired):
        draw(ToyShop(), config, folder=tmp_path / "parts", progress=tire)
    with pytest.raises(NotFound, match="does not hold all pictures"):
        RenderedSource(ToyShop(), config, folder=tmp_path / "parts")
    parts = draw(ToyShop(), config, folder=tmp_path / "parts") / "pictures.u8"
    assert parts.read_bytes() == whole
    other = dataclasses.replace(config, seed=9)
    with pytest.raises(Conflict, match="pictures of other products"):
        draw(ToyShop(), other, folder=tmp_path / "parts")


def test_an_exported_bundle_gives_the_vectors_of_pytorch(bundle: Path):
    card, goldens = verify(bundle), read_goldens(bundle)
    assert card.text is not None
    assert card.picture is not None
    words = Words(card.text, (bundle / "tokenizer.json").read_text("utf-8"))
    ids, mask = words.pad(words.rows(goldens.texts))
    text = onnxruntime.InferenceSession(bundle / "text.onnx")
    found = text.run(["vector"], {"input_ids": ids, "attention_mask": mask})[0]
    assert np.abs(found - goldens.text_vectors).max() < 1e-5
    picture = onnxruntime.InferenceSession(bundle / "picture.onnx")
    pixels = np.stack(Pixels(card.picture).rows(goldens.pictures))
    found = picture.run(["vector"], {"pixel_values": pixels})[0]
    assert np.abs(found - goldens.picture_vectors).max() < 1e-5


def test_the_card_tells_the_training_and_no_path(bundle: Path):
    card = verify(bundle)
    assert card.training["data"]["products"] == 48
    assert card.training["command"] == "x"
    assert str(bundle.parent) not in (bundle / "card.toml").read_text("utf-8")


def test_another_training_has_another_space_whatever_its_name(
    toys: RenderedSource, finished: Path, bundle: Path, tmp_path: Path
):
    config = tiny_config(tmp_path / "tuned", start_from=finished, steps=1, seed=5)
    train_encoder(config, toys)
    other = export(tmp_path / "tuned", tmp_path / "toy", name="toy", about="Squares.")
    same = export(finished, tmp_path / "again", name="toy", about="Squares.")
    assert verify(bundle).space == same.space != other.space


def test_what_lies_between_two_runs_can_be_exported(
    toys: RenderedSource, finished: Path, tmp_path: Path
):
    train_encoder(tiny_config(tmp_path / "tuned", start_from=finished, steps=2), toys)
    export(tmp_path / "tuned", tmp_path / "toy", name="toy", about="Squares.", between=finished)
    ends = [
        load_trained(folder).model.text.widen.weight for folder in (finished, tmp_path / "tuned")
    ]
    middle = revive(tmp_path / "toy").model.text.widen.weight
    assert not torch.allclose(ends[0], ends[1], atol=1e-3)
    assert torch.allclose(middle, (ends[0] + ends[1]) / 2, atol=1e-3)


def test_nothing_lies_between_runs_of_other_tokens(
    toys: RenderedSource, finished: Path, tmp_path: Path
):
    config = tiny_config(tmp_path / "own", start_from=finished, steps=1, new_words=True, seed=9)
    train_encoder(config, toys)
    with pytest.raises(InvalidRequest, match="nothing lies between them"):
        export(tmp_path / "own", tmp_path / "toy", name="toy", about="x", between=finished)


def test_a_bundle_can_be_trained_on_without_its_run(
    toys: RenderedSource, bundle: Path, tmp_path: Path
):
    revived = revive(bundle)
    pictures = torch.randn(40, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    before = revived.model.picture(pictures).detach()
    calibrate(revived.model, pictures)
    assert torch.allclose(revived.model.picture(pictures), before, atol=1e-5)
    revived.model.train()
    assert torch.allclose(revived.model.picture(pictures), before, atol=1e-4), "nor when learning"
    config = tiny_config(tmp_path / "tuned", start_from=bundle, steps=2)
    assert train_encoder(config, toys).finished
    assert (tmp_path / "tuned" / "tokenizer.json").exists()


def test_the_built_in_bundle_can_be_trained_on():
    revived = revive(Path(crosslens.bundled.__file__).parent / "crosslens-mini")
    assert revived.tokenizer.get_vocab_size() == revived.about["tokens"]


def test_a_bundle_of_elsewhere_cannot_be_trained_on(tmp_path: Path):
    with pytest.raises(InvalidRequest, match="was not trained by crosslens"):
        revive(write_tiny(tmp_path / "tiny"))


def test_weights_can_be_stored_whole(finished: Path, tmp_path: Path):
    export(finished, tmp_path / "whole", name="whole", about="Squares.", halved=False)
    graph = onnx.load(tmp_path / "whole" / "text.onnx").graph
    assert onnx.TensorProto.FLOAT16 not in {tensor.data_type for tensor in graph.initializer}


def test_large_weights_are_stored_as_half_floats(bundle: Path):
    graph = onnx.load(bundle / "text.onnx").graph
    sizes = {tensor.data_type: 0 for tensor in graph.initializer}
    for tensor in graph.initializer:
        sizes[tensor.data_type] += int(np.prod(tensor.dims))
    assert sizes[onnx.TensorProto.FLOAT16] > 10 * sizes[onnx.TensorProto.FLOAT]


def test_the_older_exporter_passes_the_same_gate(finished: Path, tmp_path: Path):
    model = settle(load_trained(finished).model)
    text, picture = write_graphs(model, tmp_path, exporters=[with_torchscript])
    assert {text.name, picture.name} == {"text.onnx", "picture.onnx"}


def test_a_damaged_checkpoint_is_named(finished: Path, tmp_path: Path):
    run = RunFolder(tmp_path)
    (tmp_path / "config.json").write_bytes((finished / "config.json").read_bytes())
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(InvalidRequest, match=r"last\.pt is damaged"):
        run.load(LAST)
    (tmp_path / "config.json").write_text("{}", "utf-8")
    with pytest.raises(InvalidRequest, match="has no `train`"):
        run.about()
    with pytest.raises(NotFound, match="not a training run"):
        export(tmp_path / "nowhere", tmp_path / "toy", name="toy", about="Toys.")


def test_metrics_are_lines_of_json(finished: Path):
    lines = (finished / "metrics.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 9))
    assert {"text2image/zh/R@1", "image2text/en/R@10"} <= set(rows[-1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorBoard's own dependencies
def test_tensorboard_is_fed_when_it_is_wanted(toys: RenderedSource, tmp_path: Path):
    pytest.importorskip("tensorboard")
    train_encoder(tiny_config(tmp_path / "run", steps=2, tensorboard=True), toys)
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
