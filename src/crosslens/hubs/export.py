"""A hub model → a bundle: every part compared with the original, or no bundle at all."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crosslens.disk import is_full
from crosslens.encode.bundles import write_bundle
from crosslens.encode.cards import Card
from crosslens.encode.goldens import ITEM, QUERY, Goldens
from crosslens.encode.words import Words
from crosslens.errors import BrokenBundle, InvalidRequest, StorageFull
from crosslens.hubs.drift import Drift, Sample, drift, picture_feeds, text_feeds
from crosslens.hubs.last_layer import first_token_only
from crosslens.hubs.parity import require_parity
from crosslens.hubs.pictures import require_same_pixels
from crosslens.hubs.precision import Feeds, Precision, compress
from crosslens.hubs.sides import PictureSide, TextSide
from crosslens.hubs.words import HARD_TEXTS, require_same_ids
from crosslens.train.export import golden_pictures
from crosslens.train.graphs import (
    EXPORTERS,
    MOST_DRIFT,
    OUTPUT,
    Exporter,
    open_session,
    save_graph,
    write_graph,
)
from crosslens.values import Floats

GOLDEN_TEXTS = HARD_TEXTS[:12]
CALIBRATED_ON = 64  # inputs
_LOOSE = 0.02  # what another processor's 8-bit arithmetic may change of a component


@dataclass(frozen=True, slots=True)
class Order:
    """
    What to make of the towers.

    Attributes:
        source: where they come from, for the card.
        alpha: share of vectors in hybrid search that the card gives the bundle.
        sample: real words and pictures; only for a precision below fp32.
        exporters: tried in this order.
    """

    name: str
    about: str
    licence: str
    source: str
    languages: tuple[str, ...] = ()
    alpha: float = 0.5
    precision: Precision = Precision.FP32
    sample: Sample = field(default_factory=Sample)
    exporters: Sequence[Exporter] = EXPORTERS


@dataclass(frozen=True, slots=True)
class Exported:
    """A written bundle: its card, and per tower what the gates measured."""

    card: Card
    parity: Mapping[str, float]
    drift: Mapping[str, Drift]


@dataclass(slots=True)
class _Tower:
    """A tower on its way: its graphs and what was measured."""

    side: TextSide | PictureSide
    files: list[Path]
    parity: float
    drift: Drift | None = None


Say = Callable[[str], None]


def export_model(
    text: TextSide | None,
    picture: PictureSide | None,
    folder: Path,
    order: Order,
    *,
    say: Say = lambda step: None,
) -> Exported:
    """
    Write towers as a bundle, complete or not at all.

    Args:
        folder: becomes the bundle; what stood there is replaced.
        say: told of every step.

    Raises:
        BrokenBundle: a tower, the tokenizer or the pixels differ from the original.
        InvalidRequest: the towers do not belong together.
        StorageFull: no room; nothing is left behind.
    """
    dim = _common_dim(text, picture)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch_beside(folder, order.name) as scratch:
        towers: dict[str, _Tower] = {}
        if text is not None:
            say("comparing the tokenizer with the reference")
            require_same_ids(text.reference, Words(text.card, text.tokenizer), HARD_TEXTS)
            towers["text"] = _tower("text", text, scratch, order, say)
        if picture is not None:
            say("comparing pixels with the reference")
            require_same_pixels(picture.processor, picture.card, tuple(golden_pictures()))
            towers["picture"] = _tower("picture", picture, scratch, order, say)
        say("measuring the goldens")
        goldens = _goldens(text, picture, towers, order.precision)
        card = _card(text, picture, towers, order, dim)
        files: dict[str, bytes | Path] = {p.name: p for t in towers.values() for p in t.files}
        if text is not None:
            files["tokenizer.json"] = text.tokenizer.encode()
        written = write_bundle(folder, card, files=files, goldens=goldens)
    return Exported(
        written,
        {name: tower.parity for name, tower in towers.items()},
        {name: tower.drift for name, tower in towers.items() if tower.drift},
    )


@contextmanager
def scratch_beside(folder: Path, name: str) -> Iterator[Path]:
    """
    Give room beside a bundle's place, and take it back whatever happens.

    Raises:
        StorageFull: what is done there needs more room than there is.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            yield Path(scratch)
    except BaseException as exc:
        if _no_room(exc):
            raise StorageFull(f"no room to export {name} in {folder.parent}") from exc
        raise


def _no_room(exc: BaseException | None) -> bool:
    while exc is not None:
        if is_full(exc):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _common_dim(text: TextSide | None, picture: PictureSide | None) -> int:
    dims = {
        kind: int(side.vectors([probe]).shape[1])  # type: ignore[list-item]
        for kind, side, probe in (
            ("text", text, "a"), ("picture", picture, next(iter(golden_pictures()))),
        )
        if side is not None
    }  # fmt: skip
    if not dims:
        raise InvalidRequest("there is neither a text tower nor a picture tower to export")
    if len(set(dims.values())) > 1:
        raise InvalidRequest(
            f"the towers do not belong together: text vectors have {dims['text']} numbers, "
            f"picture vectors {dims['picture']}"
        )
    return next(iter(dims.values()))


def _tower(
    kind: str, side: TextSide | PictureSide, scratch: Path, order: Order, say: Say
) -> _Tower:
    path = scratch / f"{kind}.onnx"
    say(f"writing the {kind} tower")
    with first_token_only(side.tower):
        files = save_graph(write_graph(side.graph(), path, order.exporters), path)
    say(f"comparing the {kind} tower with the original")
    tower = _Tower(side, files, require_parity(side, path))
    if order.precision is not Precision.FP32:
        say(f"bringing the {kind} tower to {order.precision}")
        _shrink(tower, path, order)
    return tower


def _shrink(tower: _Tower, path: Path, order: Order) -> None:
    before = open_session(path)
    feeds = _feeds(tower.side, order.sample, {entry.name for entry in before.get_inputs()})
    proto = compress(path, order.precision, calibration=feeds[:CALIBRATED_ON])
    small = path.parent / order.precision
    small.mkdir(exist_ok=True)
    tower.files = save_graph(proto, small / path.name)
    judged = feeds[CALIBRATED_ON:] if order.precision is Precision.INT8 else feeds
    tower.drift = drift(before, open_session(small / path.name), judged)
    tower.drift.require(order.precision, path.stem)


def _feeds(side: TextSide | PictureSide, sample: Sample, inputs: set[str]) -> list[Feeds]:
    if isinstance(side, TextSide):
        return text_feeds(Words(side.card, side.tokenizer), side.card, sample.words, inputs)
    return picture_feeds(side.card, sample.pictures)


def _goldens(
    text: TextSide | None,
    picture: PictureSide | None,
    towers: Mapping[str, _Tower],
    precision: Precision,
) -> Goldens:
    """Take the original's vectors; below fp32 the graph's own, which its drift has judged."""
    found: dict[str, Any] = {"tolerance": MOST_DRIFT}
    original = precision is Precision.FP32
    if text is not None:
        roles = tuple((QUERY, ITEM)[n % 2] for n in range(len(GOLDEN_TEXTS)))
        prefixes = {QUERY: text.card.query_prefix, ITEM: text.card.item_prefix}
        whole = [prefixes[r] + t for r, t in zip(roles, GOLDEN_TEXTS, strict=True)]
        own = _served_words(text, towers["text"], whole)
        vectors = text.vectors(whole) if original else own
        _require_close(own, vectors, "text")
        found |= {"texts": GOLDEN_TEXTS, "text_roles": roles, "text_vectors": vectors}
    if picture is not None:
        pictures = tuple(golden_pictures())
        own = _served_pictures(picture, towers["picture"], pictures)
        vectors = picture.vectors(pictures) if original else own
        _require_close(own, vectors, "picture")
        found |= {"pictures": pictures, "picture_vectors": vectors}
    if precision in (Precision.INT8, Precision.INT8_WEIGHTS):
        found["tolerance"] = _LOOSE
    return Goldens(**found)


def _require_close(own: Floats, wanted: Floats, kind: str) -> None:
    off = float(np.abs(own - wanted).max())
    if not off <= MOST_DRIFT:
        raise BrokenBundle(
            f"the {kind} goldens, served, differ from the original by {off:.2g}, "
            f"allowed is {MOST_DRIFT:g}"
        )


def _served_words(side: TextSide, tower: _Tower, texts: Sequence[str]) -> Floats:
    session = open_session(tower.files[0])
    inputs = {entry.name for entry in session.get_inputs()}
    card = asdict(side.card) | {"query_prefix": "", "item_prefix": ""}
    plain = type(side.card)(**card)
    return _run(session, text_feeds(Words(plain, side.tokenizer), plain, texts, inputs))


def _served_pictures(side: PictureSide, tower: _Tower, pictures: Sequence[bytes]) -> Floats:
    return _run(open_session(tower.files[0]), picture_feeds(side.card, pictures))


def _run(session: Any, feeds: Sequence[Feeds]) -> Floats:
    rows = np.concatenate([session.run([OUTPUT], feed)[0] for feed in feeds])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _card(
    text: TextSide | None,
    picture: PictureSide | None,
    towers: Mapping[str, _Tower],
    order: Order,
    dim: int,
) -> Card:
    training: dict[str, Any] = {"source": order.source}
    for kind, tower in towers.items():
        training[f"{kind}_architecture"] = tower.side.about
        training[f"{kind}_parity"] = float(f"{tower.parity:.2g}")
        if tower.drift:
            training[f"{kind}_drift"] = str(tower.drift)
    return Card(
        name=order.name,
        about=order.about,
        licence=order.licence,
        space=f"{order.name}@{_fingerprint(text, picture)}/{order.precision}",
        precision=str(order.precision),
        dim=dim,
        languages=order.languages,
        alpha=order.alpha,
        text=text.card if text else None,
        picture=picture.card if picture else None,
        training=training,
    )


def _fingerprint(text: TextSide | None, picture: PictureSide | None) -> str:
    """Name the space by 8 hex digits that depend on every weight and on how inputs are prepared."""
    digest = hashlib.sha256()
    if text is not None:
        digest.update(text.tokenizer.encode())
    for side in (text, picture):
        if side is not None:
            digest.update(repr((side.about, side.card)).encode())
            for name, values in sorted(side.tower.state_dict().items()):
                digest.update(name.encode())
                digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()[:8]
