"""`crosslens model export`: a pretrained model becomes a bundle."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crosslens.cli.screen import Json, opened, print_json, say
from crosslens.errors import InvalidRequest, MissingExtra

if TYPE_CHECKING:
    from crosslens.hubs.drift import Sample
    from crosslens.hubs.export import Exported
    from crosslens.hubs.find import Search
    from crosslens.hubs.folder import ModelFolder
    from crosslens.hubs.sides import PictureSide, TextSide, Wishes
    from crosslens.wiring import App

TOWERS = ("both", "text", "pictures")
SAMPLE_WORDS, SAMPLE_PICTURES = 320, 160
NEEDED = ("torch", "transformers", "onnx", "onnxscript")


def export(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="OWNER/NAME at the hub, or a folder.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the bundle; the model's own if left out.")
    ] = None,
    pictures: Annotated[
        str | None, typer.Option(help="Another model that sees the pictures, of the same space.")
    ] = None,
    towers: Annotated[str, typer.Option(help="both, text or pictures.")] = "both",
    hub: Annotated[str, typer.Option("--from", help="huggingface or modelscope.")] = "huggingface",
    revision: Annotated[str, typer.Option(help="Branch, tag or commit; empty: main.")] = "",
    endpoint: Annotated[str, typer.Option(help="Another address of the hub: a mirror.")] = "",
    offline: Annotated[bool, typer.Option(help="Use only what was downloaded before.")] = False,
    convert_pickle: Annotated[
        bool, typer.Option(help="Take tensors, and nothing else, out of pickled weights.")
    ] = False,
    precision: Annotated[str, typer.Option(help="fp32, fp16, int8w or int8.")] = "fp32",
    pooling: Annotated[str | None, typer.Option(help="cls, mean …; else as the files say.")] = None,
    query_prefix: Annotated[str | None, typer.Option(help="Put before queries.")] = None,
    item_prefix: Annotated[str | None, typer.Option(help="Put before products' texts.")] = None,
    fields: Annotated[
        str | None, typer.Option(help="What a product's text is: title, or title,description.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=2, help="Cut texts earlier.")] = None,
    alpha: Annotated[
        float, typer.Option(min=0, max=1, help="Share of vectors in hybrid search, as measured.")
    ] = 0.5,
    licence: Annotated[str | None, typer.Option(help="If the model's files name none.")] = None,
    about: Annotated[str | None, typer.Option(help="One sentence for the card.")] = None,
    as_json: Json = False,
) -> None:
    """
    Make a bundle of a pretrained model, if it agrees with the original.

    Encoders become bundles for `model use`; cross-encoders, which judge a question and a text
    together, become rerankers that scenes may name.
    """
    _require_extra()
    from crosslens.hubs.drift import Sample
    from crosslens.hubs.export import Order
    from crosslens.hubs.find import Search
    from crosslens.hubs.folder import licence_of
    from crosslens.hubs.listing import Hub
    from crosslens.hubs.precision import Precision
    from crosslens.hubs.sides import Wishes

    _require_one_of("towers", towers, TOWERS)
    _require_one_of("from", hub, list(Hub))
    _require_one_of("precision", precision, list(Precision))
    own = Precision(precision)
    wishes = Wishes(pooling, query_prefix, item_prefix, max_tokens, _fields(fields))
    with opened(context) as app, ExitStack() as stack:
        search = Search(
            app.settings.home / "downloads", Hub(hub), revision, endpoint, offline, convert_pickle
        )
        first = _found(stack, model, search)
        second = _found(stack, pictures, search) if pictures else first
        named = name or _bundle_name(first.name, own)
        folder = Path(named) if "/" in named else app.settings.home / "bundles" / named
        order = Order(
            name=folder.name,
            about=about or f"{first.name}, as its authors trained it.",
            licence=licence or " AND ".join(dict.fromkeys(map(licence_of, (first, second)))),
            source=" + ".join(dict.fromkeys((first.source, second.source))),
            languages=tuple(first.about().get("language", ())),
            alpha=alpha,
            precision=own,
            sample=Sample() if own is Precision.FP32 else _sample(app),
        )
        done = _made(first, second, towers, wishes)(folder, order, say=say)
    _report(done, folder, as_json=as_json)


def _require_extra() -> None:
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"exporting models is not installed: there is no {missing[0]}",
            hint="pip install 'crosslens[hub]'",
        )


def _require_one_of(name: str, value: str, allowed: Any) -> None:
    if value not in allowed:
        raise InvalidRequest(f"{name} is {value!r}, allowed are {', '.join(allowed)}")


def _fields(fields: str | None) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in fields.split(",")) if fields else None


def _bundle_name(model: str, precision: str) -> str:
    plain = re.sub(r"[^a-z0-9._-]+", "-", model.rpartition("/")[2].lower()).strip("-.")
    return plain if precision == "fp32" else f"{plain}-{precision}"


def _found(stack: ExitStack, model: str, search: Search) -> ModelFolder:
    from crosslens.cli.progress import downloading
    from crosslens.hubs.fetch import open_client
    from crosslens.hubs.find import find_model, safe

    with open_client() as client, downloading(model) as bar:
        folder = find_model(client, model, search, progress=bar)
    return stack.enter_context(safe(folder, pickled=search.pickled))


def _made(
    first: ModelFolder, second: ModelFolder, towers: str, wishes: Wishes
) -> Callable[..., Exported]:
    """Load what a model consists of; return what writes it as a bundle."""
    from crosslens.hubs.crossing import export_reranker
    from crosslens.hubs.export import export_model
    from crosslens.hubs.pairs import is_cross_encoder, pair_side

    if not is_cross_encoder(first):
        return partial(export_model, *_sides(first, second, towers, wishes))
    if second is not first or towers != "both" or wishes.pooling:
        raise InvalidRequest(
            f"{first.name} is a cross-encoder, which makes no vectors",
            hint="leave out --pictures, --towers and --pooling",
        )
    return partial(export_reranker, pair_side(first, wishes))


def _sides(
    first: ModelFolder, second: ModelFolder, towers: str, wishes: Wishes
) -> tuple[TextSide | None, PictureSide | None]:
    from crosslens.hubs.sides import has_pictures, picture_side, text_side

    text = text_side(first, wishes) if towers != "pictures" else None
    seeing = towers == "pictures" or (towers == "both" and has_pictures(second))
    same = text.model if text is not None and second is first else None
    return text, picture_side(second, model=same) if seeing or second is not first else None


def _sample(app: App) -> Sample:
    """Draw words and pictures from the catalogue, or if it is too small from the sample shop."""
    from crosslens.hubs.drift import Sample

    words, pictures = _of_catalogue(app)
    if min(len(words), len(pictures)) < SAMPLE_PICTURES:
        say("measured on the sample shop, for the catalogue holds too little")
        words, pictures = _of_sample_shop()
    return Sample(tuple(words), tuple(pictures))


def _of_catalogue(app: App) -> tuple[list[str], list[bytes]]:
    products = islice(chain.from_iterable(app.catalog.stream()), SAMPLE_WORDS)
    found = list(products)
    contents = (app.media.get(picture.sha256) for p in found for picture in p.pictures[:1])
    return [p.title for p in found], list(islice(contents, SAMPLE_PICTURES))


def _of_sample_shop() -> tuple[list[str], list[bytes]]:
    import crosslens.bundled
    from crosslens.corpora.records import Record
    from crosslens.corpora.sources import open_source

    shop = Path(crosslens.bundled.__file__).parent / "sample"
    records = [r for r in islice(open_source(shop), SAMPLE_WORDS) if isinstance(r, Record)]
    titles = [str(r.attributes.get("title_en", r.title)) for r in records[::2]]
    words = [*(r.title for r in records[1::2]), *titles]
    paths = (r.pictures[0] for r in records if r.pictures)
    return words, [path.read_bytes() for path in islice(paths, SAMPLE_PICTURES)]


def _report(done: Exported, folder: Path, *, as_json: bool) -> None:
    from crosslens.hubs.folder import UNKNOWN_LICENCE, forbids_commerce

    card = done.card
    if forbids_commerce(card.licence):
        say(f"NOT FOR COMMERCIAL USE: the licence of these weights is {card.licence}")
    if card.licence == UNKNOWN_LICENCE:
        say("the model's files name no licence: find out before you use it, and add --licence")
    if as_json:
        drift = {kind: str(found) for kind, found in done.drift.items()}
        answer = {"name": card.name, "space": card.space, "dim": card.dim, "folder": str(folder)}
        print_json({**answer, "licence": card.licence, "parity": done.parity, "drift": drift})
        return
    for kind, found in done.parity.items():
        say(f"{kind}: differs from the original by {found:.1e} at most")
    for kind, cost in done.drift.items():
        say(f"{kind} in {card.precision}: {cost}")
    if card.reranker:
        print(f"{folder}: a reranker, licence {card.licence}")
        print(f"hint: scenes use it as rank.reranker: {card.name}")
        return
    print(f"{folder}: {card.dim} numbers, licence {card.licence}")
    print(f"hint: `crosslens model use {card.name}` switches to it; {_purposes(card)}")


def _purposes(card: Any) -> str:
    if card.text and card.picture:
        return "add --for text or --for looks to use it for one purpose only"
    return f"it needs --for {'text' if card.text else 'looks'}"
