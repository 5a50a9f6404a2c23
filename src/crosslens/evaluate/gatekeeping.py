"""A gate before a switch of encoders: golden queries, asked of the old and of the new."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crosslens.catalog.media import MediaStore
from crosslens.catalog.store import CatalogStore
from crosslens.corpora.judged import JudgedSet, open_judged
from crosslens.errors import Conflict, InvalidRequest
from crosslens.evaluate.asking import Asker
from crosslens.evaluate.gates import Against, against, failures
from crosslens.evaluate.judge import ask, report
from crosslens.evaluate.runs import Run
from crosslens.search.engine import Searcher
from crosslens.search.marked import Marked, read_marked
from crosslens.search.request import SearchRequest
from crosslens.values import Kind

DEPTH = 100  # results per query
_ANY = "any"  # a request is never without words; each query brings its own


@dataclass(frozen=True, slots=True)
class Gate:
    """
    What an encoder must reach on which golden queries.

    Attributes:
        set: name of a judged set.
        queries: only the first so many; None asks all.
        least: measure → value that must be reached.
        not_worse: measures that must not fall, p < 0.05.
    """

    set: str
    kind: Kind = Kind.AUTO
    queries: int | None = None
    least: Mapping[str, float] = field(default_factory=dict)
    not_worse: tuple[str, ...] = ()


def read_gate(path: Path) -> Gate | None:
    """
    Read a gate; None if there is no file.

    Raises:
        InvalidRequest: the file is wrong; the message begins with file and line.
    """
    if not path.exists():
        return None
    try:
        told = read_marked(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc}") from exc
    table = told.table(("set", "kind", "queries", "fail_under", "fail_if_worse"))
    if "set" not in table or not table.keys() & {"fail_under", "fail_if_worse"}:
        told.wrong("needs set, and fail_under or fail_if_worse")
    least, not_worse = table.get("fail_under"), table.get("fail_if_worse")
    return Gate(
        set=table["set"].text(most=100),
        kind=Kind(table["kind"].one_of([*Kind])) if "kind" in table else Kind.AUTO,
        queries=table["queries"].whole(1, 100_000) if "queries" in table else None,
        least={name: each.number(0, 1) for name, each in least.table().items()} if least else {},
        not_worse=tuple(map(Marked.text, not_worse.items())) if not_worse else (),
    )


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """
    Lets an encoder pass, or does not.

    Attributes:
        folder: of the judged set.
    """

    gate: Gate
    folder: Path
    catalog: CatalogStore
    media: MediaStore
    threads: int = 1

    def require(self, name: str, now: Searcher, former: Callable[[], Searcher]) -> None:
        """
        Ask the golden queries and stop an encoder that does not answer them well enough.

        Args:
            name: of the bundle, for the message.
            former: gives what answers now; called only where it is compared with.

        Raises:
            Conflict: the gate does not let it pass; the message says why.
            InvalidRequest: the set is away, or judges nothing of this kind.
        """
        judged = open_judged(self.folder, self.gate.kind, limit=self.gate.queries, gallery=False)
        found = report(judged.queries, self._asked(judged, now), judged.qrels)
        beside: Against | None = None
        if self.gate.not_worse:
            earlier = self._asked(judged, former())
            beside = against(found, judged.queries, earlier, judged.qrels, name="in use")
        least, not_worse = self.gate.least, self.gate.not_worse
        if told := failures(found, least=least, not_worse=not_worse, beside=beside):
            raise Conflict(
                f"the gate does not let {name} pass: {'; '.join(told)} "
                f"({found.all.queries} golden queries of {self.gate.set})",
                hint="what was in use goes on; change gate.yaml to let it pass",
            )

    def _asked(self, judged: JudgedSet, engine: Searcher) -> Run:
        base = SearchRequest(_ANY, kind=self.gate.kind, limit=DEPTH)
        asker = Asker(engine, self.catalog, self.media, base)
        return ask(judged.queries, asker, judged.qrels, threads=self.threads)
