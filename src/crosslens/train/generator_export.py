"""A trained generator → a bundle: three graphs that agree with PyTorch, or no bundle at all."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim

from crosslens.errors import BrokenBundle
from crosslens.generate.bundles import write_generator
from crosslens.generate.cards import FLOW, PICTURE, TOKENIZER, WORDS, GeneratorCard
from crosslens.train.checkpoint import RunFolder
from crosslens.train.generator_codec import Codec
from crosslens.train.generator_flow import Generator
from crosslens.train.generator_goldens import draw_goldens
from crosslens.train.generator_runs import load_codec, load_generator
from crosslens.train.graphs import (
    EXPORTERS,
    LARGEST_BATCH,
    SMALLEST_HALVED,
    Graph,
    difference,
    from_bytes,
    halve,
    in_bytes,
    note_weights,
    open_session,
    save_graph,
    store_in_bytes,
    write_graph,
)

MOST_DRIFT = 2e-3  # of a velocity or a colour, whose size is about 1
WORD_SHAPES = ((1, 1), (2, 7), (2, 32))


def export_generator(  # noqa: PLR0913 - what to write, and what to say of it
    run: Path,
    folder: Path,
    *,
    name: str,
    about: str,
    licence: str = "Apache-2.0",
    note: str = "",
    steps: int = 12,
    guidance: float = 2.5,
    guided: float = 1.0,
    temperature: float = 1.0,
    settled: bool = False,
    notes: Mapping[str, Any] | None = None,
) -> GeneratorCard:
    """
    Turn a run's best generator into a bundle.

    Tokens and the matrices of the flow are stored as bytes, a scale per row; the rest as float16.

    Args:
        run: as `crosslens train generator` left it.
        folder: becomes the bundle; what stood there is replaced.
        note: what whoever looks at the pictures should know.
        steps, guidance, guided, temperature: of the sampling, unless told; see `GeneratorCard`.
        settled: take what lies halfway between the best state and the last one.
        notes: more for the card's [training], such as the command.

    Raises:
        NotFound: there is no run.
        InvalidRequest: a file of the run is damaged, or nothing was saved yet.
        BrokenBundle: a graph differs from PyTorch; nothing is written.
    """
    codec, restored = load_codec(run / "codec")
    generator, taken = load_generator(run / "flow", codec, settled=settled)
    codec, generator = rounded(codec), rounded(generator)
    of_flow = RunFolder(run / "flow")
    about_run, tokenizer = of_flow.about(), of_flow.tokenizer()
    places, components = codec.spread.shape
    card = GeneratorCard(
        name=name, about=about, licence=licence, px=codec.config.px, places=int(places),
        components=int(components), max_tokens=generator.reader.places.shape[0], steps=steps,
        guidance=guidance, guided=guided, temperature=temperature, poses=len(generator.flow.poses),
        languages=("zh", "en"), note=note,
        training={
            "weights": "matrices of the flow and tokens stored as bytes, others as float16; "
            "computed in float32", "steps": taken,
            "settled": settled,
            "codec_psnr": round(restored, 2), "data": about_run["provenance"],
            "text": about_run["text"],
            "flow": plain_settings(about_run["train"]),
            "codec": plain_settings(RunFolder(run / "codec").about()["train"]), **(notes or {}),
        },
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        graphs = _written(codec, generator, Path(scratch))
        files = {**graphs, TOKENIZER: tokenizer.to_str().encode()}
        drawings = draw_goldens(codec, generator, tokenizer, card)
        return write_generator(folder, card, files=files, drawings=drawings)


def rounded(model: Any) -> Any:
    """Copy a model for use, with what will be stored in fewer bits rounded to them."""
    settled = copy.deepcopy(model).float().cpu().eval()
    with torch.no_grad():
        for value in (*settled.parameters(), *settled.buffers()):
            if value.numel() >= SMALLEST_HALVED:
                value.copy_(value.half().float())
        if isinstance(settled, Generator):
            matrices = (each for each in settled.flow.parameters() if each.ndim == 2)
            for table in (settled.reader.tokens.weight, *matrices):
                table.copy_(torch.from_numpy(from_bytes(*in_bytes(table.numpy()))))
    return settled


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what decides the outcome, and no path of this machine."""
    left_out = {
        "folder",
        "words_from",
        "start_from",
        "tensorboard",
        "threads",
        "log_every",
        "max_minutes",
    }
    return {k: v for k, v in settings.items() if k not in left_out}


def _written(codec: Codec, generator: Generator, folder: Path) -> dict[str, bytes | Path]:
    found: dict[str, bytes | Path] = {}
    for name, graph, trials in (
        (WORDS, *_words(generator)), (FLOW, *_flow(codec, generator)), (PICTURE, *_picture(codec)),
    ):  # fmt: skip
        path = folder / name
        proto = write_graph(graph, path, EXPORTERS)
        note_weights(proto, graph.tower)
        store_in_bytes(proto)
        halve(proto)
        save_graph(proto, path)
        session = open_session(path)
        with torch.no_grad():
            drift = max(
                difference(
                    session,
                    {key: part.numpy() for key, part in zip(graph.inputs, trial, strict=True)},
                    graph.tower(*trial),
                )
                for trial in trials
            )
        if not drift <= MOST_DRIFT:
            raise BrokenBundle(
                f"{name} differs from PyTorch by {drift:.2g}, allowed is {MOST_DRIFT:g}"
            )
        found[name] = path
    return found


Trials = tuple[tuple[Tensor, ...], ...]


def _words(generator: Generator) -> tuple[Graph, Trials]:
    names = ("input_ids", "attention_mask")
    longest = generator.reader.places.shape[0]
    axes = {0: Dim("batch", max=LARGEST_BATCH), 1: Dim("length", max=longest)}
    shapes = [(batch, min(length, longest)) for batch, length in WORD_SHAPES]
    trials = tuple(_tokens(generator, *shape) for shape in shapes)
    graph = Graph(generator.reader, _tokens(generator, 2, 5), names, dict.fromkeys(names, axes))
    return graph, trials


def _flow(codec: Codec, generator: Generator) -> tuple[Graph, Trials]:
    batch = Dim("batch", max=LARGEST_BATCH)
    length = Dim("length", max=generator.reader.places.shape[0])
    axes = {
        "codes": {0: batch}, "time": {0: batch}, "states": {0: batch, 1: length + 1},
        "mask": {0: batch, 1: length}, "pose": {0: batch},
    }  # fmt: skip

    def trial(count: int, tokens: int) -> tuple[Tensor, ...]:
        ids, mask = _tokens(generator, count, tokens)
        noise = torch.Generator().manual_seed(tokens)
        time = torch.rand(count, generator=noise)
        t = time[:, None, None]
        # As large as codes are at that time: larger ones would show errors that no drawing has.
        size = (t.square() * generator.flow.spread.square() + (1 - t).square()).sqrt()
        codes = size * torch.randn(count, *codec.spread.shape, generator=noise)
        pose = torch.arange(count) % len(generator.flow.poses)
        with torch.no_grad():
            return codes, time, generator.reader(ids, mask), mask, pose

    graph = Graph(generator.flow, trial(3, 5), tuple(axes), axes)
    return graph, (trial(1, 2), trial(2, 9))


def _picture(codec: Codec) -> tuple[Graph, Trials]:
    def trial(count: int) -> tuple[Tensor, ...]:
        noise = torch.Generator().manual_seed(count)
        return (torch.randn(count, *codec.spread.shape, generator=noise) * codec.spread,)

    axes = {"codes": {0: Dim("batch", max=LARGEST_BATCH)}}
    return Graph(codec, trial(2), ("codes",), axes), (trial(1), trial(3))


def _tokens(generator: Generator, batch: int, length: int) -> tuple[Tensor, Tensor]:
    """Random ids with ragged masks: row r has one token less than row r - 1, but at least one."""
    seeded = torch.Generator().manual_seed(length)
    vocabulary = generator.reader.tokens.num_embeddings
    ids = torch.randint(1, vocabulary, (batch, length), generator=seeded)
    kept = (length - torch.arange(batch)).clamp(min=1)[:, None]
    mask = (torch.arange(length)[None] < kept).long()
    return ids * mask, mask
