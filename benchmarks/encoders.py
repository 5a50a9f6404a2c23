"""
Encoding beside sentence-transformers: one machine, one run, preprocessing included.

    python benchmarks/encoders.py --work /tmp/encoders --vocab ../shared/data/vocab

Models of full size with random weights (Chinese-CLIP ViT-B/16, CLIP ViT-B/32, BGE-small-zh) are
written in their hub's layout and exported. Each contender is a process of its own that keeps its
model; rounds take turns, so that other work on the machine meets all alike. CPU time on one thread
counts; ratios are medians over rounds. `--onnx-python` names an interpreter in which
`sentence-transformers[onnx]` is installed (it wants an older transformers), for its ONNX backend.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

MODELS = ("chinese-clip-b16", "clip-b32", "bge-small-zh")
WORDS = (
    "红色连衣裙", "nike 跑步鞋 男", "linen shirt for summer", "size 42 running shoes", "纯棉四件套",
    "a photo of a cat on a sofa", "真皮双肩包 防水", "ceramic vase, white, 30 cm", "儿童自行车",
    "wireless headphones with case", "复古台灯 卧室", "women's wool coat, navy blue, long",
)  # fmt: skip
BATCH_WORDS, BATCH_PICTURES, PICTURE_PX = 32, 8, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="models and bundles are kept here")
    parser.add_argument("--vocab", type=Path, help="folder of the two vocabularies")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--onnx-python", help="interpreter with sentence-transformers[onnx]")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.models[0], options.work, options.threads)
        return
    for model in options.models:
        prepare(model, options.work, options.vocab)
        measure(model, options)


def measure(model: str, options: argparse.Namespace) -> None:
    contenders = {"crosslens": sys.executable, "sentence-transformers": sys.executable}
    if options.onnx_python and model == "bge-small-zh":
        contenders["sentence-transformers, ONNX"] = options.onnx_python
    workers = {name: Worker(name, python, model, options) for name, python in contenders.items()}
    try:
        about = {name: worker.ready for name, worker in workers.items()}
        differences(about)
        times: dict[str, dict[str, list[float]]] = {name: {} for name in workers}
        for _ in range(options.rounds):
            for name, worker in workers.items():
                for task, cpu_ms in worker.round().items():
                    times[name].setdefault(task, []).append(cpu_ms)
    finally:
        for worker in workers.values():
            worker.close()
    show(model, times, about)


def differences(about: dict[str, Any]) -> None:
    ours = about["crosslens"]["probe"]
    for told in about.values():
        pairs = zip(ours, told["probe"], strict=False)
        told["difference"] = max(abs(a - b) for a, b in pairs)


def show(model: str, times: dict[str, dict[str, list[float]]], about: dict[str, Any]) -> None:
    tasks = list(times["crosslens"])
    print(f"\n**{model}**\n")
    print("| CPU ms each | " + " | ".join(tasks) + " | load s | memory MB | differs by |")
    print("|---|" + "---|" * (len(tasks) + 3))
    for name, found in times.items():
        cells = [cell(found[task], times["crosslens"][task]) for task in tasks]
        told = about[name]
        row = [*cells, f"{told['load_s']:.1f}", f"{told['memory_mb']:.0f}"]
        row.append(f"{told['difference']:.0e}")
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)


def cell(values: Sequence[float], ours: Sequence[float]) -> str:
    ratio = statistics.median(a / b for a, b in zip(values, ours, strict=True))
    return f"{statistics.median(values):.1f} ({ratio:.2f} ×)"


class Worker:
    """A contender in a process of its own, told round by round to go."""

    def __init__(self, name: str, python: str, model: str, options: argparse.Namespace) -> None:
        command = [python, __file__, "--worker", name, "--models", model]
        command += ["--work", str(options.work), "--threads", str(options.threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ready = self._answer()

    def round(self) -> dict[str, float]:
        assert self.process.stdin is not None
        print("go", file=self.process.stdin, flush=True)
        return dict(self._answer())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit("a contender ended early")


def work(name: str, model: str, folder: Path, threads: int) -> None:
    """Load one contender, say so, and run a round per line of input."""
    start = time.perf_counter()
    contender = LOADERS[name](folder, model, threads)
    load_s = time.perf_counter() - start
    pictures = [jpeg(seed) for seed in range(4)] if model != "bge-small-zh" else []
    probe = [float(v) for v in contender.words([WORDS[0]])[0]]
    if pictures:
        probe += [float(v) for v in contender.pictures(pictures[:1])[0]]
    tasks = plan(contender, pictures)
    for run, _ in tasks.values():
        run()
    told = {"load_s": load_s, "memory_mb": memory_mb(), "probe": probe}
    print(json.dumps(told), flush=True)
    for _ in sys.stdin:
        found = {task: cpu_ms(run, count) for task, (run, count) in tasks.items()}
        print(json.dumps(found), flush=True)


def memory_mb() -> float:
    """Peak of this process since it was started; `ru_maxrss` would count the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def plan(contender: Any, pictures: list[bytes]) -> dict[str, tuple[Callable[[], Any], int]]:
    many = [WORDS[n % len(WORDS)] for n in range(BATCH_WORDS)]
    tasks: dict[str, tuple[Callable[[], Any], int]] = {
        "one text": (lambda: [contender.words([word]) for word in WORDS], len(WORDS)),
        f"{BATCH_WORDS} texts": (lambda: contender.words(many), BATCH_WORDS),
    }
    if pictures:
        batch = [pictures[n % len(pictures)] for n in range(BATCH_PICTURES)]
        tasks["one picture"] = (lambda: [contender.pictures([p]) for p in pictures[:2]], 2)
        tasks[f"{BATCH_PICTURES} pictures"] = (lambda: contender.pictures(batch), BATCH_PICTURES)
    return tasks


def cpu_ms(run: Callable[[], Any], count: int) -> float:
    start = time.process_time()
    run()
    return (time.process_time() - start) * 1e3 / count


def jpeg(seed: int) -> bytes:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8))
    smooth = np.asarray(coarse.resize((PICTURE_PX, PICTURE_PX), Image.Resampling.BICUBIC), np.int16)
    noisy = smooth + rng.normal(0, 6, smooth.shape).astype(np.int16)
    out = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


class Ours:
    def __init__(self, folder: Path, model: str, threads: int) -> None:
        from crosslens.encode.onnx import load

        self.bundle = load(folder / "bundles" / model, threads=threads)

    def words(self, words: list[str]) -> Any:
        assert self.bundle.text is not None
        return self.bundle.text.encode_queries(words).array

    def pictures(self, pictures: list[bytes]) -> Any:
        assert self.bundle.picture is not None
        return self.bundle.picture.encode_pictures(pictures).array


class Theirs:
    def __init__(self, folder: Path, model: str, threads: int, **options: Any) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        self.model = SentenceTransformer(str(folder / "models" / model), device="cpu", **options)

    def words(self, words: list[str]) -> Any:
        return self._encode(words)

    def pictures(self, pictures: list[bytes]) -> Any:
        from PIL import Image

        return self._encode([Image.open(io.BytesIO(picture)) for picture in pictures])

    def _encode(self, inputs: list[Any]) -> Any:
        return self.model.encode(
            inputs, batch_size=32, normalize_embeddings=True, show_progress_bar=False
        )


def _theirs_onnx(folder: Path, model: str, threads: int) -> Theirs:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return Theirs(
        folder, model, threads, backend="onnx",
        model_kwargs={"session_options": options, "provider": "CPUExecutionProvider"},
    )  # fmt: skip


LOADERS: dict[str, Callable[[Path, str, int], Any]] = {
    "crosslens": Ours,
    "sentence-transformers": Theirs,
    "sentence-transformers, ONNX": _theirs_onnx,
}


def prepare(model: str, work: Path, vocab: Path | None) -> None:
    """Write the model in its hub's layout and export it, unless that was done before."""
    source, bundle = work / "models" / model, work / "bundles" / model
    if not (source / "config.json").is_file():
        if vocab is None:
            raise SystemExit("--vocab is needed to write the models")
        source.mkdir(parents=True, exist_ok=True)
        BUILDERS[model](source, vocab)
    if not (bundle / "card.toml").is_file():
        export(source, bundle)


def export(source: Path, bundle: Path) -> None:
    from crosslens.hubs.export import Order, export_model
    from crosslens.hubs.folder import ModelFolder
    from crosslens.hubs.sides import Wishes, has_pictures, picture_side, text_side

    folder = ModelFolder(source)
    text = text_side(folder, Wishes(query_prefix="", item_prefix=""))
    picture = picture_side(folder, model=text.model) if has_pictures(folder) else None
    order = Order(source.name, "Random weights.", "MIT", "random weights")
    export_model(text, picture, bundle, order, say=lambda step: print(step, file=sys.stderr))


def _chinese_clip(folder: Path, vocab: Path) -> None:
    import torch
    import transformers as library

    torch.manual_seed(0)
    (folder / "vocab.txt").write_text((vocab / "cn_clip_vocab.txt").read_text("utf-8"), "utf-8")
    config = library.ChineseCLIPConfig(
        text_config={"vocab_size": 21128}, vision_config={"patch_size": 16}, projection_dim=512
    )
    library.ChineseCLIPModel(config).save_pretrained(folder)
    squash = {"height": 224, "width": 224}
    library.ChineseCLIPImageProcessorPil(size=squash, do_center_crop=False).save_pretrained(folder)
    library.BertTokenizer.from_pretrained(folder).save_pretrained(folder)


def _clip(folder: Path, vocab: Path) -> None:
    import torch
    import transformers as library

    torch.manual_seed(0)
    names, merges = _clip_words(vocab / "bpe_simple_vocab_16e6.txt.gz")
    (folder / "vocab.json").write_text(json.dumps({name: n for n, name in enumerate(names)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), "utf-8")
    words = {"bos_token_id": 49406, "eos_token_id": 49407, "vocab_size": len(names)}
    config = library.CLIPConfig(
        text_config=words, vision_config={"patch_size": 32}, projection_dim=512
    )
    library.CLIPModel(config).save_pretrained(folder)
    library.CLIPImageProcessorPil().save_pretrained(folder)
    library.CLIPTokenizer.from_pretrained(folder, model_max_length=77).save_pretrained(folder)


def _clip_words(path: Path) -> tuple[list[str], list[str]]:
    from tokenizers.pre_tokenizers import ByteLevel

    merges = gzip.decompress(path.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    letters = sorted(ByteLevel.alphabet())
    names = [*letters, *(f"{letter}</w>" for letter in letters)]
    names += ["".join(merge.split()) for merge in merges]
    return [*names, "<|startoftext|>", "<|endoftext|>"], merges


def _bge(folder: Path, vocab: Path) -> None:
    import torch
    import transformers as library

    torch.manual_seed(0)
    (folder / "vocab.txt").write_text((vocab / "cn_clip_vocab.txt").read_text("utf-8"), "utf-8")
    config = library.BertConfig(
        vocab_size=21128, hidden_size=512, num_hidden_layers=4, num_attention_heads=8,
        intermediate_size=2048,
    )  # fmt: skip
    library.BertModel(config).save_pretrained(folder)
    library.BertTokenizer.from_pretrained(folder, model_max_length=512).save_pretrained(folder)
    steps = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (kind, path) in enumerate(steps)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"word_embedding_dimension": 512, "pooling_mode_cls_token": True}
    pooling |= {"pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    limits = {"max_seq_length": 512, "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(limits))


BUILDERS: dict[str, Callable[[Path, Path], None]] = {
    "chinese-clip-b16": _chinese_clip,
    "clip-b32": _clip,
    "bge-small-zh": _bge,
}

if __name__ == "__main__":
    main()
