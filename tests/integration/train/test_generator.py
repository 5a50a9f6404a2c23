import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from crosslens.errors import BrokenBundle, Conflict, InvalidRequest, NotFound
from crosslens.generate.bundles import read_drawings
from crosslens.generate.onnx import check, load_checked
from crosslens.generate.wish import Wish
from crosslens.train import generator
from crosslens.train.checkpoint import BEST, LAST, RunFolder, load_trained
from crosslens.train.generator import train_codec, train_critic, train_flow
from crosslens.train.generator_config import CodecConfig, CriticConfig, FlowConfig
from crosslens.train.generator_export import export_generator, rounded
from crosslens.train.generator_flow import Generator, travel
from crosslens.train.generator_lesson import FlowLesson
from crosslens.train.generator_parts import gathered, scattered
from crosslens.train.generator_rehearsal import Rehearsal, drawn_so_far
from crosslens.train.generator_revive import revive_generator
from crosslens.train.generator_runs import load_codec, load_critic, load_generator
from crosslens.train.graphs import from_bytes, in_bytes, open_session, read_weights, store_in_bytes
from crosslens.train.rendered import RenderedSource
from crosslens.train.run import train_encoder
from unit.train.shops import tiny_config, toy_source

pytestmark = pytest.mark.train
PACE = {"threads": 1, "precision": "float32", "log_every": 1, "warm_up": 1}


def codec_config(folder: Path, **changes: object) -> CodecConfig:
    plain = {"steps": 4, "batch": 4, "validate_every": 2, "px": 64, "patch": 16, "components": 24,
             "width": 8, "blocks": 1}  # fmt: skip
    return CodecConfig(folder=folder, **{**PACE, **plain, **changes})  # type: ignore[arg-type]


def critic_config(folder: Path, **changes: object) -> CriticConfig:
    plain = {"steps": 4, "batch": 8, "validate_every": 2, "widths": (8, 8, 16, 16), "moved": 2}
    return CriticConfig(folder=folder, **{**PACE, **plain, **changes})  # type: ignore[arg-type]


def flow_config(folder: Path, words: Path, **changes: object) -> FlowConfig:
    plain = {"steps": 4, "batch": 4, "validate_every": 2, "width": 16, "layers": 1, "heads": 2,
             "fine": 8, "middle": 8, "strokes": 1,
             "poses": 2, "gallery": 8}  # fmt: skip
    return FlowConfig(folder=folder, words_from=words, **{**PACE, **plain, **changes})  # type: ignore[arg-type]


def logged(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if "loss" in row]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> RenderedSource:
    return toy_source(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="module")
def words(toys: RenderedSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "words"
    train_encoder(tiny_config(folder, steps=2, validate_every=2), toys)
    return folder


@pytest.fixture(scope="module")
def run(toys: RenderedSource, words: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("generator")
    assert train_codec(codec_config(run / "codec"), toys).finished
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator, "LEAST_PSNR", 0.0)  # noisy toys do not compress to 30 dB
        assert train_flow(flow_config(run / "flow", words), toys, run / "codec").finished
    return run


def stir(model: Generator) -> Generator:
    with torch.no_grad():
        for last in (model.flow.to_codes, model.flow.last_turn):
            last.weight.normal_(std=0.1)  # zero at the start: nothing would show
    return model


def test_a_codec_brings_pictures_back_and_says_how_well(run: Path, toys: RenderedSource):
    codec, restored = load_codec(run / "codec")
    pictures = toys.portraits(toys.shelf.validation).astype(np.float32) / 127.5 - 1
    with torch.no_grad():
        back = codec(codec.encode(torch.from_numpy(pictures))).numpy()
    assert restored > 15
    assert np.abs(back - pictures).mean() < 0.15  # their ground is noise


def test_a_codec_that_goes_on_from_another_means_the_same_by_its_codes(
    run: Path, toys: RenderedSource, tmp_path: Path
):
    earlier, _ = load_codec(run / "codec")
    config = codec_config(tmp_path / "codec", seed=2, start_from=run / "codec")
    assert train_codec(config, toys).finished
    further, _ = load_codec(tmp_path / "codec")
    assert torch.equal(further.basis, earlier.basis)
    assert torch.equal(further.spread, earlier.spread)
    assert not torch.equal(further.widen.weight, earlier.widen.weight)
    with pytest.raises(InvalidRequest, match="another shape"):
        train_codec(
            codec_config(tmp_path / "wide", width=16, start_from=run / "codec"), toys
        )  # fmt: skip
    assert not (tmp_path / "wide").exists()


@pytest.fixture(scope="module")
def stirred(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run none of whose weights is zero any more, as after long training."""
    copied = tmp_path_factory.mktemp("stirred") / "run"
    shutil.copytree(run, copied)
    for part in ("codec", "flow"):
        folder = RunFolder(copied / part)
        state = folder.load(BEST)
        assert state is not None
        learned = {name: value for name, value in state["averages"].items() if "reader" not in name}
        for name in learned.keys() - {
            "mean",
            "basis",
            "scale",
            "spread",
            "flow.spread",
            "flow.weight",
        }:
            learned[name].add_(0.02 * torch.randn(learned[name].shape))
        folder.save(BEST, state)
    return copied


def test_a_bundle_is_taught_on_as_its_run_would_be(
    stirred: Path, toys: RenderedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)
    bundle = tmp_path / "toy"
    export_generator(stirred, bundle, name="toy", about="Squares.")
    codec, _ = load_codec(stirred / "codec")
    taught, step = load_generator(stirred / "flow", codec)
    revived = revive_generator(bundle)
    assert revived.step == step
    for ours, theirs in ((revived.codec, rounded(codec)), (revived.generator, rounded(taught))):
        wanted = theirs.state_dict()
        for name, value in ours.state_dict().items():
            torch.testing.assert_close(value, wanted[name], atol=1e-6, rtol=1e-3, msg=name)
    further = {"seed": 2, "start_from": bundle}
    assert train_codec(codec_config(tmp_path / "codec", **further), toys).finished
    still = {"steps": 1, "learning_rate": 1e-7, "validate_every": 1, **further}
    train_flow(flow_config(tmp_path / "flow", tmp_path, **still), toys, tmp_path / "codec")
    gone_on, _ = load_generator(tmp_path / "flow", load_codec(tmp_path / "codec")[0])
    for part, (left, right) in {
        "flow": (gone_on.flow, revived.generator.flow),
        "reader": (gone_on.reader, revived.generator.reader),
    }.items():
        wanted = right.state_dict()
        for name, value in left.state_dict().items():
            torch.testing.assert_close(value, wanted[name], atol=1e-5, rtol=0, msg=f"{part}.{name}")


def test_a_settled_generator_lies_halfway_between_the_best_state_and_the_last(
    stirred: Path, tmp_path: Path
):
    copied = shutil.copytree(stirred, tmp_path / "run")
    codec, flow = load_codec(copied / "codec")[0], RunFolder(copied / "flow")
    best, last = flow.load(BEST), flow.load(LAST)
    assert best is not None
    assert last is not None
    flow.save(LAST, {**last, "step": best["step"] + 5})
    settled, step = load_generator(copied / "flow", codec, settled=True)
    name = "flow.from_sum.weight"
    middle = (best["averages"][name] + last["averages"][name]) / 2
    assert not torch.equal(best["averages"][name], last["averages"][name])
    torch.testing.assert_close(settled.state_dict()[name], middle)
    assert step == best["step"] + 5
    card = export_generator(copied, tmp_path / "toy", name="toy", about="Squares.", settled=True)
    assert (card.training["steps"], card.training["settled"]) == (step, True)
    read = revive_generator(tmp_path / "toy").generator.state_dict()[name]
    stored = rounded(settled).state_dict()[name]
    torch.testing.assert_close(read, stored, atol=1e-6, rtol=1e-3)
    (copied / "flow" / LAST).unlink()
    alone = load_generator(copied / "flow", codec, settled=True)[0].state_dict()[name]
    assert torch.equal(alone, best["averages"][name])


def test_what_a_bundle_does_not_tell_is_not_guessed(stirred: Path, tmp_path: Path):
    bundle = tmp_path / "toy"
    export_generator(stirred, bundle, name="toy", about="Squares.")
    card = (bundle / "card.toml").read_text()
    (bundle / "card.toml").write_text(re.sub(r"(?m)^text = .*$", "", card))
    with pytest.raises(InvalidRequest, match="does not say how it was trained"):
        revive_generator(bundle)
    (bundle / "card.toml").write_text(card.replace("layers = 1,", "layers = 2,"))
    with pytest.raises(InvalidRequest, match="other weights than its card"):
        revive_generator(bundle)
    (bundle / "card.toml").write_text(re.sub(r"(?m)^temperature = .*$", "temperature = 2.0", card))
    with pytest.raises(BrokenBundle, match="draws otherwise"):
        revive_generator(bundle)
    with pytest.raises(NotFound):
        revive_generator(tmp_path / "nowhere")


def test_a_flow_is_refused_a_codec_below_the_gate(
    run: Path, words: Path, toys: RenderedSource, tmp_path: Path
):
    with pytest.raises(InvalidRequest, match="at least 30 are needed"):
        train_flow(flow_config(tmp_path, words), toys, run / "codec")


def test_a_resumed_flow_ends_where_the_uninterrupted_one_does(
    run: Path, words: Path, toys: RenderedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)
    config = flow_config(tmp_path / "flow", words)

    class Killed(BaseException):
        pass

    def kill(row: object) -> None:
        if isinstance(row, dict) and row["step"] == 3:
            raise Killed

    with pytest.raises(Killed):
        train_flow(config, toys, run / "codec", report=kill)
    with pytest.raises(Conflict, match="already holds"):
        train_flow(config, toys, run / "codec")
    assert train_flow(config, toys, run / "codec", resume=True).finished
    left, right = (RunFolder(at / "flow").load(LAST) for at in (tmp_path, run))
    assert left is not None
    assert right is not None
    for name, value in left["averages"].items():
        assert torch.equal(value, right["averages"][name]), name
    assert (tmp_path / "flow" / "sheets" / "000004.png").is_file()


def test_a_flow_goes_on_from_another_of_its_shape(
    run: Path, words: Path, toys: RenderedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)
    taught, _ = load_generator(run / "flow", load_codec(run / "codec")[0])

    def begun(**changes: object) -> dict[str, torch.Tensor]:
        # A rate so small and decay so slight that one step leaves the weights in place.
        still = {"steps": 1, "learning_rate": 1e-7, "start_from": run / "flow", **changes}
        train_flow(flow_config(tmp_path / "flow", words, **still), toys, run / "codec")
        state = RunFolder(tmp_path / "flow").load(LAST)
        assert state is not None
        return dict(state["weights"])

    found = begun()
    for name, value in taught.state_dict().items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=0)
    shutil.rmtree(tmp_path / "flow")
    with pytest.raises(InvalidRequest, match="another shape"):
        begun(width=8)
    assert not (tmp_path / "flow").exists()


def test_reading_is_learned_by_naming_what_titles_say(
    run: Path, words: Path, toys: RenderedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)
    teacher = load_trained(words).model.text.state_dict()
    codec, _ = load_codec(run / "codec")
    for naming, stays in ((0.0, True), (1.0, False)):
        folder = tmp_path / f"naming {naming}"
        pace = {
            "naming": naming,
            "steps": 60,
            "batch": 16,
            "learning_rate": 1e-2,
            "validate_every": 60,
        }
        ended = train_flow(flow_config(folder, words, **pace), toys, run / "codec")
        taught, _ = load_generator(folder, codec)
        kept = [torch.equal(v, teacher[k]) for k, v in taught.reader.state_dict().items()]
        assert all(kept) if stays else not any(kept)
        assert ("misnamed" in ended.figures) is not stays
    named = [row["named"] for row in logged(folder)]
    assert np.mean(named[-5:]) < np.mean(named[:5]) / 2


def test_a_flow_that_goes_on_takes_over_reading_and_what_it_can_name(
    run: Path, words: Path, toys: RenderedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)
    still = {"steps": 1, "learning_rate": 1e-7, "validate_every": 1}
    codec, _ = load_codec(run / "codec")
    silent, taught = tmp_path / "silent", tmp_path / "taught"
    # What cannot name anything may learn to, and the other way round.
    train_flow(flow_config(silent, words, naming=0, start_from=run / "flow", **still), toys,
               run / "codec")  # fmt: skip
    train_flow(flow_config(taught, tmp_path, start_from=silent, **still), toys, run / "codec")
    first, last = (load_generator(folder, codec)[0] for folder in (run / "flow", taught))
    assert not load_generator(silent, codec)[0].heads
    assert last.heads.keys() == first.heads.keys()
    for name, value in first.reader.state_dict().items():
        torch.testing.assert_close(last.reader.state_dict()[name], value, atol=1e-5, rtol=0)
    assert RunFolder(taught).tokenizer().to_str() == RunFolder(words).tokenizer().to_str()


def test_a_critic_learns_to_name_what_pictures_show(
    run: Path, toys: RenderedSource, tmp_path: Path
):
    pace = {"steps": 120, "validate_every": 60, "learning_rate": 1e-2}
    train_critic(critic_config(tmp_path, **pace), toys, run / "codec")
    losses = [row["loss"] for row in logged(tmp_path)]
    assert np.mean(losses[-20:]) < np.mean(losses[:5]) / 2
    critic = load_critic(tmp_path)
    assert not any(weight.requires_grad for weight in critic.parameters())
    assert not critic.training


def test_a_flow_that_is_looked_at_draws_what_looks_more_like_the_real_pictures(
    run: Path, words: Path, toys: RenderedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)
    learned = {"steps": 60, "validate_every": 60, "learning_rate": 1e-2}
    train_critic(critic_config(tmp_path / "critic", **learned), toys, run / "codec")
    pace = {"steps": 120, "validate_every": 120, "batch": 16, "learning_rate": 4e-3}
    looks = []
    for perceptual in (1e-6, 1000.0):
        config = flow_config(tmp_path / f"{perceptual}", words, perceptual=perceptual, **pace)
        ended = train_flow(config, toys, run / "codec", critic=tmp_path / "critic")
        assert 0 < ended.figures["looks"] < 4
        looks.append(np.mean([row["looks"] for row in logged(config.folder)[-20:]]))
    assert looks[1] < 0.9 * looks[0]


@pytest.mark.parametrize("asks", [{"perceptual": 1.0}, {"telling": 1.0}, {"revise": "colour"}])
@pytest.mark.parametrize("critic", [None, Path("nowhere")])
def test_a_flow_without_the_critic_that_it_asks_for_is_refused_and_leaves_nothing(
    critic: Path | None, asks: dict[str, object], run: Path, words: Path, toys: RenderedSource,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)
    config = flow_config(tmp_path / "flow", words, **asks)
    with pytest.raises(InvalidRequest, match=f"{next(iter(asks))} is (1|colour), and there is no"):
        train_flow(config, toys, run / "codec", critic=critic)
    assert not (tmp_path / "flow").exists()


def test_a_flow_that_rehearses_learns_to_mend_what_it_missed(
    run: Path, words: Path, toys: RenderedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)
    pace = {"steps": 120, "validate_every": 120, "batch": 16, "learning_rate": 4e-3}
    apart = {}
    for rehearsed in (0.0, 0.5):
        config = flow_config(tmp_path / f"{rehearsed}", words, rehearsed=rehearsed, **pace)
        apart[rehearsed] = train_flow(config, toys, run / "codec").figures["drawn/codes"]
        assert all(("unmended" in row) == (rehearsed > 0) for row in logged(config.folder))
    assert apart[0.5] < 0.9 * apart[0.0]


def test_what_a_generator_draws_wrong_as_it_begins_is_shown_more_often(
    run: Path, words: Path, toys: RenderedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)
    train_critic(critic_config(tmp_path / "critic"), toys, run / "codec")

    def begun(revise: str) -> RunFolder:
        config = flow_config(tmp_path / revise, words, revise=revise, steps=2)
        assert train_flow(config, toys, run / "codec", critic=tmp_path / "critic").finished
        return RunFolder(config.folder)

    wrong = begun("colour").about()["stumbles"]
    assert len(wrong) == toys.shelf.head_sizes["colour"]
    assert all(0 <= each <= 1 for each in wrong)
    assert sum(wrong) > 0
    with pytest.raises(InvalidRequest, match="revise is 'size', products have"):
        begun("size")
    assert not (tmp_path / "size").exists()


def test_a_rehearsal_leaves_each_picture_where_the_flow_has_come_with_it(run: Path):
    codec, _ = load_codec(run / "codec")
    model = stir(load_generator(run / "flow", codec)[0])
    ids = torch.tensor([[1, 5, 9], [1, 7, 0], [1, 0, 0]])
    mask, pose = (ids > 0).long(), torch.tensor([0, 1])
    rehearsal = Rehearsal(4, 0.5, 2.0, torch.tensor([3, 1]), ids[2:], mask[2:])
    noise = torch.randn(2, *codec.spread.shape)
    with torch.no_grad():
        states = model.reader(ids, mask)
        found = drawn_so_far(model, rehearsal, noise, states[:2], mask[:2], pose)
        each = [0, 1, 2, 2]  # two titles, and none for each
        way = list(travel(model.flow, 0.5 * noise, states[each], mask[each], pose,
                          steps=4, guidance=2.0, guided=0.5))  # fmt: skip
    assert torch.equal(rehearsal.times, torch.tensor([0.75, 0.25]))
    assert torch.allclose(found, torch.stack([way[2][0], way[0][1]]), atol=1e-5)
    assert not torch.allclose(way[2][0], way[0][0], atol=1e-2)


def test_a_rehearsal_without_gradients_takes_none_from_what_is_learned(
    run: Path, words: Path, toys: RenderedSource, tmp_path: Path
):
    codec, _ = load_codec(run / "codec")
    tokenizer, found = RunFolder(run / "flow").tokenizer(), []
    for rehearsed in (0.0, 0.5):
        model = stir(load_generator(run / "flow", codec)[0])
        lesson = FlowLesson(
            toys, codec, tokenizer, flow_config(tmp_path, words, rehearsed=rehearsed)
        )
        with torch.autocast("cpu", torch.bfloat16):
            loss = lesson.measure(model, lesson.make(0))["loss"]
        loss.backward()
        found.append(
            {name for name, each in model.flow.named_parameters() if each.grad is not None}
        )
    assert found[0] == found[1]
    assert "to_codes.weight" in found[1]


def test_poses_change_what_is_drawn_from_the_same_noise(run: Path):
    codec, _ = load_codec(run / "codec")
    flow = stir(load_generator(run / "flow", codec)[0]).flow
    codes, states = torch.randn(1, 16, 24), torch.randn(1, 4, flow.from_sum.in_features)
    time, mask = torch.tensor([0.5]), torch.ones(1, 3, dtype=torch.long)
    first, second = (flow(codes, time, states, mask, torch.tensor([pose])) for pose in (0, 1))
    assert not torch.allclose(first, second)


def test_the_bundle_draws_what_the_trained_generator_draws(run: Path, tmp_path: Path):
    card = export_generator(
        run, tmp_path / "toy", name="toy", about="Squares.", steps=3, guided=0.5
    )
    draws = load_checked(tmp_path / "toy")
    assert check(draws, read_drawings(tmp_path / "toy")) < 1.0
    assert (draws.about.native_px, draws.about.steps, card.poses) == (64, 3, 2)
    assert "folder" not in str(card.training)
    first, second = (next(draws.draw(Wish("red square", seed=seed))).pixels for seed in (1, 1))
    assert (first == second).all()
    changed = (tmp_path / "toy" / "flow.onnx").read_bytes()
    (tmp_path / "toy" / "flow.onnx").write_bytes(changed[:-1] + b"0")
    with pytest.raises(BrokenBundle):
        load_checked(tmp_path / "toy")


def test_gathering_places_and_scattering_them_is_a_round_trip():
    maps = torch.randn(2, 4, 6, 5)
    assert torch.equal(scattered(gathered(maps, 2), 2), maps)
    assert torch.equal(gathered(maps, 2)[:, 0, 1].view(2, 2, 2, 5), maps[:, 0:2, 2:4])


@pytest.mark.parametrize("axis", [0, 1])
def test_constants_are_stored_in_bytes_where_that_loses_nothing(axis: int, tmp_path: Path):
    drawn = np.random.default_rng(3).standard_normal((48, 40)).astype(np.float32)
    rounded = from_bytes(*in_bytes(drawn))
    found = (rounded if axis == 0 else rounded.T.copy(), drawn)
    proto = helper.make_model(
        helper.make_graph(
            [helper.make_node("Identity", [name], [f"{name}.out"]) for name in ("a", "b")],
            "constants",
            [],
            [helper.make_tensor_value_info(f"{n}.out", 1, None) for n in ("a", "b")],
            [numpy_helper.from_array(each, name)
             for each, name in zip(found, ("a", "b"), strict=True)],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )  # fmt: skip
    store_in_bytes(proto)
    read = read_weights(proto)
    assert all(np.array_equal(read[name], each) for name, each in zip("ab", found, strict=True))
    kinds = {each.name: each.data_type for each in proto.graph.initializer}
    assert kinds["a.whole"] == TensorProto.INT8
    assert kinds["b"] == TensorProto.FLOAT
    onnx.save(proto, str(tmp_path / "constants.onnx"))
    back = open_session(tmp_path / "constants.onnx").run(["a.out", "b.out"], {})
    assert all(np.array_equal(left, right) for left, right in zip(back, found, strict=True))
