import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from crosslens.compose.bundles import find, read_card, read_goldens
from crosslens.compose.onnx import load
from crosslens.corpora.composed import ComposedSet, Wish
from crosslens.errors import BrokenBundle, Conflict, InvalidRequest, WrongSpace
from crosslens.train.checkpoint import LAST, RunFolder
from crosslens.train.composer import load_composer, train_composer
from crosslens.train.composer_config import ComposerConfig, Loss, Method, Reader, Shape
from crosslens.train.composer_data import Pixels, mirrored_words, over_pixels
from crosslens.train.composer_export import export
from crosslens.train.composer_lesson import ComposerLesson, questions, report
from crosslens.train.composer_losses import compare, soft_triplet
from crosslens.train.composer_model import WHERE, Composer, Lstm, coordinates
from crosslens.train.tokens import encode, train_tokenizer
from crosslens.values import Space, Vectors
from unit.train import composers

pytestmark = pytest.mark.train
TOY = composers.material()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("composer") / "run"
    ended = train_composer(composers.config(folder), TOY)
    assert ended.finished
    return folder


@pytest.fixture(scope="module")
def bundle(run: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "toy"
    export(run, folder, name="toy", about="Colours.")
    return folder


def vectors(rows: list[int]) -> Vectors:
    return Vectors(Space(composers.SPACE, composers.DIM), TOY.sights.take(np.array(rows)).numpy())


def spoken(words: list[str]) -> Vectors:
    found = np.stack([TOY.spoken.get(word, TOY.spoken["in red"]) for word in words])
    return Vectors(Space(composers.SPACE, composers.DIM), found)


def test_a_composer_learns_to_change_colours_that_it_was_never_asked_to_change(run: Path):
    trained = load_composer(run)
    untrained = Composer(trained.model.shape).eval()
    wanted = questions(TOY.wishes)
    learned = report(trained.model, trained.tokenizer, TOY, wanted)
    chance = report(untrained, trained.tokenizer, TOY, wanted)
    assert learned.all.metrics["recall@1"] > 0.8 > chance.all.metrics["recall@1"]
    assert set(learned.by["language"]) == {"en", "zh"}


def test_a_checkpoint_holds_vocabulary_and_config_so_that_it_stands_alone(run: Path):
    trained = load_composer(run)
    ids, _ = encode(trained.tokenizer, ["换成红色"])
    assert trained.model.words.tokens.num_embeddings == trained.tokenizer.get_vocab_size()
    assert ids.max() < trained.tokenizer.get_vocab_size()
    assert trained.about["train"]["shape"]["method"] == "tokens"


def test_weights_that_lack_a_tensor_are_refused_and_not_filled_by_chance(run: Path, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in run.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    state = RunFolder(copy).load("best.pt")
    state["averages"].pop("log_scale")
    RunFolder(copy).save("best.pt", state)
    with pytest.raises(InvalidRequest, match="do not fit"):
        load_composer(copy)


def test_a_stopped_run_goes_on_to_the_bit(run: Path, tmp_path):
    straight = load_composer(run)
    folder = tmp_path / "run"
    config = composers.config(folder)

    def stop(row):
        if row["step"] == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_composer(config, TOY, report=stop)
    assert RunFolder(folder).load(LAST)["step"] == 30
    with pytest.raises(Conflict, match="already holds"):
        train_composer(config, TOY)
    train_composer(config, TOY, resume=True)
    again = load_composer(folder)
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


def test_a_run_is_not_resumed_with_other_wishes(run: Path):
    other = dataclasses.replace(TOY, provenance={**TOY.provenance, "sha256": "x"})
    with pytest.raises(Conflict, match="data"):
        train_composer(composers.config(run), other, resume=True)


def test_a_source_with_one_wish_is_asked_about_once_and_nothing_hangs(tmp_path):
    few = [w for w in TOY.wishes if w.source % 4 or w.targets[0] % 4 == 1]
    material = dataclasses.replace(TOY, wishes=few)
    tokenizer = train_tokenizer(TOY.texts(), vocabulary=7300, max_tokens=12)
    lesson = ComposerLesson(material, tokenizer, composers.config(tmp_path, siblings=3))
    counts = [np.bincount(lesson.make(step).source.numpy()) for step in range(20)]
    assert {1, 3} <= {int(n) for count in counts for n in count} <= {1, 2, 3}


def test_batches_are_the_same_each_time_a_step_is_asked_for(tmp_path):
    tokenizer = train_tokenizer(TOY.texts(), vocabulary=7300, max_tokens=12)
    lesson = ComposerLesson(TOY, tokenizer, composers.config(tmp_path))
    first, second = lesson.make(3), lesson.make(3)
    assert torch.equal(first.ids, second.ids)
    assert torch.equal(first.pictures, second.pictures)


def test_too_few_wishes_are_refused(tmp_path):
    tokenizer = train_tokenizer(TOY.texts(), vocabulary=7300, max_tokens=12)
    material = dataclasses.replace(TOY, wishes=TOY.wishes[:3])
    with pytest.raises(InvalidRequest, match="too few"):
        ComposerLesson(material, tokenizer, composers.config(tmp_path))


@pytest.mark.parametrize("loss", list(Loss))
def test_every_loss_is_lower_when_each_finds_its_own(loss: Loss):
    torch.manual_seed(0)
    targets = torch.nn.functional.normalize(torch.randn(12, 8), dim=1)
    labels, scale = torch.arange(12), torch.tensor(10.0)
    good = compare(loss, targets, targets, labels, scale)
    bad = compare(loss, targets.roll(1, 0), targets, labels, scale)
    assert good < bad


def test_what_has_the_same_label_is_never_a_wrong_answer():
    same = torch.nn.functional.normalize(torch.ones(2, 4), dim=1)
    labels = torch.zeros(2, dtype=torch.long)
    found = compare(Loss.SIBLINGS, same, same, labels, torch.tensor(10.0))
    assert float(found) == pytest.approx(0.0, abs=1e-6)


def test_the_length_of_the_vectors_in_the_triplet_loss_is_learned():
    torch.manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(2, 6, 8), dim=-1)
    labels, scale = torch.arange(6), torch.tensor(10.0, requires_grad=True)
    compare(Loss.SOFT_TRIPLET, vectors[0], vectors[1], labels, scale).backward()
    assert scale.grad is not None
    assert abs(float(scale.grad)) > 0


def test_triplets_never_take_the_partner_for_a_wrong_one():
    torch.manual_seed(0)
    far = torch.eye(3)
    assert float(soft_triplet(far, far, length=4.0)) < 1e-6


PIXELS = [m for m in Method if m not in (Method.IMAGE_ONLY, Method.TEXT_ONLY)]


@pytest.mark.parametrize("method", PIXELS)
def test_every_method_over_pixels_uses_picture_and_words(method: Method):
    torch.manual_seed(0)
    shape = Shape(method=method, dim=8, widths=(4, 4, 6), width=8, heads=2, vocabulary=50)
    model = Composer(shape).eval()
    seen = model.see(torch.randn(2, 3, 32, 48))
    ids = torch.tensor([[1, 5, 6], [1, 5, 6]])
    mask, none = torch.ones_like(ids), torch.zeros(2, 0)
    with torch.no_grad():
        one = model.compose(seen, ids, mask, none)
        other = model.compose(seen, ids + 7, mask, none)
    assert one.shape == (2, 8)
    assert not torch.allclose(one[0], one[1])
    assert not torch.allclose(one, other)


def test_over_pixels_tokens_start_near_the_picture_as_it_is():
    torch.manual_seed(0)
    model = Composer(Shape(dim=32, widths=(8, 8, 16), width=8, heads=2, vocabulary=50)).eval()
    seen = model.see(torch.randn(8, 3, 32, 48))
    ids = torch.randint(1, 50, (8, 4))
    with torch.no_grad():
        composed = model.compose(seen, ids, torch.ones_like(ids), torch.zeros(8, 0))
        likeness = (composed * model.place(seen)).sum(1)
    assert likeness.min() > 0.5


def test_places_of_a_map_know_where_they_are():
    found = coordinates(torch.zeros(2, 5, 4, 6))
    assert found.shape == (2, WHERE, 4, 6)
    assert len({tuple(place.tolist()) for place in found[0].flatten(1).T}) == 24


@pytest.mark.parametrize("reader", list(Reader))
def test_padding_changes_nothing(reader: Reader):
    torch.manual_seed(0)
    shape = Shape(dim=8, over_vectors=True, width=8, heads=2, vocabulary=50, reader=reader)
    model = Composer(shape).eval()
    picture, words = torch.randn(1, 8), torch.randn(1, 8)
    ids = torch.tensor([[1, 5, 6]])
    wide = torch.tensor([[1, 5, 6, 0, 0]])
    with torch.no_grad():
        short = model(picture, words, ids, torch.ones_like(ids))
        padded = model(picture, words, wide, (wide > 0).long())
    assert torch.allclose(short, padded, atol=1e-5)


def test_the_temperature_starts_as_told():
    model = Composer(Shape(scale=30.0, dim=8, vocabulary=50))
    assert float(model.scale.detach()) == pytest.approx(30)


def test_an_lstm_reads_words_in_their_order():
    torch.manual_seed(0)
    shape = Shape(dim=8, over_vectors=True, width=8, heads=2, vocabulary=50, reader="lstm")
    model = Composer(shape).eval()
    picture, words = torch.randn(1, 8), torch.randn(1, 8)
    one, other = torch.tensor([[1, 5, 6]]), torch.tensor([[1, 6, 5]])
    with torch.no_grad():
        model.words.places.zero_()
        found = [model(picture, words, ids, torch.ones_like(ids)) for ids in (one, other)]
    assert isinstance(model.words.reader, Lstm)
    assert not torch.allclose(*found)


def test_a_share_of_the_plain_sum_is_mixed_in_when_composing_and_not_while_learning():
    torch.manual_seed(0)
    shape = Shape(dim=8, over_vectors=True, width=8, heads=2, vocabulary=50, plain=0.999)
    model = Composer(dataclasses.replace(shape, dropout=0.0, noise=0.0))
    picture, words = torch.nn.functional.normalize(torch.randn(2, 3, 8), dim=-1)
    ids = torch.randint(1, 50, (3, 4))
    added = torch.nn.functional.normalize(picture + words, dim=-1)
    with torch.no_grad():
        learning = model(picture, words, ids, torch.ones_like(ids))
        used = model.eval()(picture, words, ids, torch.ones_like(ids))
    assert torch.allclose(used, added, atol=0.02)
    assert not torch.allclose(learning, added, atol=0.02)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"shape": {"plain": 0.5}}, "pixels and words have no sum"),
        ({"shape": {"over_vectors": True}, "mirror": 0.5}, "cannot be mirrored"),
        ({"shape": {"grid": (3,)}}, "2 numbers"),
        ({"shape": {"reader": "aloud"}}, "reader is 'aloud'"),
        ({"shape": {"scale": 0.5}}, "scale is 0.5"),
        ({"optimizer": "magic"}, "optimizer is 'magic'"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"mirror": 2.0}, "mirror is 2.0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tmp_path, settings, says):
    with pytest.raises(InvalidRequest, match=says):
        ComposerConfig(folder=tmp_path, **settings)


def test_sgd_remembers_a_direction_by_its_momentum_and_decays_weights(tmp_path):
    ended = {}
    for momentum, decay in ((0.0, 0.0), (0.9, 0.0), (0.9, 0.5)):
        config = composers.config(
            tmp_path / f"{momentum} {decay}", steps=3, optimizer="sgd", momentum=momentum,
            weight_decay=decay, learning_rate=0.05,
        )  # fmt: skip
        train_composer(config, TOY)
        state = RunFolder(config.folder).load(LAST)
        ended[momentum, decay] = torch.cat([w.flatten() for w in state["weights"].values()])
        buffers = [each["momentum_buffer"] for each in state["optimizer"]["state"].values()]
        assert all((buffer is not None) == (momentum > 0) for buffer in buffers)
    assert not torch.allclose(ended[0.0, 0.0], ended[0.9, 0.0])
    assert ended[0.9, 0.5].norm() < ended[0.9, 0.0].norm()


def test_each_validation_tells_recall_of_training_and_of_a_watched_split(tmp_path):
    rows = []
    config = composers.config(tmp_path / "run", steps=2, validate_every=2, tensorboard=True)
    watched = composers.material(8)
    train_composer(config, TOY, watched=watched, report=rows.append)
    names = {f"{name}/recall@{k}" for name in ("validation", "training", "test") for k in (1, 10)}
    assert names <= set(rows[-1])
    assert rows[-1]["score"] == rows[-1]["validation/recall@1"]
    events = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    assert names <= set(events.Tags()["scalars"])


def test_places_of_a_vector_cannot_be_gated():
    with pytest.raises(InvalidRequest, match="a vector has none"):
        Shape(method=Method.TIRG_LASTCONV, over_vectors=True)


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    paths = []
    for n in range(12):
        pixels = np.random.default_rng(n).integers(0, 255, (16, 24, 3), np.uint8)
        paths.append(tmp_path / f"{n}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def test_pictures_are_decoded_once_and_never_mirrored(pictures, tmp_path):
    cache = tmp_path / "cache.u8"
    first = Pixels(pictures, cache)
    written = cache.stat().st_mtime_ns
    again = Pixels(pictures, cache)
    assert cache.stat().st_mtime_ns == written
    rows = np.array([3, 1])
    assert torch.equal(first.take(rows), again.take(rows))
    moved = again.take(rows, np.random.default_rng(0), shift=2)
    assert moved.shape == (2, 3, 16, 24)
    inner = first.take(rows)[0, :, 4:-4, 4:-4]
    flat = [moved[0, :, 4 + dy : 12 + dy, 4 + dx : 20 + dx] for dy in (-2, -1, 0, 1, 2)
            for dx in (-2, -1, 0, 1, 2)]  # fmt: skip
    likeness = [torch.corrcoef(torch.stack([f.flatten(), inner.flatten()]))[0, 1] for f in flat]
    assert max(likeness) > 0.999


def test_a_mirrored_picture_comes_with_words_that_say_right_for_left(pictures, tmp_path):
    sights = Pixels(pictures, tmp_path / "cache.u8")
    rows = np.array([3, 3])
    plain, mirrored = sights.take(rows, mirrored=np.array([False, True]))
    assert torch.equal(plain.flip(-1), mirrored)
    assert mirrored_words("add red circle to top-left") == "add red circle to top-right"
    assert mirrored_words("去掉右上角的小圆球") == "去掉左上角的小圆球"
    assert mirrored_words("make bottom-center object blue") == "make bottom-center object blue"


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_sources_are_mirrored_with_their_targets_and_their_words(pictures, tmp_path, share):
    wishes = [Wish(n, {"en": ("to left",)}, ((n + 1) % 12,)) for n in range(12)]
    labels = [str(n) for n in range(12)]
    found = ComposedSet("toy", "train", pictures, labels, wishes, labels)
    material = over_pixels(found, tmp_path / "cache.u8")
    tokenizer = train_tokenizer(["to left", "to right"] * 3, vocabulary=7300, max_tokens=12)
    config = ComposerConfig(
        folder=tmp_path, batch=6, siblings=2, mirror=share, shift=0, word_drop=0.0
    )
    made = ComposerLesson(material, tokenizer, config).make(0)
    said = "to right" if share else "to left"
    assert made.ids[0].tolist() == encode(tokenizer, [said])[0][0].tolist()
    numbers = sorted({int(label) for label in made.labels})
    seen = material.sights.take(np.array([numbers[0]]))[0]
    target = made.pictures[len(made.pictures) - len(made.labels) :][
        int(made.labels.tolist().index(numbers[0]))
    ]
    likeness = [
        float(torch.corrcoef(torch.stack([target.flatten(), each.flatten()]))[0, 1])
        for each in (seen, seen.flip(-1))
    ]
    assert (likeness[1] > likeness[0]) == bool(share)


def test_a_picture_of_another_size_is_named(pictures, tmp_path):
    Image.new("RGB", (10, 10)).save(pictures[5])
    with pytest.raises(InvalidRequest, match=r"5\.png is 10 × 10, the others are 24 × 16"):
        Pixels(pictures, tmp_path / "cache.u8")


def test_a_composer_over_pixels_trains_and_cannot_serve_a_catalogue(pictures, tmp_path):
    wishes = [Wish(n, {"en": (f"w{n}",)}, ((n + 1) % 12,)) for n in range(12)]
    labels = [str(n) for n in range(12)]
    found = ComposedSet("toy", "train", pictures, labels, wishes, labels)
    shape = Shape(method=Method.TIRG, dim=8, widths=(4, 4, 6), width=8, heads=2, token_width=8)
    config = ComposerConfig(
        folder=tmp_path / "run", steps=2, batch=6, siblings=2, shape=shape, shift=1, threads=1
    )
    train_composer(config, over_pixels(found, tmp_path / "cache.u8"))
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().split("\n")
            if line]  # fmt: skip
    assert "validation/recall@1" in rows[-1]
    with pytest.raises(InvalidRequest, match="composes pixels"):
        export(tmp_path / "run", tmp_path / "bundle", name="x", about="x")


def test_the_bundle_is_bound_to_its_space_and_to_no_other_of_its_dimension(bundle: Path):
    space = Space(composers.SPACE, composers.DIM)
    assert find([bundle.parent], space) == bundle
    assert find([bundle.parent], Space("other@1/fp32", composers.DIM)) is None
    other = Vectors(Space("other@1/fp32", composers.DIM), vectors([0]).array)
    with pytest.raises(WrongSpace, match="other@1"):
        load(bundle).compose(other, ["in red"], spoken(["in red"]))


def test_the_bundle_composes_as_pytorch_does(run: Path, bundle: Path):
    trained, served = load_composer(run), load(bundle)
    words = ["in blue", "换成绿色", "in red"]
    pictures, said = vectors([0, 1, 2]), spoken(words)
    ids, mask = (torch.from_numpy(part) for part in encode(trained.tokenizer, words))
    with torch.no_grad():
        wanted = trained.model(
            torch.from_numpy(pictures.array), torch.from_numpy(said.array), ids, mask
        )
    found = served.compose(pictures, words, said)
    assert np.abs(found.array - wanted.numpy()).max() < 5e-3  # weights are rounded


@pytest.mark.parametrize("name", ["composer.onnx", "tokenizer.json", "goldens.npz"])
def test_an_altered_composer_is_refused(bundle: Path, tmp_path, name: str):
    copy = tmp_path / "toy"
    copy.mkdir()
    for path in bundle.iterdir():
        content = path.read_bytes()
        (copy / path.name).write_bytes(content + b" " if path.name == name else content)
    with pytest.raises(BrokenBundle, match="was altered"):
        load(copy)


def test_the_goldens_catch_a_graph_of_another_training(bundle: Path):
    goldens = read_goldens(bundle)
    wrong = dataclasses.replace(goldens, vectors=goldens.vectors[::-1].copy())
    with pytest.raises(BrokenBundle, match="goldens"):
        load(bundle).check(wrong)


def test_chinese_and_words_never_seen_are_composed_and_make_a_difference(bundle: Path):
    words = ["换成红色", "qwzx 🎈 Ωμέγα", "把它变成从未见过的样子"]
    found = load(bundle).compose(vectors([0, 0, 0]), words, spoken(words))
    assert np.isfinite(found.array).all()
    assert np.abs(found.array[0] - found.array[1]).max() > 1e-3


def test_the_card_tells_how_the_composer_was_trained(bundle: Path):
    card = read_card(bundle)
    assert card.training["settings"]["loss"] == "siblings"
    assert card.training["data"]["data"] == "toy"
    assert "folder" not in card.training["settings"]
