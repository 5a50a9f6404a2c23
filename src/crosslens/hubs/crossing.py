"""A hub's cross-encoder → a bundle that ranks again, or no bundle at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crosslens.encode.bundles import write_bundle
from crosslens.encode.cards import Card
from crosslens.encode.goldens import Goldens
from crosslens.encode.pairs import Pairs
from crosslens.errors import BrokenBundle, InvalidRequest
from crosslens.hubs.export import Exported, Order, Say, scratch_beside
from crosslens.hubs.pairs import GOLDEN_PAIRS, Pair, PairSide, require_same_pairs
from crosslens.hubs.parity import require_parity
from crosslens.hubs.precision import Precision, compress
from crosslens.train.graphs import MOST_DRIFT, OUTPUT, open_session, save_graph, write_graph
from crosslens.values import Floats

MOST_QUESTIONS, PER_QUESTION = 8, 12  # pairs that a precision is judged on

# least share of the orders of two texts that stay
_ORDERS_KEPT = {Precision.FP16: 0.995, Precision.INT8_WEIGHTS: 0.97}
_LOOSE = 0.05  # what another processor's 8-bit arithmetic may change of the log odds


def export_reranker(
    side: PairSide, folder: Path, order: Order, *, say: Say = lambda step: None
) -> Exported:
    """
    Write a cross-encoder as a bundle, complete or not at all.

    Args:
        folder: becomes the bundle; what stood there is replaced.
        say: told of every step.

    Raises:
        BrokenBundle: the graph or the tokenizer differs from the original.
        InvalidRequest: the precision is not made for cross-encoders.
        StorageFull: no room; nothing is left behind.
    """
    precision = order.precision
    if precision is not Precision.FP32 and precision not in _ORDERS_KEPT:
        allowed = ", ".join((Precision.FP32, *_ORDERS_KEPT))
        raise InvalidRequest(f"precision is {precision}, allowed for rerankers are {allowed}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch_beside(folder, order.name) as scratch:
        say("comparing the tokenizer with the reference")
        require_same_pairs(side)
        say("writing the cross-encoder")
        path = scratch / side.card.file
        files = save_graph(write_graph(side.graph(), path, order.exporters), path)
        say("comparing the cross-encoder with the original")
        parity = require_parity(side, path)
        kept = 1.0
        if precision is not Precision.FP32:
            say(f"bringing the cross-encoder to {precision}")
            files, kept = _shrunk(side, path, order)
        goldens = _goldens(side, files[0], precision)
        card = _card(side, order, parity, kept)
        content: dict[str, bytes | Path] = {file.name: file for file in files}
        content["tokenizer.json"] = side.tokenizer.encode()
        written = write_bundle(folder, card, files=content, goldens=goldens)
    return Exported(written, {"reranker": parity}, {})


def orders_kept(before: Floats, after: Floats) -> float:
    """Return the share of pairs of texts that two rows of scores [N] put in one order."""
    one, other = (np.sign(scores[:, None] - scores[None, :]) for scores in (before, after))
    upper = np.triu_indices(len(before), 1)
    return float((one[upper] == other[upper]).mean())


def _shrunk(side: PairSide, path: Path, order: Order) -> tuple[list[Path], float]:
    small = path.parent / order.precision
    small.mkdir()
    files = save_graph(compress(path, order.precision, calibration=()), small / path.name)
    words = order.sample.words
    if len(words) < MOST_QUESTIONS + PER_QUESTION:
        raise BrokenBundle(
            f"a precision is judged on {MOST_QUESTIONS + PER_QUESTION} real texts at least, "
            f"{len(words)} are there",
            hint="import products first, or choose fp32",
        )
    kept = float(np.mean([
        orders_kept(_served(side, path, pairs), _served(side, files[0], pairs))
        for pairs in _judged(words)
    ]))  # fmt: skip
    if not kept >= _ORDERS_KEPT[order.precision]:
        raise BrokenBundle(
            f"{order.name} in {order.precision} keeps {kept:.1%} of the orders of fp32, "
            f"allowed is {_ORDERS_KEPT[order.precision]:.1%}",
            hint="take fp16, or fp32",
        )
    return files, kept


def _judged(words: Sequence[str]) -> list[list[Pair]]:
    """Pair a few texts, cut in half as if asked, with many."""
    texts = words[MOST_QUESTIONS:][:PER_QUESTION]
    asked = (text[: max(4, len(text) // 2)] for text in words[:MOST_QUESTIONS])
    return [[(question, text) for text in texts] for question in asked]


def _served(side: PairSide, path: Path, pairs: Sequence[Pair]) -> Floats:
    """Score pairs as serving does: [N]."""
    session, own = open_session(path), Pairs(side.card, side.tokenizer)
    wanted = {entry.name for entry in session.get_inputs()}
    rows = [own.feeds(own.rows(question, [text])) for question, text in pairs]
    feeds: list[dict[str, Any]] = [{name: row[name] for name in wanted} for row in rows]
    return np.array([session.run([OUTPUT], feed)[0][0, 0] for feed in feeds], np.float32)


def _goldens(side: PairSide, path: Path, precision: Precision) -> Goldens:
    """Take the original's scores; below fp32 the graph's own, whose orders were compared."""
    own = _served(side, path, GOLDEN_PAIRS)
    scores = side.scores(GOLDEN_PAIRS) if precision is Precision.FP32 else own
    off = float(np.abs(own - scores).max())
    if not off <= MOST_DRIFT:
        raise BrokenBundle(
            f"the golden pairs, served, differ from the original by {off:.2g}, "
            f"allowed is {MOST_DRIFT:g}"
        )
    loose = precision is Precision.INT8_WEIGHTS
    tolerance = _LOOSE if loose else MOST_DRIFT
    return Goldens(pairs=GOLDEN_PAIRS, pair_scores=scores, tolerance=tolerance)


def _card(side: PairSide, order: Order, parity: float, kept: float) -> Card:
    training = {
        "source": order.source,
        "reranker_architecture": side.about,
        "reranker_parity": float(f"{parity:.2g}"),
    }
    if order.precision is not Precision.FP32:
        training["reranker_orders_kept"] = round(kept, 4)
    return Card(
        name=order.name,
        about=order.about,
        licence=order.licence,
        space=f"{order.name}@{_fingerprint(side)}/{order.precision}",
        precision=str(order.precision),
        dim=1,
        languages=order.languages,
        reranker=side.card,
        training=training,
    )


def _fingerprint(side: PairSide) -> str:
    """Return 8 hex digits that depend on every weight and on how pairs are prepared."""
    digest = hashlib.sha256(side.tokenizer.encode())
    digest.update(repr((side.about, side.card)).encode())
    for name, values in sorted(side.tower.state_dict().items()):
        digest.update(name.encode())
        digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]
