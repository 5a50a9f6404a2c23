"""Every architecture that is promised: exported from its hub's own layout, checked, and served."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as library

import hub_models
from crosslens.encode.cards import Resize
from crosslens.encode.onnx import OnnxBundle, load
from crosslens.hubs.export import Order, export_model
from crosslens.hubs.folder import ModelFolder
from crosslens.hubs.sides import Wishes, picture_side, text_side
from crosslens.hubs.words import HARD_TEXTS
from crosslens.train.export import golden_pictures
from crosslens.train.graphs import EXPORTERS, with_torchscript
from hub_exports import exported

pytestmark = [pytest.mark.hub, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PAIRED = ("clip", "chinese_clip", "siglip2", "bge_vl", "clip_in_sentence_layout")
SENTENCE = (
    "bert", "e5", "multilingual_clip_words", "roberta", "t5", "electra", "ernie", "albert",
    "modernbert", "mpnet", "nomic_bert",
)  # fmt: skip
EQUAL = 2e-6
TEXTS = HARD_TEXTS[:24]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Build a family's folder and its bundle once."""
    root = tmp_path_factory.mktemp("models")

    @functools.cache
    def made(name: str) -> tuple[Path, OnnxBundle]:
        source = getattr(hub_models, name)(root / name)
        exported(source, root / "bundles" / name)
        return source, load(root / "bundles" / name)

    yield made
    made.cache_clear()


@pytest.mark.parametrize("name", [*PAIRED, *SENTENCE])
def test_a_family_is_exported_and_passes_its_goldens(models: Any, name: str):
    _, bundle = models(name)
    report = bundle.check()
    assert report.passed
    assert report.tolerance == pytest.approx(1e-4)
    assert report.max_difference < EQUAL


@pytest.mark.parametrize("name", SENTENCE)
def test_a_sentence_encoder_gives_the_vectors_of_sentence_transformers(models: Any, name: str):
    reference = pytest.importorskip("sentence_transformers")
    source, bundle = models(name)
    original = reference.SentenceTransformer(str(source), device="cpu")
    for role, encode in (
        ("query_prefix", bundle.text.encode_queries), ("item_prefix", bundle.text.encode_items),
    ):  # fmt: skip
        wanted = original.encode(
            list(TEXTS), prompt=getattr(bundle.card.text, role), normalize_embeddings=True,
            show_progress_bar=False,
        )  # fmt: skip
        assert np.abs(encode(TEXTS).array - wanted).max() < EQUAL


@pytest.mark.parametrize("name", ["clip", "chinese_clip", "siglip2"])
def test_paired_towers_give_the_vectors_of_the_library(models: Any, name: str):
    source, bundle = models(name)
    model = library.AutoModel.from_pretrained(source).eval()
    tokenizer = library.AutoTokenizer.from_pretrained(source)
    padding = {"padding": "max_length"} if bundle.card.text.pad_to else {}
    processor = library.AutoImageProcessor.from_pretrained(source, backend="pil")
    from PIL import Image

    for text in TEXTS:
        ids = tokenizer(
            text, truncation=True, max_length=bundle.card.text.max_tokens, return_tensors="pt",
            **padding,
        )["input_ids"]  # fmt: skip
        with torch.no_grad():
            found = model.get_text_features(input_ids=ids).pooler_output
        wanted = torch.nn.functional.normalize(found, dim=-1).numpy()
        assert np.abs(bundle.text.encode_queries([text]).array - wanted).max() < EQUAL
    import io

    for content in golden_pictures():
        pixels = processor(Image.open(io.BytesIO(content)), return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            found = model.get_image_features(pixel_values=pixels).pooler_output
        wanted = torch.nn.functional.normalize(found, dim=-1).numpy()
        assert np.abs(bundle.picture.encode_pictures([content]).array - wanted).max() < EQUAL


def test_a_model_and_the_same_model_in_sentence_layout_share_their_vectors(models: Any):
    plain, wrapped = models("clip")[1], models("clip_in_sentence_layout")[1]
    one, other = (bundle.text.encode_queries(TEXTS).array for bundle in (plain, wrapped))
    assert np.abs(one - other).max() < EQUAL


def test_vectors_do_not_depend_on_the_batch(models: Any):
    for name in ("chinese_clip", "siglip2", "roberta"):
        tower = models(name)[1].text
        whole = tower.encode_queries(TEXTS).array
        alone = np.concatenate([tower.encode_queries([text]).array for text in TEXTS])
        assert np.abs(whole - alone).max() < EQUAL


def test_chinese_clip_squashes_and_lower_cases_though_its_folder_says_little(models: Any):
    card = models("chinese_clip")[1].card
    assert card.picture.resize is Resize.SQUASH
    assert not card.picture.crop
    assert card.text.max_tokens == 52
    tower = models("chinese_clip")[1].text
    upper, lower = tower.encode_queries(["NIKE AIR"]), tower.encode_queries(["nike air"])
    assert np.array_equal(upper.array, lower.array)


def test_clip_keeps_the_aspect_ratio_and_cuts_the_centre(models: Any):
    card = models("clip")[1].card
    assert (card.picture.resize, card.picture.crop) == (Resize.SHORTEST, True)


def test_siglip_is_always_padded_to_its_full_length(models: Any):
    card = models("siglip2")[1].card
    assert card.text.pad_to == card.text.max_tokens == 16


def test_poolings_prefixes_lengths_and_casing_come_from_the_files(models: Any):
    bge, e5 = models("bert")[1], models("e5")[1]
    assert (bge.card.text.max_tokens, bge.card.text.query_prefix) == (48, "")
    assert (e5.card.text.query_prefix, e5.card.text.item_prefix) == ("query: ", "passage: ")
    assert bge.card.training["text_architecture"] == "bert, pooling cls"
    assert e5.card.training["text_architecture"] == "bert, pooling mean"
    upper, lower = (bge.text.encode_queries([text]).array for text in ("Nike", "nike"))
    assert not np.array_equal(upper, lower)


def test_a_multilingual_text_tower_pairs_with_the_pictures_of_clip(models: Any, tmp_path: Path):
    words, pictures = models("multilingual_clip_words")[0], models("clip")[0]
    text, picture = text_side(ModelFolder(words), Wishes()), picture_side(ModelFolder(pictures))
    order = Order("pair", "A pair.", "MIT", "two folders", exporters=(with_torchscript,))
    done = export_model(text, picture, tmp_path / "pair", order)
    bundle = load(tmp_path / "pair")
    assert bundle.check().passed
    assert done.card.dim == hub_models.DIM
    same = models("clip")[1].picture
    contents = list(golden_pictures())
    found = bundle.picture.encode_pictures(contents).array
    assert np.abs(found - same.encode_pictures(contents).array).max() < EQUAL


def test_the_newer_exporter_passes_the_same_gate(models: Any, tmp_path: Path):
    done = exported(models("chinese_clip")[0], tmp_path / "new", exporters=EXPORTERS[:1])
    assert max(done.parity.values()) < EQUAL
    assert load(tmp_path / "new").check().passed
    older = models("chinese_clip")[1].card
    assert done.card.space == older.space


def test_a_space_is_named_after_weights_preparation_and_precision(models: Any, tmp_path: Path):
    source = models("bert")[0]
    plain = models("bert")[1].card.space
    folder = ModelFolder(source)
    other = text_side(folder, Wishes(query_prefix="ask: "))
    order = Order("bert", "A test.", "MIT", "a folder", exporters=(with_torchscript,))
    assert export_model(other, None, tmp_path / "other", order).card.space != plain
    again = text_side(folder, Wishes())
    assert export_model(again, None, tmp_path / "again", order).card.space == plain


def test_weights_too_large_for_one_file_lie_beside_the_graph(
    models: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from crosslens.hubs import export
    from crosslens.train.graphs import save_graph

    monkeypatch.setattr(export, "save_graph", functools.partial(save_graph, largest=1000))
    done = exported(models("bert")[0], tmp_path / "large")
    assert "text.onnx.data" in done.card.digests
    assert load(tmp_path / "large").check().passed
    (tmp_path / "large" / "text.onnx.data").unlink()
    with pytest.raises(Exception, match=r"text\.onnx\.data is missing"):
        load(tmp_path / "large")


def test_siglip_with_sentencepiece_cuts_words_like_the_library(tmp_path: Path):
    pytest.importorskip("sentencepiece")
    source = hub_models.siglip_pieces(tmp_path / "siglip")
    exported(source, tmp_path / "bundle")
    bundle = load(tmp_path / "bundle")
    assert bundle.check().passed
    tokenizer = library.AutoTokenizer.from_pretrained(source)
    for text in (text for text in HARD_TEXTS if "</s>" not in text):
        wanted = tokenizer(text, truncation=True, max_length=16)["input_ids"]
        assert bundle.text.prepare_queries([text])[0].tolist() == wanted, text


def test_nothing_of_the_machine_is_left_in_a_bundle(models: Any):
    source, bundle = models("clip")
    for path in bundle.folder.iterdir():
        content = path.read_bytes()
        for trace in (b"site-packages", b"stack_trace", str(source.parent).encode()):
            assert trace not in content, path.name


def test_a_card_survives_its_toml(models: Any):
    from crosslens.encode.bundles import read_card

    _, bundle = models("siglip2")
    assert dataclasses.asdict(read_card(bundle.folder)) == dataclasses.asdict(bundle.card)
