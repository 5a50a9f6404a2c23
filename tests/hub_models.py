"""Models as their hubs lay them out: real architectures, small shapes, random weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as library
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SIDE, PATCH, DIM = 32, 8, 24
SHAPE: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
}  # fmt: skip
VISION: dict[str, Any] = {**SHAPE, "image_size": SIDE, "patch_size": PATCH}
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    "red", "shoe", "##s", "dress", "photo", "cat", "a", "of", "的", "红", "色", "连", "衣", "裙",
    "繁", "體", "測", "試", "nike", "air", "word", "x", "##x", ",", "-", "!", "1", "##2", "2",
    "##3", "$", "Nike", "Air", "é", "##é", "caf", "##e", "ｂ", "abc", "##1", "/", "kg",
    "don", "'", "t",
)  # fmt: skip
README = "---\nlicense: {licence}\nlanguage:\n- zh\n- en\n---\n# A model\n"
LINES = ["a red shoe", "a photo of a cat", "nike air max 90", "linen dress, size 42", "café $5"] * 3


def bert_words(folder: Path, **config: Any) -> None:
    """The vocabulary of a BERT, as vocab.txt."""
    names = [*SPECIAL, *dict.fromkeys(WORDS)]
    (folder / "vocab.txt").write_text("\n".join(names) + "\n", "utf-8")
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))


def vocabulary_size() -> int:
    return len(SPECIAL) + len(dict.fromkeys(WORDS))


def bpe(folder: Path) -> dict[str, int]:
    """CLIP's tokenizer in small: vocab.json, merges.txt."""
    own = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=letters, end_of_word_suffix="</w>", show_progress=False
    )
    own.train_from_iterator(LINES, trainer)
    found = json.loads(own.to_str())["model"]
    names = [*sorted(letters), *(f"{letter}</w>" for letter in sorted(letters))]
    names += [n for n in sorted(found["vocab"], key=found["vocab"].get) if n not in set(names)]
    names += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {name: n for n, name in enumerate(names)}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    merges = ["#version: 0.2", *(" ".join(pair) for pair in found["merges"])]
    (folder / "merges.txt").write_text("\n".join(merges) + "\n")
    return vocab


def readme(folder: Path, licence: str = "apache-2.0") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(README.format(licence=licence))
    return folder


def saved(folder: Path, model: Any) -> None:
    """Write config.json and model.safetensors, the same weights for the same shape."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            width = parameter.shape[-1] if parameter.dim() > 1 else 32
            centre = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            parameter.copy_(centre + noise / width**0.5)
    model.eval().save_pretrained(folder)


def clip(folder: Path, licence: str = "mit", **processor: Any) -> Path:
    readme(folder, licence)
    vocab = bpe(folder)
    end = vocab["<|endoftext|>"]
    words = {
        **SHAPE, "vocab_size": len(vocab), "max_position_embeddings": 20, "eos_token_id": end,
        "bos_token_id": end - 1, "pad_token_id": end,
    }  # fmt: skip
    config = library.CLIPConfig(text_config=words, vision_config=VISION, projection_dim=DIM)
    saved(folder, library.CLIPModel(config))
    library.CLIPTokenizer.from_pretrained(folder).save_pretrained(folder)
    sizes = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    library.CLIPImageProcessorPil(**{**sizes, **processor}).save_pretrained(folder)
    return folder


def chinese_clip(folder: Path) -> Path:
    """As its authors publish it: vocab.txt alone, and pictures squashed."""
    readme(folder)
    bert_words(folder)
    words = {**SHAPE, "vocab_size": vocabulary_size(), "max_position_embeddings": 64}
    config = library.ChineseCLIPConfig(text_config=words, vision_config=VISION, projection_dim=DIM)
    saved(folder, library.ChineseCLIPModel(config))
    processor = {
        "crop_size": SIDE, "do_center_crop": False, "do_normalize": True, "do_resize": True,
        "feature_extractor_type": "ChineseCLIPFeatureExtractor", "resample": 3,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711], "size": {"height": SIDE, "width": SIDE},
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def siglip(folder: Path, *, vocabulary: int = 64) -> Path:
    readme(folder)
    words = {
        **SHAPE, "vocab_size": vocabulary, "max_position_embeddings": 16, "pad_token_id": 1,
        "bos_token_id": 2, "eos_token_id": 1, "projection_size": 32,
    }  # fmt: skip
    config = library.SiglipConfig(text_config=words, vision_config=VISION)
    saved(folder, library.SiglipModel(config))
    size = {"height": SIDE, "width": SIDE}
    library.SiglipImageProcessorPil(size=size, resample=2).save_pretrained(folder)
    return folder


def siglip_pieces(folder: Path) -> Path:
    """SigLIP with the SentencePiece vocabulary of T5's kind; needs sentencepiece."""
    import sentencepiece

    readme(folder)
    lines = folder / "lines"
    lines.write_text("\n".join([*LINES, "红色连衣裙 繁體中文"] * 9))
    sentencepiece.SentencePieceTrainer.train(
        input=str(lines), model_prefix=str(folder / "spiece"), vocab_size=64, pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    lines.unlink()
    (folder / "spiece.vocab").unlink()
    siglip(folder, vocabulary=80)
    config = {
        "tokenizer_class": "SiglipTokenizer", "model_max_length": 16, "pad_token": "</s>",
        "eos_token": "</s>", "unk_token": "<unk>", "do_lower_case": True,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def siglip2(folder: Path) -> Path:
    """SigLIP 2 of a fixed size: SigLIP's architecture with Gemma's tokenizer."""
    siglip(folder, vocabulary=700)
    own = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    own.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    own.decoder = decoders.ByteFallback()
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{n:02X}>" for n in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    own.train_from_iterator([line.replace(" ", "▁") for line in LINES], trainer)
    model = json.loads(own.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    words = library.GemmaTokenizer(
        vocab=model["vocab"], merges=merges, padding_side="right", model_max_length=16,
        add_bos_token=False, add_eos_token=True,
    )  # fmt: skip
    words.save_pretrained(folder)
    return folder


def bert(folder: Path, *, modules: list[dict[str, Any]] | None = None, **config: Any) -> Path:
    """A BERT in sentence-transformers' layout; BGE's files where nothing else is said."""
    readme(folder, "mit")
    bert_words(folder, do_lower_case=False, model_max_length=64, tokenizer_class="BertTokenizer")
    shape = {"vocab_size": vocabulary_size(), "max_position_embeddings": 64, **SHAPE, **config}
    saved(folder, library.BertModel(library.BertConfig(**shape)))
    library.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    return sentence(folder, pooling="cls")


def sentence(
    folder: Path, *, pooling: str = "mean", dense: int = 0, max_tokens: int = 48, **prompts: str
) -> Path:
    """Add what sentence-transformers writes round a transformer, in its long-lived layout."""
    steps = ["Transformer", "Pooling", *(["Dense"] if dense else []), "Normalize"]
    paths = ["", *(f"{n}_{step}" for n, step in enumerate(steps) if n)]
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{step}"}
        for n, (step, path) in enumerate(zip(steps, paths, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    limits = {"max_seq_length": max_tokens, "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(limits))
    width = json.loads((folder / "config.json").read_text())
    width = width.get("hidden_size") or width.get("dim") or width.get("d_model")
    flags = {
        f"pooling_mode_{name}": name.startswith(pooling)
        for name in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    }
    flags["pooling_mode_mean_sqrt_len_tokens"] = False
    (folder / "1_Pooling").mkdir(exist_ok=True)
    text = json.dumps({"word_embedding_dimension": width, **flags})
    (folder / "1_Pooling" / "config.json").write_text(text)
    if dense:
        _dense(folder / "2_Dense", width, dense)
    if prompts:
        text = json.dumps({"prompts": prompts, "default_prompt_name": None})
        (folder / "config_sentence_transformers.json").write_text(text)
    return folder


def _dense(folder: Path, width: int, dim: int) -> None:
    from safetensors.torch import save_file

    folder.mkdir()
    config = {
        "in_features": width, "out_features": dim, "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(dim, width, generator=generator)
    save_file({"linear.weight": weight}, folder / "model.safetensors")


def e5(folder: Path) -> Path:
    """A BERT with mean pooling and the two prefixes."""
    return sentence(bert(folder), query="query: ", passage="passage: ")


def multilingual_clip_words(folder: Path) -> Path:
    """A DistilBERT with mean pooling and a dense layer into CLIP's space."""
    readme(folder)
    bert_words(folder, do_lower_case=False, model_max_length=64, tokenizer_class="BertTokenizer")
    config = library.DistilBertConfig(
        vocab_size=vocabulary_size(), max_position_embeddings=64, dim=32, n_layers=2, n_heads=4,
        hidden_dim=48,
    )  # fmt: skip
    saved(folder, library.DistilBertModel(config))
    library.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    return sentence(folder, dense=DIM)


def clip_in_sentence_layout(folder: Path) -> Path:
    """CLIP as sentence-transformers keeps it: the model in a folder of its own."""
    readme(folder)
    clip(folder / "0_CLIPModel")
    module = {"idx": 0, "name": "0", "path": "0_CLIPModel"}
    module["type"] = "sentence_transformers.models.CLIPModel"
    (folder / "modules.json").write_text(json.dumps([module]))
    return folder


def _roberta_words() -> list[tuple[str, float]]:
    own = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0)]
    own += [(f"▁{word}", -4.0) for word in ("red", "shoe", "dress", "a", "query", "红色", "word")]
    letters = dict.fromkeys("abcdefghijklmnopqrstuvwxyz红色连衣裙:0123456789")
    own += [(letter, -6.0) for letter in letters]
    return [*own, ("<mask>", 0.0)]


def roberta(folder: Path) -> Path:
    """A multilingual RoBERTa, as E5 and GTE have it: SentencePiece, positions after the padding."""
    _roberta(folder, library.XLMRobertaModel)
    return sentence(folder, query="query: ", document="passage: ")


def bge_reranker(folder: Path, *, numbers: int = 1) -> Path:
    """A multilingual cross-encoder as BGE's: an XLM-RoBERTa with one number per pair."""
    return _roberta(folder, library.XLMRobertaForSequenceClassification, num_labels=numbers)


def ms_marco(folder: Path) -> Path:
    """A cross-encoder as MiniLM's for MS MARCO: a BERT that knows question from text by types."""
    readme(folder)
    bert_words(folder, do_lower_case=True, model_max_length=64, tokenizer_class="BertTokenizer")
    config = library.BertConfig(
        vocab_size=vocabulary_size(), max_position_embeddings=64, num_labels=1, **SHAPE
    )
    saved(folder, library.BertForSequenceClassification(config))
    library.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    return folder


def _roberta(folder: Path, kind: Any, **config: Any) -> Path:
    readme(folder)
    own = _roberta_words()
    shape = {"vocab_size": len(own), "max_position_embeddings": 66, "pad_token_id": 1, **SHAPE}
    saved(folder, kind(library.XLMRobertaConfig(**shape, **config)))
    words = library.XLMRobertaTokenizer(vocab=own, model_max_length=64)
    words.save_pretrained(folder)
    return folder


def t5(folder: Path) -> Path:
    readme(folder)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(f"▁{word}", -4.0) for word in ("red", "shoe", "a", "word")]
    pieces += [(letter, -6.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    config = library.T5Config(
        vocab_size=len(pieces), d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4
    )
    saved(folder, library.T5EncoderModel(config))
    words = library.T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=64)
    words.save_pretrained(folder)
    return sentence(folder, dense=DIM)


def _by_class(name: str, **shape: Any) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        readme(folder)
        bert_words(folder, do_lower_case=True, model_max_length=64, tokenizer_class="BertTokenizer")
        config = getattr(library, f"{name}Config")(vocab_size=vocabulary_size(), **shape)
        saved(folder, getattr(library, f"{name}Model")(config))
        library.BertTokenizer.from_pretrained(folder).save_pretrained(folder)
        return sentence(folder)

    return build


ROOM = {"max_position_embeddings": 64}
electra = _by_class("Electra", **SHAPE, **ROOM, embedding_size=32)
ernie = _by_class("Ernie", **SHAPE, **ROOM)
albert = _by_class("Albert", **SHAPE, **ROOM, embedding_size=16, pad_token_id=0)
modernbert = _by_class(
    "ModernBert", **SHAPE, **ROOM, pad_token_id=0, cls_token_id=2, sep_token_id=3, bos_token_id=2,
    eos_token_id=3, global_attn_every_n_layers=2, local_attention=8,
)  # fmt: skip
mpnet = _by_class("MPNet", **SHAPE, max_position_embeddings=66, pad_token_id=1)
nomic_bert = _by_class("NomicBert", **SHAPE, **ROOM)


def bge_vl(folder: Path) -> Path:
    """CLIP with a program beside it that only adds methods."""
    clip(folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling_MMRet_CLIP.CLIPModel"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling_MMRet_CLIP.py").write_text("raise SystemExit('code of a hub was run')\n")
    return folder


def copied(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target))
