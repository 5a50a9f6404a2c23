"""Which bundles encode, and where they run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import crosslens.bundled
from crosslens.catalog.product import Product
from crosslens.compose.composer import Composer
from crosslens.encode.cache import CachedPictures, CachedText
from crosslens.encode.cards import TextCard
from crosslens.encode.choices import PURPOSES, by_bundle
from crosslens.encode.depots import BucketDepot, Depot, FolderDepot
from crosslens.encode.encoder import Encoders
from crosslens.encode.model import Model
from crosslens.encode.onnx import load as load_bundle
from crosslens.encode.shelf import Shelf
from crosslens.errors import InvalidRequest
from crosslens.indexing.rows import ProductText
from crosslens.search.plan import Shares
from crosslens.settings import Settings
from crosslens.telemetry import logger
from crosslens.values import Space
from crosslens.wiring.loaded import LoadedBundle
from crosslens.wiring.places import Places

if TYPE_CHECKING:
    from crosslens.catalog.switches import SqlSwitches
    from crosslens.encode.remote import EncodeClient

BUILT_IN: Final = Path(crosslens.bundled.__file__).parent  # what comes along
COMPOSERS: Final = "composers"
CACHED_PICTURES: Final = 1_000


class Models(Places):
    """The bundles that the settings name, or what has taken their place since."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._loaded: dict[str, Model] = {}

    @cached_property
    def shelf(self) -> Shelf:
        """The home's bundles, then the built-in ones."""
        return Shelf([self.settings.home / "bundles", BUILT_IN])

    @cached_property
    def generator_shelf(self) -> Shelf:
        """Where generators lie: installed ones first, then those that come along."""
        return Shelf([self.settings.home / "generators", BUILT_IN / "generators"])

    def depot(self, url: str = "") -> Depot:
        """
        Open where bundles are shared: as said, else as `bundles_url` says.

        Raises:
            InvalidRequest: neither says so.
            MissingExtra: it is a bucket, and the extra `s3` is not installed.
        """
        place = url or self.settings.bundles_url
        if not place:
            raise InvalidRequest(
                "no place for shared bundles is named",
                hint="name a folder or s3://bucket/prefix, or set bundles_url",
            )
        if place.startswith("s3:"):
            return BucketDepot(self.bucket(place))
        return FolderDepot(Path(place).expanduser())

    @property
    def named(self) -> dict[str, str]:
        """Purpose → bundle, as the settings say."""
        return {purpose: str(getattr(self.settings, purpose)) for purpose in PURPOSES}

    @cached_property
    def chosen(self) -> Mapping[str, str]:
        """
        Purpose → bundle: what the settings name, or what has taken its place since.

        A switch that any process over a shared catalogue has made is one of all of them, also of
        those that start later. A home of its own is told by its settings, which a switch edits.
        """
        if not self.settings.catalog_url:
            return self.named
        serving = self._switches.serving(self.named)
        for purpose, name in self.named.items():
            if name != serving[purpose]:
                told = {"purpose": purpose, "named": name, "serving": serving[purpose]}
                logger("bundles").warning("settings name a bundle that was replaced", **told)
        return serving

    @cached_property
    def _switches(self) -> SqlSwitches:
        from crosslens.catalog.switches import SqlSwitches

        return SqlSwitches(self._ledger)

    def purposes(self) -> dict[str, list[str]]:
        """Say which bundle is used for what."""
        return by_bundle(self.chosen)

    def bundles(self) -> dict[str, Model]:
        """Load the bundles in use; the cross-modal one comes first."""
        loaded = [self.bundle(name) for name in self.purposes()]
        return {model.card.name: model for model in loaded}

    def bundle(self, name: str) -> Model:
        """Load a bundle once, here or at the encode service; all callers share its towers."""
        if name not in self._loaded:
            self._loaded[name] = self._kept(self._opened_bundle(name))
        return self._loaded[name]

    def _opened_bundle(self, name: str) -> Model:
        if self.settings.encoder_url:
            return self.encode_client.model(name)
        folder = self.shelf.folder(name)
        loaded = load_bundle(folder, device=self.settings.device)
        return LoadedBundle(loaded, self.settings, self.threads)

    @cached_property
    def encode_client(self) -> EncodeClient:
        """The connection to the encode service."""
        from crosslens.encode.remote import EncodeClient

        own = self.settings
        return self._kept(
            EncodeClient(
                own.encoder_url,
                token=own.encoder_token,
                authority=own.encoder_ca,
                deadline_s=own.encode_timeout_s,
            )
        )

    @cached_property
    def encoders(self) -> Encoders:
        """Encoders of what the catalogue holds, one per purpose."""
        chosen = self.chosen
        cross = self.bundle(chosen["cross_modal"])
        text = self.bundle(chosen["text"]) if chosen["text"] else cross
        looks = self.bundle(chosen["looks"]) if chosen["looks"] else cross
        return Encoders(
            text=text.words, words=cross.words, pictures=cross.pictures, looks=looks.pictures
        )

    @cached_property
    def query_encoders(self) -> Encoders:
        """The same encoders for queries, with their vectors remembered."""
        entries = self.settings.query_cache
        if not entries:
            return self.encoders
        own = self.encoders
        few = min(entries, CACHED_PICTURES)
        texts = {e: CachedText(e, entries=entries) for e in {own.text, own.words}}
        pictures = {e: CachedPictures(e, entries=few) for e in {own.pictures, own.looks}}
        return Encoders(
            texts[own.text], texts[own.words], pictures[own.pictures], pictures[own.looks]
        )

    @property
    def probe_spaces(self) -> dict[str, str]:
        """Probe → name of the space that it looks in."""
        own = self.encoders
        return {
            "text2text": own.text.space.name,
            "text2image": own.words.space.name,
            "image2image": own.looks.space.name,
            "image2text": own.pictures.space.name,
            "composed": own.words.space.name,
        }

    @property
    def shares(self) -> Shares:
        """Shares of vectors in hybrid search: as set, else what each bundle in use deserves."""
        own = self.settings
        if own.alpha is not None:
            return Shares.even(own.alpha)
        self.encoders  # noqa: B018 - loads the bundles that the settings name
        usual = Shares()
        names = self.chosen["text"], "", self.chosen["looks"]
        found = (self._loaded.get(name or self.chosen["cross_modal"]) for name in names)
        return Shares(*(usual.text if model is None else model.card.alpha for model in found))

    @cached_property
    def composer(self) -> Composer | None:
        """
        What composes pictures and words in the cross-modal space; None where nothing does.

        The home's composers come first. One of another space is not looked at, whatever its name.

        Raises:
            BrokenBundle: there is one, and it is altered or does not pass its goldens.
        """
        from crosslens.compose.bundles import find
        from crosslens.compose.onnx import load

        folders = [self.settings.home / COMPOSERS, BUILT_IN / COMPOSERS]
        found = find(folders, self.encoders.words.space)
        return None if found is None else load(found)

    def _product_texts(self) -> dict[Space, ProductText]:
        """Return, per text space, what of a product its bundle reads."""
        self.encoders  # noqa: B018 - loads the bundles that the settings name
        cards = [bundle.card for bundle in self._loaded.values()]
        return {card.vector_space: partial(_product_text, card.text) for card in cards if card.text}


def _product_text(card: TextCard, product: Product) -> str:
    """Return what of a product a bundle's words are made of."""
    return card.product_text(title=product.fields.title, description=product.fields.description)
