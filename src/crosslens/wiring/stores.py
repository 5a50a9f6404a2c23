"""Where vectors live: one line per engine."""

from __future__ import annotations

from typing import Final

from crosslens.errors import InvalidRequest
from crosslens.settings import Settings
from crosslens.vectors.index import IndexSpec, IndexStore
from crosslens.vectors.term_statistics import StatisticsFile

KEYWORDS: Final = "keywords.json"


def open_index(settings: Settings, spec: IndexSpec) -> IndexStore:
    """
    Open the store that index_url names.

    Raises:
        InvalidRequest: it names none that is known.
    """
    scheme, _, rest = settings.index_url.partition(":")
    if scheme not in _INDEX_STORES:
        allowed = ", ".join(f"{name}:" for name in _INDEX_STORES if name)
        raise InvalidRequest(f"index_url is {settings.index_url!r}, allowed are {allowed}")
    return _INDEX_STORES[scheme](settings, rest, spec)


def named_milvus(settings: Settings, url: str, spec: IndexSpec) -> IndexStore:
    """
    Open `milvus://host:port/name` or `milvus:file.db/name`.

    Raises:
        InvalidRequest: it is neither.
    """
    place, _, name = url.removeprefix("milvus:").rpartition("/")
    if not place or place.endswith("/") or not name:
        raise InvalidRequest(
            f"{url!r} names no collection",
            hint="for example milvus://localhost:19530/products or milvus:./products.db/products",
        )
    place = f"http:{place}" if place.startswith("//") else place
    return _milvus(settings.model_copy(update={"milvus_prefix": name}), place, spec)


def _zvec(settings: Settings, rest: str, spec: IndexSpec) -> IndexStore:
    from crosslens.vectors.zvec import ZvecStore

    return ZvecStore(settings.home / "index", spec)


def _milvus(settings: Settings, rest: str, spec: IndexSpec) -> IndexStore:
    from crosslens.vectors.milvus import Access, MilvusStore

    access = Access(
        settings.milvus_token,
        settings.milvus_ca,
        settings.milvus_timeout_s,
        settings.milvus_consistency,
    )
    prefix, graph = settings.milvus_prefix, settings.milvus_graph
    return MilvusStore(rest, spec, access=access, prefix=prefix, graph=graph)


def _memory(settings: Settings, rest: str, spec: IndexSpec) -> IndexStore:
    from crosslens.vectors.memory import MemoryStore

    return MemoryStore(spec)


def _dashvector(settings: Settings, rest: str, spec: IndexSpec) -> IndexStore:
    from crosslens.vectors.dashvector import DashVectorStore

    return DashVectorStore(
        rest,
        spec,
        key=settings.dashvector_key.get_secret_value(),
        training=StatisticsFile(settings.home / KEYWORDS),
        prefix=settings.dashvector_prefix,
    )


_INDEX_STORES = {"": _zvec, "milvus": _milvus, "dashvector": _dashvector, "memory": _memory}
