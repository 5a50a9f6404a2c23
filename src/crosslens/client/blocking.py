"""`Client`: the service from Python."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from crosslens.client import calls, shaping, tending
from crosslens.client.answers import (
    Answer,
    BatchResult,
    ImportJob,
    Product,
    ProductPage,
    Readiness,
)
from crosslens.client.calls import (
    Call,
    Details,
    NewProduct,
    Options,
    Paging,
    ProductEdits,
    Question,
)
from crosslens.client.replies import Reply
from crosslens.client.retrying import Patience, settled
from crosslens.client.sending import LOCAL, answered, headers_of, keywords, reply_of
from crosslens.client.shaping import DuplicatePage, SuggestedTitle
from crosslens.client.tending import (
    AskedQuery,
    Compared,
    Evaluation,
    EvaluationRun,
    IndexState,
    JudgedSet,
    Model,
    Task,
    TrafficStep,
)
from crosslens.errors import Overloaded, Unavailable

T = TypeVar("T")


class Client:
    """
    Talk to a crosslens service; may be shared by threads.

    Calls that may be repeated without harm are, when the service is busy or away. Errors are those
    of `crosslens.errors`.

    Args:
        url: where the service listens.
        key: API key; a service on this machine may need none.
        timeout_s: seconds that one try may take.
        patience: how often and how patiently to try again.
        transport: how to reach the service; None: over the network.

    >>> from crosslens import Client
    >>> with Client(url, key=key) as client:
    ...     shoe = client.add_product("red running shoe", attributes={"colour": "red"})
    ...     client.wait_until_indexed()
    ...     answer = client.search("running shoe", filter="colour = red")
    ...     answer.hits[0].product.title
    'red running shoe'
    """

    def __init__(
        self,
        url: str = LOCAL,
        *,
        key: str | None = None,
        timeout_s: float = 60.0,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._http = httpx.Client(
            base_url=url, headers=headers_of(key), timeout=timeout_s, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ready(self) -> Readiness:
        """Ask whether every part of the service answers."""
        return self._do(calls.ready())

    def add_product(self, title: str, **details: Unpack[Details]) -> Product:
        """
        Add a product.

        >>> client.add_product("hat", source_key="hat-1", pictures=[picture]).pictures[0].format
        'jpeg'

        Raises:
            Conflict: the source key is taken.
            InvalidRequest, UnreadablePicture: nothing was stored.
        """
        return self._do(calls.add_product(title, details))

    def product(self, product_id: int) -> Product:
        """
        Read a product.

        Raises:
            NotFound: there is none.
        """
        return self._do(calls.product(product_id))

    def edit_product(
        self, product_id: int, *, revision: int | None = None, **edits: Unpack[ProductEdits]
    ) -> Product:
        """
        Change what is given and leave the rest.

        >>> hat = client.add_product("hat", attributes={"price": 20})
        >>> client.edit_product(hat.id, merge_attributes={"price": 15}).attributes
        {'price': 15.0}

        Raises:
            OutOfDate: the product is no longer at `revision`.
        """
        return self._do(calls.edit_product(product_id, revision, edits))

    def remove_product(self, product_id: int, *, revision: int | None = None) -> None:
        """
        Remove a product.

        >>> client.remove_product(client.add_product("old hat").id)

        Raises:
            NotFound: there is none.
            OutOfDate: the product is no longer at `revision`.
        """
        self._do(calls.remove_product(product_id, revision))

    def restore_product(self, product_id: int) -> Product:
        """
        Bring a removed product back as it was.

        Raises:
            NotFound: there never was such a product.
            Conflict: its pictures have been deleted meanwhile.
        """
        return self._do(calls.restore_product(product_id))

    def products(self, **paging: Unpack[Paging]) -> ProductPage:
        """
        Read a page of the catalogue, newest first.

        >>> page = client.products(page_size=2, sort="title", descending=False)
        >>> len(page.products)
        2
        """
        return self._do(calls.products(paging))

    def all_products(self, **paging: Unpack[Paging]) -> Iterator[Product]:
        """Yield every product, page after page."""
        while True:
            page = self.products(**paging)
            yield from page.products
            if page.next_cursor is None:
                return
            paging["cursor"] = page.next_cursor

    def picture(self, product_id: int, n: int = 0, *, size: int | None = None) -> bytes:
        """
        Read a picture of a product, or a smaller JPEG of it.

        >>> hat = client.add_product("hat", pictures=[picture])
        >>> client.picture(hat.id) == picture
        True
        """
        return self._do(calls.picture(product_id, n, size))

    def put_products(
        self, products: Iterable[NewProduct], *, batch: int = 100
    ) -> Iterator[BatchResult]:
        """
        Add or change products by their source keys, in batches, while the iterable is read.

        Nothing is sent before the first result is asked for, and nothing is read ahead but one
        batch. What is stored unchanged costs nothing, so all of it may be put again.

        >>> shop = ({"source_key": f"sku-{n}", "title": f"hat {n}"} for n in range(250))
        >>> sum(result.result == "added" for result in client.put_products(shop))
        250
        """
        batches = calls.Batches(batch)
        for product in products:
            for full in batches.add(product):
                yield from self._do(calls.put_products(full))
        for last in batches.rest():
            yield from self._do(calls.put_products(last))

    def search(self, words: str = "", **options: Unpack[Options]) -> Answer:
        """
        Find products by words, by picture, by a product, or by several of these.

        >>> client.search(pictures=[picture], words="but green", kind="composed").kind
        'composed'
        """
        return self._do(calls.search(words, options))

    def search_many(self, questions: Iterable[Question]) -> list[Answer]:
        """
        Ask several questions in one request.

        >>> [answer.kind for answer in client.search_many([{"words": "hat"}, {"words": "bag"}])]
        ['hybrid', 'hybrid']
        """
        return self._do(calls.search_many(questions))

    def similar(self, product_id: int, **params: Any) -> Answer:
        """Find products like one; `kind`, `filter`, `limit` and `offset` as in a search."""
        return self._do(calls.similar(product_id, params))

    def import_file(self, file: Path, *, columns: Sequence[str] = ()) -> ImportJob:
        """
        Hand in a CSV, TSV, JSONL or Parquet file; the service imports it in the background.

        Args:
            columns: `FIELD=COLUMN` pairs, where names do not tell.
        """
        return self._do(calls.import_file(file, columns))

    def import_path(self, path: str, *, columns: Sequence[str] = ()) -> ImportJob:
        """Import a file or folder of the server; needs the role admin."""
        return self._do(calls.import_path(path, columns))

    def import_job(self, job_id: str) -> ImportJob:
        """Ask how far an import is."""
        return self._do(calls.import_job(job_id))

    def cancel_import(self, job_id: str) -> ImportJob:
        """Stop an import after the batch at hand."""
        return self._do(calls.cancel_import(job_id))

    def wait_for_import(self, job_id: str, *, timeout_s: float = 3_600.0) -> ImportJob:
        """
        Wait until an import has ended.

        Raises:
            Overloaded: it has not in time.
        """
        due = time.monotonic() + timeout_s
        while not (job := self.import_job(job_id)).ended:
            if time.monotonic() > due:
                raise Overloaded(f"the import is still {job.state} after {timeout_s:g} s")
            time.sleep(0.1)
        return job

    def index_state(self) -> IndexState:
        """Ask how the index is beside the catalogue, and what is parked for which reason."""
        return self._do(tending.index_state())

    def start_audit(self, *, repair: bool = False) -> Task:
        """Compare catalogue and index, and index again what differs if asked to; role admin."""
        return self._do(tending.start_audit(repair))

    def start_rebuild(self) -> Task:
        """Build the index anew beside the live one, and switch; role admin."""
        return self._do(tending.start_rebuild())

    def index_again(self, product_ids: Sequence[int]) -> int:
        """Let products be looked at again, parked ones included; return how many will be."""
        return self._do(tending.index_again(product_ids))

    def models(self) -> list[Model]:
        """List the bundles of the service, and what they are used for."""
        return self._do(tending.models())

    def use_model(self, name: str, *, purpose: str = "cross-modal") -> Task:
        """Check a bundle, index everything for it, and switch; role admin."""
        return self._do(tending.use_model(name, purpose))

    def duplicates(
        self, *, tiers: Sequence[str] = (), limit: int = 20, offset: int = 0
    ) -> DuplicatePage:
        """Read clusters of products that look like one; tiers: exact, near, same_product."""
        return self._do(shaping.duplicates(tiers, limit, offset))

    def scan_duplicates(self) -> Task:
        """Begin to look through the whole catalogue for duplicates."""
        return self._do(shaping.scan_duplicates())

    def decide_duplicates(
        self, product_ids: Sequence[int], verdict: str, *, keep: int | None = None
    ) -> Product | None:
        """
        Remember what is true of some products: distinct, merged into `keep`, or open again.

        Returns:
            The product that stays, if they were merged.
        """
        return self._do(shaping.decide_duplicates(product_ids, verdict, keep))

    def suggest_titles(self, product_id: int, *, limit: int = 5) -> list[SuggestedTitle]:
        """Ask for titles that fit the pictures of a product."""
        return self._do(shaping.suggest_titles(product_id, limit))

    def feedback(self, answer_id: str, *told: tuple[int, str]) -> int:
        """
        Say what someone did with products of an answer: (product id, action), where an action is
        click, cart, buy or dismissed.

        Returns:
            How much of it was new; saying a thing twice counts once.
        """
        return self._do(shaping.feedback(answer_id, told))

    def tasks(self) -> list[Task]:
        """List long work of the service, newest first."""
        return self._do(tending.tasks())

    def task(self, task_id: str) -> Task:
        """Ask how far long work is."""
        return self._do(tending.task(task_id))

    def wait_for_task(self, task_id: str, *, timeout_s: float = 3_600.0) -> Task:
        """
        Wait until long work is over.

        Raises:
            Overloaded: it is not in time.
        """
        due = time.monotonic() + timeout_s
        while not (task := self.task(task_id)).over:
            if time.monotonic() > due:
                raise Overloaded(f"the task is still {task.state} after {timeout_s:g} s")
            time.sleep(0.1)
        return task

    def traffic(self) -> list[TrafficStep]:
        """Ask what happened in the last hour, in steps of ten seconds."""
        return self._do(tending.traffic())

    def judged_sets(self) -> list[JudgedSet]:
        """List the judged sets of the service."""
        return self._do(tending.judged_sets())

    def start_evaluation(self, set: str, **options: Unpack[Evaluation]) -> Task:
        """Ask the queries of a judged set of the live catalogue; the result names the run."""
        return self._do(tending.start_evaluation(set, options))

    def runs(self) -> list[EvaluationRun]:
        """List measured runs, newest first."""
        return self._do(tending.runs())

    def run(self, run_id: str) -> EvaluationRun:
        """Read a measured run."""
        return self._do(tending.run(run_id))

    def remove_run(self, run_id: str) -> None:
        """Forget a measured run."""
        self._do(tending.remove_run(run_id))

    def worst_queries(
        self, run_id: str, *, measure: str = "ndcg@10", limit: int = 20
    ) -> list[AskedQuery]:
        """Ask for the queries of a run that a measure is least pleased with."""
        return self._do(tending.worst(run_id, measure, limit))

    def compare_runs(self, first: str, second: str) -> Compared:
        """Compare two runs query by query."""
        return self._do(tending.compare_runs(first, second))

    def wait_until_indexed(self, *, timeout_s: float = 60.0) -> None:
        """
        Wait until searches know everything that was written.

        Raises:
            Overloaded: they do not in time.
        """
        due = time.monotonic() + timeout_s
        while unsettled := self.ready().unsettled:
            if time.monotonic() > due:
                raise Overloaded(f"{unsettled} changes are not indexed after {timeout_s:g} s")
            time.sleep(0.05)

    def _do(self, call: Call[T]) -> T:
        tried = 0
        while True:
            tried += 1
            outcome = self._try(call)
            if not self._patience.again(call, tried, outcome):
                break
            time.sleep(self._patience.wait_s(tried, _retry_after(outcome)))
        if not isinstance(outcome, Reply):
            raise Unavailable(f"the service at {self._http.base_url} does not answer") from outcome
        return answered(call, settled(call, tried, outcome))

    def _try(self, call: Call[Any]) -> Reply | httpx.TransportError:
        try:
            with ExitStack() as files:
                response = self._http.request(call.method, call.path, **keywords(call, files))
                return reply_of(response)
        except httpx.TransportError as exc:
            return exc


def _retry_after(outcome: Reply | httpx.TransportError) -> str | None:
    headers: Mapping[str, str] = outcome.headers if isinstance(outcome, Reply) else {}
    return headers.get("retry-after")
