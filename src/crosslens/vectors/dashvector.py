"""DashVector: an index that several processes share, in a managed service."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any, Final

from crosslens.errors import IndexBroken, InvalidRequest, Unavailable
from crosslens.vectors import dashvector_rows as layout
from crosslens.vectors import saved_spec
from crosslens.vectors.dashvector_connection import Connection
from crosslens.vectors.dashvector_index import DashVectorIndex, Generation
from crosslens.vectors.following import CollectionGone
from crosslens.vectors.index import IndexSpec
from crosslens.vectors.one_live import OneLive
from crosslens.vectors.term_statistics import TermStatistics, Training

_PREFIX: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{2,15}")
_DRAFT: Final = 0


class DashVectorStore(OneLive[DashVectorIndex]):
    """
    Generations of two DashVector collections; the one whose row in the part `meta` has the highest
    state is live, so that one write is the switch.

    Args:
        endpoint: the host of a cluster; see Connection.
        spec: what the settings ask for; the live index keeps the spec it was built with.
        training: statistics of terms; see `term_statistics`.
        prefix: begins the name of every collection, so that several share a cluster.

    Raises:
        InvalidRequest: the prefix or the endpoint cannot be used, or there is no key.
    """

    def __init__(
        self,
        endpoint: str,
        spec: IndexSpec,
        *,
        key: str,
        training: Training = TermStatistics,
        prefix: str = "crosslens",
        timeout_s: float = 10.0,
    ) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise InvalidRequest(
                f"the DashVector prefix is {prefix!r}; allowed are 3 to 16 letters and digits"
            )
        super().__init__(spec)
        self._prefix = prefix
        self._training = training
        self._service = Connection(endpoint, key, timeout_s=timeout_s)

    def _found(self) -> DashVectorIndex:
        live = self._live_generation() or self._first()
        return DashVectorIndex(self._service, live, self._training, self._latest)

    def _first(self) -> Generation:
        own = self._generation()
        self._set_state(own, 1)
        winner = self._live_generation()
        if winner is not None and winner.name != own.name:  # another process was first
            self._drop(DashVectorIndex(self._service, own, self._training))
            return winner
        self._new = True
        return own

    def _created(self) -> DashVectorIndex:
        return DashVectorIndex(self._service, self._generation(), self._training)

    def _appoint(self, index: DashVectorIndex) -> None:
        highest = max(self._states().values(), default=0)
        self._set_state(index.generation, highest + 1)
        index.follow(self._latest)

    def _drop(self, index: DashVectorIndex) -> None:
        index.close()
        self._service.drop(index.generation.text)
        self._service.drop(index.generation.pictures)

    def _sweep(self) -> None:
        states = self._states()
        live = max(states, key=lambda name: (states[name], name), default="")
        for name in self._service.collections():
            if self._pattern().fullmatch(name) and name[:-2] != live:
                self._service.drop(name)

    def _release(self) -> None:
        self._service.close()

    def _latest(self, former: Generation) -> Generation:
        live = self._live_generation()
        if live is None:
            raise Unavailable("the vector index was dropped", hint="run `crosslens index rebuild`")
        return former if live.name == former.name else live

    def _live_generation(self) -> Generation | None:
        states = {name: state for name, state in self._states().items() if state > _DRAFT}
        if not states:
            return None
        name = max(states, key=lambda name: (states[name], name))
        meta = self._meta(name)
        if meta is None:
            raise IndexBroken(f"collection {name}_t says nothing of itself")
        return Generation(name, saved_spec.from_json(str(meta["spec"])))

    def _states(self) -> dict[str, int]:
        """Return the state of each generation that says one."""
        found: dict[str, int] = {}
        for name in self._service.collections():
            if self._pattern().fullmatch(name) and name.endswith("_t"):
                meta = self._meta(name[:-2])
                if meta is not None:
                    found[name[:-2]] = int(meta["state"])
        return found

    def _meta(self, generation: str) -> dict[str, Any] | None:
        try:
            rows = self._service.fetch(f"{generation}_t", [layout.META], partition=layout.META)
        except CollectionGone:
            return None
        return dict(rows[layout.META]["fields"]) if layout.META in rows else None

    def _generation(self) -> Generation:
        name = f"{self._prefix}_{uuid.uuid4().hex[:10]}"
        made = Generation(name, self._spec)
        self._service.create(made.pictures, **layout.picture_schema(self._spec))
        self._service.create(made.text, **layout.text_schema(self._spec))
        self._service.partition(made.text, layout.META)
        self._set_state(made, _DRAFT)
        return made

    def _set_state(self, generation: Generation, state: int) -> None:
        """Say of a generation what it holds, and whether it is live."""
        spec = generation.spec
        column = layout.text_schema(spec)["vectors_schema"]
        row = {
            "id": layout.META,
            "vectors": {name: [1.0, *[0.0] * (c["dimension"] - 1)] for name, c in column.items()},
            "sparse_vectors": {layout.KEYWORDS: layout.sparse_of(layout.NOTHING)},
            "fields": {
                layout.PLACE: -1,
                layout.REVISION: round(time.time()),
                "spec": saved_spec.to_json(spec),
                "state": state,
            },
        }
        self._service.upsert(generation.text, [row], partition=layout.META)

        def said() -> bool:
            meta = self._meta(generation.name)
            return meta is not None and int(meta["state"]) == state

        self._service.wait(said, f"the state of {generation.name}")

    def _pattern(self) -> re.Pattern[str]:
        return re.compile(rf"{self._prefix}_[0-9a-f]{{10}}_[tp]")
