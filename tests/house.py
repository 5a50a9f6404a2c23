"""A whole crosslens in memory, for tests: real parts, fake encoders, no disk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from crosslens.catalog.clock import Clock
from crosslens.catalog.editing import Editor
from crosslens.catalog.memory import MemoryCatalog, MemoryMedia
from crosslens.catalog.product import Product, ProductFields
from crosslens.encode.encoder import Encoders
from crosslens.encode.keywords import item_tokens, query_tokens
from crosslens.indexing.rows import RowMaker
from crosslens.indexing.worker import Pace, Worker
from crosslens.search.engine import SearchEngine
from crosslens.search.match import Matcher
from crosslens.values import AttributeType, Space
from crosslens.vectors.index import IndexSpec, VectorIndex
from crosslens.vectors.memory import MemoryStore
from fakes import FakeClock, FakePictureEncoder, FakeTextEncoder

TEXT = Space("fake-text@1/fp32", 32)
CROSS = Space("fake-cross@1/fp32", 32)  # equal dimension on purpose: only names tell them apart
ATTRIBUTES = {"colour": AttributeType.KEYWORD, "price": AttributeType.NUMBER}


@dataclass
class House:
    """Parts that can be swapped one by one."""

    clock: Clock = field(default_factory=FakeClock)
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))

    def __post_init__(self) -> None:
        words, pictures = FakeTextEncoder(CROSS), FakePictureEncoder(CROSS)
        self.encoders = Encoders(FakeTextEncoder(TEXT), words, pictures, pictures)
        self.catalog = MemoryCatalog(clock=self.clock)
        self.media = MemoryMedia()
        self.editor = Editor(self.catalog, self.media)
        self.spec = IndexSpec((TEXT, CROSS), (CROSS,), ATTRIBUTES)
        self.store = MemoryStore(self.spec)
        self.maker = RowMaker(self.encoders, self.media, item_tokens, {})

    def engine(self, index: VectorIndex | None = None) -> SearchEngine:
        matcher = Matcher(self.encoders, index or self.store.live(), query_tokens, self.pool)
        return SearchEngine(self.catalog, self.media, matcher)

    def worker(self, index: VectorIndex | None = None, **pace: float) -> Worker:
        return Worker(
            self.catalog, index or self.store.live(), self.maker, pace=Pace(threads=2, **pace)
        )

    def add(self, title: str, *pictures: bytes, **attributes: object) -> Product:
        return self.editor.add(ProductFields(title, attributes=attributes), pictures)
